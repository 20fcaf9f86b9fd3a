"""Ids of events: bounded, in two generations, and checkpointed by what came since."""

from __future__ import annotations

from typing import Any

from freshd.core.remembered import PIECE, Remembered
from freshd.model.time import HOUR, MINUTE


def took(known: Remembered, first: int, count: int, now: int = 0, most: int = 4 * PIECE) -> list[bool]:
    return [known.remember("loader", f"e{n}", now, most, HOUR) for n in range(first, first + count)]


def checkpoint(known: Remembered, stored: dict[str, Any]) -> int:
    """Write it as a store does; how many ids were written."""
    changed = list(known.changed())
    for name, ids in changed:
        if ids is None:
            del stored[name]
        else:
            stored[name] = ids
    known.all_written()
    return sum(len(ids) for _, ids in changed if ids is not None)


def restored(known: Remembered, stored: dict[str, Any]) -> Remembered:
    fresh = Remembered()
    fresh.generation, fresh.since = known.generation, known.since
    fresh.restore(stored.items())
    return fresh


def test_an_id_counts_once_for_each_source() -> None:
    known = Remembered()
    assert took(known, 0, 2) == [True, True]
    assert took(known, 1, 2) == [False, True]
    assert known.knows("loader", "e2")
    assert not known.knows("another", "e2")


def test_a_checkpoint_writes_what_came_since_the_last_one() -> None:
    known, stored = Remembered(), dict[str, Any]()
    took(known, 0, PIECE + 3)
    assert checkpoint(known, stored) == PIECE + 3
    assert checkpoint(known, stored) == 0
    took(known, PIECE + 3, 1)
    assert checkpoint(known, stored) == 4, "the piece that was begun"


def test_what_a_checkpoint_has_is_known_after_a_restart_through_every_generation() -> None:
    known, stored = Remembered(), dict[str, Any]()
    count = 0
    for minute in range(40):
        took(known, count, PIECE // 2 + 7, minute * MINUTE)
        count += PIECE // 2 + 7
        checkpoint(known, stored)
        again = restored(known, stored)
        for number in range(count):
            assert again.knows("loader", f"e{number}") is known.knows("loader", f"e{number}"), (minute, number)
    assert not known.knows("loader", "e0"), "the oldest are given up"
    assert known.knows("loader", f"e{count - 2 * PIECE}"), "half of those kept are known at least"
    assert sum(map(len, stored.values())) <= 4 * PIECE, "the store gives them up as well"


def test_old_ids_are_given_up_after_two_spans() -> None:
    known = Remembered()
    took(known, 0, 1, 0)
    took(known, 1, 1, 2 * HOUR)
    assert known.knows("loader", "e0")
    took(known, 2, 1, 4 * HOUR)
    assert not known.knows("loader", "e0")


def test_two_generations_between_two_checkpoints_leave_nothing_behind() -> None:
    known, stored = Remembered(), dict[str, Any]()
    took(known, 0, 3, 0)
    checkpoint(known, stored)
    for hour in (2, 4, 6):
        took(known, hour, 1, hour * HOUR)
    checkpoint(known, stored)
    assert sorted(stored.values()) == [["loader\x00e4"], ["loader\x00e6"]]
