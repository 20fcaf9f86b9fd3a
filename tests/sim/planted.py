"""Bugs planted on purpose: the simulator must catch every one of them, or it proves nothing.

Each is a small patch of the engine, the loop or the store while a seed runs. `why` says what would go wrong
in the world if it were real.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from typing import Any
from unittest.mock import patch

from tests.sim.stage import Crash, SimClock, SimInbox, SimJournal

from freshd.core import (
    busy,
    checkpoint,
    engine,
    facts,
    freshness,
    incident_book,
    incidents,
    judging,
    notices,
    planner,
    remembered,
    runs,
    updates,
    waves,
)
from freshd.core.engine import Engine
from freshd.core.step import Step
from freshd.model.inputs import RunReport
from freshd.model.records import EventTaken, Record
from freshd.model.time import FOREVER, NEVER, SECOND
from freshd.ports import Batch, Position
from freshd.runtime import loop


@dataclass(frozen=True, slots=True)
class Planted:
    """One bug: its name, what it would do to a user, and how it is planted."""

    name: str
    why: str
    plant: Callable[[], AbstractContextManager[Any]]
    shown_by: int = 0
    """A seed that showed it when it was planted: tried first."""


def _perform_first() -> AbstractContextManager[Any]:
    turn = loop._Loop.turn

    def eager(self: Any, batch: Batch, wake: int | None = None) -> None:
        performer, journal = self._world.performer, self._world.journal
        step = self._engine.step

        def hasty(now: int, inputs: Any) -> Step:
            made: Step = step(now, inputs)
            performer.perform(made.effects)
            return replace(made, effects=())

        with patch.object(self._engine, "step", hasty):
            turn(self, batch, wake)
        assert journal is self._world.journal

    return patch.object(loop._Loop, "turn", eager)


def _positions_first() -> AbstractContextManager[Any]:
    append = SimJournal.append

    def torn(self: SimJournal, records: Sequence[Record], positions: Mapping[str, Position]) -> None:
        self._stage.positions.update(positions)
        self._stage.maybe_crash("between positions and records")
        append(self, records, positions)

    return patch.object(SimJournal, "append", torn)


def _records_first() -> AbstractContextManager[Any]:
    append = SimJournal.append

    def torn(self: SimJournal, records: Sequence[Record], positions: Mapping[str, Position]) -> None:
        append(self, records, {})
        self._stage.maybe_crash("between records and positions")
        self._stage.positions.update(positions)

    return patch.object(SimJournal, "append", torn)


def _written_twice() -> AbstractContextManager[Any]:
    append = SimJournal.append

    def again(self: SimJournal, records: Sequence[Record], positions: Mapping[str, Position]) -> None:
        append(self, records, positions)
        if self._stage.chance(self._stage.faults.append_fails):
            append(self, records, positions)

    return patch.object(SimJournal, "append", again)


def _forgets_records() -> AbstractContextManager[Any]:
    take = SimJournal.checkpoint

    def early(self: SimJournal, rows: Any) -> None:
        kept = self._stage.records[:]
        take(self, [row for row in rows if row[0] != "asset"] if len(kept) % 3 == 0 else rows)

    return patch.object(SimJournal, "checkpoint", early)


def _rows_left_out(kind: str) -> Callable[[], AbstractContextManager[Any]]:
    def plant() -> AbstractContextManager[Any]:
        changed = checkpoint.changed_rows

        def fewer(known: Any) -> Iterator[Any]:
            return (row for row in changed(known) if row[0] != kind)

        return patch.object(engine, "changed_rows", fewer)

    return plant


def _outbox_lost() -> AbstractContextManager[Any]:
    return patch.object(Engine, "unconfirmed", lambda self: iter(()))


def _same_run_id() -> AbstractContextManager[Any]:
    derive = runs.run_id
    return patch.object(runs, "run_id", lambda assets, before, attempt: derive(assets, 0, 1))


def _clock_back() -> AbstractContextManager[Any]:
    step = Engine.step

    def backwards(self: Engine, now: int, inputs: Any) -> Step:
        self._state.now = NEVER
        return step(self, now, inputs)

    return patch.object(Engine, "step", backwards)


def _late_report_counts() -> AbstractContextManager[Any]:
    told = runs.report

    def twice(known: Any, report: RunReport) -> None:
        told(known, report)
        told(known, replace(report, at=report.at + 30 * SECOND))
        for key in [report.asset] if report.asset else []:
            row = known.rows.get(key)
            if row is not None and report.phase.value == "succeeded":
                updates.take_update(known, row, known.now, known.now)

    return patch.object(runs, "report", twice)


def _starts_ignored() -> AbstractContextManager[Any]:
    take = updates.take_update

    def at_end(known: Any, row: Any, end: int, start: int, **more: Any) -> Any:
        return take(known, row, end, end, **more)

    return everywhere("take_update", at_end, facts, runs)


@contextmanager
def everywhere(name: str, value: Any, *modules: Any) -> Iterator[None]:
    patches = [patch.object(module, name, value) for module in modules]
    for planted in patches:
        planted.start()
    try:
        yield
    finally:
        for planted in patches:
            planted.stop()


def _duplicates_count() -> AbstractContextManager[Any]:
    take = Engine._take

    def always(self: Engine, given: Any) -> None:
        if hasattr(given, "assets") and hasattr(given, "source"):
            self._emit(EventTaken(self._state.now, given))
        else:
            take(self, given)

    return patch.object(Engine, "_take", always)


def _input_dropped() -> AbstractContextManager[Any]:
    poll = SimInbox.poll

    def fewer(self: SimInbox, until: int | None) -> Batch:
        batch = poll(self, until)
        return replace(batch, inputs=batch.inputs[:5])

    return patch.object(SimInbox, "poll", fewer)


def _crash_swallowed() -> AbstractContextManager[Any]:
    append = SimJournal.append

    def silent(self: SimJournal, records: Sequence[Record], positions: Mapping[str, Position]) -> None:
        try:
            append(self, records, positions)
        except Crash as crash:
            if "before" not in str(crash):
                raise

    return patch.object(SimJournal, "append", silent)


PLANTED = (
    Planted("effects before the commit", "a run is started that nobody remembers after a crash", _perform_first),
    Planted("positions before records", "an event is lost in a crash", _positions_first),
    Planted("records before positions", "an event counts twice after a crash", _records_first),
    Planted("a batch is written twice", "an event counts twice when the store hiccups", _written_twice),
    Planted("a failed commit is taken as done", "what was decided is not in the store", _crash_swallowed),
    Planted("the checkpoint leaves assets out", "a restart forgets what was updated", _forgets_records),
    Planted("the checkpoint leaves runs out", "a restart forgets what is in flight", _rows_left_out("runs")),
    Planted("the checkpoint leaves incidents out", "a restart forgets open incidents", _rows_left_out("incident")),
    Planted("the checkpoint leaves wishes out", "a restart forgets what people asked for", _rows_left_out("wish"), 34),
    Planted("the checkpoint leaves ids out", "a repetition counts again after a restart", _rows_left_out("seen"), 7),
    Planted("the outbox is lost", "a run requested just before a crash never starts", _outbox_lost),
    Planted("one run id for all runs", "the launcher takes the second run for the first", _same_run_id),
    Planted("the clock goes back", "a restart on a host whose clock is behind rewrites the past", _clock_back, 72),
    Planted("outcomes count twice", "an asset is newer than its run", _late_report_counts),
    Planted("a run reads up to its end", "what arrives during a run is lost sight of", _starts_ignored),
    Planted("duplicates count", "one sync is two", _duplicates_count),
    Planted("the tail of a batch is dropped", "events are lost under load", _input_dropped, 18),
    Planted("nobody waits", "a diamond is built twice", lambda: patch.object(planner, "waits_for", lambda *_: ())),
    Planted(
        "nothing is blocked",
        "models run on failed input",
        lambda: patch.object(planner, "is_blocked", lambda row: False),
    ),
    Planted(
        "max_wait is forgotten",
        "one slow upstream holds all for ever",
        lambda: patch.object(planner, "launchable_from", lambda *_: FOREVER // 2),
    ),
    Planted(
        "retries come at once",
        "a failing run hammers the warehouse",
        lambda: patch.object(runs, "retry_delay", lambda *_: 0),
    ),
    Planted(
        "retries never end",
        "a broken model runs for ever",
        lambda: patch.object(runs, "allowed_attempts", lambda state, row: 1000),
    ),
    Planted(
        "a stop never ends",
        "new data does not wake what once failed",
        lambda: patch.object(updates, "news_above", lambda *_: None),
    ),
    Planted(
        "debounce is forgotten",
        "a burst of syncs is a burst of runs",
        lambda: patch.object(planner, "newest_upstream_end", lambda row: NEVER),
    ),
    Planted(
        "sustain is forgotten",
        "a blip wakes people",
        lambda: patch.object(judging, "sustained", lambda found, *_: found),
    ),
    Planted(
        "every pair has an incident of its own",
        "one cause pages forty times",
        lambda: patch.object(incidents, "_home", _always_new),
    ),
    Planted(
        "members stay where they are",
        "an incident names a cause long gone",
        lambda: patch.object(incidents, "_move", lambda *_: None),
    ),
    Planted(
        "deliveries are not noted",
        "a notice is sent for ever",
        lambda: patch.object(notices, "reported", lambda *_: None),
    ),
    Planted(
        "a healed incident is not told",
        "the channel shows trouble that is over",
        lambda: patch.object(notices, "tell", _open_only),
    ),
    Planted(
        "checks block nobody",
        "bad data spreads",
        lambda: patch.object(busy, "is_root_stuck", lambda row: row.stopped and row.due),
    ),
    Planted(
        "ids are forgotten",
        "repeated events count after a while",
        lambda: patch.object(remembered.Remembered, "knows", lambda *_: False),
    ),
    Planted(
        "a launcher's limit is forgotten",
        "forty models hit the warehouse at once",
        lambda: patch.object(planner, "_has_place", lambda *_: True),
        32,
    ),
    Planted(
        "a wave takes all below it",
        "a model is built before its other input is there",
        lambda: patch.object(waves, "_joins", _joins_always),
    ),
    Planted(
        "an added upstream counts as read",
        "a model that never read it shows it as current",
        lambda: patch.object(freshness, "start_for", lambda row, up, start: start),
        34,
    ),
    Planted("a stuck clock", "deadlines pass unseen", lambda: patch.object(Engine, "next_wake", lambda self: None)),
    Planted(
        "time stands still",
        "nothing ages",
        lambda: patch.object(SimClock, "now", lambda self: self._last or self._stage.now),
    ),
)


def _joins_always(known: Any, row: Any, launcher: str, members: Any) -> bool:
    return bool(row.automatic and row.asset.launcher == launcher and not row.in_flight)


_tell = notices.tell


def _open_only(known: Any, emit: Any) -> None:
    def if_open(record: Any) -> None:
        if record.notice.closed_at is None:
            emit(record)

    _tell(known, if_open)


def _always_new(known: Any, cause: str) -> Any:
    known.book.opened += 1
    return incident_book.Incident(f"inc-{known.book.opened}", cause, known.now)
