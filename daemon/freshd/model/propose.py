"""The identify rule that would map an event that named no asset: a line to paste, as good as can be guessed.

It knows what distinguishes events of each format, and looks for the source, schema or asset that is
called most like what the event names. Where nothing fits, the line has SELECTOR in its place.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import Final

from freshd.model.graph import AssetGraph
from freshd.model.inputs import HINT
from freshd.model.names import fold

UNKNOWN: Final = "SELECTOR"
"""What stands for the assets where none can be guessed."""

_MATCHED: Final[Mapping[str, tuple[tuple[str, ...], ...]]] = {
    "fivetran": (("connector",),),
    "airbyte": (("connection_name",), ("connection",)),
    "openlineage": (("namespace", "name"), ("job_namespace", "job_name")),
    "cloudevents": (("type", "source", "subject"), ("type", "source")),
    "dbt": (("unique_id",), ("job_name",), ("job",)),
}
_TELLING: Final[Mapping[str, tuple[str, ...]]] = {
    "fivetran": ("connector_name", "connector_type"),
    "airbyte": ("source_name", "connection_name"),
    "openlineage": ("name", "job_name"),
    "cloudevents": ("subject", "source"),
    "dbt": ("unique_id", "job_name"),
}
_PLAIN = re.compile(r"[A-Za-z_][\w./-]*")
_TEST_TABLE = re.compile(r"(?:^|\.)[^.]*_dbt_test__audit\.")
_CLOSE: Final = 0.75
_LONG: Final = 4
"""Letters of a word that may be thought close to another: `ads` and `ds` have nothing in common."""


def propose_rule(format: str, name: str, fields: Mapping[str, str], graph: AssetGraph) -> str:
    """One line of `identify:` for events like this one; `name` is what it calls what it is about.

    A comment, where no rule would help.
    """
    if HINT in fields:
        return f"# {fields[HINT]}"
    if _TEST_TABLE.search(fields.get("name", "")):
        return f'- {{format: {format}, match: {{name: "*_dbt_test__audit.*"}}, ignore: true}}'
    chosen = next((names for names in _MATCHED.get(format, ()) if all(fields.get(field) for field in names)), ())
    match = {field: fields[field] for field in chosen} or {"asset": name}
    written = ", ".join(f"{field}: {_yaml(value)}" for field, value in match.items())
    told = [fields[field] for field in _TELLING.get(format, ()) if fields.get(field)]
    return f"- {{format: {format}, match: {{{written}}}, assets: {_yaml(_guess([*told, name], format, graph))}}}"


def _guess(told: Iterable[str], format: str, graph: AssetGraph) -> str:
    loads_many = format in ("fivetran", "airbyte")
    known = _sources(graph) if loads_many else _assets(graph)
    words = [word for text in told for word in _words(text, loads_many)]
    for word in words:
        if word in known:
            return known[word]
    for word in (word for word in words if len(word) >= _LONG):
        for close in get_close_matches(word, known, n=1, cutoff=_CLOSE):
            return known[close]
    return UNKNOWN


def _words(text: str, loads_many: bool) -> list[str]:
    folded = fold(text)
    parts = [part for part in re.split(r"[./:\s]+|→|->", folded) if len(part) > 1]
    whole = re.sub(r"\W+", "_", folded).strip("_")
    return [whole, *(parts if loads_many else parts[::-1])]


def _sources(graph: AssetGraph) -> dict[str, str]:
    """Selectors of many tables, by what they are called: dbt's sources, then schemas."""
    known: dict[str, str] = {}
    for asset in graph.assets.values():
        if asset.source_name:
            known.setdefault(fold(asset.source_name), f"source:{asset.source_name}")
    for asset in graph.assets.values():
        parts = fold(asset.relation).split(".")
        if not asset.upstreams and len(parts) >= 2 and parts[-2]:
            known.setdefault(parts[-2], f"relation:{'.'.join(parts[:-1])}.*")
    return known


def _assets(graph: AssetGraph) -> dict[str, str]:
    """Keys by last segment, where only one asset is called so."""
    known: dict[str, str] = {}
    twice: set[str] = set()
    for asset in graph.assets.values():
        name = fold(asset.name)
        if name in known:
            twice.add(name)
        known[name] = asset.key
    return {name: key for name, key in known.items() if name not in twice}


def _yaml(text: str) -> str:
    return text if _PLAIN.fullmatch(text) else json.dumps(text, ensure_ascii=False)
