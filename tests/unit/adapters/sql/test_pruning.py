"""Old history goes in pieces; while checkpoints follow upon each other, no one of them waits for all of them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from freshd.adapters.sql import retention
from freshd.adapters.sql.retention import Pruner, Work
from freshd.adapters.sql.settings import StoreSettings
from freshd.adapters.sql.store import SqlStore
from freshd.model.policy import Verdict
from freshd.model.records import VerdictChanged
from freshd.model.time import DAY, MINUTE, SECOND, Instant

PIECES = 8
"""Of a round in which there is little to drop: the journal, three tables by number, and four others."""


def pruned(monkeypatch: pytest.MonkeyPatch, folder: Path, nows: list[Instant], rows: int) -> list[int]:
    """How many pieces were done at each checkpoint, with so many new rows of history before each."""
    found: list[int] = []
    pieces = Pruner.pieces

    def noted(*given: Any) -> Iterator[Work]:
        for work in pieces(*given):
            found[-1] += 1
            yield work

    monkeypatch.setattr(Pruner, "pieces", noted)
    store = SqlStore(StoreSettings(url=f"sqlite:///{folder}/s.db"))
    found.append(0)
    store.open()
    for now in nows:
        found.append(0)
        store.append([VerdictChanged(now, "p", "a", "", Verdict.FRESH, Verdict.STALE, "lag")] * rows, {})
        store.checkpoint([("engine", "", {"now": now})])
    store.close()
    return found[1:]


def test_an_idle_store_does_all_of_it_at_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    nows = [DAY, DAY + 2 * MINUTE, DAY + 4 * MINUTE]
    assert pruned(monkeypatch, tmp_path, nows, 1) == [PIECES, PIECES, PIECES]


def test_close_upon_each_other_they_do_a_piece_each(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(retention, "PRUNE_ROWS", 10)
    nows = [DAY + n * SECOND // 10 for n in range(PIECES + 3)]
    assert pruned(monkeypatch, tmp_path, nows, 10) == [PIECES] + [1] * PIECES + [0, 1]


def test_after_many_rows_they_do_more(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(retention, "PRUNE_ROWS", 10)
    monkeypatch.setattr(retention, "PIECE_AFTER", 5)
    nows = [DAY + n * SECOND // 10 for n in range(4)]
    assert pruned(monkeypatch, tmp_path, nows, 10)[1:] == [3, 3, 2]
