"""What has been counted so far, from the records of each step: events, runs, notices, delays.

Plain dictionaries, since a step may hold hundreds of records and counting must cost nothing beside it.
Only the loop's thread counts; a scrape takes a copy under the lock. Everything is bounded: runs by what is
in flight, feeds and notices by named limits.
"""

from __future__ import annotations

import threading
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from freshd.model.asset import AssetKey
from freshd.model.effects import Effect, LaunchRun
from freshd.model.graph import AssetGraph
from freshd.model.inputs import Event, EventKind, RunPhase, RunReport
from freshd.model.records import (
    DaemonCaughtUp,
    DaemonStarted,
    DeadLettered,
    EventRepeated,
    EventTaken,
    GraphReplaced,
    NoticeReported,
    NoticeRequested,
    Reason,
    Record,
    RunReported,
    RunRequested,
    UnmatchedSeen,
)
from freshd.model.time import SECOND, Instant

FEED_LIMIT: Final = 2_000
"""Feeds counted apart; later ones are counted as `other`."""
NOTICE_LIMIT: Final = 10_000
"""Notices whose channel is remembered until they are reported."""
DELAY_BUCKETS_S: Final = (
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3_600.0,
)  # fmt: skip

_BY_DATA: Final = frozenset({Reason.NEW_DATA, Reason.FIRST_DATA, Reason.MAX_WAIT, Reason.JUST_IN_TIME})
_OUTCOMES: Final = {
    RunPhase.SUCCEEDED: "succeeded",
    RunPhase.SKIPPED: "skipped",
    RunPhase.LOST: "lost",
    RunPhase.FAILED: "failed",
}
_WORSE: Final = tuple(_OUTCOMES.values())


@dataclass(slots=True)
class _Run:
    launcher: str
    reason: str
    open: set[AssetKey]
    outcome: str = ""


@dataclass(slots=True)
class Delays:
    """A histogram: how many delays were at most each bound, their number and sum in seconds."""

    buckets: list[int] = field(default_factory=lambda: [0] * len(DELAY_BUCKETS_S))
    count: int = 0
    sum_s: float = 0.0

    def add(self, delay_s: float) -> None:
        """Count one delay."""
        self.count += 1
        self.sum_s += delay_s
        for number, bound in enumerate(DELAY_BUCKETS_S):
            if delay_s <= bound:
                self.buckets[number] += 1
                break


@dataclass(slots=True)
class Counts:
    """A copy of everything counted."""

    events: dict[tuple[str, str, str], int]
    """By format, feed, outcome."""
    runs: dict[tuple[str, str, str], int]
    """By launcher, outcome, reason."""
    in_flight: dict[str, int]
    notices: dict[tuple[str, str], int]
    """By channel, outcome."""
    feed_events: dict[str, Instant]
    delays: Delays
    catching_up: bool


