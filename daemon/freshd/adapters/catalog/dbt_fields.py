"""What dbt's manifests say where, over all their versions: read field by field, never by a strict schema.

dbt moved many properties from nodes into their `config` over time and keeps both for a while; each
reader here looks at both places and takes whatever is there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from freshd.model.time import DAY, HOUR, MINUTE, Duration

Node = Mapping[str, Any]

_PERIODS: Final = {"minute": MINUTE, "hour": HOUR, "day": DAY}
_EMPTY: Final[Mapping[str, Any]] = {}


def mapping(holder: Node, name: str) -> Mapping[str, Any]:
    """An object inside, or an empty one."""
    value = holder.get(name)
    return value if isinstance(value, dict) else _EMPTY


def texts(value: Any) -> Iterator[str]:
    """The texts of a list, or one text alone."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        yield from (one for one in value if isinstance(one, str))


def materialized(node: Node) -> str:
    """How dbt builds it: table, view, ephemeral, incremental, …"""
    value = mapping(node, "config").get("materialized")
    return value if isinstance(value, str) else ""


def meta(node: Node) -> Mapping[str, Any]:
    """Its `meta`, the config's over its own."""
    return {**mapping(node, "meta"), **mapping(mapping(node, "config"), "meta")}


def tags(node: Node) -> tuple[str, ...]:
    """Its tags, each once."""
    return tuple(dict.fromkeys([*texts(node.get("tags")), *texts(mapping(node, "config").get("tags"))]))


def group(node: Node) -> str:
    """The name of its group, or empty."""
    value = node.get("group") or mapping(node, "config").get("group")
    return value if isinstance(value, str) else ""


def owners(node: Node, group_owner: Any = None) -> tuple[str, ...]:
    """Who answers for it: by its meta, else its own owner (exposures), else its group's."""
    said = meta(node)
    for value in (said.get("owners"), said.get("owner"), node.get("owner"), group_owner):
        found = tuple(dict.fromkeys(_people(value)))
        if found:
            return found
    return ()


def _people(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        value = value.get("email") or value.get("name")
    if isinstance(value, list):
        for one in value:
            yield from _people(one)
    elif isinstance(value, str) and value.strip():
        yield value.strip()


def relation(node: Node) -> str:
    """Where it lies, without quotes: `database.schema.table`; empty for what lies nowhere."""
    if materialized(node) == "ephemeral" or node.get("resource_type") == "exposure":
        return ""
    written = node.get("relation_name")
    if isinstance(written, str) and written:
        return written.translate(_QUOTES)
    table = node.get("identifier") or node.get("alias") or node.get("name")
    parts = [node.get("database"), node.get("schema"), table]
    return ".".join(part for part in parts if isinstance(part, str) and part)


_QUOTES: Final = str.maketrans("", "", '"`[]')


def locations(node: Node) -> tuple[str, ...]:
    """Where its files lie, if it says so and without templates: an external table's location."""
    places = (
        mapping(node, "external").get("location"),
        meta(node).get("external_location"),
        mapping(node, "config").get("external_location"),
    )
    return tuple(dict.fromkeys(place.rstrip("/*") for place in places if isinstance(place, str) and "{" not in place))


def has_loaded_at(node: Node) -> bool:
    """Whether dbt looks at the data of a source for its newest load."""
    config = mapping(node, "config")
    return any(holder.get(name) for holder in (node, config) for name in ("loaded_at_field", "loaded_at_query"))


def period(value: Any) -> Duration | None:
    """dbt's `{count, period}`; None where it sets nothing."""
    if not isinstance(value, dict):
        return None
    count, size = value.get("count"), _PERIODS.get(str(value.get("period")).removesuffix("s"))
    if isinstance(count, bool) or not isinstance(count, int | float) or size is None:
        return None
    return round(count * size) if count >= 0 else None


def freshness(node: Node) -> Mapping[str, Any]:
    """Its freshness block, its own or its config's if that sets nothing; empty where neither does."""
    for said in (mapping(node, "freshness"), mapping(mapping(node, "config"), "freshness")):
        if any(period(value) is not None for value in said.values()):
            return said
    return _EMPTY


def upstream_ids(node: Node) -> list[str]:
    """The unique_ids that it depends on, as written."""
    return list(texts(mapping(node, "depends_on").get("nodes")))


def enabled(node: Node) -> bool:
    """Whether dbt builds it at all."""
    return mapping(node, "config").get("enabled") is not False
