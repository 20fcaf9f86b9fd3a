"""Rows for partitions: which are in use, and which upstream rows each is made from.

An asset with partitions has a row for each partition in use, and one for the asset as a whole that gathers them
(it shows them, as a virtual asset shows its upstreams). In use are: all fixed partitions; of windows the newest
`latest`, those that anything ever happened to, those that a reader's partition is made from, and of a view those that
show a window in use. This module finds that out from the charter, the rows that stand and the windows that have
begun; linking.py links what it finds. It must not know of events and policies. It keeps true: the same rows for the
same facts, whatever came first.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from freshd.core.rows import Row
from freshd.core.work import row_key
from freshd.model.asset import Asset, AssetKey, PartitionScheme
from freshd.model.graph import AssetGraph
from freshd.model.mapping import WHOLE_ASSET, Slice, reads
from freshd.model.partitions import Window, is_timed, newest, window_at, window_of, windows_of
from freshd.model.time import FOREVER, NEVER, Instant

PARTITIONS_KEPT = 1_000
"""Windows of one asset that stay in use; of more, the oldest are forgotten."""

Used = dict[AssetKey, set[str]]
"""Partitions by asset."""


@dataclass(frozen=True, slots=True)
class Place:
    """One row as it is to be: what it is made from, by row keys."""

    asset: Asset
    partition: str
    ups: tuple[str, ...]
    """Those that count."""
    all_ups: tuple[str, ...]
    """With the static ones."""
    gathers: bool = False


@dataclass(frozen=True, slots=True)
class Scope:
    """The assets whose rows rest on which partitions are in use: those that have some, and those that read them."""

    assets: Mapping[AssetKey, Asset]
    """In topological order."""
    counted: Mapping[AssetKey, tuple[AssetKey, ...]]
    """The upstreams of each that count."""
    near: tuple[AssetKey, ...]
    """They, and what they are made from."""


def scope_of(graph: AssetGraph, counted: Mapping[AssetKey, tuple[AssetKey, ...]]) -> Scope | None:
    """Of a whole graph; None: no asset has partitions."""
    assets = {
        key: asset
        for key, asset in graph.assets.items()
        if asset.partitions is not None or any(graph.assets[up].partitions is not None for up in asset.upstreams)
    }
    if not assets:
        return None
    near = dict.fromkeys((*assets, *[up for asset in assets.values() for up in asset.upstreams]))
    return Scope(assets, {key: counted[key] for key in assets}, tuple(near))


def rows_of(row: Row) -> Iterator[Row]:
    """All rows of an asset, given that of the whole."""
    yield from (row.rare.parts or {}).values()
    yield row


def places(
    graph: AssetGraph,
    assets: Mapping[AssetKey, Asset],
    counted: Mapping[AssetKey, tuple[AssetKey, ...]],
    used: Used,
    at: Instant,
) -> Iterator[Place]:
    """Every row that there is to be of these assets, in topological order; `counted`: their upstreams that count.

    Whoever reads partitions of them is among them.
    """
    in_use = _in_use(graph, assets, used, at)
    for key, asset in assets.items():
        scheme = asset.partitions
        if scheme is None:
            ups = tuple(_of_each(graph, asset, "", counted[key], at, in_use))
            everything = (
                ups if counted[key] == asset.upstreams else _of_each(graph, asset, "", asset.upstreams, at, in_use)
            )
            yield Place(asset, "", ups, tuple(everything))
            continue
        fresh = _newest(scheme, at)
        for partition in in_use[key]:
            mine = counted[key]
            if is_timed(scheme) and partition not in fresh:
                mine = tuple(up for up in mine if graph.assets[up].partitions is not None)
            ups = tuple(_of_each(graph, asset, partition, mine, at, in_use))
            yield Place(asset, partition, ups, tuple(_of_each(graph, asset, partition, asset.upstreams, at, in_use)))
        parts = tuple(row_key(key, partition) for partition in in_use[key])
        yield Place(asset, "", parts, parts, gathers=True)


def is_fresh(row: Row, at: Instant) -> bool:
    """Whether reactions touch a partition though it was never materialised: one of the newest, or fixed."""
    scheme = row.asset.partitions
    return scheme is None or not is_timed(scheme) or row.partition in _newest(scheme, at)


def gathers_windows(row: Row) -> bool:
    """Whether the row is the whole of an asset that is partitioned by time."""
    return row.rare.parts is not None and row.asset.partitions is not None and is_timed(row.asset.partitions)


def in_use_already(rows: Iterable[Row]) -> Used:
    """The partitions that something happened to."""
    used: Used = {}
    for row in rows:
        if row.partition and (
            row.cells
            or row.work is not None
            or row.outcome_at != NEVER
            or row.topic
            or row.ended_runs
            or row.rare.others
            or row.rare.starts
            or row.rare.wishes
            or row.rare.checks
            or row.rare.in_metadata
        ):
            used.setdefault(row.asset.key, set()).add(row.partition)
    return used


def next_begin(assets: Mapping[AssetKey, Asset], at: Instant) -> Instant:
    """When the next window of any of these assets begins."""
    schemes = _schemes(assets)
    if schemes and at == NEVER:
        return NEVER  # nobody has looked yet
    return min((windows_of(scheme).next_begin(at) for scheme in schemes), default=FOREVER)


def _schemes(assets: Mapping[AssetKey, Asset]) -> set[PartitionScheme]:
    return {asset.partitions for asset in assets.values() if asset.partitions is not None and asset.partitions.by}


def window_end(row: Row) -> Instant:
    """The end of the row's window: its data reaches no further; FOREVER for a row that is no window."""
    scheme = row.asset.partitions
    if not row.partition or scheme is None or not is_timed(scheme):
        return FOREVER
    return window_of(scheme, row.partition).end


