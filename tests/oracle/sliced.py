"""The formulas and the world of assets with partitions: everything per node, the whole gathered from its partitions.

A whole by time has the times of its newest partition that has an update, a fixed one those of its worst;
pending_since is the earliest of those that are looked after.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from tests.oracle.causes import Cause, Causes
from tests.oracle.decisions import Launch
from tests.oracle.facts import OwnRun, Update
from tests.oracle.freshness import Freshness
from tests.oracle.laws import Demands
from tests.oracle.nodes import Key, Node, Partitioning, base, node_key
from tests.oracle.verdicts import Shown
from tests.oracle.world import Asked, Said, World

from freshd.model.declarations import DeclarationKind
from freshd.model.inputs import Event
from freshd.model.policy import Policy
from freshd.model.time import FOREVER, NEVER, Instant


class SlicedFreshness(Freshness):
    """The formulas over nodes."""

    def _node(self, key: Key) -> Node:
        node = self.graph.assets[key]
        assert isinstance(node, Node)
        return node

    def looked_after(self, key: Key) -> bool:
        """One of the newest, or materialised before."""
        return self._node(key).current or bool(self.updates(key))

    def updated_at(self, key: Key, t: Instant) -> Instant | None:
        node = self._node(key)
        if not node.gathers:
            return super().updated_at(key, t)
        values = [self.updated_at(part, t) for part in node.upstreams]
        if node.gathers == "time":
            return next((value for value in reversed(values) if value is not None), None)
        return None if None in values else min((v for v in values if v is not None), default=None)

    def _data_time(self, key: Key, t: Instant) -> Instant | None:
        node = self._node(key)
        if node.gathers == "time":
            updated = [part for part in node.upstreams if self.updated_at(part, t) is not None]
            return self.data_time(updated[-1], t) if updated else None
        if node.gathers or not node.asset.upstreams or node.virtual:
            value = super()._data_time(key, t)
        else:
            value = self._of_derived(node, t)
        return None if value is None else min(value, node.end)

    def _of_derived(self, node: Node, t: Instant) -> Instant | None:
        values = []
        if any(self.data_time(p, t) is None for p in node.counted):
            return None  # the newest window of an upstream may have none although those before had
        for u in self.updates(node.key):
            if u.end <= t:
                value = self._least_of(node, u, t) if node.counted else u.start
                if value is not None and u.data_time is not None:
                    value = min(value, u.data_time)
                values += [] if value is None else [value]
        return max(values, default=None)

    def _least_of(self, node: Node, u: Update, t: Instant) -> Instant | None:
        """Of several windows of one upstream those that reach their ends limit only together."""
        open_, closed = [], {}
        for p in node.counted:
            reached, end = self.reach(p, u, t), self._node(p).end
            if reached is None:
                return None
            if reached >= end and self._node(p).end < FOREVER:
                closed[base(p)] = max(closed.get(base(p), NEVER), end)
            else:
                open_.append((base(p), reached))
        limited = {asset for asset, _ in open_}
        return min([value for _, value in open_] + [end for asset, end in closed.items() if asset not in limited])

    def due(self, key: Key, t: Instant, updates_on: str | tuple[Key, ...] = "any") -> bool:
        """`updates_on` names assets: of each one partition at least that is read."""
        if isinstance(updates_on, str) or not any(u.end <= t for u in self.updates(key)):
            return super().due(key, t, updates_on if isinstance(updates_on, str) else "any")
        node = self._node(key)
        unread = {base(p) for p in node.counted if self.unread(key, p, t)}
        return not node.virtual and all(p in unread for p in updates_on)

    def _pending_since(self, key: Key, t: Instant) -> Instant | None:
        found = [
            missed
            for source in self.sources_above(key)
            for x in self.updates(source)
            if x.changed and x.end <= t and (missed := self.missed(key, x, t)) is not None
        ]
        return min(found, default=None)

    def missed(self, key: Key, x: Update, t: Instant) -> Instant | None:
        """Since when a node misses a source update: its end, or when its own window began; None: it reflects it."""
        node = self._node(key)
        if key == x.asset:
            return None if x.end <= t else x.end
        through = [p for p in self.up(key) if p == x.asset or x.asset in self.sources_above(p)]
        if node.virtual:
            counted = [p for p in through if not node.gathers or self.looked_after(p)]
            return _earliest([self.missed(p, x, t) for p in counted])
        had = [u for u in self.updates(key) if u.end <= t]
        if not had:
            return max(x.end, node.begin)
        if any(all(self.missed(p, x, self.read_at(u, p)) is None for p in through) for u in had):
            return None
        latest = max(had, key=lambda u: (u.start, u.end))
        since = _earliest([self.missed(p, x, self.read_at(latest, p)) for p in through])
        return None if since is None else max(since, node.begin)


def _earliest(values: list[Instant | None]) -> Instant | None:
    return min((value for value in values if value is not None), default=None)


@dataclass
class SlicedWorld(World):
    """A world whose graph is that of the nodes in use now."""

    _partitioning: Partitioning = field(init=False)
    _happened: set[Key] = field(init=False, default_factory=set)
    _named: set[Key] = field(init=False, default_factory=set)
    """By a wish that is being made."""

    def __post_init__(self) -> None:
        self._partitioning = Partitioning(self.charter.graph, self.charter.slicings)
        self.charter = replace(self.charter, graph=self._partitioning.nodes(self.now, ()))
        super().__post_init__()

    def step(self, said: list[Said]) -> None:  # type: ignore[override]
        self._use_nodes()
        super().step(said)
        for cut in self._partitioning.slicings.values():
            if cut.by:
                self._looks.append(cut.span(cut.window(self.now))[1])

    def _use_nodes(self) -> None:
        wished = {key for wish in self.decisions.wishes.all if wish.open for key in wish.planned}
        nodes = self._partitioning.nodes(self.now, self._happened | wished | self._named)
        if nodes == self.charter.graph:
            return
        self.charter = replace(self.charter, graph=nodes)
        self.facts.graph = nodes
        self.decisions.charter = self.decisions.wishes.charter = self.charter
        for key in nodes.assets:
            self.known.setdefault(key, self.now)
        self.stale_facts()

    def _take(self, said: Said) -> None:
        if isinstance(said, Event):
            cut = self._partitioning.slicings.get(said.assets[0])
            if cut is not None and not (said.partition and cut.exists(said.partition)):
                return  # nobody can say which partition it is about
            key = node_key(said.assets[0], said.partition if cut is not None else "")
            self._happened.add(key)
            self._use_nodes()
            said = replace(said, assets=(key,), partition="")
        super()._take(said)

    def _wish(self, asked: Asked) -> None:
        """An asset with partitions named as such: the newest ones, or all fixed ones."""
        named: list[Key] = []
        for key in asked.keys:
            cut = self._partitioning.slicings.get(key)
            named += [key] if cut is None else [node_key(key, name) for name in cut.current(self.now)]
        self._named = set(named)
        self._use_nodes()
        self._observe()
        self.decisions.wish(tuple(dict.fromkeys(named)), asked.parallel)
        self._named = set()

    def _holds(self, kind: DeclarationKind, key: Key) -> bool:
        """What is declared of an asset holds for its partitions."""
        return super()._holds(kind, base(key))

    def _pairs(self) -> Iterator[tuple[str, Key]]:
        """Fixed partitions are judged each where a policy says `per: partition`; the whole may fail in any case."""
        for name, policy in self.charter.policies.items():
            demands = self.charter.demands.get(name, Demands())
            expects = bool(policy.limits or demands.deadlines or demands.checks or demands.learned)
            for asset in self.charter.selected.get(name, ()):
                if expects or policy.alert is not None:
                    yield name, asset
                cut = self._partitioning.slicings.get(asset)
                for part in cut.names if cut is not None else ():
                    if self._expects(name, node_key(asset, part)):
                        yield name, node_key(asset, part)

    def _policy(self, name: str, key: Key) -> tuple[Policy, Demands]:
        """Of fixed partitions some of it is asked of each, the rest of the whole; checks and habits of the whole."""
        policy, demands = super()._policy(name, key)
        cut = self._partitioning.slicings.get(base(key))
        if cut is None or not cut.names:
            return policy, demands
        each = key != base(key)
        limits = tuple(limit for limit in policy.limits if limit.each == each)
        deadlines = tuple(deadline for deadline in demands.deadlines if deadline.per_partition == each)
        demands = replace(demands, deadlines=deadlines)
        if each:
            demands = replace(demands, checks=(), learned="")
        return replace(policy, limits=limits), demands

    def _fresh(self, updates: dict[Key, list[Update]]) -> Freshness:
        return SlicedFreshness(self.charter.graph, updates, self.facts.upstreams_at)

    def _launch(self, launch: Launch) -> None:
        nth = sum(base(run.asset) == base(launch.asset) for run in self.launched)
        run = OwnRun(f"{launch.asset}#{nth}", launch.asset, launch.attempt, self.now, launch.wishes)
        self.facts.runs.append(run)
        self.launched.append(run)
        self._happened.add(launch.asset)
        behaviour = self.behaves(base(launch.asset), nth)
        self._ends.append((self.now + behaviour.takes, len(self.launched), run, behaviour))

    def _failure(self, causes: Causes, name: str, key: Key, shown: Shown | None) -> Cause | None:
        found = super()._failure(causes, name, key, shown)
        return None if found is None else Cause(base(found.key), found.reason)

    def _own_failure(self, causes: Causes, name: str, key: Key) -> Cause | None:
        """A whole has failed when one of its partitions has."""
        node = self.charter.graph.assets[key]
        parts = node.upstreams if getattr(node, "gathers", "") else ()
        failed = [part for part in parts if self.decisions.failed(part)] if "failed" in self._at(name) else []
        stopped = [part for part in failed if self.decisions.stopped(part)]
        found = causes.of_failure((stopped or failed)[0]) if failed else super()._own_failure(causes, name, key)
        return None if found is None else Cause(base(found.key), found.reason)

    def _resting(self, causes: Causes, key: Key, shown: Shown) -> Cause:
        found = super()._resting(causes, key, shown)
        return Cause(base(found.key), found.reason)
