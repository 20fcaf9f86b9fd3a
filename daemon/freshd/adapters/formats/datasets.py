"""OpenLineage's dataset names, as the names under which assets may be known here.

What a producer calls a table (namespace and name) and what a catalogue calls it (a relation, an alias)
differ by store: some leave the database out, some name files for tables, some add a partition to the
name. `dataset_names` lists the candidates from the most to the least exact; the first that an asset has
counts. `*.schema.table` stands for that table in whatever database, where only one has it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

MAX_PARENTS: Final = 16
"""How many folders above a file are tried as the location of a table."""

_FILES = re.compile(r"s3[an]?|gs|gcs|abfss?|wasbs?|adl|hdfs|viewfs|dbfs|file|oss|cos")
_SAME: Final = {"s3a": "s3", "s3n": "s3", "gcs": "gs"}
_WITHOUT_DATABASE: Final = frozenset(["spark", "hive", "mysql", "mariadb", "arn", "clickhouse", "iceberg"])
_OWN_CATALOG: Final = ("spark_catalog.", "hive_metastore.", "awsdatacatalog.")
_SHARD = re.compile(r"(?P<stem>.+_)(\d{8}|\*)")


def dataset_names(namespace: str, name: str, table: bool = False) -> Iterator[str]:
    """The names that a dataset may have here, most exact first; `table`: it is a table whatever its namespace says."""
    scheme = namespace.partition(":")[0].lower()
    if _FILES.fullmatch(scheme) and not table:
        yield from _file_names(scheme, namespace, name)
        return
    if namespace:
        yield f"{namespace.rstrip('/')}/{name.lstrip('/')}"
    yield name
    if scheme == "bigquery":
        yield from _without_decorator(namespace, name)
    parts = name.split("/")[-2:] if scheme == "arn" and name.startswith("table/") else name.split(".")
    if len(parts) == 3 and f"{parts[0]}.".lower() in _OWN_CATALOG:
        parts = parts[1:]
    if len(parts) == 2 and (table or scheme in _WITHOUT_DATABASE):
        if ".".join(parts) != name:
            yield ".".join(parts)
        yield f"*.{parts[0]}.{parts[1]}"


def _file_names(scheme: str, namespace: str, name: str) -> Iterator[str]:
    rest = namespace.partition("://")[2]
    root = f"{_SAME.get(scheme, scheme)}://{rest}".rstrip("/") if rest else f"{scheme}://"
    path = f"{root}/{name.strip('/')}"
    yield path
    for _ in range(MAX_PARENTS):
        path = path.rpartition("/")[0]
        if len(path) <= len(root):
            break
        yield path
    if rest:
        yield root


def _without_decorator(namespace: str, name: str) -> Iterator[str]:
    table = name.partition("$")[0]
    if table != name:
        yield f"{namespace}/{table}"
        yield table
    shard = _SHARD.fullmatch(table)
    if shard is not None:
        yield f"{shard['stem']}*"
        yield shard["stem"].rstrip("_")
