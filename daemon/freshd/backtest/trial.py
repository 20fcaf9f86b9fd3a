"""One set of policies over recorded events, in virtual time: the daemon's own loop in a world that only listens.

Events come when they came; runs go as runs went before (`past_runs`); messages are shown at once. Between what is
heard and the engine's own timers nothing happens, so the clock jumps from one to the next, and all that is heard at
one instant is one step. The outcomes of runs come before events of their instant, as in the live inbox.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from heapq import heappop, heappush
from typing import Final

from freshd.backtest.ledger import Ledger, PairKey, Standing
from freshd.backtest.past_runs import PastRuns
from freshd.backtest.world import VirtualClock
from freshd.core.engine import Engine
from freshd.model.asset import AssetKey
from freshd.model.effects import Effect, LaunchRun, SendNotice
from freshd.model.graph import AssetGraph
from freshd.model.inputs import Input, NoticeReport, RunPhase, RunReport, Started
from freshd.model.policy import Charter
from freshd.model.records import Record
from freshd.model.time import FOREVER, NEVER, Duration, Instant
from freshd.ports import Batch, Position, StateRow
from freshd.runtime.loop import World, drive

NEVER_CHECKPOINTED: Final = 1 << 60

Arrival = tuple[Instant, Input]
"""When the daemon hears of something, never earlier than what came before."""


@dataclass(frozen=True, slots=True)
class Trial:
    """What came of it."""

    ledger: Ledger
    standings: Mapping[PairKey, Standing]
    since: Instant
    until: Instant
    heard: int


def run_trial(
    charter: Charter,
    arrivals: Iterable[Arrival],
    past: PastRuns,
    since: Instant | None = None,
    until: Instant | None = None,
    beat: Duration = 0,
    known: Iterable[StateRow] = (),
) -> Trial:
    """Play what arrives up to `until` (the last arrival), counting from `since` (the first).

    `known`: a checkpoint of the daemon as it was before the first arrival. What it knew of assets, runs, wishes and
    declarations is where both sides begin; what its policies made of that is found anew.

    With a `beat` the daemon looks up only then: what comes between two beats is one step at the second of them, which
    is quicker, and everything is found so much late at most. 0: everything is heard, and found, at its instant.

    Raises ValueError if nothing arrives, RestlessError if the daemon never comes to rest (a defect of freshd).
    """
    coming = iter(arrivals)
    first = next(coming, None)
    if first is None or (until is not None and first[0] > until):
        raise ValueError("there is no event to go by")
    counted = first[0] if since is None else since
    clock = VirtualClock(first[0])
    ledger = Ledger(charter, counted)
    hearing = _Hearing(clock, first, coming, until, beat)
    performer = _Performing(charter.graph, past, hearing, clock, ledger)
    world = World(
        clock=clock,
        inbox=hearing,
        journal=_Forgetful(),
        performer=performer,
        observers=(ledger.observe,),
        started=Started(catching_up=False),
        checkpoint_records=NEVER_CHECKPOINTED,
        checkpoint_quiet=FOREVER,
    )
    engine = Engine(charter)
    engine.restore(_without_views(known))
    drive(engine, world, lambda: hearing.over)
    end = clock.now() if until is None else until
    return Trial(ledger, ledger.close(end), counted, end, hearing.heard)


def _without_views(rows: Iterable[StateRow]) -> Iterator[StateRow]:
    """A checkpoint without what its policies held of it: verdicts, incidents, messages."""
    for kind, key, value in rows:
        if kind == "asset" and isinstance(value, dict):
            yield kind, key, {**value, "pairs": []}
        elif kind != "incident":
            yield kind, key, value


class _Hearing:
    """The inbox: what arrives, and what becomes of runs and messages."""

    def __init__(
        self, clock: VirtualClock, first: Arrival, coming: Iterator[Arrival], until: Instant | None, beat: Duration
    ) -> None:
        self._clock = clock
        self._at, self._next = first
        self._coming = coming
        self._until = until
        self._beat = beat
        self._last = NEVER
        self._outcomes: list[tuple[Instant, int, Input]] = []
        self._order = 0
        self.heard = 0
        """How much has arrived."""
        self.over = False

    def tell(self, at: Instant, given: Input) -> None:
        """The daemon will hear this then."""
        heappush(self._outcomes, (at, self._order, given))
        self._order += 1

    def poll(self, until: Instant | None) -> Batch:
        """Everything heard at the next instant, or nothing at the engine's own."""
        now = self._clock.now()
        outcomes = self._outcomes
        at = FOREVER if until is None else max(until, now)
        if outcomes and outcomes[0][0] < at:
            at = outcomes[0][0]
        if self._at < at:
            at = self._at
        if self._beat and now < at < FOREVER:
            at += -at % self._beat
        if at > self._end():
            self.over = True
            return Batch()
        self._clock.move(at)
        inputs: list[Input] = []
        while outcomes and outcomes[0][0] <= at:
            inputs.append(heappop(outcomes)[2])
        while self._at <= at:
            inputs.append(self._next)
            self.heard += 1
            self._last = self._at
            self._at, self._next = next(self._coming, (FOREVER, self._next))
        return Batch(inputs=tuple(inputs))

    def _end(self) -> Instant:
        if self._until is not None:
            return self._until
        if self._at < FOREVER:
            return FOREVER - 1
        return self._last + (-self._last % self._beat if self._beat else 0)


