"""Alive is a loop that turns or tries; ready is one that can write."""

from __future__ import annotations

from tests.unit.runtime.fakes import ManualClock

from freshd.model.errors import FencedError, TransientError
from freshd.model.time import SECOND
from freshd.runtime.health import SILENCE, Health


def test_before_the_first_turn_it_is_alive_and_not_ready() -> None:
    health = Health(ManualClock())
    assert (health.live(), health.ready()) == (True, False)


def test_a_loop_that_has_stopped_turning_is_not_alive() -> None:
    clock = ManualClock()
    health = Health(clock)
    health.beat(0)
    clock.time = SILENCE - 1
    assert (health.live(), health.ready()) == (True, True)
    clock.time = SILENCE
    assert (health.live(), health.ready()) == (False, False)


def test_a_store_that_cannot_be_written_is_no_reason_to_be_restarted() -> None:
    clock = ManualClock()
    health = Health(clock)
    health.beat(0)
    clock.time = 100 * SILENCE
    health.trouble("append", TransientError("database is locked"))
    assert (health.live(), health.ready()) == (True, False)
    assert health.describe()["trouble"] == "append: database is locked"
    health.beat(clock.time + SECOND)
    assert health.ready()


def test_a_loop_that_ended_by_an_error_is_not_alive() -> None:
    health = Health(ManualClock())
    health.beat(0)
    health.fatal(FencedError("another daemon owns the store"))
    assert not health.live()
    assert health.describe()["trouble"] == "another daemon owns the store"


def test_parts_tell_of_themselves() -> None:
    health = Health(ManualClock())
    health.add_part("kafka", lambda: {"state": "reading", "lag": 3})
    assert health.describe()["parts"] == {"kafka": {"state": "reading", "lag": 3}}
