"""What an update, a run of others or a check result does to the rows: its own, and those below that it changes.

In-order updates take the fast path: append, and lower `missed` where a reader had missed nothing yet.
Anything late takes one slower path: recompute below in topological order, and have every descendant
judged again. Both stop where nothing changes. This module decides no launch and no verdict: it queues
the rows whose launch or verdict may be another one now.
"""

from __future__ import annotations

from heapq import heappop, heappush

from freshd.core import history
from freshd.core.busy import settle
from freshd.core.checks import awaits_checks, checked_up_to
from freshd.core.freshness import (
    changed_upstream_end,
    floor_of,
    is_due,
    missed_at,
    missed_by,
    pending_since,
    reach,
    start_for,
)
from freshd.core.history import CHANGED, FLAGS, MISSED, NAMED, OBSERVED, OWN_TIME, START, TIME, WIDTH
from freshd.core.rows import EMPTY, Row, through_virtual
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
    if start > end:
        start = end
    if row.recall is not None and row.recall.note_end(end):
        learn_anew(state, row)
    if data_time is not None:
        time = data_time if data_time < end else end
    elif row.source:
        time = NEVER if row.asset.watermark_only else start
    else:
        time = FOREVER
    flags = (CHANGED if changed else 0) | (OBSERVED if observed else 0) | (NAMED if run_id else 0)
    flags |= OWN_TIME if data_time is not None else 0
    cells = row.cells
    if cells is EMPTY:
        cells = row.cells = history.empty()
    offset = len(cells)
    if offset and end <= cells[offset - WIDTH]:
        if row.floor != NEVER and end < cells[0]:
            _older_than_known(state, row, end if changed else FOREVER)
            return
        offset = history.place(cells, end, start, flags, time)
        if offset < 0:
            return
    late = offset < len(cells) or end <= row.read_at
    first_update = row.updated_at == NEVER
    _enter(row, offset, (end, start, flags, time, FOREVER))
    if end > row.updated_at:
        row.updated_at = end
    if changed and end > row.last_changed:
        row.last_changed = end
    demoted = late and row.source and _demote_observations(row)
    if end >= row.outcome_at:
        row.outcome_at, row.outcome_failed = end, False
    if row.work is not None and row.work.stopped:
        mend(row)
    if state.memo:
        state.memo.clear()
    if len(cells) > (state.charter.limits.history + SLACK_ENTRIES) * WIDTH:
        _trim(state, row)
    _move_pending(state, row, end if changed else FOREVER, late, demoted)
    if awaits_checks(row):
        await_checks(state, row)
    if not row.source:
        _tell_read(row, start)
        refresh_due(state, row)
    state.touch(row)
    for view in row.views:
        state.touch(view)
    if changed or first_update or demoted:
        _tell_readers(state, row, demoted)


def learn_anew(state: State, row: Row) -> None:
    """Limits learned from the row's updates may be nearer than they were."""
    state.judge(row)
    for view in row.views:
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
        _pending_again(state, row)
        if late:
            recompute_below(state, row)
    if late:
        shake(state, row)


def await_checks(state: State, row: Row) -> None:
    """Readers wait for the results of blocking checks of an update, for a while; the earliest such update counts."""
    row.checked_by = NEVER
    wait = state.charter.limits.check_wait
    bound = checked_up_to(row)
    for offset in range(0, len(row.cells), WIDTH):
        end = row.cells[offset]
        if end > bound and end + wait > state.now:
            row.checked_by = end + wait
            row.plan_at = min(row.plan_at, row.checked_by)
            state.arm(row)
            break
    settle(state, row)


def _enter(row: Row, offset: int, entry: tuple[int, int, int, int, int]) -> None:
    cells = row.cells
    end, start, flags, time, missed = entry
    gone = not row.source and _reads_what_is_gone(row, start)
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
        cells.extend((end, start, flags, time, missed))
    else:
        history.insert(cells, offset, (end, start, flags, time, before if gone else missed))
        row.start = max(row.start, start)
        if not row.source:
            _recompute(row)


def _reads_what_is_gone(row: Row, start: Instant) -> bool:
    """Whether an upstream no longer keeps what a reader with this start saw: it counts as having read nothing new."""
    for up in row.ups:
        if start < (floor_of(up) if up.asset.virtual else up.floor):
            return True
    return False


def _demote_observations(row: Row) -> bool:
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
            if row.recall is not None and cells[offset] not in cells[:offset:WIDTH]:
                row.recall.forget_end(cells[offset])
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


def _recompute(row: Row) -> bool:
    """Make `missed` of every entry true again; whether any changed."""
    cells = row.cells
    changed = False
    for offset in range(0, len(cells), WIDTH):
        latest = history.latest_start(cells, offset)
        if _reads_what_is_gone(row, latest):
            continue
        missed = missed_by(row, latest)
        if missed != cells[offset + MISSED]:
            cells[offset + MISSED] = missed
            changed = True
    return changed


