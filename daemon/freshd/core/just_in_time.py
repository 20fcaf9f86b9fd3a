"""How late a run may begin so that what is expected below still holds: stale instants less what runs on the way take.

Pulled: a row that is held asks once, and again when the instant it was told has come. What can bring that
instant nearer (an expectation below that turns stale earlier than it was when asked, a run that takes
longer than usual) is noticed by `notice`, and whoever rests on it asks anew: nothing sweeps the graph.
"""

from __future__ import annotations

from freshd.core.learned import percentile
from freshd.core.rows import Row, Timing
from freshd.core.state import State
from freshd.core.verdicts import turns_stale_at
from freshd.model.policy import ReactionKind
from freshd.model.time import FOREVER, MINUTE, NEVER, Duration, Instant

UNKNOWN_DURATION: Duration = 10 * MINUTE
"""What a run is taken to take while fewer than FEWEST_RUNS of its asset have succeeded."""

FEWEST_RUNS = 3
"""From so many on an asset's own runs say how long one takes."""


def duration_of(row: Row) -> Duration:
    """The p95 of the last successful runs of the row; nothing for what the daemon does not launch."""
    known = known_duration(row)
    if known is not None:
        return known
    return UNKNOWN_DURATION if row.asset.launcher and not row.virtual else 0


def known_duration(row: Row) -> Duration | None:
    """The same, if enough runs have succeeded to tell."""
    durations = row.work.durations if row.work is not None else None
    if durations is None or len(durations) < FEWEST_RUNS or not row.asset.launcher or row.virtual:
        return None
    return percentile(sorted(durations), 95)


def took(state: State, row: Row, duration: Duration) -> None:
    """A run of the row succeeded after so long."""
    work = row.moving_work
    before = duration_of(row)
    work.note_duration(max(0, duration))
    if row.timing is not None and duration_of(row) > before:
        state.hurried.append(row)


def needed_by(state: State, row: Row, factor: float, watched: bool = False) -> Instant:
    """The minimum over the expectations on a row and below of (its stale instant - factor x p95s on the path).

    `watched`: whoever asks will be asked anew when that comes to be earlier. FOREVER: nothing will turn stale.
    """
    memo = state.needs
    stack = [row]
    while stack:
        here = stack[-1]
        if (here, factor, watched) in memo:
            stack.pop()
            continue
        missing = [kid for kid in here.kids if (kid, factor, watched) not in memo]
        if missing:
            stack += missing
            continue
        stack.pop()
        soonest = stale_at(state, here)
        if watched:
            timing = here.timing = here.timing or Timing()
            timing.promised = soonest
        for kid in here.kids:
            soonest = min(soonest, memo[kid, factor, watched])
        memo[here, factor, watched] = (
            soonest if soonest == FOREVER else max(NEVER, soonest - round(factor * duration_of(here)))
        )
    return memo[row, factor, watched]


def stale_at(state: State, row: Row) -> Instant:
    """When the first of the row's own expectations turns stale (or did) if nothing happens."""
    return min((turns_stale_at(pair.policy, row, state.now, state.memo) for pair in row.pairs), default=FOREVER)


def launch_at(state: State, row: Row) -> Instant:
    """From when a just-in-time row is to be launched; as long as that lies ahead, a lower bound of it."""
    timing = row.timing = row.timing or Timing()
    if state.now < timing.at:
        return timing.at
    timing.at = needed_by(state, row, 1 + row.reaction.margin, watched=True)
    work = row.work
    if row.source and work is not None and timing.at <= work.last_start:
        # its last run began in time, and it was no help: others are late
        timing.at = max(timing.at, work.last_end + row.reaction.retry.max_delay)
    return timing.at


def notice(state: State, row: Row) -> None:
    """The row was judged: whoever asked asks again if it turns stale earlier than it did then."""
    if row.timing is not None and stale_at(state, row) < row.timing.promised:
        state.hurried.append(row)


def hurry(state: State) -> None:
    """Have the just-in-time rows on whose runs the noticed ones rest ask again."""
    state.needs.clear()
    stack, state.hurried = state.hurried, []
    seen: set[Row] = set()
    while stack:
        row = stack.pop()
        if row in seen:
            continue
        seen.add(row)
        timing = row.timing
        if timing is not None and row.reaction.kind is ReactionKind.JUST_IN_TIME:
            timing.at = NEVER
            if row.due and row.automatic:
                state.plan(row)
        stack.extend(row.ups)
