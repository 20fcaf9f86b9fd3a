"""The queue of instants at which something may change: one lower bound per row, in order of instant, then key.

A deadline that moves later stays where it is and is judged again when it comes; one that moves earlier
is pushed anew and the old entry is passed over. An idle daemon sleeps until `next`. Rows of one instant
(a deadline at 09:00 of a whole warehouse) lie together, in pieces that are put in order as they fill: so nothing
is long when it comes.
"""

from __future__ import annotations

from heapq import heappop, heappush, heapreplace
from typing import Final

from freshd.core.rows import Row, by_key
from freshd.model.time import FOREVER, Instant

PIECE: Final = 1_000
"""Rows that are put in order at a time."""


class _Crowd:
    """The rows of one instant, to be had in order of key."""

    __slots__ = ("_heads", "_loose", "_pieces", "at")

    def __init__(self, at: Instant, rows: list[Row]) -> None:
        self.at = at
        self._loose = rows
        self._pieces: list[list[Row]] = []  # each in order, last key first
        self._heads: list[tuple[str, int]] = []  # a heap: the first key of each piece, and which one it is

    def add(self, row: Row) -> None:
        self._loose.append(row)
        if len(self._loose) >= PIECE:
            self._put_in_order()

    def first(self, at: Instant) -> Row | None:
        """The first row that still wants to be looked at `at`; those before it are forgotten."""
        if self._loose:
            self._put_in_order()
        while self._heads:
            row = self._pieces[self._heads[0][1]][-1]
            if row.timer == at:
                return row
            self.drop()
        return None

    def drop(self) -> None:
        """Forget the first row."""
        number = self._heads[0][1]
        piece = self._pieces[number]
        piece.pop()
        if piece:
            heapreplace(self._heads, (piece[-1].key, number))
        else:
            heappop(self._heads)

    def _put_in_order(self) -> None:
        piece, self._loose = self._loose, []
        piece.sort(key=by_key, reverse=True)
        heappush(self._heads, (piece[-1].key, len(self._pieces)))
        self._pieces.append(piece)


class Timers:
    """A heap of instants, and the rows that want to be looked at then."""

    __slots__ = ("_heap", "_rows")

    def __init__(self) -> None:
        self._heap: list[Instant] = []
        self._rows: dict[Instant, Row | _Crowd] = {}

    def push(self, at: Instant, row: Row) -> Instant:
        """Look at `row` at `at`; the same instant, as one number for all rows that want it."""
        if at >= FOREVER:
            return FOREVER
        known = self._rows.get(at)
        if known is None:
            self._rows[at] = row
            heappush(self._heap, at)
            return at
        if not isinstance(known, _Crowd):
            known = self._rows[at] = _Crowd(known.timer if known.timer == at else at, [known])
        known.add(row)
        return known.at

    def next(self) -> Instant | None:
        """The earliest instant at which a row wants to be looked at."""
        while self._heap:
            at = self._heap[0]
            if self._first(at) is not None:
                return at
            self._forget(at)
        return None

    def pop(self, now: Instant, most: int) -> list[Row]:
        """Rows whose instant has come, in order, with at most `most` pairs, or one row; their timers are spent.

        Of an instant at which one is to be planned all come: who waits for whom, and who gets a place, rests on all.
        """
        rows: list[Row] = []
        weight = 0
        while self._heap and self._heap[0] <= now:
            at = self._heap[0]
            known = self._rows[at]
            planned = False
            while (row := self._first(at)) is not None:
                weight += len(row.pairs) or 1
                if rows and weight > most and not planned:
                    return rows
                planned = planned or row.plan_at == at
                row.timer = FOREVER
                rows.append(row)
                if isinstance(known, _Crowd):
                    known.drop()
            self._forget(at)
        return rows

    def first_of(self, at: Instant) -> Row | None:
        """Of the rows that want to be looked at `at`, if that is the earliest instant, the first by key."""
        return self._first(at) if self.next() == at else None

    def clear(self) -> None:
        """Want nothing."""
        self._heap, self._rows = [], {}

    def _first(self, at: Instant) -> Row | None:
        known = self._rows[at]
        if isinstance(known, _Crowd):
            return known.first(at)
        return known if known.timer == at else None

    def _forget(self, at: Instant) -> None:
        heappop(self._heap)
        del self._rows[at]
