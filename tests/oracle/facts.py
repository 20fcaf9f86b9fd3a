"""The set of events known, as lists of facts per asset: updates, starts, failures, checks.

It decides which events are updates and what their starts are, looking at all of them at once, whatever
the order in which they came. It must not know of policies beyond the completeness asked for, nor of
what the daemon does about anything.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from tests.oracle.nodes import base

from freshd.model.asset import AssetKey
from freshd.model.graph import AssetGraph
from freshd.model.inputs import Event, EventKind
from freshd.model.time import NEVER, Duration, Instant


@dataclass(frozen=True, slots=True)
class Update:
    """An event that says an asset was brought up to date: `s(u)`, `e(u)` and what it carries."""

    asset: AssetKey
    end: Instant
    start: Instant
    changed: bool = True
    data_time: Instant | None = None
    """Its own watermark."""
    run_id: str = ""


@dataclass(slots=True)
class OwnRun:
    """One run of the daemon's own for one asset."""

    run_id: str
    asset: AssetKey
    attempt: int
    requested: Instant
    wishes: tuple[int, ...] = ()
    """The people's wishes that it serves."""
    began: Instant | None = None
    """When its work began, if its launcher said so; else it began when it was requested."""
    end: Instant | None = None
    succeeded: bool = False
    updates_known: int = 0
    """How many updates of the asset were known when it ended."""
    changed: bool = True

    @property
    def name(self) -> tuple[str, AssetKey]:
        """It alone: several assets of a wave share a run id."""
        return self.run_id, self.asset

    @property
    def start(self) -> Instant:
        """s(u) of the update that it makes."""
        return self.requested if self.began is None else self.began