class Tally:
    """Counts records as they become durable."""

    def __init__(self, graph: Callable[[], AssetGraph | None]) -> None:
        self._graph = graph
        self._lock = threading.Lock()
        self._events: Counter[tuple[str, str, str]] = Counter()
        self._runs_total: Counter[tuple[str, str, str]] = Counter()
        self._notices: Counter[tuple[str, str]] = Counter()
        self._feed_events: dict[str, Instant] = {}
        self._feeds: dict[str, str] = {"": ""}
        self._runs: dict[str, _Run] = {}
        self._launchers: set[str] = set()
        self._channels: OrderedDict[str, str] = OrderedDict()
        self._delays = Delays()
        self._catching_up = False
        self._waiting: dict[AssetKey, Instant] = {}
        """By asset: when the first changed update above it came in that no run of it has been requested for."""
        self._below: dict[AssetKey, tuple[AssetKey, ...]] = {}

    def observe(self, now: Instant, records: Sequence[Record]) -> None:
        """Count the records of a step that has become durable; they carry their own times."""
        with self._lock:
            for record in records:
                self._count(record)

    def resume(self, effects: Iterable[Effect]) -> None:
        """Take runs that an earlier life of the daemon requested and that are not over yet."""
        with self._lock:
            for effect in effects:
                if isinstance(effect, LaunchRun):
                    self._requested(effect)

    def feed_events(self) -> dict[str, Instant]:
        """When the latest event of each feed happened."""
        with self._lock:
            return dict(self._feed_events)

    def copy(self) -> Counts:
        """Everything counted so far."""
        with self._lock:
            in_flight = dict.fromkeys(self._launchers, 0)
            for run in self._runs.values():
                in_flight[run.launcher] += 1
            delays = Delays(list(self._delays.buckets), self._delays.count, self._delays.sum_s)
            return Counts(
                dict(self._events),
                dict(self._runs_total),
                in_flight,
                dict(self._notices),
                dict(self._feed_events),
                delays,
                self._catching_up,
            )

    def _count(self, record: Record) -> None:
        match record:
            case EventTaken(now, event):
                self._event(event, "taken")
                if event.kind is EventKind.UPDATE and event.changed:
                    for asset in event.assets:
                        self._updated(asset, now)
            case EventRepeated(_, event):
                self._event(event, "repeated")
            case UnmatchedSeen(_, unmatched):
                self._events[unmatched.format, "", "unmatched"] += 1
            case DeadLettered(_, letter):
                self._events[letter.format, "", "dead_letter"] += 1
            case RunRequested(now, run, observed):
                self._run_requested(now, run, observed)
            case RunReported(now, report):
                self._reported(now, report)
            case NoticeRequested(_, notice):
                self._channels[notice.notice_id] = notice.channel
                if len(self._channels) > NOTICE_LIMIT:
                    self._channels.popitem(last=False)
            case NoticeReported(_, report):
                outcome = "delivered" if report.delivered else "failed"
                self._notices[self._channels.pop(report.notice_id, ""), outcome] += 1
            case DaemonStarted(_, catching_up):
                self._catching_up = catching_up
            case DaemonCaughtUp():
                self._catching_up = False
            case GraphReplaced():
                self._below.clear()
            case _:
                pass

    def _event(self, event: Event, outcome: str) -> None:
        feed = self._feeds.get(event.feed)
        if feed is None:
            feed = self._new_feed(event.feed)
        self._events[event.format, feed, outcome] += 1
        if feed and event.at > self._feed_events.get(feed, event.at - 1):
            self._feed_events[feed] = event.at

    def _new_feed(self, name: str) -> str:
        """What a feed never seen before is counted as."""
        if len(self._feeds) >= FEED_LIMIT:
            return "other"
        self._feeds[name] = name.encode("utf-8", "replace").decode()
        return self._feeds[name]

    def _run_requested(self, now: Instant, run: LaunchRun, observed: bool) -> None:
        if observed:
            self._runs_total[run.launcher, "observed", run.reason] += 1
        else:
            self._requested(run)
        for asset in run.assets:
            since = self._waiting.pop(asset, None)
            if since is not None and run.reason in _BY_DATA:
                self._delays.add((now - since) / SECOND)

    def _requested(self, run: LaunchRun) -> None:
        self._launchers.add(run.launcher)
        self._runs[run.run_id] = _Run(run.launcher, run.reason, set(run.assets))

    def _reported(self, now: Instant, report: RunReport) -> None:
        run = self._runs.get(report.run_id)
        if run is None:
            return
        over = report.phase is RunPhase.FINISHED
        outcome = _OUTCOMES.get(report.phase)
        if outcome is not None:
            done = {report.asset} if report.asset else set(run.open)
            run.open -= done
            run.outcome = max(run.outcome or outcome, outcome, key=_WORSE.index)
            if report.phase is RunPhase.SUCCEEDED and report.changed:
                for asset in done:
                    self._updated(asset, now)
        if over or not run.open:
            del self._runs[report.run_id]
            self._runs_total[run.launcher, run.outcome or "skipped", run.reason] += 1

    def _updated(self, asset: AssetKey, now: Instant) -> None:
        below = self._below.get(asset)
        if below is None:
            below = self._below[asset] = self._readers(asset)
        for reader in below:
            self._waiting.setdefault(reader, now)

    def _readers(self, asset: AssetKey) -> tuple[AssetKey, ...]:
        """The assets that read this one, through virtual ones."""
        graph = self._graph()
        found: dict[AssetKey, None] = {}
        stack = [asset]
        seen = {asset}
        while graph is not None and stack:
            for reader in graph.readers.get(stack.pop(), ()):
                if reader not in seen:
                    seen.add(reader)
                    if graph.assets[reader].virtual:
                        stack.append(reader)
                    else:
                        found[reader] = None
        return tuple(found)