def _tell_read(row: Row, start: Instant) -> None:
    for up in row.ups:
        for read in through_virtual(up) if up.asset.virtual else (up,):
            if start > read.read_at:
                read.read_at = start


def mend(row: Row) -> None:
    """A stop is over: any update ends it, and what became virtual is not launched."""
    work = row.moving_work
    work.stopped = False
    work.stop_release = FOREVER
    work.attempts = 0
    work.retry_at = NEVER


def _trim(state: State, row: Row) -> None:
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
    if kid.asset.virtual:
        for below in kid.kids:
            _fold(state, below, kid, floor_of(kid), boundary)
        return
    cells = kid.cells
    for offset in range(0, len(cells), WIDTH):
        start = start_for(kid, up, cells[offset + START])
        if floor <= start < boundary:
            read = reach(up, start, boundary, state.memo)
            if read < cells[offset + TIME]:
                cells[offset + TIME] = read
            state.mark(kid)


def spread_missed(state: State, row: Row, end: Instant) -> None:
    """A changed update of a source ended at `end`: readers that began before have missed it, and so on below."""
    stack = [row]
    looked_through: set[Row] = set()
    while stack:
        up = stack.pop()
        if not up.asset.virtual:
            looked_through.clear()  # what shows `up` has to be looked through anew
        for kid in up.kids:
            lowered = kid.first > end
            if lowered:
                kid.first = end
            if kid.asset.virtual:
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
                _pending_again(state, kid)
                stack.append(kid)


def _pending_again(state: State, row: Row) -> None:
    pending = pending_since(row)
    if pending != row.pending:
        row.pending = pending
        state.mark(row)
        state.pending_moved(row)
        for view in row.views:
            state.pending_moved(view)


def recompute_below(state: State, row: Row) -> None:
    """The late path: make `missed` true again below `row`, in topological order, as far as it changes."""
    heap = [(kid.order, kid) for kid in row.kids]
    heap.sort(key=lambda item: item[0])
    queued = {kid for _, kid in heap}
    while heap:
        _, kid = heappop(heap)
        queued.discard(kid)
        first = min((up.first for up in kid.ups), default=FOREVER)
        moved = first != kid.first
        kid.first = first
        if _recompute(kid) or moved or kid.asset.virtual:
            if not kid.asset.virtual:
                _pending_again(state, kid)
            for below in kid.kids:
                if below not in queued:
                    queued.add(below)
                    heappush(heap, (below.order, below))


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


def later_start(state: State, row: Row, end: Instant, start: Instant) -> None:
    """The start of an update became known after its end: the truth, though it moves things backwards."""
    cells = row.cells
    for offset in range(0, len(cells), WIDTH):
        if cells[offset] == end and cells[offset + START] > start and cells[offset + FLAGS] & NAMED:
            if row.source and not row.asset.watermark_only and not cells[offset + FLAGS] & OWN_TIME:
                cells[offset + TIME] = start
            cells[offset + START] = start
            break
    else:
        return
    row.start = history.latest_start(cells, len(cells) - WIDTH)
    state.memo.clear()
    if not row.source:
        _recompute(row)
        _pending_again(state, row)
        recompute_below(state, row)
    shake(state, row)
    refresh_due(state, row)
    state.touch(row)


def refresh_due(state: State, row: Row) -> None:
    """Find out again whether `row` is due, and what follows."""
    due = is_due(row)
    if due != row.due:
        row.due = due
        state.note_due(row)
        if not due:
            state.cease(row)
        elif not state.ceased_now(row):
            row.due_at = state.now
        if not due and row.work is not None and not row.work.stopped and row.work.run is None:
            row.work.attempts = 0
            row.work.retry_at = NEVER
        state.touch(row)
    settle(state, row)
    if row.automatic or row.wishes:
        state.plan(row)


def news_above(state: State, row: Row) -> None:
    """An upstream of `row` was updated: it may be due now, or its stop may end."""
    release_stop(state, row)
    if row.due and row.cells and row.reaction.updates_on == "any":
        if row.automatic:
            state.plan(row)
        return
    refresh_due(state, row)


def release_stop(state: State, row: Row) -> None:
    """A stop ends some time after the last run, if an upstream has changed since that run started."""
    work = row.work
    if work is None or not work.stopped:
        return
    if changed_upstream_end(row) <= work.last_start:
        release = FOREVER
    elif work.stop_release == FOREVER:
        release = max(state.now, work.last_end + row.reaction.retry.max_delay)
    else:
        return
    if release != work.stop_release:
        work.stop_release = release
        row.plan_at = min(row.plan_at, release)
        state.arm(row)
        state.mark(row)
