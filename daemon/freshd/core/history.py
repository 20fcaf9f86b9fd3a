"""The last updates of one asset partition, as a flat array of ints.

One entry per update, ordered by end: (end, start and flags, time, missed).

* The flags are the lowest bits of the int that holds the start, so that entries are small and still in order.
* `time` of a source is this update's own data time; of a derived asset, the bound on it: what the update
  declared, and what its reading of upstream entries that are gone came to.
* `missed` of a derived asset is the end of the first source update above it that a reader with the
  latest start so far has missed (semantics.md, reflects); FOREVER if none.

The array is bounded by whoever appends (updates.py). It must not know of rows, graphs or clocks.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Sequence
from typing import Final, TypeAlias

from freshd.model.time import FOREVER, Instant

WIDTH: Final = 4
START: Final = 1
FLAGS: Final = START
TIME: Final = 2
MISSED: Final = 3

FLAG_BITS: Final = 4
CHANGED: Final = 1
OBSERVED: Final = 2
NAMED: Final = 4
"""The update carried a run id."""
OWN_TIME: Final = 8
"""The update said itself how far its data reaches."""
ALL_FLAGS: Final = 15

Cells: TypeAlias = "array[int]"
Entry: TypeAlias = tuple[int, int, int, int]


def entry(end: Instant, start: Instant, flags: int, time: Instant, missed: Instant) -> Entry:
    """An entry as it lies in the array."""
    return (end, start << FLAG_BITS | flags, time, missed)


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
    if not cells or cells[-WIDTH] <= start:
        return FOREVER
    ends = cells[::WIDTH]
    for number in range(bisect_right(ends, start), len(ends)):
        if cells[number * WIDTH + FLAGS] & CHANGED:
            return ends[number]
    return FOREVER


def started(cells: Cells, offset: int) -> Instant:
    """The start of the entry at `offset`."""
    return cells[offset + START] >> FLAG_BITS


def place(cells: Cells, end: Instant, start: Instant, flags: int, time: Instant) -> int:
    """The offset at which an update belongs, or -1 if exactly this one stands already."""
    offset = len(cells) - WIDTH
    while offset >= 0 and cells[offset] >= end:
        if cells[offset] == end:
            stands = (cells[offset + START], cells[offset + TIME])
            if stands == (start << FLAG_BITS | flags, time):
                return -1
            if stands < (start << FLAG_BITS | flags, time):
                break
        offset -= WIDTH
    return offset + WIDTH


def appended(cells: Cells, entry: Entry) -> Cells:
    """The history with one more entry at its end; another array, without room to spare: most are short, and many."""
    return cells + array("q", entry)


def insert(cells: Cells, offset: int, entry: Entry) -> None:
    """Put an entry at an offset."""
    cells[offset:offset] = array("q", entry)


def latest_start(cells: Cells, offset: int) -> Instant:
    """The latest start of the entry at `offset` and those before it: what a reader there has read up to."""
    return max(cells[START : offset + WIDTH : WIDTH]) >> FLAG_BITS


def latest_time(cells: Cells, at: Instant, base: Instant) -> Instant:
    """The latest of `base` and the times of the entries that ended at or before `at`."""
    upto = len(cells) if not cells or cells[-WIDTH] <= at else bisect_right(cells[::WIDTH], at) * WIDTH
    return max(base, max(cells[TIME:upto:WIDTH], default=base))


def unpacked(cells: Cells) -> list[int]:
    """For a checkpoint: (end, start, flags, time, missed) of every entry, one after the other."""
    said: list[int] = []
    for offset in range(0, len(cells), WIDTH):
        end, begun, time, missed = cells[offset : offset + WIDTH]
        said += (end, begun >> FLAG_BITS, begun & ALL_FLAGS, time, missed)
    return said


def packed(said: Sequence[int]) -> Cells:
    """The array that `unpacked` told of."""
    cells = empty()
    for at in range(0, len(said), 5):
        cells.extend(entry(*said[at : at + 5]))
    return cells
