"""The queue of instants at which something may change: one lower bound per row, in order of instant, then key.

A deadline that moves later stays where it is and is judged again when it comes; one that moves earlier
is pushed anew and the old entry is passed over. An idle daemon sleeps until `next`.
"""

from __future__ import annotations

from heapq import heapify, heappop, heappush

from freshd.core.rows import Row
from freshd.model.time import FOREVER, Instant


class Timers:
    """A heap of (instant, row); rows compare by rank."""

    __slots__ = ("_heap",)

    def __init__(self) -> None:
        self._heap: list[tuple[Instant, Row]] = []

    def push(self, at: Instant, row: Row) -> None:
        """Look at `row` at `at`."""
        if at < FOREVER:
            heappush(self._heap, (at, row))

    def next(self) -> Instant | None:
        """The earliest instant at which a row wants to be looked at."""
        heap = self._heap
        while heap and heap[0][1].timer != heap[0][0]:
            heappop(heap)
        return heap[0][0] if heap else None

    def pop(self, now: Instant, most: int) -> list[Row]:
        """At most `most` rows whose instant has come, in order; their timers are spent."""
        heap = self._heap
        rows: list[Row] = []
        while heap and heap[0][0] <= now and len(rows) < most:
            at, row = heappop(heap)
            if row.timer == at:
                row.timer = FOREVER
                rows.append(row)
        return rows

    def rebuild(self, rows: list[Row]) -> None:
        """Start anew from the rows' own instants (their ranks may have changed)."""
        self._heap = [(row.timer, row) for row in rows if row.timer < FOREVER]
        heapify(self._heap)
