"""The queue of instants at which something may change: one lower bound per row, in order of instant, then key.

A deadline that moves later stays where it is and is judged again when it comes; one that moves earlier
is pushed anew and the old entry is passed over. An idle daemon sleeps until `next`. Rows of one instant
(a deadline at 09:00 of a whole warehouse) lie together and are put in order once, when it comes.
"""

from __future__ import annotations

from heapq import heappop, heappush

from freshd.core.rows import Row, by_key
from freshd.model.time import FOREVER, Instant


class Timers:
    """A heap of instants, and the rows that want to be looked at then."""

    __slots__ = ("_heap", "_rows", "_sorted")

    def __init__(self) -> None:
        self._heap: list[Instant] = []
        self._rows: dict[Instant, Row | list[Row]] = {}
        self._sorted: list[Row] | None = None  # the rows of the earliest instant, last key first

    def push(self, at: Instant, row: Row) -> None:
        """Look at `row` at `at`."""
        if at >= FOREVER:
            return
        known = self._rows.get(at)
        if known is None:
            self._rows[at] = row
            heappush(self._heap, at)
        elif isinstance(known, list):
            known.append(row)
            if known is self._sorted:
                self._sorted = None
        else:
            self._rows[at] = [known, row]

    def next(self) -> Instant | None:
        """The earliest instant at which a row wants to be looked at."""
        while self._heap:
            at = self._heap[0]
            known = self._rows[at]
            if not isinstance(known, list):
                if known.timer == at:
                    return at
            elif self._in_order(at, known):
                return at
            self._forget(at)
        return None

    def pop(self, now: Instant, most: int) -> list[Row]:
        """At most `most` rows whose instant has come, in order; their timers are spent."""
        rows: list[Row] = []
        while self._heap and self._heap[0] <= now and len(rows) < most:
            at = self._heap[0]
            known = self._rows[at]
            if not isinstance(known, list):
                known = [known]
            while len(rows) < most and self._in_order(at, known):
                row = known.pop()
                row.timer = FOREVER
                rows.append(row)
            if not known:
                self._forget(at)
        return rows

    def first_of(self, at: Instant) -> Row | None:
        """Of the rows that want to be looked at `at`, if that is the earliest instant, the first by key."""
        if self.next() != at:
            return None
        known = self._rows[at]
        return known[-1] if isinstance(known, list) else known

    def clear(self) -> None:
        """Want nothing (ranks may be others from now on)."""
        self._heap, self._rows, self._sorted = [], {}, None

    def _in_order(self, at: Instant, rows: list[Row]) -> bool:
        """Have the first row by key that still wants to be looked at `at` as the last; False: there is none."""
        if rows is not self._sorted:
            rows.sort(key=by_key, reverse=True)
            self._sorted = rows
        while rows and rows[-1].timer != at:
            rows.pop()
        return bool(rows)

    def _forget(self, at: Instant) -> None:
        heappop(self._heap)
        del self._rows[at]