@dataclass(slots=True)
class Facts:
    """Everything known so far. Assets are unpartitioned here."""

    graph: AssetGraph
    events: list[Event] = field(default_factory=list)
    runs: list[OwnRun] = field(default_factory=list)
    graphs: list[tuple[Instant, AssetGraph]] = field(default_factory=list)
    """Each graph with the instant from which it holds; empty: `graph` always did."""
    orphans: set[str] = field(default_factory=set)
    """Runs in flight of assets that are gone."""
    completeness: Mapping[AssetKey, float] = field(default_factory=dict)
    _settled: dict[tuple[int, AssetKey], bool] = field(default_factory=dict)
    """Of events taken under other policies, whether they were complete by those."""
    lost_after: Duration = 6 * 3_600_000_000

    def forget(self, key: AssetKey) -> None:
        """An asset is gone: what was told of it counts no more."""
        self.events = [event for event in self.events if event.assets != (key,)]
        self.orphans |= {run.run_id for run in self.runs if run.asset == key and run.end is None}
        self.runs = [run for run in self.runs if run.asset != key]

    def running(self) -> set[str]:
        """The ids of the daemon's own runs that take a place at their launcher."""
        return self.orphans | {run.run_id for run in self.runs if run.end is None}

    def of(self, key: AssetKey, *kinds: EventKind) -> list[Event]:
        """The events of some kinds that are about an asset."""
        return [event for event in self.events if key in event.assets and event.kind in kinds]

    def own_runs(self, key: AssetKey) -> list[OwnRun]:
        """The daemon's own runs of an asset, in the order of their requests."""
        return [run for run in self.runs if run.asset == key]

    def start_of(self, event: Event, key: AssetKey) -> Instant:
        """s(u): its own `started_at`, else the time of the run_started with its run id, else e(u)."""
        start = event.started_at
        if start is None and event.run_id:
            started = [e.at for e in self.of(key, EventKind.RUN_STARTED) if e.run_id == event.run_id]
            start = min(started, default=None)
        return event.at if start is None else min(start, event.at)

    def updates(self, key: AssetKey) -> list[Update]:
        """All updates of an asset that holds data: what came from outside, its own runs, telling observations."""
        found = [self._update(event, key) for event in self.of(key, EventKind.UPDATE) if self.complete(event, key)]
        for run in self.own_runs(key):
            if run.end is not None and run.succeeded:
                found.append(Update(key, run.end, min(run.start, run.end), run.changed, None, run.run_id))
        return sorted(found + self._telling_observations(key, found), key=lambda u: (u.end, u.start))

    def _update(self, event: Event, key: AssetKey) -> Update:
        watermark = None if event.data_time is None else min(event.data_time, event.at)
        return Update(key, event.at, self.start_of(event, key), event.changed, watermark, event.run_id)

    def complete(self, event: Event, key: AssetKey) -> bool:
        """Whether an update declared as much as was asked for when it was taken."""
        known = self._settled.get((id(event), base(key)))
        if known is not None:
            return known
        return event.completeness is None or event.completeness >= self.completeness.get(base(key), 0.0)

    def ask(self, completeness: Mapping[AssetKey, float]) -> None:
        """From now on so much is asked for; what was taken before stays what it was."""
        for event in self.events:
            for key in event.assets:
                self._settled[id(event), base(key)] = self.complete(event, key)
        self.completeness = completeness

    def _telling_observations(self, key: AssetKey, updates: list[Update]) -> list[Update]:
        """Observations whose data_time is greater than that of every update or observation before it (by e)."""
        telling = []
        watermark_only = key in self.graph.assets and self.graph.assets[key].watermark_only
        for event in self.of(key, EventKind.OBSERVATION):
            if event.data_time is None:
                continue
            seen = min(event.data_time, event.at)
            before = [
                min(o.data_time, o.at)
                for o in self.of(key, EventKind.OBSERVATION)
                if o.data_time is not None and o.at < event.at
            ]
            for update in updates:
                if update.end < event.at:
                    fallback = NEVER if watermark_only else update.start
                    before.append(fallback if update.data_time is None else update.data_time)
            if seen > max(before, default=NEVER):
                telling.append(Update(key, event.at, event.at, True, seen, event.run_id))
        return telling

    def upstreams_at(self, key: AssetKey, instant: Instant) -> frozenset[AssetKey] | None:
        """The upstreams that an asset had at an instant; None: the same as now."""
        if not self.graphs:
            return None
        graph = self.graphs[0][1]
        for since, later in self.graphs:
            if since <= instant:
                graph = later
        return frozenset(graph.assets[key].upstreams) if key in graph.assets else frozenset()

    def foreign_starts(self, key: AssetKey, now: Instant) -> list[Instant]:
        """The starts of the runs of others that are in flight."""
        outcomes = self.of(key, EventKind.UPDATE, EventKind.RUN_FAILED, EventKind.RUN_ENDED)
        own_ids = {run.run_id for run in self.own_runs(key)}
        open_starts = []
        for start in self.of(key, EventKind.RUN_STARTED):
            if start.run_id and start.run_id in own_ids:
                continue
            ended = any(
                (o.run_id == start.run_id and o.run_id != "") or (o.run_id == "" and o.at > start.at) for o in outcomes
            )
            if not ended and now < start.at + self.lost_after:
                open_starts.append(start.at)
        return sorted(open_starts)

    def own_in_flight(self, key: AssetKey) -> OwnRun | None:
        """The daemon's own run of an asset that has no outcome yet."""
        return next((run for run in self.own_runs(key) if run.end is None), None)

    def running_since(self, key: AssetKey, now: Instant) -> Instant | None:
        """The start of the (earliest) run in flight."""
        starts = self.foreign_starts(key, now)
        own = self.own_in_flight(key)
        if own is not None:
            starts.append(own.start)
        return min(starts, default=None)

    def latest_outcome_failed(self, *keys: AssetKey) -> bool:
        """Whether the latest outcome by time, of our runs and those of others, is a failure; of equals one that is."""
        latest = [max(outcomes) for key in keys if (outcomes := self._outcomes(key))]
        return max(((at, failed) for at, _, failed in latest), default=(NEVER, False))[1]

    def _outcomes(self, key: AssetKey) -> list[tuple[Instant, int, bool]]:
        """(at, which of those of one instant, whether it failed) of all its outcomes."""
        outcomes = [(update.end, 0, False) for update in self.updates(key)]
        told = [e for e in self.events if e.kind in (EventKind.UPDATE, EventKind.RUN_FAILED, EventKind.RUN_ENDED)]
        for order, event in enumerate(told, 1):
            if key in event.assets:
                failed = event.kind is EventKind.RUN_FAILED
                failed = failed or (event.kind is EventKind.UPDATE and not self.complete(event, key))
                outcomes.append((event.at, order, failed))
        for order, run in enumerate(self.own_runs(key)):
            if run.end is not None:
                outcomes.append((run.end, order, not run.succeeded))
        return outcomes