class _Performing:
    """Runs go as they went before, members of one run one after another; messages are shown at once."""

    def __init__(
        self, graph: AssetGraph, past: PastRuns, hearing: _Hearing, clock: VirtualClock, ledger: Ledger
    ) -> None:
        self._graph = graph
        self._past = past
        self._hearing = hearing
        self._clock = clock
        self._ledger = ledger

    def perform(self, effects: Iterable[Effect]) -> None:
        """What becomes of each is heard at its time."""
        for effect in effects:
            if isinstance(effect, LaunchRun):
                self._launch(effect)
            elif isinstance(effect, SendNotice):
                notice, now = effect.notice, self._clock.now()
                handle = notice.handle or notice.incident
                self._hearing.tell(now, NoticeReport(notice.notice_id, now, delivered=True, handle=handle))

    def _launch(self, run: LaunchRun) -> None:
        now = self._clock.now()
        begun = last = run.requested_at if run.resumed else now  # one of before the beginning goes on
        ends: dict[AssetKey, Instant] = {}
        dropped: set[AssetKey] = set()
        for key in run.assets:
            ups = [up for up in self._read_by(key) if up in ends or up in dropped] if len(run.assets) > 1 else []
            if any(up in dropped for up in ups):
                dropped.add(key)
                self._hearing.tell(max(last, now), RunReport(run.run_id, RunPhase.SKIPPED, last, asset=key))
                continue
            drawn = self._past.draw(key, run.run_id)
            start = max((ends[up] for up in ups), default=begun)
            end = ends[key] = start + drawn.takes
            last = max(last, end)
            if drawn.failed:
                dropped.add(key)
            phase = RunPhase.FAILED if drawn.failed else RunPhase.SUCCEEDED
            error = "as a run of it failed before" if drawn.failed else ""
            self._hearing.tell(
                max(end, now), RunReport(run.run_id, phase, end, asset=key, started_at=start, error=error)
            )
            self._ledger.ran(now, key, drawn.takes, drawn.failed)

    def _read_by(self, key: AssetKey) -> Iterator[AssetKey]:
        """The upstreams whose data an asset reads, through virtual ones."""
        for up in self._graph.assets[key].upstreams:
            if self._graph.assets[up].virtual:
                yield from self._read_by(up)
            else:
                yield up


class _Forgetful:
    """A journal for worlds that are thrown away."""

    def append(self, records: Sequence[Record], positions: Mapping[str, Position]) -> None:
        """Forgotten."""

    def checkpoint(self, rows: Iterable[StateRow]) -> None:
        """Forgotten."""

    def recover(self) -> tuple[Iterator[StateRow], Iterator[Record]]:
        """Nothing."""
        return iter(()), iter(())

    def positions(self) -> Mapping[str, Position]:
        """None."""
        return {}
