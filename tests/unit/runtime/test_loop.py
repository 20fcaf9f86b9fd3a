"""The contract of the loop: step, persist, perform, tell; and what happens when the store says no."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, cast

import pytest
from tests.unit.runtime.fakes import ListEngine, ListJournal, ListPerformer, ManualClock, ScriptInbox, update

from freshd.model.effects import LaunchRun
from freshd.model.errors import FencedError, PermanentError, TransientError
from freshd.model.inputs import CaughtUp, Started
from freshd.model.records import GraphReplaced
from freshd.model.time import SECOND, Duration, Instant
from freshd.ports import Batch
from freshd.runtime.loop import FLOOD_INPUTS, LONGEST_RETRY, RETRY_AFTER_BOUND, World, drive

RUN = LaunchRun("run-1", "build", ("orders",), 0)


class Setting:
    """A loop over fakes, with everything that happened in one log."""

    def __init__(
        self, batches: Sequence[Batch], engine: ListEngine | None = None, log: Any = None, **world: Any
    ) -> None:
        self.log: list[Any] = [] if log is None else log
        self.clock = ManualClock(10 * SECOND)
        self.engine = engine or ListEngine({"launch": RUN})
        self.inbox = ScriptInbox(batches)
        self.journal = ListJournal(self.log)
        self.performer = ListPerformer(self.log)
        self.pauses: list[Duration] = []
        self.world = World(
            self.clock,
            self.inbox,
            self.journal,
            self.performer,
            observers=(lambda now, records: self.log.append(("observe", len(records))),),
            pause=self.pauses.append,
            on_trouble=lambda what, error: self.log.append(("trouble", what, str(error))),
            **world,
        )

    def drive(self) -> None:
        drive(cast(Any, self.engine), self.world, self.inbox.exhausted)


def test_the_first_thing_said_is_that_the_daemon_started() -> None:
    setting = Setting([Batch((CaughtUp(),))], started=Started(catching_up=False))
    setting.drive()
    assert setting.engine.inputs == [Started(catching_up=False), CaughtUp()]


def test_effects_are_performed_after_the_append_and_before_anybody_is_told() -> None:
    log: list[Any] = []
    setting = Setting([Batch((update(id="launch"),), {"k": "7"}, (lambda: log.append("durable"),))], log=log)
    setting.drive()
    assert setting.log[:4] == ["append", "perform", ("observe", 1), "durable"]
    assert setting.journal.stored == {"k": "7"}
    assert setting.performer.effects == [RUN]


def test_what_was_not_confirmed_in_the_last_life_is_performed_first_and_marked() -> None:
    setting = Setting([Batch((update(),))], ListEngine(unconfirmed=[RUN]))
    setting.drive()
    assert setting.log[0] == "perform"
    (again,) = setting.performer.effects
    assert isinstance(again, LaunchRun)
    assert (again.run_id, again.resumed) == ("run-1", True)


def test_a_step_that_cannot_be_written_is_written_later_not_lost_and_not_stepped_twice() -> None:
    setting = Setting([Batch((update(id="launch"),)), Batch((update(at=5),))])
    setting.journal.failures = [TransientError("disk full"), TransientError("disk full", retry_after=7 * SECOND)]
    setting.drive()
    assert setting.log[:6] == [
        "append",
        ("trouble", "append", "disk full"),
        "append",
        ("trouble", "append", "disk full"),
        "append",
        "perform",
    ]
    assert [record.event.at for record in setting.journal.records] == [0, 5]  # type: ignore[union-attr]
    assert setting.pauses == [50_000, 7 * SECOND]


def test_the_wait_between_tries_grows_up_to_its_bound() -> None:
    setting = Setting([Batch((update(),)), Batch()])
    setting.journal.failures = [*(TransientError("x") for _ in range(12)), TransientError("x", 10**12)]
    setting.drive()
    assert setting.pauses[:4] == [50_000, 100_000, 200_000, 400_000]
    assert max(setting.pauses[:-1]) == LONGEST_RETRY
    assert setting.pauses[-1] == RETRY_AFTER_BOUND


def test_a_fenced_daemon_stops_without_performing_anything() -> None:
    failures: list[Exception] = []
    setting = Setting([Batch((update(id="launch"),), on_failed=(failures.append,)), Batch((update(),))])
    fenced = FencedError("another daemon has this store")
    setting.journal.failures = [fenced]
    with pytest.raises(FencedError):
        setting.drive()
    assert setting.performer.effects == []
    assert setting.journal.records == []
    assert failures == [fenced]


def test_told_to_stop_while_the_store_is_away_it_stops_and_says_so() -> None:
    failures: list[Exception] = []
    setting = Setting([Batch((update(id="launch"),), on_failed=(failures.append,))])
    setting.journal.failures = [TransientError("connection refused")] * 1_000
    with pytest.raises(TransientError, match="connection refused"):
        setting.drive()
    assert setting.performer.effects == []
    assert len(failures) == 1


def test_an_error_that_trying_again_cannot_mend_leaves_the_loop() -> None:
    setting = Setting([Batch((update(),))])
    setting.journal.failures = [PermanentError("the table is gone")]
    with pytest.raises(PermanentError):
        setting.drive()


def test_a_position_without_records_is_durable_too_and_an_empty_turn_writes_nothing() -> None:
    setting = Setting([Batch((), {"kafka/t/0": "9"}), Batch()])
    setting.drive()
    assert setting.journal.stored == {"kafka/t/0": "9"}
    assert setting.log == ["append"]


def test_questions_are_asked_of_the_engine_between_steps() -> None:
    answers: list[tuple[Any, Instant]] = []
    setting = Setting([Batch(questions=(lambda engine, now: answers.append((engine, now)),))])
    setting.drive()
    assert answers == [(setting.engine, 10 * SECOND)]


def test_it_waits_until_the_engine_next_wants_to_wake() -> None:
    polls: list[Instant | None] = []
    engine = ListEngine()
    engine.wake = 42 * SECOND
    setting = Setting([], engine)
    inbox = ScriptInbox([Batch()], polls.append)
    setting.world = replace(setting.world, inbox=inbox)
    drive(cast(Any, engine), setting.world, inbox.exhausted)
    assert polls == [42 * SECOND]


def test_a_checkpoint_comes_after_so_many_records_however_busy_it_is() -> None:
    batches = [Batch((update(f"a{n}", at=n),)) for n in range(7)]
    setting = Setting(batches, checkpoint_records=3)
    setting.drive()
    assert setting.log.count("checkpoint") == 3  # after 3, after 6, and on the way out
    assert sorted(setting.journal.rows) == [f"a{n}" for n in range(7)]


def test_a_checkpoint_comes_when_all_is_quiet_and_only_if_there_is_something_new() -> None:
    setting = Setting([Batch((update(),)), Batch(), Batch(), Batch()])
    moments = iter([10, 11, 12, 14, 20])
    setting.clock.now = lambda: next(moments) * SECOND  # type: ignore[method-assign]
    setting.drive()
    assert setting.log == ["append", ("observe", 1), "checkpoint"]


def test_a_checkpoint_that_fails_is_tried_again_with_the_same_rows() -> None:
    setting = Setting([Batch((update("a"),)), Batch()], checkpoint_records=1)
    setting.world = replace(
        setting.world,
        on_beat=lambda now: None,
        observers=(lambda now, records: setting.journal.failures.append(locked),),
    )
    locked = TransientError("locked")
    setting.drive()
    assert setting.log.count("checkpoint") == 2
    assert list(setting.journal.rows) == ["a"]


def test_a_replaced_graph_is_checkpointed_with_its_record() -> None:
    engine = ListEngine()
    engine.extra = (GraphReplaced(0, ("new",), (), ()),)
    setting = Setting([Batch((update(),)), Batch((update(),))], engine)
    setting.drive()
    assert setting.log[-3:] == ["append", ("observe", 2), "checkpoint"]
    assert setting.log.count("checkpoint") == setting.log.count("append")


def test_every_turn_gives_a_sign_of_life() -> None:
    beats: list[Instant] = []
    setting = Setting([Batch(), Batch((CaughtUp(),))], on_beat=beats.append)
    setting.drive()
    assert beats == [10 * SECOND] * 3


def test_a_checkpoint_comes_after_so_many_changed_rows_unless_more_comes_than_is_taken() -> None:
    few = Batch((update("a"), update("b"), update("c")))
    flood = Batch(tuple(update(f"f{number}") for number in range(FLOOD_INPUTS)))
    setting = Setting([few, few, flood, few], checkpoint_rows=3)
    setting.drive()
    assert setting.log[:12] == [
        "append", ("observe", 3), "checkpoint",
        "append", ("observe", 3), "checkpoint",
        "append", ("observe", FLOOD_INPUTS),
        "append", ("observe", 3), "checkpoint",
    ]  # fmt: skip
