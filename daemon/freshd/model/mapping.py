"""Which partitions of an upstream a partition reads, by the mapping that is written or the default.

    mapping     | reads of the upstream                                        | between
    ------------+--------------------------------------------------------------+-------------------------------
    same        | the partition of the same key (default where sliced alike)   | equal slicings; names among its
    window      | the window that holds the reader's, or those inside it       | day and week, month; hour and day, …
    all         | every partition in use, as the asset as a whole              | any
    {last: n}   | the n windows that end with the reader's own; the newest n   | an upstream sliced by time

An unpartitioned reader reads all (default) or the newest n. It decides nothing about rows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from freshd.model.asset import Asset, AssetKey, PartitionScheme
from freshd.model.errors import Problem
from freshd.model.partitions import FINER, back_from, is_timed, same_slicing, window_at, window_of
from freshd.model.time import Instant


@dataclass(frozen=True, slots=True)
class Slice:
    """Several windows of one upstream: those in [begin, end), or, with `last`, the newest that have begun."""

    begin: Instant = 0
    end: Instant = 0
    last: int = 0


WHOLE_ASSET = Slice()
"""The upstream as a whole: every partition in use."""


def reads(reader: PartitionScheme | None, key: str, up: PartitionScheme, mapping: Any) -> str | Slice:
    """What the reader's partition `key` reads of an upstream: one partition, or several together."""
    kind, last = (mapping, 0) if not isinstance(mapping, Mapping) else ("last", int(mapping["last"]))
    if kind is None:
        kind = "all" if reader is None else "same"
    if kind == "all":
        return WHOLE_ASSET
    if kind == "same" or reader is None or not is_timed(reader):
        return key if kind == "same" else Slice(last=last)
    own = window_of(reader, key)
    if kind == "window":
        if reader.by not in FINER[up.by]:
            return key if reader.by == up.by else Slice(own.begin, own.end)
        return window_at(up, own.begin).key
    return Slice(back_from(up, own.end, last).begin, window_at(up, own.end - 1).end)


def mapping_problems(assets: Mapping[AssetKey, Asset]) -> list[Problem]:
    """Every pair of partitioned assets without a rule, and every mapping that cannot be, with what to write."""
    return [
        Problem(asset.origin, f"asset {asset.key}, upstream {up}: {wrong}")
        for asset in assets.values()
        if asset.partitions is not None or asset.mappings
        for up in asset.upstreams
        if up in assets and (wrong := _wrong(asset, assets[up], asset.mappings.get(up)))
    ]


def _wrong(reader: Asset, up: Asset, mapping: Any) -> str:
    mine, its = reader.partitions, up.partitions
    if its is None:
        return "" if mapping in (None, "all") else "it has no partitions, so there is nothing to map; leave mapping out"
    if isinstance(mapping, Mapping):
        return "" if is_timed(its) else "only windows of time have a last n; write mapping: all"
    if mapping == "all" or mine is None:
        return "" if mapping in (None, "all") else f"an asset without partitions cannot read {mapping}; write all"
    if mapping == "window":
        return _wrong_window(mine, its)
    if same_slicing(mine, its) or (mine.names and set(mine.names) <= set(its.names)):
        return ""
    if mapping == "same":
        return f"{_said(mine)} and {_said(its)} are not the same partitions; write mapping: {_advice(mine, its)}"
    return (
        f"{_said(mine)} from {_said(its)} needs a mapping; write {{key: {up.key}, mapping: {_advice(mine, its)}}} "
        "for it among the upstreams"
    )


def _wrong_window(mine: PartitionScheme, its: PartitionScheme) -> str:
    if not (is_timed(mine) and is_timed(its)):
        return "mapping: window is between windows of time; write mapping: all"
    if mine.timezone != its.timezone:
        return f"its windows are in {its.timezone}, the asset's own in {mine.timezone}; write one time zone for both"
    if mine.by != its.by and mine.by not in FINER[its.by] and its.by not in FINER[mine.by]:
        return f"a {mine.by} and a {its.by} do not lie inside one another; write mapping: {{last: n}} or all"
    return ""


def _said(scheme: PartitionScheme) -> str:
    return f"partitions by {scheme.by} ({scheme.timezone})" if scheme.by else "fixed partitions"


def _advice(mine: PartitionScheme, its: PartitionScheme) -> str:
    if is_timed(mine) and is_timed(its) and not _wrong_window(mine, its):
        return "window"
    return "{last: 7}, or all" if is_timed(its) else "all"
