"""The made-up world around the loop: clock, inbox, journal, performer; what outlives a crash, and what does not.

`Stage` holds what is outside the daemon (the true time, the message log, the store, the launchers, the
channels); each life of the daemon gets a clock, an inbox and a performer of its own on it. Nothing here
knows what is right: the invariants do.
"""

from __future__ import annotations

import json
import pickle
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256
from random import Random
from typing import Any

from tests.oracle.world import Behaves
from tests.sim.faults import Faults

from freshd.model.declarations import Declaration
from freshd.model.effects import Effect, LaunchRun, Notice, SendNotice
from freshd.model.errors import TransientError
from freshd.model.inputs import (
    Blind,
    CaughtUp,
    Event,
    Input,
    NoticeReport,
    RunPhase,
    RunReport,
    Sighted,
    Wish,
    Withdraw,
)
from freshd.model.records import Record
from freshd.model.time import FOREVER, MINUTE, SECOND, Duration, Instant
from freshd.ports import Batch, Position, StateRow

INBOX_LIMIT = 7
"""Inputs of one batch at most."""


class Crash(BaseException):
    """The daemon's process is gone."""


class Violation(AssertionError):
    """An invariant does not hold."""


@dataclass(frozen=True, slots=True)
class Message:
    """One entry of the message log: where it is, when it can be read first, what it says."""

    offset: int
    readable_at: Instant
    said: Event | Wish | Declaration | Withdraw | Blind | Sighted


@dataclass(slots=True)
class Execution:
    """One run as the launcher outside knows it."""

    run: LaunchRun
    started: int = 0
    """How often it was really started; more than once is a violation."""
    ends: dict[str, tuple[Instant, RunPhase]] = field(default_factory=dict)
    starts: dict[str, Instant] = field(default_factory=dict)
    """When each member began, of a launcher that orders its own work."""
    changed: bool = True


