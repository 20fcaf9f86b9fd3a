"""Assets with partitions as a graph of nodes: one for each partition in use, one for the asset as a whole.

Windows are found by walking local hours and days; nothing here knows the daemon's own reading of them. A node
is named `asset[partition]`, the whole by its asset's key.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from freshd.model.asset import Asset, AssetKey
from freshd.model.time import FOREVER, NEVER, Instant, from_datetime, to_datetime

Key = str

LENGTHS = {"hour": timedelta(hours=1), "day": timedelta(days=1), "week": timedelta(weeks=1)}
NAMES = {"hour": "%Y-%m-%dT%H", "day": "%Y-%m-%d", "week": "%G-W%V", "month": "%Y-%m"}
SIZES = ("hour", "day", "week", "month")
"""From the shortest to the longest."""


@dataclass(frozen=True, slots=True)
class Sliced:
    """How an asset is sliced, as the scenario writes it."""

    by: str = ""
    names: tuple[str, ...] = ()
    timezone: str = "UTC"
    latest: int = 1
    start: Instant = NEVER
    """Windows that begin before it do not exist."""

    def window(self, at: Instant) -> str:
        """The window that holds an instant."""
        return to_datetime(at).astimezone(ZoneInfo(self.timezone)).strftime(NAMES[self.by])

    def span(self, name: str) -> tuple[Instant, Instant]:
        """When a window begins and ends."""
        zone = ZoneInfo(self.timezone)
        begins = self._first(name)
        if self.by == "month":
            ends = (begins + timedelta(days=32)).replace(day=1)
        else:
            ends = begins + LENGTHS[self.by]
        return from_datetime(begins.replace(tzinfo=zone)), from_datetime(ends.replace(tzinfo=zone))

    def _first(self, name: str) -> datetime:
        if self.by == "week":
            year, week = name.split("-W")
            return datetime.fromisocalendar(int(year), int(week), 1)
        return datetime.strptime(name, NAMES[self.by])

    def exists(self, name: str) -> bool:
        """Whether an asset sliced so has this partition."""
        return name in self.names if self.names else self.span(name)[0] >= self.start

    def newest(self, now: Instant, count: int) -> list[str]:
        """The windows that have begun last, oldest first."""
        found: list[str] = []
        at = now
        while len(found) < count and self.exists(self.window(at)):
            found.insert(0, self.window(at))
            at = self.span(found[0])[0] - 1
        return found

    def inside(self, begin: Instant, end: Instant, now: Instant) -> list[str]:
        """The windows within a span of time that have begun, oldest first."""
        found: list[str] = []
        at = begin
        while at < min(end, now + 1):
            name = self.window(at)
            if begin <= self.span(name)[0] and self.span(name)[1] <= end and self.exists(name):
                found.append(name)
            at = self.span(name)[1]
        return found

    def meeting(self, begin: Instant, end: Instant, now: Instant) -> set[str]:
        """The windows that have begun and have some of a span of time."""
        found: set[str] = set()
        at = begin
        while at < min(end, now + 1):
            name = self.window(at)
            if self.exists(name):
                found.add(name)
            at = self.span(name)[1]
        return found

    def between(self, first: str, last: str) -> list[str]:
        """What a range `first..last` names."""
        if not self.by:
            return list(self.names[self.names.index(first) : self.names.index(last) + 1])
        return self.inside(self.span(first)[0], self.span(last)[1], FOREVER - 1)

    def current(self, now: Instant) -> list[str]:
        """The partitions that reactions touch although they were never materialised."""
        return self.newest(now, self.latest) if self.by else list(self.names)


def read_slicing(written: Any) -> Sliced | None:
    """`partitions:` of an asset."""
    if written is None:
        return None
    if isinstance(written, Mapping):
        zone = written.get("timezone", "UTC")
        start = NEVER
        if "start" in written:
            start = from_datetime(datetime.fromisoformat(written["start"]).replace(tzinfo=ZoneInfo(zone)))
        return Sliced(written["by"], (), zone, written.get("latest", 1), start)
    return Sliced("", tuple(written))


@dataclass(frozen=True, slots=True)
class Node:
    """One partition, an asset without partitions, or the whole of one that has them."""

    key: Key
    asset: Asset
    upstreams: tuple[Key, ...]
    counted: tuple[Key, ...]
    gathers: str = ""
    """`time` or `fixed`: it is the whole of its partitions."""
    begin: Instant = NEVER
    end: Instant = FOREVER
    current: bool = True
    """Reactions touch it though it was never materialised."""
    cut: Sliced | None = None
    """Of a whole."""

    @property
    def virtual(self) -> bool:
        return self.asset.virtual or bool(self.gathers)

    @property
    def static(self) -> bool:
        return self.asset.static

    @property
    def watermark_only(self) -> bool:
        return self.asset.watermark_only

    @property
    def launcher(self) -> str:
        return "" if self.gathers else self.asset.launcher

    @property
    def feed(self) -> str:
        return self.asset.feed

    @property
    def source(self) -> bool:
        """Whether its asset has no upstreams."""
        return not self.asset.upstreams


@dataclass(frozen=True, slots=True)
class Nodes:
    """The graph of nodes; in topological order."""

    assets: Mapping[Key, Node] = field(default_factory=dict)

    def __contains__(self, key: object) -> bool:
        return key in self.assets

    def counted_upstreams(self, key: Key) -> tuple[Key, ...]:
        """Those that are not static."""
        return self.assets[key].counted


def node_key(key: AssetKey, partition: str) -> Key:
    """The name of a partition's node."""
    return f"{key}[{partition}]" if partition else key


