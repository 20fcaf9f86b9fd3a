"""What holds a due row back by itself: its window, or that just-in-time it is too early. Nobody waits for such a row.

It keeps true: `timing.held` of an automatic, due row says so as of the present instant, and `timing.look_at`
when that may be otherwise by itself.
"""

from __future__ import annotations

from freshd.core.busy import settle
from freshd.core.just_in_time import launch_at
from freshd.core.rows import Row
from freshd.core.state import State
from freshd.core.work import Timing
from freshd.model.policy import ReactionKind
from freshd.model.time import FOREVER, NEVER, Instant


def find(state: State, row: Row) -> bool:
    """Find out whether the row is held back; whether that is news."""
    reaction = row.reaction
    if reaction.window is None and reaction.kind is not ReactionKind.JUST_IN_TIME:
        was = row.rare.timing is not None and row.rare.timing.held
        if row.rare.timing is not None:
            row.rare.timing.held, row.rare.timing.look_at = False, FOREVER
        return was
    timing = row.own_rare.timing = row.rare.timing or Timing()
    was, timing.held, timing.look_at = timing.held, False, FOREVER
    if row.automatic and row.due and state.now != NEVER:
        timing.held, timing.look_at = _held(state, row)
    return was is not timing.held


def look(state: State, row: Row) -> None:
    """The same, and whoever waits for the row hears of it."""
    if find(state, row):
        settle(state, row)
        state.wake_waiters(row)  # also where it stays busy: it may have been launched since the window opened only


def _held(state: State, row: Row) -> tuple[bool, Instant]:
    reaction, now = row.reaction, state.now
    until = FOREVER
    if reaction.window is not None:
        if reaction.window.opened(now) == NEVER:
            return True, reaction.window.opens_after(now)
        until = reaction.window.closes_after(now)
    retrying = row.work is not None and row.work.retry_at != NEVER
    if reaction.kind is ReactionKind.JUST_IN_TIME and not retrying:
        at = launch_at(state, row)
        if at > now:
            return True, min(until, at)
    return False, until
