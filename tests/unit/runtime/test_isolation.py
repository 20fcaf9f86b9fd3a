"""An input on which the engine fails is set aside, alone; a failure that no input causes is raised."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from tests.unit.core.play import charter_of
from tests.unit.runtime.fakes import ListPerformer, ManualClock, ScriptInbox, update

from freshd.backtest.memory_journal import MemoryJournal
from freshd.core.engine import Engine
from freshd.core.step import Step
from freshd.model.effects import Effect, LaunchRun
from freshd.model.inputs import CharterReplaced, Event, Input, Started
from freshd.model.policy import Charter
from freshd.model.records import DeadLettered, Record
from freshd.model.time import MINUTE, SECOND, Instant
from freshd.ports import Batch
from freshd.runtime.loop import World, drive

NOW = 100 * MINUTE


class Fragile(Engine):
    """Fails on poison, after it has taken what came before it: in the middle of a step."""

    bad: Charter | None = None
    bad_after: Instant = 10**30

    def step(self, now: Instant, inputs: Sequence[Input]) -> Step:
        step = super().step(now, inputs)
        for given in inputs:
            if isinstance(given, Event) and given.id.startswith("poison"):
                raise ZeroDivisionError(given.id)
            if isinstance(given, CharterReplaced) and given.charter is self.bad:
                raise ZeroDivisionError("charter")
        if now >= self.bad_after:
            raise ZeroDivisionError("a timer")
        return step


class Told:
    """A loop over a fragile engine, and everything that came out of it."""

    def __init__(self, *batches: Batch) -> None:
        self.journal, self.performer = MemoryJournal(), ListPerformer()
        self.bugs: list[tuple[Input, str]] = []
        self.records: list[Record] = []
        self.clock = ManualClock(NOW)
        self.engine = Fragile(charter_of("raw; other; a < raw; b < other", eager="a b"))
        self.inbox = ScriptInbox(batches)

    def drive(self, isolating: bool = True, **world: Any) -> Told:
        drive(
            self.engine,
            World(
                self.clock,
                self.inbox,
                self.journal,
                self.performer,
                observers=(lambda now, records: self.records.extend(records),),
                on_bug=(lambda given, error: self.bugs.append((given, str(error)))) if isolating else None,
                started=Started(catching_up=False),
                **world,
            ),
            self.inbox.exhausted,
        )
        return self

    @property
    def letters(self) -> list[tuple[str, str]]:
        return [(r.letter.reason, r.letter.origin) for r in self.records if isinstance(r, DeadLettered)]


def launched(effects: Sequence[Effect]) -> list[str]:
    return [effect.assets[0] for effect in effects if isinstance(effect, LaunchRun)]


def good(asset: str, id: str) -> Event:
    return update(asset, NOW - 5 * MINUTE, id)


POISON = good("raw", "poison-1")


def test_the_guilty_input_is_a_dead_letter_and_the_rest_counts() -> None:
    answered: list[str] = []
    batch = Batch(
        (good("other", "1"), POISON, good("raw", "2")),
        {"kafka/t/0": "3"},
        (lambda: answered.append("durable"),),
        (lambda error: answered.append(str(error)),),
    )
    told = Told(batch).drive()
    assert told.bugs == [(POISON, "poison-1")]
    assert told.letters == [("engine_error", "poison-1")]
    assert answered == ["durable"]
    assert told.journal.positions() == {"kafka/t/0": "3"}
    assert launched(told.performer.effects) == ["b", "a"]


def test_nothing_of_the_failed_step_stays_and_the_engine_is_what_the_store_says() -> None:
    told = Told(Batch((good("other", "1"), POISON)), Batch((good("other", "3"),))).drive()
    assert told.engine.assess("raw", NOW).updated_at is None
    again = Engine(told.engine.charter)
    rows, records = told.journal.recover()
    again.restore(rows)
    for record in records:
        again.apply(record)
    for key in ("raw", "other", "a", "b"):
        assert again.assess(key, NOW) == told.engine.assess(key, NOW)


def test_poison_after_poison() -> None:
    batch = Batch((POISON, good("raw", "poison-2"), good("raw", "2"), good("other", "poison-3")))
    told = Told(batch).drive()
    assert [said for _, said in told.bugs] == ["poison-1", "poison-2", "poison-3"]
    assert told.engine.assess("raw", NOW).updated_at == NOW - 5 * MINUTE
    assert told.engine.assess("other", NOW).updated_at is None


def test_a_charter_on_which_the_engine_fails_is_refused_and_the_one_before_stays() -> None:
    answered: list[str] = []
    told = Told()
    before, worse = told.engine.charter, charter_of("raw")
    told.engine.bad = worse
    told.inbox = ScriptInbox(
        [
            Batch((good("other", "1"),)),
            Batch(
                (CharterReplaced(worse),),
                on_durable=(lambda: answered.append("durable"),),
                on_failed=(lambda error: answered.append(f"refused: {error}"),),
            ),
        ]
    )
    told.drive()
    assert answered == ["refused: charter"]
    assert told.engine.charter is before
    assert told.engine.assess("other", NOW).updated_at == NOW - 5 * MINUTE


def test_a_failure_that_no_input_causes_is_raised() -> None:
    told = Told(Batch((good("raw", "1"),)))
    told.engine.bad_after = NOW
    with pytest.raises(ZeroDivisionError, match="a timer"):
        told.drive()
    told = Told(Batch())
    told.engine.bad_after = NOW + SECOND
    told.clock.time = NOW + SECOND
    with pytest.raises(ZeroDivisionError, match="a timer"):
        told.drive()


def test_a_world_that_does_not_ask_for_it_hears_of_the_bug() -> None:
    with pytest.raises(ZeroDivisionError, match="poison-1"):
        Told(Batch((POISON,))).drive(isolating=False)
