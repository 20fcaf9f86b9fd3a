"""The world of a scenario: a clock that moves only when nothing is left to do, and runs that go as told.

The loop that runs here is the live one. `TimeLine` is its inbox: it hands over everything that is heard
at one instant in one batch, lets the daemon come to rest, and only then moves the clock to whatever comes
next: something heard, a timer of the engine, or an expectation to look at. It keeps true: an expectation
sees everything that is due at its instant.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from heapq import heappop, heappush
from typing import Any, Final

from freshd.backtest.scenario import Scenario
from freshd.core.work import row_key
from freshd.model.asset import AssetKey
from freshd.model.effects import Effect, LaunchRun, SendNotice
from freshd.model.inputs import Input, NoticeReport, RunPhase, RunReport
from freshd.model.time import FOREVER, Instant, format_instant
from freshd.ports import Batch

TURNS_AT_ONE_INSTANT: Final = 10_000
"""Turns of the loop without the clock moving, after which a scenario is said never to come to rest."""


class RestlessError(Exception):
    """The daemon does not come to rest at one instant; always a defect of freshd."""


class VirtualClock:
    """Says the instant that it was moved to."""

    def __init__(self, start: Instant) -> None:
        self._now = start
        self._turns = 0

    def now(self) -> Instant:
        """The virtual time."""
        return self._now

    def move(self, to: Instant) -> None:
        """Move on for a turn of the loop, never back. Raises RestlessError after too many turns at one instant."""
        if to > self._now:
            self._now, self._turns = to, 0
            return
        self._turns += 1
        if self._turns > TURNS_AT_ONE_INSTANT:
            raise RestlessError(f"the daemon does not come to rest at {format_instant(to)}; please report this")


class TimeLine:
    """What is heard and expected, in order of time; the inbox of a scenario."""

    def __init__(self, clock: VirtualClock) -> None:
        self._clock = clock
        self._heard: list[tuple[Instant, bool, int, Input]] = []
        self._order = 0
        self._lines = self._lines_left = 0
        self._looks: list[tuple[Instant, Callable[[Any, Instant], None]]] = []
        self.over = False
        """Everything was heard, looked at and done."""

    def tell(self, at: Instant, given: Input) -> None:
        """A line of the file: the daemon will hear this at that instant; to be called before the loop begins."""
        self.hear(at, given)
        self._lines = self._lines_left = self._order

    def hear(self, at: Instant, given: Input) -> None:
        """The daemon will hear this at that instant, after what it hears then already; outcomes go first, as live."""
        outcome = isinstance(given, RunReport | NoticeReport)
        heappush(self._heard, (max(at, self._clock.now()), not outcome, self._order, given))
        self._order += 1

    def look(self, at: Instant, question: Callable[[Any, Instant], None]) -> None:
        """Ask this at that instant; to be called in order of time."""
        self._looks.append((at, question))

    def poll(self, until: Instant | None) -> Batch:
        """What comes next: everything heard at one instant, the engine's own timer, or looks at it."""
        now = self._clock.now()
        timer = FOREVER if until is None else max(until, now)
        heard = self._heard[0][0] if self._heard else FOREVER
        looked = self._looks[0][0] if self._looks else FOREVER
        following = min(timer, heard)
        if looked < following:
            self._clock.move(looked)
            return Batch(questions=tuple(self._pop_looks()))
        if self._ends(following):
            self.over = True
            return Batch()
        self._clock.move(following)
        return Batch(inputs=tuple(self._pop_heard(following)))

    def _ends(self, following: Instant) -> bool:
        """The last line was heard and looked at, and nothing is left to do at its instant."""
        return not self._looks and not self._lines_left and following > self._clock.now()

    def _pop_heard(self, at: Instant) -> Iterator[Input]:
        while self._heard and self._heard[0][0] <= at:
            _, _, order, given = heappop(self._heard)
            self._lines_left -= order < self._lines
            yield given

    def _pop_looks(self) -> Iterator[Callable[[Any, Instant], None]]:
        at = self._looks[0][0]
        while self._looks and self._looks[0][0] == at:
            yield self._looks.pop(0)[1]


class ScriptedPerformer:
    """Runs go as the scenario says; notices are shown at once."""

    def __init__(self, scenario: Scenario, line: TimeLine, clock: VirtualClock) -> None:
        self._scenario = scenario
        self._line = line
        self._clock = clock
        self._counts: dict[AssetKey, int] = {}
        self.started: list[tuple[Instant, AssetKey]] = []
        """All runs so far: when, of which asset or partition."""
        self.names: dict[str, str] = {}
        """Run ids as people count them: asset and which of its runs it is."""

    def perform(self, effects: Iterable[Effect]) -> None:
        """What becomes of each is heard at its time."""
        for effect in effects:
            if isinstance(effect, LaunchRun):
                self._launch(effect)
            elif isinstance(effect, SendNotice):
                notice, now = effect.notice, self._clock.now()
                handle = notice.handle or notice.incident
                self._line.hear(now, NoticeReport(notice.notice_id, now, delivered=True, handle=handle))

    def _launch(self, run: LaunchRun) -> None:
        now = self._clock.now()
        ends = now
        for key in run.assets:
            name = row_key(key, run.partition)
            self._counts[name] = self._counts.get(name, 0) + 1
            if name != key:
                self._counts[key] = self._counts.get(key, 0) + 1
            self.started.append((now, name))
            self.names[run.run_id] = f"{name}#{self._counts[name]}"
            way = name if name in self._scenario.behaviours else key
            behaviour = self._scenario.behaviour(way, self._counts[way] - 1)
            end = now + behaviour.takes
            ends = max(ends, end)
            error = behaviour.error or ("as the scenario says" if behaviour.outcome is not RunPhase.SUCCEEDED else "")
            self._line.hear(
                end,
                RunReport(
                    run.run_id,
                    behaviour.outcome,
                    end,
                    asset=key,
                    started_at=now,
                    changed=behaviour.changed,
                    error=error,
                ),
            )
        self._line.hear(ends, RunReport(run.run_id, RunPhase.FINISHED, ends))

    @property
    def launched(self) -> tuple[AssetKey, ...]:
        """All runs so far, in order of start, ties by key."""
        return tuple(key for _, key in sorted(self.started))