def missing(rows: Mapping[str, Row], named: Iterable[tuple[AssetKey, str]]) -> tuple[tuple[AssetKey, str], ...]:
    """Of the partitions named, those that exist but have no row yet; each once, sorted."""
    found: set[tuple[AssetKey, str]] = set()
    for key, partition in named:
        row = rows.get(key)
        if (
            row is not None
            and row.rare.parts is not None
            and partition not in row.rare.parts
            and _exists(row.asset, partition)
        ):
            found.add((key, partition))
    return tuple(sorted(found))


def _exists(asset: Asset, partition: str) -> bool:
    scheme = asset.partitions
    if scheme is None or not is_timed(scheme):
        return False
    try:
        window_of(scheme, partition)
    except ValueError:
        return False
    return True


def _newest(scheme: PartitionScheme, at: Instant) -> tuple[str, ...]:
    if not is_timed(scheme):
        return scheme.names
    return tuple(window.key for window in newest(scheme, at, scheme.latest)) if at != NEVER else ()


def _in_use(
    graph: AssetGraph, assets: Mapping[AssetKey, Asset], used: Used, at: Instant
) -> dict[AssetKey, tuple[str, ...]]:
    """The partitions of every asset that has some, oldest first; readers before what they read.

    What is in use brings nothing into use that is not yet: facts about it are no reason to look again.
    """
    schemes = {key: asset.partitions for key, asset in assets.items() if asset.partitions is not None}
    mine = {key: used.get(key, set()) | set(_newest(scheme, at)) for key, scheme in schemes.items()}
    views = [asset for asset in assets.values() if asset.virtual and _by_time(asset)]
    while True:
        found: dict[AssetKey, tuple[str, ...]] = {}
        for key, asset in reversed(list(assets.items())):
            if key in schemes:
                found[key] = _sorted(schemes[key], mine[key])
            for partition in found.get(key, ("",)):
                for up in asset.upstreams:
                    _want(mine, graph.assets[up], reads_of(asset, partition, graph.assets[up]), at)
        shown = {view.key: _shown(graph, view, found, at) - mine[view.key] for view in views}
        if not any(shown.values()):
            return found
        for key, more in shown.items():
            mine[key] |= more


def _by_time(asset: Asset) -> bool:
    return asset.partitions is not None and is_timed(asset.partitions)


def _shown(graph: AssetGraph, view: Asset, in_use: Mapping[AssetKey, tuple[str, ...]], at: Instant) -> set[str]:
    """The windows of a view that show windows in use."""
    scheme = view.partitions
    assert scheme is not None
    found: set[str] = set()
    for up in map(graph.assets.__getitem__, view.upstreams):
        mapping = view.mappings.get(up.key)
        if up.partitions == scheme and mapping in (None, "same"):
            found.update(in_use[up.key])
        elif up.partitions is not None and _by_time(up) and mapping != "all":
            for window in (window_of(up.partitions, partition) for partition in in_use[up.key]):
                found.update(_between(scheme, window.begin, min(window.end, at + 1)))
    return found


def _sorted(scheme: PartitionScheme, partitions: set[str]) -> tuple[str, ...]:
    if not is_timed(scheme):
        return scheme.names
    windows: list[Window] = []
    for partition in partitions:
        try:
            windows.append(window_of(scheme, partition))
        except ValueError:
            continue  # the scheme is another now
    windows.sort(key=lambda window: window.begin)
    return tuple(window.key for window in windows[-PARTITIONS_KEPT:])


def reads_of(reader: Asset, partition: str, up: Asset) -> str | Slice | None:
    """What a partition reads of an upstream: one partition, several, or (None) one that has no partitions."""
    if up.partitions is None:
        return None
    return reads(reader.partitions, partition, up.partitions, reader.mappings.get(up.key))


def _want(wanted: dict[AssetKey, set[str]], up: Asset, read: str | Slice | None, at: Instant) -> None:
    if read is not None:
        wanted.setdefault(up.key, set()).update(_named(up, read, at))


def _named(up: Asset, read: str | Slice, at: Instant) -> tuple[str, ...]:
    """The partitions that are read one by one."""
    if isinstance(read, str):
        return (read,)
    assert up.partitions is not None
    if read.last:
        return tuple(window.key for window in newest(up.partitions, at, read.last)) if at != NEVER else ()
    return tuple(_between(up.partitions, read.begin, min(read.end, at + 1)))  # what has not begun is not there yet


def _between(scheme: PartitionScheme, begin: Instant, end: Instant) -> Iterator[str]:
    at = max(begin, scheme.start or begin)
    while at < end:
        window = window_at(scheme, at)
        if window.begin >= (scheme.start or begin):
            yield window.key
        at = window.end


def _of_each(
    graph: AssetGraph,
    asset: Asset,
    partition: str,
    upstreams: Iterable[AssetKey],
    at: Instant,
    in_use: Mapping[AssetKey, tuple[str, ...]],
) -> Iterator[str]:
    """The row keys of what a partition is made from."""
    for up in dict.fromkeys(upstreams):
        read = reads_of(asset, partition, graph.assets[up])
        if read is None or read == WHOLE_ASSET:
            yield up
            continue
        standing = set(in_use[up])
        for key in _named(graph.assets[up], read, at):
            if key in standing:
                yield row_key(up, key)
