"""Old history goes, a little at a time: pieces of work small enough not to hold up the daemon for long.

It decides by age, and for what a flood could fill by number too. It never touches what the daemon lives on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from itertools import islice
from typing import Final

from freshd.adapters.sql import statements as sql
from freshd.adapters.sql.settings import KeepSettings
from freshd.adapters.sql.writer import Transaction
from freshd.model.time import MINUTE, NEVER, SECOND, Duration, Instant

SLICE: Final = 2_000
"""Rows that one transaction prunes at most of one table."""

PRUNE_ROWS: Final = 10_000
PRUNE_AFTER: Final[Duration] = MINUTE
"""History is pruned at a checkpoint after this many rows, or this long after the last time."""

AT_ONCE_AFTER: Final[Duration] = SECOND
PIECE_AFTER: Final = 1_000
"""If the last checkpoint is so long ago all pieces of it are done at once; else one, and one more for so many rows."""

Work = Callable[[Transaction], None]


class Pruner:
    """When which piece is due: all while little happens, a piece or so while checkpoints follow upon each other."""

    def __init__(self, keep: KeepSettings) -> None:
        self._keep = keep
        self._rows_since_pruning = 0
        self._rows_since_checkpoint = 0
        self._pruned_at: Instant = NEVER
        self._checkpoint_at: Instant = NEVER
        self._pieces: Iterator[Work] | None = None

    def note(self, rows: int) -> None:
        """So many rows of history were written."""
        self._rows_since_pruning += rows
        self._rows_since_checkpoint += rows

    def checkpointed(self, now: Instant) -> None:
        """A checkpoint was made."""
        self._rows_since_checkpoint, self._checkpoint_at = 0, now

    def hurried(self, now: Instant) -> bool:
        """Whether there is no time for all pieces."""
        return now - self._checkpoint_at < AT_ONCE_AFTER

    def pieces(self, now: Instant, folded: int) -> Iterator[Work]:
        """The pieces of the round that goes on, or of a new one if it is time for that; each as it is asked for."""
        if self._pieces is None:
            if self._rows_since_pruning < PRUNE_ROWS and now - self._pruned_at < PRUNE_AFTER:
                return
            budget = max(PRUNE_ROWS, 2 * self._rows_since_pruning)
            self._pieces = prunings(self._keep, now, budget, folded)
            self._rows_since_pruning, self._pruned_at = 0, now
        while (work := next(self._pieces, None)) is not None:
            yield work
        self._pieces = None

    def some_pieces(self, now: Instant, folded: int) -> Iterator[Work]:
        """As many of them as go with one checkpoint."""
        return islice(self.pieces(now, folded), 1 + self._rows_since_checkpoint // PIECE_AFTER)

    def give_up(self) -> None:
        """Leave the rest of the round to the next one."""
        self._pieces = None


def prunings(keep: KeepSettings, now: Instant, budget: int, folded: int) -> Iterator[Work]:
    """Pieces of work, each for a transaction of its own; about `budget` rows of each table at most.

    `folded`: the step up to which the checkpoint has the journal.
    """
    journal = _Journal(keep, now, folded)
    for _ in range(0, budget, SLICE):
        yield journal.prune
        if journal.done:
            break
    numbered = (
        _Numbered("materialisations", "recorded_at", keep.materialisations, keep.materialisation_rows),
        _Numbered("verdict_changes", "at", keep.verdict_changes, None),
        _Numbered("dead_letters", "at", keep.dead_letters, keep.dead_letter_rows),
    )
    for table in numbered:
        for _ in range(0, budget, SLICE):
            yield partial(table.prune, now=now)
            if table.done:
                break
    yield lambda transaction: _prune_runs(transaction, now - keep.runs)
    yield lambda transaction: _prune_objectives(transaction, now - keep.objectives)
    yield lambda transaction: _prune_incidents(transaction, now - keep.incidents)
    yield lambda transaction: _prune_unmatched(transaction, now - keep.unmatched, keep.unmatched_rows, budget)


class _Numbered:
    """A table whose rows are numbered in the order of their writing, so that the oldest are found at once."""

    def __init__(self, table: str, instant: str, age: Duration, rows: int | None) -> None:
        self._table = table
        self._instant = instant
        self._age = age
        self._rows = rows
        self.done = False

    def prune(self, transaction: Transaction, now: Instant) -> None:
        """Drop a slice of rows that are too old or too many."""
        chosen = f"SELECT id, {self._instant} FROM {self._table} ORDER BY id LIMIT ?"
        first = transaction.rows(chosen, 1)
        if not first or not self._goes(transaction, first[0][0], first[0][1] < now - self._age):
            self.done = True
            return
        oldest = transaction.rows(chosen, SLICE)
        last = 0
        for number, instant in oldest:
            if instant >= now - self._age:
                break
            last = number
        if self._rows is not None:
            last = max(last, min(self._newest(transaction) - self._rows, oldest[-1][0]))
        if last >= oldest[0][0]:
            transaction.run(f"DELETE FROM {self._table} WHERE id <= ?", last)
        self.done = last < oldest[-1][0]

    def _goes(self, transaction: Transaction, number: int, too_old: bool) -> bool:
        """Whether this row, the oldest, is too old or one too many: nearly always it is neither."""
        return too_old or (self._rows is not None and number <= self._newest(transaction) - self._rows)

    def _newest(self, transaction: Transaction) -> int:
        return int(transaction.rows(f"SELECT MAX(id) FROM {self._table}")[0][0])


class _Journal:
    """The steps that a checkpoint has folded, for replays: the oldest go, by age and by how much there is."""

    def __init__(self, keep: KeepSettings, now: Instant, folded: int) -> None:
        self._before = now - keep.journal
        self._bytes = keep.journal_megabytes * 1_000_000
        self._folded = folded
        self.done = False

    def prune(self, transaction: Transaction) -> None:
        """Drop a slice of steps that are too old or too much, and the places to begin that they led on from."""
        newest = next((row[0] for row in transaction.rows(sql.NEWEST_BYTES)), 0)
        chosen = "SELECT step, at, upto_bytes FROM journal ORDER BY step LIMIT ?"
        if all(self._stays(newest, *row) for row in transaction.rows(chosen, 1)):
            self.done = True
            return
        oldest = transaction.rows(chosen, SLICE)
        last = 0
        for step, at, upto in oldest:
            if self._stays(newest, step, at, upto):
                break
            last = step
        if last:
            transaction.run("DELETE FROM journal WHERE step <= ?", last)
            transaction.run("DELETE FROM replay_starts WHERE step < ?", last)
            transaction.run("DELETE FROM readings WHERE step < (SELECT MAX(step) FROM readings WHERE step <= ?)", last)
        self.done = last < oldest[-1][0]

    def _stays(self, newest: int, step: int, at: Instant, upto: int) -> bool:
        return step > self._folded or (at >= self._before and newest - upto < self._bytes)


def _prune_runs(transaction: Transaction, before: Instant) -> None:
    chosen = "SELECT run_id FROM runs WHERE requested_at < ? ORDER BY requested_at LIMIT ?"
    old = transaction.rows(chosen, before, SLICE)
    transaction.run_many("DELETE FROM run_assets WHERE run_id = ?", old)
    transaction.run_many("DELETE FROM runs WHERE run_id = ?", old)
    wishes = "SELECT wish_id FROM wishes WHERE made_at < ? ORDER BY made_at LIMIT ?"
    transaction.run_many("DELETE FROM wishes WHERE wish_id = ?", transaction.rows(wishes, before, SLICE))
    over = "SELECT id FROM declarations WHERE made_at < ? AND ended_at IS NOT NULL ORDER BY made_at LIMIT ?"
    transaction.run_many("DELETE FROM declarations WHERE id = ?", transaction.rows(over, before, SLICE))


def _prune_objectives(transaction: Transaction, before: Instant) -> None:
    """Totals that are old go, but not the last before that instant of a pair: windows begin with it.

    Of an asset that is in the catalogue no longer they all go.
    """
    chosen = (
        "SELECT o.policy, o.asset, o.partition, o.hour FROM objective_hours o WHERE o.hour < ? AND EXISTS "
        "(SELECT 1 FROM objective_hours n WHERE n.policy = o.policy AND n.asset = o.asset "
        "AND n.partition = o.partition AND n.hour > o.hour AND n.hour < ?) ORDER BY o.hour LIMIT ?"
    )
    drop = "DELETE FROM objective_hours WHERE policy = ? AND asset = ? AND partition = ? AND hour = ?"
    transaction.run_many(drop, transaction.rows(chosen, before, before, SLICE))
    gone = (
        "SELECT o.policy, o.asset, o.partition, o.hour FROM objective_hours o WHERE o.hour < ? "
        "AND NOT EXISTS (SELECT 1 FROM assets a WHERE a.key = o.asset) AND EXISTS (SELECT 1 FROM assets) "
        "ORDER BY o.hour LIMIT ?"
    )
    transaction.run_many(drop, transaction.rows(gone, before, SLICE))


def _prune_incidents(transaction: Transaction, before: Instant) -> None:
    chosen = "SELECT incident FROM incidents WHERE closed_at < ? ORDER BY closed_at LIMIT ?"
    old = transaction.rows(chosen, before, SLICE)
    for table in ("incident_members", "notices", "incidents"):
        transaction.run_many(f"DELETE FROM {table} WHERE incident = ?", old)


def _prune_unmatched(transaction: Transaction, before: Instant, rows: int, budget: int) -> None:
    old = "SELECT format, name FROM unmatched WHERE last_at < ? ORDER BY last_at LIMIT ?"
    drop = "DELETE FROM unmatched WHERE format = ? AND name = ?"
    transaction.run_many(drop, transaction.rows(old, before, SLICE))
    excess = transaction.rows("SELECT COUNT(*) FROM unmatched")[0][0] - rows
    if excess > 0:
        oldest = "SELECT format, name FROM unmatched ORDER BY last_at LIMIT ?"
        transaction.run_many(drop, transaction.rows(oldest, min(excess, budget)))
