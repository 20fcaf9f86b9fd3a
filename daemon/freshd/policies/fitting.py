"""Whether what a policy expects fits the assets that it selects: partitions are not something that every asset has."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from freshd.documents import PathPart
from freshd.model.asset import AssetKey
from freshd.model.errors import Problem
from freshd.model.graph import AssetGraph
from freshd.policies.written import WrittenPolicy

SHOWN_ASSETS = 3
"""Assets that a problem about many of them names."""


def misfits(written: WrittenPolicy, keys: Sequence[AssetKey], graph: AssetGraph) -> Iterator[Problem]:
    """What the policy asks of partitions that its assets do not have, each at its line."""
    if not keys:
        return
    schemes = {key: graph.assets[key].partitions for key in keys}
    untimed = [key for key, scheme in schemes.items() if scheme is None or not scheme.by]
    expect = written.model.expect
    asking: list[tuple[PathPart, ...]] = [
        ("expect", name) for name in ("lag", "behind", "age") if getattr(getattr(expect, name), "per", None)
    ]
    for place, model in zip(written.deadline_places, expect.deadlines, strict=True):
        if model.max_lag is None and untimed:
            yield Problem(
                written.where(*place),
                f"deadline.max_lag is missing: only assets partitioned by time do without it, and not {some(untimed)};"
                " say how old the data may be at the tick, like max_lag: 9h",
            )
        if model.offset and len(untimed) == len(keys):
            yield Problem(
                written.where(*place, "offset"),
                f"deadline.offset says which partition a tick names, and {some(keys)} is not partitioned by time;"
                " remove it, or say max_lag",
            )
        if model.per:
            asking.append(place)
    if not any(scheme is not None and scheme.names for scheme in schemes.values()):
        for place in asking:
            yield Problem(
                written.where(*place, "per"),
                f"{place[1]}.per asks each fixed partition by itself, and {some(keys)} has none; remove it",
            )


def some(keys: Sequence[AssetKey]) -> str:
    """The first few of the keys, and how many more there are."""
    shown = ", ".join(keys[:SHOWN_ASSETS])
    return shown if len(keys) <= SHOWN_ASSETS else f"{shown} and {len(keys) - SHOWN_ASSETS} more assets"
