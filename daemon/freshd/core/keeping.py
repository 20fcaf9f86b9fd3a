"""What a bounded history gives up, and how the rows below keep what they read of it.

Two things leave a history: its oldest updates when it outgrows its bound, and observations that a late update
shows to be none. Neither may make anything look fresher than the whole history would.
"""

from __future__ import annotations

from freshd.core import history
from freshd.core.freshness import floor_of, reach, start_for
from freshd.core.history import CHANGED, FLAGS, OBSERVED, TIME, WIDTH
from freshd.core.rows import Row
from freshd.core.state import State
from freshd.model.time import FOREVER, NEVER, Instant


def demote_observations(row: Row) -> bool:
    """Take out the observations that a late update before them shows to be none: their data time was known already."""
    cells = row.cells
    known = newest = row.base  # newest: with those that ended at the same instant, which do not count as before
    end = NEVER
    demoted = False
    offset = 0
    while offset < len(cells):
        if cells[offset] > end:
            known, end = newest, cells[offset]
        if cells[offset + FLAGS] & OBSERVED and cells[offset + TIME] <= known:
            if row.rare.recall is not None and cells[offset] not in cells[:offset:WIDTH]:
                row.rare.recall.forget_end(cells[offset])
            del cells[offset : offset + WIDTH]
            demoted = True
            continue
        newest = max(newest, cells[offset + TIME])
        offset += WIDTH
    if demoted:
        row.updated_at = cells[-WIDTH]
        row.start = history.latest_start(cells, len(cells) - WIDTH)
        changed = [cells[at] for at in range(0, len(cells), WIDTH) if cells[at + FLAGS] & CHANGED]
        row.last_changed = changed[-1] if changed else NEVER
        if row.floor == NEVER:
            row.first = changed[0] if changed else FOREVER
    return demoted


def trim(state: State, row: Row) -> None:
    """Cut an overgrown history back, folding what readers would no longer find into their own entries."""
    cells = row.cells
    bound = state.charter.limits.history * WIDTH
    needed = min((reader.flight_start() for reader in row.readers), default=FOREVER)
    cut, boundary = 0, row.floor
    while len(cells) - cut > bound and cells[cut + WIDTH] <= needed:
        if cells[cut + FLAGS] & CHANGED:
            boundary = max(boundary, cells[cut])
        cut += WIDTH
    if cut and cells[cut + FLAGS] & CHANGED:
        boundary = cells[cut]  # what was there just before it is gone
    if boundary > row.floor:
        for kid in row.kids:
            _fold(state, kid, row, row.floor, boundary)
        row.floor = boundary
    if row.source:
        row.base = max((row.base, *(cells[offset + TIME] for offset in range(0, cut, WIDTH))))
    del cells[:cut]


def _fold(state: State, kid: Row, up: Row, floor: Instant, boundary: Instant) -> None:
    """Keep in the entries of `kid` what they read of `up`, for those that started before `boundary`."""
    if kid.virtual:
        for below in kid.kids:
            _fold(state, below, kid, floor_of(kid), boundary)
        return
    cells = kid.cells
    folded = False
    for offset in range(0, len(cells), WIDTH):
        start = start_for(kid, up, history.started(cells, offset))
        if floor <= start < boundary:
            read = reach(up, start, boundary, state.memo)
            if read < cells[offset + TIME] and read < up.window_end:  # a complete window limits nobody by itself
                cells[offset + TIME] = read
            folded = True
    if folded:
        state.mark(kid)
