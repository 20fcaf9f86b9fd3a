"""One contract for every journal: in memory, on SQLite, on a real PostgreSQL.

What was appended is recovered, in order; a checkpoint folds it; positions are those of the last append. For
those that survive their process, "again" means a new object over the same storage.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from freshd.adapters.sql import SqlStore, StoreSettings
from freshd.backtest.memory_journal import MemoryJournal
from freshd.model.errors import FencedError
from freshd.model.inputs import Event, EventKind
from freshd.model.records import DaemonCaughtUp, DaemonStarted, EventTaken, Record
from freshd.ports import Journal, StateRow

Again = Callable[[], Journal]
NOW = 1_700_000_000_000_000


@pytest.fixture(params=["memory", "sqlite", "postgres"])
def again(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Again]:
    """`again()` gives the journal as the next life of the daemon finds it."""
    if request.param == "memory":
        journal = MemoryJournal()
        yield lambda: journal
        return
    url = f"sqlite:///{tmp_path}/f.db" if request.param == "sqlite" else request.getfixturevalue("postgres_url")
    opened: list[SqlStore] = []

    def reopen() -> Journal:
        store = SqlStore(StoreSettings.model_validate(url))
        store.open()
        while opened:
            with suppress(FencedError):  # what it had put off is written by the one that took over
                opened.pop().close()
        opened.append(store)
        return store

    yield reopen
    opened.pop().close()


def event(number: int, asset: str = "shop/orders", **more: Any) -> Record:
    return EventTaken(NOW + number, Event(EventKind.UPDATE, (asset,), NOW + number, id=f"e{number}", **more))


def found(journal: Journal) -> tuple[list[StateRow], list[Record]]:
    rows, records = journal.recover()
    return list(rows), list(records)


def test_a_new_journal_is_empty(again: Again) -> None:
    journal = again()
    assert found(journal) == ([], [])
    assert journal.positions() == {}


def test_what_was_appended_is_recovered_in_order(again: Again) -> None:
    journal = again()
    appended = [DaemonStarted(NOW, True), event(1), event(2, metadata={"n": [1, {"a": None}]}), DaemonCaughtUp(NOW + 3)]
    journal.append(appended[:2], {})
    journal.append(appended[2:], {})
    assert found(again()) == ([], appended)


def test_positions_are_those_of_the_last_append_of_each_source(again: Again) -> None:
    journal = again()
    journal.append([event(1)], {"kafka/a/0": "10", "kafka/a/1": "7"})
    journal.append([], {"kafka/a/0": "12"})
    journal.append([event(2)], {})
    assert again().positions() == {"kafka/a/0": "12", "kafka/a/1": "7"}


def test_an_append_of_nothing_is_allowed(again: Again) -> None:
    journal = again()
    journal.append([], {})
    assert found(again()) == ([], [])


def test_a_checkpoint_folds_the_records_before_it(again: Again) -> None:
    journal = again()
    journal.append([event(1), event(2)], {"s": "2"})
    journal.checkpoint([("row", "a", {"n": 1}), ("row", "b", [1, 2]), ("engine", "", "x")])
    journal.append([event(3)], {"s": "3"})
    rows, records = found(again())
    assert rows == [("engine", "", "x"), ("row", "a", {"n": 1}), ("row", "b", [1, 2])]
    assert records == [event(3)]
    assert again().positions() == {"s": "3"}


def test_a_checkpoint_changes_adds_and_removes_rows_and_leaves_the_others(again: Again) -> None:
    journal = again()
    journal.checkpoint([("row", key, key * 2) for key in "abc"])
    journal.checkpoint(iter([("row", "b", None), ("row", "c", 0), ("row", "d", [None]), ("row", "gone", None)]))
    rows, records = found(again())
    assert rows == [("row", "a", "aa"), ("row", "c", 0), ("row", "d", [None])]
    assert records == []


def test_of_a_row_told_twice_in_a_checkpoint_the_last_counts(again: Again) -> None:
    journal = again()
    journal.checkpoint([("row", "a", 1), ("row", "b", None), ("row", "a", 2), ("row", "b", 3)])
    assert found(again())[0] == [("row", "a", 2), ("row", "b", 3)]


def test_an_empty_checkpoint_still_folds(again: Again) -> None:
    journal = again()
    journal.append([event(1)], {})
    journal.checkpoint([])
    assert found(again()) == ([], [])


def test_many_rows_and_records_come_back_whole(again: Again) -> None:
    journal = again()
    state = [("row", f"asset/{number:06d}", {"n": number}) for number in range(6_000)]
    journal.checkpoint(reversed(state))
    appends = [[event(number * 300 + i, f"shop/t{i % 40}") for i in range(300)] for number in range(45)]
    for records in appends:
        journal.append(records, {})
    rows, records = found(again())
    assert rows == state
    assert records == [record for append in appends for record in append]


@pytest.mark.parametrize("seed", range(4))
def test_any_order_of_appends_checkpoints_and_lives_ends_in_the_same_as_the_model(again: Again, seed: int) -> None:
    dice = random.Random(seed)
    journal, model = again(), MemoryJournal()
    for number in range(60):
        match dice.randrange(4):
            case 0:
                journal = again()
            case 1:
                rows = [("row", f"k{dice.randrange(9)}", dice.choice([None, number])) for _ in range(dice.randrange(5))]
                journal.checkpoint(rows)
                model.checkpoint(rows)
            case _:
                records = [event(number, f"a{dice.randrange(5)}") for _ in range(dice.choice([0, 1, 5, 250]))]
                positions = {f"s{dice.randrange(3)}": str(number)} if dice.random() < 0.7 else {}
                journal.append(records, positions)
                model.append(records, positions)
    assert found(again()) == found(model)
    assert again().positions() == model.positions()
