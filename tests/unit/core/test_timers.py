"""The queue of instants: whatever comes in whatever order, rows come out by instant, then key, in bounded slices."""

from __future__ import annotations

from random import Random

import pytest

from freshd.core import timers
from freshd.core.rows import Pair, Row
from freshd.core.timers import Timers
from freshd.model.asset import Asset
from freshd.model.policy import Policy
from freshd.model.time import FOREVER, Instant


def row(key: str, pairs: int = 0) -> Row:
    made = Row(Asset(key))
    made.pairs = tuple(Pair(Policy(f"p{number}"), made) for number in range(pairs))
    return made


def arm(queue: Timers, at: Instant, *rows: Row) -> None:
    """Each wants to be looked at then, and not when it wanted to before."""
    for one in rows:
        one.timer = queue.push(at, one)


def popped(queue: Timers, now: Instant, most: int) -> list[list[str]]:
    found = []
    while (at := queue.next()) is not None and at <= now:
        found.append([one.key for one in queue.pop(now, most)])
    return found


@pytest.mark.parametrize("seed", range(20))
def test_by_instant_then_key_whatever_comes_when(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timers, "PIECE", 4)
    random, queue = Random(seed), Timers()
    rows = [row(f"r{number:02d}") for number in range(40)]
    got: list[tuple[Instant, str]] = []
    wanted: list[tuple[Instant, str]] = []
    for now in range(1, 8):
        for one in random.sample(rows, 25):
            if one.timer > now:
                arm(queue, random.randrange(now + 1, 9), one)
        due = sorted((one.timer, one.key) for one in rows if one.timer <= now)
        wanted += due
        at_of = {key: at for at, key in due}
        slices = popped(queue, now, 3)
        assert all(len(some) <= 3 for some in slices)
        got += [(at_of[key], key) for some in slices for key in some]
    assert len(got) > 30
    assert got == wanted


def test_a_crowd_is_put_in_order_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is as long as the crowd: neither when its instant comes nor before."""
    monkeypatch.setattr(timers, "PIECE", 10)
    asked: list[str] = []

    def noted(one: Row) -> str:
        asked.append(one.key)
        return one.key

    monkeypatch.setattr(timers, "by_key", noted)
    queue, keys = Timers(), [f"r{number:03d}" for number in range(200)]
    Random(1).shuffle(keys)
    most = 0
    for key in keys:
        asked.clear()
        arm(queue, 9, row(key))
        most = max(most, len(asked))
    asked.clear()
    assert [one.key for one in queue.pop(9, 5)] == sorted(keys)[:5]
    assert most == 10
    assert len(asked) <= 10


def test_a_slice_is_bounded_by_pairs_and_never_empty() -> None:
    queue = Timers()
    arm(queue, 1, row("a", 2), row("b", 2), row("c", 5), row("d"), row("e", 3))
    assert popped(queue, 1, 4) == [["a", "b"], ["c"], ["d", "e"]]


def test_one_that_wants_another_instant_is_passed_over() -> None:
    queue, a, b = Timers(), row("a"), row("b")
    arm(queue, 5, a, b)
    arm(queue, 3, a)
    b.timer = FOREVER
    assert popped(queue, 9, 10) == [["a"]]
    assert queue.next() is None


def test_rows_of_one_instant_share_its_number() -> None:
    """Of a warehouse whose deadlines lie at one instant each row would have one of its own otherwise."""
    queue, a, b, c = Timers(), row("a"), row("b"), row("c")
    arm(queue, 10**15, a)
    for other in (b, c):
        arm(queue, 10**15 + 1 - 1, other)
    assert a.timer is b.timer is c.timer
