"""Which transactions wait for the disk: those of facts always, those of checkpoints leave it to the next one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import URL

from freshd.adapters.sql.settings import StoreSettings
from freshd.adapters.sql.store import SqlStore
from freshd.adapters.sql.writer import Transaction, Writer
from freshd.model.errors import FreshdError
from freshd.model.records import DaemonCaughtUp

NORMAL, FULL = 1, 2


def waits(transaction: Transaction) -> int:
    """How the transaction's end treats the disk."""
    return int(transaction.rows("PRAGMA synchronous")[0][0])


def test_only_a_durable_transaction_waits_for_the_disk(tmp_path: Path) -> None:
    writer = Writer(URL.create("sqlite", database=str(tmp_path / "s.db")), "full")
    found = []
    for durable in (True, False, True, False):
        with writer.transaction("look", durable=durable) as transaction:
            found.append(waits(transaction))
    writer.close()
    assert found == [FULL, NORMAL, FULL, NORMAL]


def test_after_a_failure_the_next_one_waits_again(tmp_path: Path) -> None:
    writer = Writer(URL.create("sqlite", database=str(tmp_path / "s.db")), "full")
    with pytest.raises(FreshdError), writer.transaction("fail", durable=False) as transaction:
        transaction.run("no such statement")
    with writer.transaction("look") as transaction:
        assert waits(transaction) == FULL
    writer.close()


def test_facts_wait_for_the_disk_and_checkpoints_leave_it_to_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found: list[tuple[str, int]] = []
    run = Transaction.run

    def noted(self: Transaction, statement: str, *values: Any) -> int:
        for what, begins in (("facts", "INSERT INTO journal"), ("checkpoint", "UPDATE lease SET folded")):
            if statement.startswith(begins):
                found.append((what, waits(self)))
        return run(self, statement, *values)

    monkeypatch.setattr(Transaction, "run", noted)
    store = SqlStore(StoreSettings(url=f"sqlite:///{tmp_path}/s.db"))
    store.open()
    for now in (1, 2):
        store.append([DaemonCaughtUp(now)], {})
        store.checkpoint([("engine", "", {"now": now})])
    store.close()
    assert found == [("facts", FULL), ("checkpoint", NORMAL)] * 2
