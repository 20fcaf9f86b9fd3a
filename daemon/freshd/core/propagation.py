"""What an update moves below its row: what readers have missed, since when they are pending, whether they are due.

Every walk stops where nothing changes. It decides no launch and no verdict: it queues the rows whose launch
or verdict may be another one now.
"""

from __future__ import annotations

from heapq import heappop, heappush

from freshd.core import history
from freshd.core.busy import settle
from freshd.core.freshness import changed_upstream_end, floor_of, is_due, missed_at, missed_by, pending_since, start_for
from freshd.core.history import MISSED, WIDTH
from freshd.core.rows import Row
from freshd.core.state import State
from freshd.model.time import FOREVER, NEVER, Instant


def spread_missed(state: State, row: Row, end: Instant) -> None:
    """A changed update of a source ended at `end`: readers that began before have missed it, and so on below."""
    if not row.kids:
        return
    stack = [row]
    looked_through: set[Row] = set()
    while stack:
        up = stack.pop()
        if not up.virtual:
            looked_through.clear()  # what shows `up` has to be looked through anew
        for kid in up.kids:
            lowered = kid.first > end
            if lowered:
                kid.first = end
            if kid.virtual:
                if kid not in looked_through:
                    looked_through.add(kid)
                    state.pending_moved(kid)
                    stack.append(kid)
                continue
            cells = kid.cells
            offset = len(cells) - WIDTH
            while offset >= 0 and cells[offset + MISSED] > end:
                latest = start_for(kid, up, history.latest_start(cells, offset))
                missed = missed_at(up, latest) if up is not row else end if latest < end else FOREVER
                if missed < cells[offset + MISSED]:
                    cells[offset + MISSED] = missed
                    lowered = True
                offset -= WIDTH
            if lowered:
                pending_again(state, kid)
                stack.append(kid)


def pending_again(state: State, row: Row) -> None:
    """Find out again since when `row` is pending, and tell what rests on it if that moved."""
    pending = pending_since(row)
    if pending != row.pending:
        row.pending = pending
        state.mark(row)
        state.pending_moved(row)
        for view in row.rare.views:
            state.pending_moved(view)


def recompute(row: Row) -> bool:
    """Make `missed` of every entry true again; whether any changed."""
    cells = row.cells
    changed = False
    for offset in range(0, len(cells), WIDTH):
        latest = history.latest_start(cells, offset)
        if reads_what_is_gone(row, latest):
            continue
        missed = missed_by(row, latest)
        if missed != cells[offset + MISSED]:
            cells[offset + MISSED] = missed
            changed = True
    return changed


def reads_what_is_gone(row: Row, start: Instant) -> bool:
    """Whether an upstream no longer keeps what a reader with this start saw: it counts as having read nothing new."""
    for up in row.ups:
        if start < (floor_of(up) if up.virtual else up.floor):
            return True
    return False


def recompute_below(state: State, row: Row) -> None:
    """The late path: make `missed` true again below `row`, in topological order, as far as it changes."""
    heap = [(kid.level, kid) for kid in row.kids]
    heap.sort(key=lambda item: item[0])
    queued = {kid for _, kid in heap}
    while heap:
        _, kid = heappop(heap)
        queued.discard(kid)
        first = min((up.first for up in kid.ups), default=FOREVER)
        moved = first != kid.first
        kid.first = first
        if recompute(kid) or moved or kid.virtual:
            if not kid.virtual:
                pending_again(state, kid)
            for below in kid.kids:
                if below not in queued:
                    queued.add(below)
                    heappush(heap, (below.level, below))


def shake(state: State, row: Row) -> None:
    """Something below may rest on what came late: judge every descendant again."""
    seen: set[Row] = set()
    stack = list(row.kids)
    state.judge(row)
    while stack:
        kid = stack.pop()
        if kid not in seen:
            seen.add(kid)
            state.judge(kid)
            stack.extend(kid.kids)


def refresh_due(state: State, row: Row) -> None:
    """Find out again whether `row` is due, and what follows."""
    due = is_due(row)
    if due != row.due:
        row.due = due
        state.note_due(row)
        if not due:
            state.cease(row)
            begin_anew(row)
        elif not state.ceased_now(row):
            row.due_at = state.now
        state.touch(row)
    settle(state, row)
    if row.automatic or row.rare.wishes:
        state.plan(row)


def begin_anew(row: Row) -> None:
    """What is due no longer has all its attempts the next time, if it is not stopped."""
    work = row.work
    if work is not None and not work.stopped and work.run is None:
        work.attempts = 0
        work.retry_at = NEVER


def news_above(state: State, row: Row) -> None:
    """An upstream of `row` was updated: it may be due now, or its stop may end."""
    release_stop(state, row)
    if row.due and row.cells and row.reaction.updates_on == "any":
        if row.automatic:
            state.plan(row)
        return
    refresh_due(state, row)


def release_stop(state: State, row: Row) -> None:
    """A stop ends some time after the last run, if an upstream has changed since that run started.

    If that has passed it is over at once: nobody is blocked by it at this instant.
    """
    work = row.work
    if work is None or not work.stopped:
        return
    if changed_upstream_end(row) <= work.last_start:
        release = FOREVER
    elif work.stop_release == FOREVER:
        release = work.last_end + row.reaction.retry.max_delay
    else:
        return
    if release <= state.now:
        work.stop_release = NEVER
        settle(state, row)
        state.plan(row)
        state.mark(row)
    elif release != work.stop_release:
        work.stop_release = release
        row.plan_at = min(row.plan_at, release)
        state.arm(row, row.plan_at)
        state.mark(row)


def mend(row: Row) -> None:
    """A stop is over: any update ends it, and what became virtual is not launched."""
    work = row.moving_work
    work.stopped = False
    work.stop_release = FOREVER
    work.attempts = 0
    work.retry_at = NEVER