@dataclass(slots=True)
class Stage:
    """What is outside the daemon and outlives its crashes."""

    rng: Random
    faults: Faults
    now: Instant
    behaves: Behaves
    log: dict[str, list[Message]] = field(default_factory=dict)
    upstreams: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Of every asset, for launchers that order their own work."""
    rows: dict[tuple[str, str], bytes] = field(default_factory=dict)
    records: list[bytes] = field(default_factory=list)
    """Since the last checkpoint."""
    history: list[bytes] = field(default_factory=list)
    """All that was ever durable, for the invariants."""
    positions: dict[str, Position] = field(default_factory=dict)
    executions: dict[str, Execution] = field(default_factory=dict)
    shown: dict[str, Notice] = field(default_factory=dict)
    """The messages in the channels, by handle."""
    posts: dict[str, str] = field(default_factory=dict)
    """The handle of each notice that was ever delivered, by its id."""
    refused: set[str] = field(default_factory=set)
    """Incidents of which a channel refused a notice for good."""
    counts: dict[str, int] = field(default_factory=dict)

    def chance(self, share: float) -> bool:
        """Whether something with this probability happens; no draw where it cannot."""
        return share > 0 and self.rng.random() < share

    def maybe_crash(self, _where: str) -> None:
        """Die here, perhaps."""
        if self.chance(self.faults.crash):
            raise Crash(_where)

    def members_above(self, key: str, members: Sequence[str]) -> list[str]:
        """The members of a run that an asset rests on, at any distance."""
        found: set[str] = set()
        todo = [key]
        while todo:
            for up in self.upstreams.get(todo.pop(), ()):
                if up not in found:
                    found.add(up)
                    todo.append(up)
        return [member for member in members if member in found]

    def digest(self) -> str:
        """Of every byte that was ever durable."""
        total = sha256()
        for entry in self.history:
            total.update(entry)
        return total.hexdigest()


class SimClock:
    """The true time, off by a skew; never going back within one life."""

    def __init__(self, stage: Stage, skew: Duration) -> None:
        self._stage = stage
        self.skew = skew
        self._last: Instant = 0

    def now(self) -> Instant:
        self._last = max(self._last, self._stage.now + self.skew)
        return self._last

    def true_time(self, instant: Instant) -> Instant:
        """When this clock will say `instant`."""
        return instant - self.skew


class SimInbox:
    """What comes to one life of the daemon: messages from the stored positions on, and reports."""

    def __init__(self, stage: Stage, clock: SimClock, catching_up: bool) -> None:
        self._stage = stage
        self._clock = clock
        self._next = {name: int(stage.positions.get(name, "0")) for name in stage.log}
        self._until = {name: self._end(name) for name in stage.log} if catching_up else {}
        self._catching_up = catching_up
        self.reports: list[tuple[Instant, int, Input]] = []
        self._order = 0
        self.deadline: Instant = FOREVER
        """The true time at which the phase ends: no poll sleeps beyond it."""

    def _end(self, name: str) -> int:
        return max((m.offset + 1 for m in self._stage.log[name] if m.readable_at <= self._stage.now), default=0)

    def report(self, at: Instant, said: Input) -> None:
        """Something will be reported at this true time, if the daemon lives to hear it."""
        self._order += 1
        self.reports.append((at, self._order, said))

    def poll(self, until: Instant | None) -> Batch:
        stage = self._stage
        stage.maybe_crash("poll")
        batch = self._ready()
        if batch.inputs or batch.positions:
            return batch
        target = min(self._wake(until), self.deadline)
        if stage.chance(stage.faults.spurious_wake) and target > stage.now + SECOND:
            target = stage.rng.randint(stage.now, min(target, stage.now + 10 * MINUTE))
        stage.now = max(stage.now, target)
        return self._ready()

    def _wake(self, until: Instant | None) -> Instant:
        wakes = [at for at, _, _ in self.reports]
        for name, messages in self._stage.log.items():
            wakes += [m.readable_at for m in messages if m.offset >= self._next[name]][:1]
        if until is not None:
            wakes.append(self._clock.true_time(until))
        return min(wakes, default=FOREVER)

    def _ready(self) -> Batch:
        stage, now = self._stage, self._stage.now
        due = sorted(entry for entry in ((at, n) for at, n, _ in self.reports) if entry[0] <= now)[:INBOX_LIMIT]
        chosen = {n for _, n in due}
        inputs: list[Input] = [said for _, n, said in sorted(self.reports, key=lambda r: r[:2]) if n in chosen]
        self.reports = [entry for entry in self.reports if entry[1] not in chosen]
        room = stage.rng.randint(1, INBOX_LIMIT)
        positions: dict[str, Position] = {}
        for name in stage.log:
            for message in stage.log[name]:
                if message.offset < self._next[name]:
                    continue
                if message.readable_at > now or room == 0:
                    break
                inputs.append(self._clamped(message.said))
                self._next[name] = message.offset + 1
                positions[name] = str(self._next[name])
                room -= 1
        if self._catching_up and all(self._next[name] >= end for name, end in self._until.items()):
            self._catching_up = False
            inputs.append(CaughtUp())
        return Batch(tuple(inputs), positions)

    def _clamped(self, said: Input) -> Input:
        """As the translation does: an `at` ahead of the daemon's clock counts as the arrival."""
        return replace(said, at=min(said.at, self._clock.now())) if isinstance(said, Event) else said


