"""Which rows are busy or stuck, and which rows below that concerns: two flags, counted by the readers.

`above` of a row says that something at it or (through automatic and virtual rows) above it is on its
way; `stuck` that it, or something it rests on, has failed for good. Readers hold counters of both, so
that asking "does anything above me move" costs nothing when nothing does. A change travels down only
as far as it changes a flag.
"""

from __future__ import annotations

from freshd.core.checks import blocked_by_rule
from freshd.core.freshness import pending_since
from freshd.core.rows import Row
from freshd.core.state import State
from freshd.model.time import FOREVER, NEVER, Instant


def is_blocked(row: Row) -> bool:
    """Due, with a stuck upstream, and not told to go on."""
    return row.due and row.stuck_ups > 0 and not row.reaction.go_on


def is_busy(row: Row) -> bool:
    """In flight, about to be launched by the daemon itself, or not yet checked. Nobody waits for a source's run."""
    return row.rare.checked_by != NEVER or _moves(row)


def _moves(row: Row) -> bool:
    rare = row.rare
    if row.source or rare.parts is not None:
        return False
    timing, work = rare.timing, row.work
    if row.automatic and row.due and (timing is None or not timing.held) and (work is None or not work.stopped):
        if not row.stuck_ups or row.reaction.go_on:
            return True
    return rare.others is not None or (work is not None and work.run is not None)


def is_held(row: Row) -> bool:
    """Held back by its own window, or because just in time it is too early."""
    return row.rare.timing is not None and row.rare.timing.held


def window_is_open(row: Row, now: Instant) -> bool:
    """Whether the row may be launched at this time of the day."""
    return row.reaction.window is None or row.reaction.window.opened(now) != NEVER


def lets_through(row: Row) -> bool:
    """Whether who waits for what is above `row` waits through it; not through what is held back itself."""
    return row.virtual or (row.automatic and not row.stopped and not is_held(row))


def is_root_stuck(row: Row) -> bool:
    """Stuck by itself: stopped while due, or a blocking check failed."""
    work = row.work
    if row.due and work is not None and work.stopped and work.stop_release != NEVER:
        return True
    rare = row.rare
    if rare.checks is None and rare.in_metadata is None:
        return False
    return row.check_failed(blocking_only=True) or blocked_by_rule(row)


def settle(state: State, row: Row) -> None:
    """Find out again whether `row` is busy or stuck, and tell the rows below."""
    stack = [row]
    while stack:
        here = stack.pop()
        above = is_busy(here) or (here.busy_ups > 0 and lets_through(here))
        stuck = (here.stuck_ups > 0 and (here.automatic or here.virtual)) or is_root_stuck(here)
        if above == here.above and stuck == here.stuck:
            continue
        more_busy = above - here.above
        more_stuck = stuck - here.stuck
        here.above, here.stuck = above, stuck
        for kid in here.kids:
            kid.busy_ups += more_busy
            if more_stuck:
                _stuck_by(state, kid, more_stuck)
            stack.append(kid)
        state.wake_waiters(here)


def _stuck_by(state: State, row: Row, more: int) -> None:
    was_blocked = is_blocked(row)
    row.stuck_ups += more
    blocked = is_blocked(row)
    for pair in row.watchers or ():
        state.judge(pair.row)
    if blocked == was_blocked:
        return
    if not blocked:
        row.moving_work.unblocked_at = state.now
    state.touch(row)
    state.plan(row)


def launchable_from(state: State, row: Row) -> Instant:
    """from(a) of semantics.md, for a due row: since when, by the daemon's clock, it could have been launched."""
    work = row.work
    since = max(state.started_at, row.due_at)
    if work is not None:
        since = max(since, work.last_end, work.unblocked_at, work.unqueued_at)
    if row.reaction.window is not None:
        since = max(since, row.reaction.window.opened(state.now, since))
    return since


def _on_its_way_since(state: State, row: Row) -> Instant:
    """Since when something at a busy row is on its way: data pending, a run, results of checks."""
    checked = row.rare.checked_by - state.charter.limits.check_wait if row.rare.checked_by != NEVER else FOREVER
    if not _moves(row):
        return checked
    own = launchable_from(state, row) if row.due else FOREVER
    return min(pending_since(row), own, row.flight_start(), checked)


def waits_for(state: State, row: Row, without: frozenset[Row] | set[Row] = frozenset()) -> tuple[Row, ...]:
    """The first row above that a due `row` waits for: on its way on account of data that had come before.

    Behind it the rows through which it is waited for, that row first among them; empty: none is.
    """
    if row.busy_ups == 0:
        return ()
    since = launchable_from(state, row) if row.due else state.now
    stack: list[tuple[Row, tuple[Row, ...]]] = [(up, ()) for up in reversed(row.ups)]
    seen: set[Row] = set()
    while stack:
        up, through = stack.pop()
        if up in seen or not up.above or up in without:
            continue
        seen.add(up)
        if is_busy(up) and _on_its_way_since(state, up) <= since:
            return (up, *through)
        if lets_through(up):
            stack += [(above, (up, *through)) for above in reversed(up.ups)]
    return ()