def base(key: Key) -> AssetKey:
    """The asset of a node."""
    return key.partition("[")[0]


class Partitioning:
    """Makes the nodes of an asset graph at an instant."""

    def __init__(self, graph: Any, slicings: Mapping[AssetKey, Sliced | None]) -> None:
        self._graph = graph
        self.slicings = {key: slicing for key, slicing in slicings.items() if slicing is not None}

    def nodes(self, now: Instant, happened: Collection[Key]) -> Nodes:
        """`happened`: the nodes that an event, a run or a wish has named."""
        used: dict[AssetKey, set[str]] = {key: set(cut.current(now)) for key, cut in self.slicings.items()}
        for key in happened:
            if base(key) in used and key != base(key):
                used[base(key)].add(key[len(base(key)) + 1 : -1])
        more = True
        while more:
            for key, asset in reversed(list(self._graph.assets.items())):
                for partition in used.get(key, {""}):
                    for up in asset.upstreams:
                        if up in used:
                            used[up] |= {name for name in self._read(asset, partition, up, now) if name}
            more = self._shown(used, now)
        found: dict[Key, Node] = {}
        for key, asset in self._graph.assets.items():
            for node in self._of(key, asset, sorted(used[key]) if key in used else [], now, used):
                found[node.key] = node
        return Nodes(found)

    def _shown(self, used: Mapping[AssetKey, set[str]], now: Instant) -> bool:
        """Bring the windows of views into use that show windows in use; whether there are more now."""
        grown = False
        for key, asset in self._graph.assets.items():
            mine = self.slicings.get(key)
            if not asset.virtual or mine is None or not mine.by:
                continue
            before = len(used[key])
            for up in asset.upstreams:
                its = self.slicings.get(up)
                if its is not None and its.by and asset.mappings.get(up) != "all":
                    for name in used[up]:
                        used[key] |= mine.meeting(*its.span(name), now)
            grown = grown or len(used[key]) > before
        return grown

    def _read(self, asset: Asset, partition: str, up: AssetKey, now: Instant) -> list[str]:
        """The partitions that a partition reads of an upstream; `""`: the whole."""
        mapping, mine, its = asset.mappings.get(up), self.slicings.get(asset.key), self.slicings[up]
        if mapping == "all" or (mine is None and mapping is None):
            return [""]
        if mapping in (None, "same"):
            return [partition]
        by_time = mine is not None and bool(mine.by)
        begin, end = mine.span(partition) if mine is not None and by_time else (NEVER, now + 1)
        if isinstance(mapping, Mapping):
            last = its.window(end - 1)
            first = last
            for _ in range(mapping["last"] - 1):
                first = its.window(its.span(first)[0] - 1)
            return its.inside(its.span(first)[0], its.span(last)[1], now)
        if mine is not None and SIZES.index(its.by) < SIZES.index(mine.by):
            return its.inside(begin, end, now)
        holding = its.window(begin)
        return [holding] if its.exists(holding) else []

    def _ups(
        self, asset: Asset, partition: str, ups: tuple[AssetKey, ...], now: Instant, used: Mapping[AssetKey, set[str]]
    ) -> tuple[Key, ...]:
        found: list[Key] = []
        for up in ups:
            named = self._read(asset, partition, up, now) if up in used else [""]
            found += [node_key(up, name) for name in named]
        return tuple(dict.fromkeys(found))

    def _of(
        self, key: AssetKey, asset: Asset, partitions: list[str], now: Instant, used: Mapping[AssetKey, set[str]]
    ) -> Iterator[Node]:
        counted = self._graph.counted_upstreams(key)
        if key not in self.slicings:
            yield Node(
                key, asset, self._ups(asset, "", asset.upstreams, now, used), self._ups(asset, "", counted, now, used)
            )
            return
        cut = self.slicings[key]
        current = cut.current(now)
        for name in partitions:
            mine = counted if name in current else tuple(up for up in counted if up in used)
            begin, end = cut.span(name) if cut.by else (NEVER, FOREVER)
            yield Node(
                node_key(key, name), asset, self._ups(asset, name, asset.upstreams, now, used),
                self._ups(asset, name, mine, now, used), "", begin, end, name in current,
            )  # fmt: skip
        parts = tuple(node_key(key, name) for name in partitions)
        yield Node(key, asset, parts, parts, "time" if cut.by else "fixed", cut=cut)