class SimJournal:
    """A store in which a transaction is there as a whole or not at all; only bytes survive."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self.on_durable: Any = lambda records: None

    def append(self, records: Sequence[Record], positions: Mapping[str, Position]) -> None:
        stage = self._stage
        stage.maybe_crash("before the commit")
        if stage.chance(stage.faults.append_fails):
            raise TransientError("the store is busy")
        for record in records:
            written = pickle.dumps(record)
            stage.records.append(written)
            stage.history.append(repr(record).encode())
        stage.history.append(repr(sorted(positions.items())).encode())
        stage.positions.update(positions)
        self.on_durable(records)
        stage.maybe_crash("after the commit")

    def checkpoint(self, rows: Iterable[StateRow]) -> None:
        stage = self._stage
        stage.maybe_crash("before the checkpoint")
        written = [(kind, key, json.dumps(value)) for kind, key, value in rows]
        for kind, key, text in written:
            stage.history.append(f"{kind} {key} {text}".encode())
            if text == "null":
                stage.rows.pop((kind, key), None)
            else:
                stage.rows[kind, key] = text.encode()
        stage.records.clear()
        stage.maybe_crash("after the checkpoint")

    def recover(self) -> tuple[Iterator[StateRow], Iterator[Record]]:
        rows = [(kind, key, json.loads(text)) for (kind, key), text in sorted(self._stage.rows.items())]
        records = [pickle.loads(written) for written in self._stage.records]  # noqa: S301
        return iter(rows), iter(records)

    def positions(self) -> Mapping[str, Position]:
        return dict(self._stage.positions)


class SimPerformer:
    """Launchers and channels: they outlive the daemon, their reports do not."""

    def __init__(self, stage: Stage, clock: SimClock, inbox: SimInbox) -> None:
        self._stage = stage
        self._clock = clock
        self._inbox = inbox
        self.before: Any = lambda effect: None

    def perform(self, effects: Iterable[Effect]) -> None:
        for effect in effects:
            self._stage.maybe_crash("before an effect")
            self.before(effect)
            if isinstance(effect, LaunchRun):
                self._launch(effect)
            else:
                self._send(effect)
            self._stage.maybe_crash("after an effect")

    def _launch(self, run: LaunchRun) -> None:
        stage = self._stage
        known = stage.executions.get(run.run_id)
        if known is None and run.resumed and stage.chance(stage.faults.forget_run):
            known = stage.executions[run.run_id] = Execution(run)
            known.ends = dict.fromkeys(run.assets, (stage.now, RunPhase.LOST))
        if known is None:
            known = stage.executions[run.run_id] = self._begin(run)
        self._promise(known)

    def _begin(self, run: LaunchRun) -> Execution:
        stage = self._stage
        execution = Execution(run, started=1)
        at = stage.now
        for key in run.assets:
            nth = stage.counts.get(key, 0)
            stage.counts[key] = nth + 1
            way = stage.behaves(key, nth)
            takes = way.takes
            phase = RunPhase.SUCCEEDED if way.succeeds else RunPhase.FAILED
            if stage.chance(stage.faults.run_fails):
                phase = RunPhase.FAILED
            if stage.chance(stage.faults.hang):
                takes, phase = stage.rng.randint(takes, stage.faults.longest_hang), RunPhase.LOST
            above = [execution.ends[up][1] for up in stage.members_above(key, run.assets)]
            if any(outcome is not RunPhase.SUCCEEDED for outcome in above):
                takes, phase = 0, RunPhase.SKIPPED
            elif len(run.assets) > 1:
                execution.starts[key] = at
            at += takes
            execution.ends[key] = (at, phase)
        return execution

    def _promise(self, execution: Execution) -> None:
        """What this life of the daemon will hear of a run."""
        stage, run = self._stage, execution.run
        if stage.chance(0.5) and not execution.starts:
            self._inbox.report(stage.now, RunReport(run.run_id, RunPhase.STARTED, run.requested_at))
        for key, (end, phase) in execution.ends.items():
            at, began = max(end, stage.now), execution.starts.get(key)
            if began is not None and stage.chance(0.5):
                self._inbox.report(max(began, stage.now), RunReport(run.run_id, RunPhase.STARTED, began, key, began))
            error = "" if phase is RunPhase.SUCCEEDED else "it failed"
            report = RunReport(run.run_id, phase, end, key, began, error=error)
            self._inbox.report(at, report)
            if stage.chance(stage.faults.repeat_report):
                again = replace(report, phase=stage.rng.choice([phase, RunPhase.LOST, RunPhase.SUCCEEDED]))
                self._inbox.report(at + stage.rng.randint(0, 5 * MINUTE), again)
        over = max(end for end, _ in execution.ends.values())
        self._inbox.report(max(over, stage.now), RunReport(run.run_id, RunPhase.FINISHED, over))

    def _send(self, effect: SendNotice) -> None:
        stage, notice = self._stage, effect.notice
        refused = stage.chance(stage.faults.notice_refused)
        at = stage.now
        while stage.chance(stage.faults.notice_fails):
            at += stage.rng.randint(SECOND, MINUTE)
        handle = notice.handle or stage.posts.get(notice.notice_id) or f"message-{len(stage.posts)}"
        if refused:
            stage.refused.add(notice.incident)
        else:
            stage.posts[notice.notice_id] = handle
            stage.shown[handle] = notice
        self._inbox.report(at, NoticeReport(notice.notice_id, at, not refused, "" if refused else handle))
