"""Make every kept value true again from the facts: after a restore, and when rows are linked otherwise.

One pass in topological order over all rows, or over those that other partitions in use concern; nothing else in the
core is allowed to take that long.
"""

from __future__ import annotations

from freshd.core import history, holding
from freshd.core.busy import is_blocked, is_busy, is_root_stuck, lets_through
from freshd.core.declared import react
from freshd.core.freshness import floor_of, is_due, missed_by, pending_since
from freshd.core.history import CHANGED, FLAGS, MISSED, TIME, WIDTH
from freshd.core.lineage import through_virtual
from freshd.core.propagation import begin_anew, mend, release_stop
from freshd.core.rows import Row, is_automatic, upstreams_first
from freshd.core.state import Changed, State
from freshd.model.time import FOREVER, NEVER, Instant


def rebuild(state: State, review: tuple[Instant, str] | None = None) -> None:
    """One pass over all rows, upstreams first.

    Then every row is looked at again: in this step, or, those from the key of `review` on, as timers of its instant.
    """
    changed, state.changed = Changed.LINKS if review is None else state.changed, Changed.LINKS
    state.memo.clear()
    state.forget_later()
    state.rebuilt = True
    state.sight_moved = True
    state.blinded = {}
    state.hurried, state.in_vain = [], set()
    state.needs.clear()
    if changed is not Changed.EXPECTATIONS:
        state.due.clear()
        state.others.clear()
        state.queued.clear()
        state.waiters.clear()
        _derive(state, upstreams_first(state.rows.values()), changed is Changed.LINKS)
    state.wishes.relink(state.rows, state.runs)
    _look_again(state, review)


def rebuild_part(state: State, below: list[Row], above: list[Row]) -> None:
    """The same where only some rows were linked: `below`: they and all below, upstreams first; `above`: beyond them.

    They are looked at again in this step.
    """
    state.memo.clear()
    state.needs.clear()
    state.rebuilt = True
    state.sight_moved = True
    for row in below:
        state.waiters.pop(row, None)  # who waits for it is among them, and planned
    state.hurried += [row for row in below if row.rare.timing is not None]  # somebody above has asked about it
    _derive(state, below, relinked=True)
    for row in above:
        row.read_at = NEVER
    for reader in {reader: None for row in above for reader in (*row.kids, *row.readers)}:
        _reading(reader)
    state.wishes.relink(state.rows, state.runs)
    for row in below:
        row.plan_at = row.timer = FOREVER
        look_again(state, row)


def _derive(state: State, rows: list[Row], relinked: bool) -> None:
    """What rows keep of themselves and of those above them; `relinked`: those may be others than before."""
    blocked = [row for row in rows if is_blocked(row)]
    for row in rows:
        row.busy_ups = row.stuck_ups = 0
        row.above = row.stuck = False
        if relinked:
            row.read_at = NEVER
        if row.partition:
            row.automatic = is_automatic(row)  # what was restored may have made it count
    for row in rows if state.declarations.begun else ():
        react(state, row)
    for row in rows:
        if relinked:
            _history(row)
            _reading(row)
        _dueness(state, row)
    for row in rows:
        if row.rare.timing is not None:
            row.own_rare.timing = None
    for row in rows:
        holding.find(state, row)
    for row in rows:
        release_stop(state, row)
    for row in rows:
        _flags(row)
    for row in blocked:
        _unblocked(state, row)


def _dueness(state: State, row: Row) -> None:
    """Whether it is due, and where it is to be found by what goes on at it."""
    if row.virtual and row.stopped:
        mend(row)
        state.mark(row)
    due = is_due(row)
    if due and not row.due:
        row.due_at = max(row.due_at, state.now)
    if due is not row.due:
        state.mark(row)
        if not due:
            begin_anew(row)
    row.due = due
    state.note_due(row)
    if row.work is not None and row.work.queued:
        state.queued.setdefault(row.asset.launcher, set()).add(row)
    for name in row.rare.others or ():
        if name:
            state.others.setdefault(name, set()).add(row.key)


def _flags(row: Row) -> None:
    """Whether it is busy or stuck, given those above it."""
    row.busy_ups = row.stuck_ups = 0
    for up in row.ups:
        row.busy_ups += up.above
        row.stuck_ups += up.stuck
    row.above = is_busy(row) or (row.busy_ups > 0 and lets_through(row))
    row.stuck = is_root_stuck(row) or (row.stuck_ups > 0 and (row.automatic or row.virtual))


def _unblocked(state: State, row: Row) -> None:
    """If what blocked it is gone, it could have been launched from now on only."""
    if row.due and not is_blocked(row):
        row.moving_work.unblocked_at = state.now
        state.mark(row)


def _history(row: Row) -> None:
    cells = row.cells
    if row.source:
        _history_of_source(row)
    else:
        row.first = min((up.first for up in row.ups), default=FOREVER)
        for offset in range(0, len(cells), WIDTH):
            latest = history.latest_start(cells, offset)
            if not any(latest < floor_of(up) for up in row.ups):
                cells[offset + MISSED] = missed_by(row, latest)
    row.pending = pending_since(row)


def _history_of_source(row: Row) -> None:
    """Its updates say themselves how far they reach, also those of the time when it was derived."""
    cells = row.cells
    first = FOREVER if row.floor == NEVER else min(row.first, row.floor)
    for offset in range(0, len(cells), WIDTH):
        if cells[offset + FLAGS] & CHANGED:
            first = min(first, cells[offset])
        if cells[offset + TIME] == FOREVER:
            cells[offset + TIME] = NEVER if row.asset.watermark_only else history.started(cells, offset)
    row.first = first


def _reading(row: Row) -> None:
    cells = row.cells
    if not cells:
        return
    latest = history.latest_start(cells, len(cells) - WIDTH)
    for up in row.ups:
        for read in through_virtual(up):
            read.read_at = max(read.read_at, latest)


def _look_again(state: State, review: tuple[Instant, str] | None) -> None:
    state.to_judge = set()
    state.to_plan = set()
    state.timers.clear()
    state.reviewed_at, first = (NEVER, "") if review is None else review
    for row in state.rows.values():
        row.plan_at = row.timer = FOREVER
        if review is not None and row.key >= first:
            row.timer = state.reviewed_at
            state.timers.push(state.reviewed_at, row)
            continue
        look_again(state, row)


def look_again(state: State, row: Row) -> None:
    """Look in this step at a row of which much may be other than it was."""
    if row in state.described_anew:
        state.described_anew.discard(row)
        state.mark(row)
    state.judge(row)
    if (
        row.due
        or row.rare.wishes
        or row.rare.others
        or row.rare.checked_by != NEVER
        or (row.work is not None and row.work.stopped)
    ):
        state.plan(row)
