"""How late a run may begin so that what is expected below still holds: stale instants less what runs on the way take.

Pulled: a row that is held asks once, and again when the instant it was told has come. What can bring that
instant nearer (an expectation below that turns stale earlier than it was when asked, a run that takes
longer than usual) is noticed by `notice`, and whoever rests on it asks anew: nothing sweeps the graph.
"""

from __future__ import annotations

from collections.abc import Sequence

from freshd.core.learned import percentile
from freshd.core.rows import Row
from freshd.core.state import State
from freshd.core.verdicts import turns_stale_at
from freshd.core.work import DURATIONS_KEPT, Timing
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
    """The same, if enough runs have succeeded to tell; runs of all partitions of an asset count."""
    owner = row.whole or row
    durations = owner.work.durations if owner.work is not None else None
    if durations is None or not row.asset.launcher or row.virtual:
        return None
    return usual_duration(durations)


def usual_duration(durations: Sequence[Duration]) -> Duration | None:
    """The p95 of the last successful runs; None: too few to tell."""
    last = durations[-DURATIONS_KEPT:]
    return percentile(sorted(last), 95) if len(last) >= FEWEST_RUNS else None


def took(state: State, row: Row, duration: Duration) -> None:
    """A run of the row succeeded after so long."""
    owner = row.whole or row
    before = duration_of(row)
    owner.moving_work.note_duration(max(0, duration))
    state.mark(owner)
    now = duration_of(row)
    if now > before or (state.in_vain and now != before):
        alike = owner.rare.parts.values() if owner.rare.parts is not None else (row,)
        state.hurried += [one for one in alike if one.rare.timing is not None]


def needed_by(state: State, row: Row, factor: float, known: dict[Row, Instant] | None = None) -> Instant:
    """The minimum over the expectations on a row and below of (its stale instant - factor x p95s on the path).

    FOREVER: nothing will turn stale. `known`: what was found at this instant with this factor, for several questions.
    """
    return _found(state, row, factor, FOREVER, {} if known is None else known)


def _found(state: State, row: Row, factor: float, until: Instant, known: dict[Row, Instant] | None = None) -> Instant:
    """The same, or if it lies later than `until`, a lower bound of it that does too.

    Without `known`, bounds are kept at the rows, and those who found them hear if they come to be too late. So what
    was found earlier is looked at again only along the paths on which it may matter by `until`.
    """
    exact = state.needs  # found out at this instant, by kept bounds
    stack = [(row, until)]
    bound = NEVER
    while stack:
        here, by = stack[-1]
        if len(stack) > 1 and _settled(exact, here, factor, by, known):
            stack.pop()
            continue
        cost = round(factor * duration_of(here))
        further = min(by + cost, FOREVER)
        waiting = [(kid, further) for kid in here.kids if not _settled(exact, kid, factor, further, known)]
        if waiting:
            stack += waiting
            continue
        stack.pop()
        own = soonest = stale_at(state, here)
        for kid in here.kids:
            soonest = min(soonest, known[kid] if known is not None else _bounds(kid)[factor])
        bound = soonest if soonest == FOREVER else max(NEVER, soonest - cost)
        if known is not None:
            known[here] = bound
            continue
        _bounds(here)[factor] = bound
        if here.rare.timing is not None:
            here.rare.timing.promised = own
        if bound <= by:
            exact.add((here, factor))
    return bound


def _settled(
    exact: set[tuple[Row, float]], row: Row, factor: float, until: Instant, known: dict[Row, Instant] | None
) -> bool:
    if known is not None:
        return row in known
    return (row, factor) in exact or _bounds(row).get(factor, NEVER) > until


def _bounds(row: Row) -> dict[float, Instant]:
    timing = row.rare.timing
    if timing is None:
        timing = row.own_rare.timing = Timing()
    return timing.bounds


def stale_at(state: State, row: Row) -> Instant:
    """When the first of the row's own expectations turns stale (or did) if nothing happens."""
    return min((turns_stale_at(pair.policy, row, state.now, state.memo) for pair in row.pairs), default=FOREVER)


def launch_at(state: State, row: Row) -> Instant:
    """From when a just-in-time row is to be launched; as long as that lies ahead, a lower bound of it."""
    timing = row.own_rare.timing = row.rare.timing or Timing()
    if state.now < timing.at:
        return timing.at
    timing.at = _found(state, row, 1 + row.reaction.margin, state.now)
    work = row.work
    state.in_vain.discard(row)
    if row.source and work is not None and timing.at <= work.last_start:
        # its last run began in time, and it was no help: others are late, or what is below has yet to run
        timing.at = min(work.last_end + row.reaction.retry.max_delay, _next_stale_at(state, row))
        state.in_vain.add(row)
    return timing.at


def _next_stale_at(state: State, row: Row) -> Instant:
    """When the first expectation on a row or below that still holds turns stale, if nothing happens."""
    found, stack, seen = FOREVER, [row], {row}
    while stack:
        here = stack.pop()
        at = stale_at(state, here)
        if state.now < at < found:
            found = at
        for kid in here.kids:
            if kid not in seen:
                seen.add(kid)
                stack.append(kid)
    return found


def notice(state: State, row: Row) -> None:
    """The row was judged: whoever asked asks again if it turns stale earlier than it did then.

    Where an extractor waits since it ran in vain also if later: perhaps its next run would help again.
    """
    timing = row.rare.timing
    if timing is not None and (state.in_vain or stale_at(state, row) < timing.promised):
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
        timing = row.rare.timing
        if timing is not None:
            timing.bounds.clear()
            timing.at = NEVER
            if row.reaction.kind is ReactionKind.JUST_IN_TIME and row.due and row.automatic:
                state.plan(row)
        stack.extend(row.ups)
