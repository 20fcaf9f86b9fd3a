"""What an update does: it enters its row's history, and whatever rests on that is told.

In-order updates take the fast path: append, and lower `missed` where a reader had missed nothing yet.
Anything late takes one slower path: recompute below in topological order, and have every descendant
judged again. This module decides no launch and no verdict: it queues the rows whose launch or verdict
may be another one now. What moves below is in `propagation`, what a history gives up in `keeping`.
"""

from __future__ import annotations

from freshd.core import history
from freshd.core.busy import settle
from freshd.core.checks import awaited_until, awaits_checks
from freshd.core.freshness import missed_by
from freshd.core.history import (
    ALL_FLAGS,
    CHANGED,
    FLAG_BITS,
    FLAGS,
    MISSED,
    NAMED,
    OBSERVED,
    OWN_TIME,
    START,
    TIME,
    WIDTH,
)
from freshd.core.keeping import demote_observations, trim
from freshd.core.lineage import through_virtual
from freshd.core.propagation import (
    mend,
    news_above,
    pending_again,
    reads_what_is_gone,
    recompute,
    recompute_below,
    refresh_due,
    shake,
    spread_missed,
)
from freshd.core.rows import Row, is_automatic
from freshd.core.state import State
from freshd.model.time import FOREVER, NEVER, Instant

SLACK_ENTRIES = 8
"""How far a history may outgrow its bound before it is cut back to it."""


def take_update(
    state: State,
    row: Row,
    end: Instant,
    start: Instant,
    *,
    data_time: Instant | None = None,
    changed: bool = True,
    observed: bool = False,
    run_id: str = "",
) -> None:
    """Let one update of `row` count, with all that follows from it for the rows below."""
    start = start if start < end else end
    if row.rare.recall is not None and row.rare.recall.note_end(end):
        learn_anew(state, row)
    time = FOREVER if not row.source else NEVER if row.asset.watermark_only else start
    flags = (CHANGED if changed else 0) | (OBSERVED if observed else 0) | (NAMED if run_id else 0)
    if data_time is not None:
        time, flags = min(data_time, end), flags | OWN_TIME
    cells = row.cells
    offset = len(cells)
    if offset and end <= cells[offset - WIDTH]:
        if row.floor != NEVER and end < cells[0]:
            _older_than_known(state, row, end if changed else FOREVER)
            return
        offset = history.place(cells, end, start, flags, time)
        if offset < 0:
            return
    late = offset < len(cells) or end <= row.read_at or _late_for_views(state, row, end)
    first_update = row.updated_at == NEVER
    _enter(row, offset, end, start, flags, time)
    if end > row.updated_at:
        row.updated_at = end
    if changed and end > row.last_changed:
        row.last_changed = end
    demoted = late and row.source and demote_observations(row)
    if end >= row.outcome_at:
        row.outcome_at, row.outcome_failed = end, False
    mended = row.work is not None and row.work.stopped
    if mended:
        mend(row)
    state.memo.clear()
    if len(row.cells) > (state.charter.limits.history + SLACK_ENTRIES) * WIDTH:
        trim(state, row)
    _move_pending(state, row, end if changed else FOREVER, late, demoted)
    if awaits_checks(row):
        await_checks(state, row)
    if not row.source:
        _tell_read(row, start)
        refresh_due(state, row)
    elif mended:  # an extractor, which is due all the time
        settle(state, row)
        state.plan(row)
    if first_update and row.partition:
        _partition_exists(state, row)
    state.touch(row)
    for view in row.rare.views:
        state.touch(view)
    if changed or first_update or demoted:
        _tell_readers(state, row, demoted)


def _late_for_views(state: State, row: Row, end: Instant) -> bool:
    """Whether something else that a view shows, or a whole gathers, was updated since: readers read less then."""
    if end >= state.now:
        return False
    return any(up.updated_at > end for view in row.rare.views for up in through_virtual(view))


def _partition_exists(state: State, row: Row) -> None:
    """A partition counts from its first update on; what its asset as a whole has may be older for it."""
    row.automatic = is_automatic(row)
    if state.blind:
        state.sight_moved = True  # its asset as a whole rests on it from now on
    state.note_due(row)
    state.plan(row)
    settle(state, row)
    recompute_below(state, row)
    shake(state, row)


def learn_anew(state: State, row: Row) -> None:
    """Limits learned from the row's updates may be nearer than they were."""
    state.judge(row)
    for view in row.rare.views:
        state.judge(view)


def _tell_readers(state: State, row: Row, demoted: bool) -> None:
    for reader in row.readers:
        if demoted:
            refresh_due(state, reader)
        news_above(state, reader)


def _older_than_known(state: State, row: Row, changed_end: Instant) -> None:
    """An update older than the bounded history: who began before it has missed it; nothing else is still told apart."""
    if row.source and changed_end < FOREVER:
        row.first = min(row.first, changed_end)
        spread_missed(state, row, changed_end)


def _move_pending(state: State, row: Row, changed_end: Instant, late: bool, demoted: bool) -> None:
    """What the update did to `missed` and pending, of its own row and of those below."""
    if row.source:
        if changed_end < FOREVER:
            if changed_end < row.first:
                row.first = changed_end
            spread_missed(state, row, changed_end)
        if demoted:
            recompute_below(state, row)
    else:
        pending_again(state, row)
        if late:
            recompute_below(state, row)
    if late:
        shake(state, row)


def await_checks(state: State, row: Row) -> None:
    """Readers wait for the results of blocking checks of an update, for a while; the earliest such update counts."""
    until = awaited_until(row, state.charter.limits.check_wait, state.now)
    if until != row.rare.checked_by:
        row.own_rare.checked_by = until
    if until != NEVER:
        row.plan_at = min(row.plan_at, until)
        state.arm(row, row.plan_at)
    settle(state, row)


def _enter(row: Row, offset: int, end: Instant, start: Instant, flags: int, time: Instant) -> None:
    cells, missed = row.cells, FOREVER
    gone = not row.source and reads_what_is_gone(row, start)
    if gone:
        time = NEVER  # nothing new was read: the entries before it say what is known
    before = cells[offset - WIDTH + MISSED] if offset else row.first
    if offset == len(cells):
        if start > row.start:
            row.start = start
        if not row.source:
            missed = missed_by(row, row.start)
            if offset and before > missed:
                missed = before
        row.cells = history.appended(cells, (end, start << FLAG_BITS | flags, time, missed))
    else:
        history.insert(cells, offset, history.entry(end, start, flags, time, before if gone else missed))
        row.start = max(row.start, start)
        if not row.source:
            recompute(row)


def _tell_read(row: Row, start: Instant) -> None:
    for up in row.ups:
        for read in through_virtual(up) if up.virtual else (up,):
            if start > read.read_at:
                read.read_at = start


def later_start(state: State, row: Row, end: Instant, start: Instant) -> None:
    """The start of an update became known after its end: the truth, though it moves things backwards."""
    cells = row.cells
    for offset in range(0, len(cells), WIDTH):
        flags = cells[offset + FLAGS] & ALL_FLAGS
        if cells[offset] == end and history.started(cells, offset) > start and flags & NAMED:
            if row.source and not row.asset.watermark_only and not flags & OWN_TIME:
                cells[offset + TIME] = start
            cells[offset + START] = start << FLAG_BITS | flags
            break
    else:
        return
    row.start = history.latest_start(cells, len(cells) - WIDTH)
    state.memo.clear()
    if not row.source:
        recompute(row)
        pending_again(state, row)
        recompute_below(state, row)
    shake(state, row)
    refresh_due(state, row)
    state.touch(row)
