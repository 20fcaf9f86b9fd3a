"""The freshness formulas of semantics.md, letter by letter, as pure functions of the updates known.

One `Freshness` is made for one set of known updates; it may remember what it has worked out, since the
set never changes. It must not know of runs in flight, policies or clocks: `t` is an argument.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from tests.oracle.facts import Update

from freshd.model.asset import AssetKey
from freshd.model.graph import AssetGraph
from freshd.model.time import NEVER, Instant

UpstreamsAt = Callable[[AssetKey, Instant], frozenset[AssetKey] | None]


def _as_now(_key: AssetKey, _instant: Instant) -> None:
    return None


class Freshness:
    """updated_at, data_time, reflects, pending_since of every asset, at any instant."""

    def __init__(
        self, graph: AssetGraph, updates: Mapping[AssetKey, Iterable[Update]], upstreams_at: UpstreamsAt = _as_now
    ) -> None:
        self.graph = graph
        self._upstreams_at = upstreams_at
        self._own = {key: sorted(found, key=lambda u: (u.end, u.start)) for key, found in updates.items()}
        self._up = {key: graph.counted_upstreams(key) for key in graph.assets}
        self._last = max((u.end for found in self._own.values() for u in found), default=0)
        """After this instant nothing changes any more: asking later is asking then."""
        self._seen: dict[AssetKey, list[Update]] = {}
        self._above: dict[AssetKey, frozenset[AssetKey]] = {}
        self._pending: dict[tuple[AssetKey, Instant], Instant | None] = {}
        self._data_times: dict[tuple[AssetKey, Instant], Instant | None] = {}
        self._reflected: dict[tuple[AssetKey, Update, Instant], bool] = {}

    def up(self, key: AssetKey) -> tuple[AssetKey, ...]:
        """up(a): the upstreams without the static ones (of a virtual asset over static ones only: all)."""
        return self._up[key]

    def updates(self, key: AssetKey) -> list[Update]:
        """The updates of an asset; those of a virtual asset are those of up(a)."""
        if key not in self._seen:
            if self.graph.assets[key].virtual:
                of_upstreams = {u for p in self.up(key) for u in self.updates(p)}
                self._seen[key] = sorted(of_upstreams, key=lambda u: (u.end, u.start, u.asset))
            else:
                self._seen[key] = self._own.get(key, [])
        return self._seen[key]

    def changed_ends(self, key: AssetKey, t: Instant) -> list[Instant]:
        """The ends of the changed updates of an asset up to t."""
        return [u.end for u in self.updates(key) if u.changed and u.end <= t]

    def updated_at(self, key: AssetKey, t: Instant) -> Instant | None:
        """max e(u) with e(u) <= t; of a virtual asset, none if one of up(a) has none."""
        if self.graph.assets[key].virtual:
            values = [self.updated_at(p, t) for p in self.up(key)]
            return None if None in values else max((v for v in values if v is not None), default=None)
        return max((u.end for u in self.updates(key) if u.end <= t), default=None)

    def read_at(self, update: Update, upstream: AssetKey) -> Instant:
        """The instant at which an update read an upstream: its start; never, if it was no upstream then."""
        then = self._upstreams_at(update.asset, update.start)
        return update.start if then is None or upstream in then else NEVER

    def data_time(self, key: AssetKey, t: Instant) -> Instant | None:
        """The instant up to which the sources are reflected in the asset."""
        t = min(t, self._last)
        if (key, t) not in self._data_times:
            self._data_times[key, t] = self._data_time(key, t)
        return self._data_times[key, t]

    def _data_time(self, key: AssetKey, t: Instant) -> Instant | None:
        asset = self.graph.assets[key]
        if asset.virtual:
            return _least(self.data_time(p, t) for p in self.up(key))
        values = []
        for u in self.updates(key):
            if u.end > t:
                continue
            if not asset.upstreams:
                fallback = None if asset.watermark_only else u.start
                value = u.data_time if u.data_time is not None else fallback
            else:
                value = _least(self.reach(p, u, t) for p in self.up(key)) if self.up(key) else u.start
                if value is not None and u.data_time is not None:
                    value = min(value, u.data_time)
            if value is not None:
                values.append(value)
        return max(values, default=None)

    def reach(self, p: AssetKey, u: Update, t: Instant) -> Instant | None:
        """D(p, u, t): how far p's content as u read it reaches."""
        read_at = self.read_at(u, p)
        missed = [c for c in self.changed_ends(p, t) if c > read_at]
        if missed and read_at == NEVER:
            return None
        return self.data_time(p, missed[0] - 1) if missed else self.data_time(p, t)

    def sources_above(self, key: AssetKey) -> frozenset[AssetKey]:
        """The sources that reach an asset, not through static assets."""
        if key not in self._above:
            above: set[AssetKey] = set()
            for p in self.up(key):
                node = self.graph.assets[p]  # a partition that reads nothing yet is no source for that
                above |= {p} if not node.upstreams and getattr(node, "source", True) else self.sources_above(p)
            self._above[key] = frozenset(above)
        return self._above[key]

    def reflects(self, key: AssetKey, x: Update, t: Instant) -> bool:
        """Whether an asset reflects, at t, a changed update x of a source above it."""
        if (key, x, t) not in self._reflected:
            self._reflected[key, x, t] = self._reflects(key, x, t)
        return self._reflected[key, x, t]

    def _reflects(self, key: AssetKey, x: Update, t: Instant) -> bool:
        if key == x.asset:
            return x.end <= t
        through = [p for p in self.up(key) if p == x.asset or x.asset in self.sources_above(p)]
        if self.graph.assets[key].virtual:
            return all(self.reflects(p, x, t) for p in through)
        return any(
            u.end <= t and all(self.reflects(p, x, self.read_at(u, p)) for p in through) for u in self.updates(key)
        )

    def pending_since(self, key: AssetKey, t: Instant) -> Instant | None:
        """min e(x) over the changed updates x of sources above that the asset does not reflect at t."""
        t = min(t, self._last)
        if (key, t) not in self._pending:
            self._pending[key, t] = self._pending_since(key, t)
        return self._pending[key, t]

    def _pending_since(self, key: AssetKey, t: Instant) -> Instant | None:
        missing = [
            x.end
            for source in self.sources_above(key)
            for x in self.updates(source)
            if x.changed and x.end <= t and not self.reflects(key, x, t)
        ]
        return min(missing, default=None)

    def unread(self, key: AssetKey, p: AssetKey, t: Instant) -> bool:
        """Whether an upstream has a changed update that ends after the asset's latest update, by start, began."""
        latest = max((u for u in self.updates(key) if u.end <= t), key=lambda u: (u.start, u.end), default=None)
        return latest is not None and any(c > self.read_at(latest, p) for c in self.changed_ends(p, t))

    def due(self, key: AssetKey, t: Instant, updates_on: str | tuple[AssetKey, ...] = "any") -> bool:
        """Whether a derived, not virtual asset is to be made anew."""
        asset = self.graph.assets[key]
        if asset.virtual or not asset.upstreams:
            return False
        if not any(u.end <= t for u in self.updates(key)):
            return bool(self.up(key)) and all(self.updated_at(p, t) is not None for p in self.up(key))
        unread = {p for p in self.up(key) if self.unread(key, p, t)}
        if updates_on == "any":
            return bool(unread)
        if updates_on == "all":
            return bool(self.up(key)) and unread == set(self.up(key))
        return all(p in unread for p in updates_on)


def _least(values: Iterable[Instant | None]) -> Instant | None:
    """The smallest; undefined if any is, or if there is none."""
    found = list(values)
    return None if None in found or not found else min(v for v in found if v is not None)
