"""The last updates of one asset partition, as a flat array of ints.

One entry per update, ordered by end: (end, start, flags, time, missed).

* `time` of a source is this update's own data time; of a derived asset, the bound on it: what the update
  declared, and what its reading of upstream entries that are gone came to.
* `missed` of a derived asset is the end of the first source update above it that a reader with the
  latest start so far has missed (semantics.md, reflects); FOREVER if none.

The array is bounded by whoever appends (updates.py). It must not know of rows, graphs or clocks.
"""

from __future__ import annotations

from array import array
from typing import Final, TypeAlias

from freshd.model.time import FOREVER, Instant

WIDTH: Final = 5
END: Final = 0
START: Final = 1
FLAGS: Final = 2
TIME: Final = 3
MISSED: Final = 4

CHANGED: Final = 1
OBSERVED: Final = 2
NAMED: Final = 4
"""The update carried a run id."""
OWN_TIME: Final = 8
"""The update said itself how far its data reaches."""

Cells: TypeAlias = "array[int]"


def empty() -> Cells:
    """A history without entries."""
    return array("q")


def in_force(cells: Cells, at: Instant) -> int:
    """The offset of the last entry that ended at or before `at`, or -1."""
    offset = len(cells) - WIDTH
    while offset >= 0 and cells[offset] > at:
        offset -= WIDTH
    return offset if offset >= 0 else -1


def first_changed_after(cells: Cells, start: Instant) -> Instant:
    """The end of the first changed update that ended after `start`, or FOREVER."""
    found = FOREVER
    offset = len(cells) - WIDTH
    while offset >= 0 and cells[offset] > start:
        if cells[offset + FLAGS] & CHANGED:
            found = cells[offset]
        offset -= WIDTH
    return found


def place(cells: Cells, end: Instant, start: Instant, flags: int, time: Instant) -> int:
    """The offset at which an update belongs, or -1 if exactly this one stands already."""
    offset = len(cells) - WIDTH
    while offset >= 0 and cells[offset] >= end:
        if cells[offset] == end:
            stands = (cells[offset + START], cells[offset + FLAGS], cells[offset + TIME])
            if stands == (start, flags, time):
                return -1
            if stands < (start, flags, time):
                break
        offset -= WIDTH
    return offset + WIDTH


def insert(cells: Cells, offset: int, entry: tuple[int, int, int, int, int]) -> None:
    """Put an entry at an offset."""
    if offset == len(cells):
        cells.extend(entry)
    else:
        cells[offset:offset] = array("q", entry)


def latest_start(cells: Cells, offset: int) -> Instant:
    """The latest start of the entry at `offset` and those before it: what a reader there has read up to."""
    return max(cells[START : offset + WIDTH : WIDTH])


def latest_time(cells: Cells, at: Instant, base: Instant) -> Instant:
    """The latest of `base` and the times of the entries that ended at or before `at`."""
    offset = len(cells) - WIDTH
    while offset >= 0:
        if cells[offset] <= at and cells[offset + TIME] > base:
            base = cells[offset + TIME]
        offset -= WIDTH
    return base
