"""Deadlines: at each tick the asset must have reached what the tick asks for.

The tick judged last decides between stale and fresh, those ahead whether it warns. A tick that is missed
makes all later ones missed as well if nothing arrives, so the first missed one is all that matters.
Of an asset partitioned by time a tick names one partition: an update of that one meets it, of no other.
"""

from __future__ import annotations

from freshd.core.freshness import Memo, data_time, updated_by
from freshd.core.judgement import Judgement
from freshd.core.limits import missing_too_long_at, without_value
from freshd.core.rows import Row
from freshd.model.partitions import Windows, windows_of
from freshd.model.policy import Deadline, Measure, Policy, Verdict
from freshd.model.time import FOREVER, NEVER, Instant

TICKS_LOOKED_AHEAD = 400
"""How many coming ticks are tried when looking for the one that will be missed."""


def judge_deadline(policy: Policy, deadline: Deadline, row: Row, now: Instant, memo: Memo) -> Judgement:
    """Whether the last tick was met, and whether a coming one is in danger."""
    if not has_value(row, now, memo):
        return without_value(policy, Measure.DEADLINE, row, now)
    judged = deadline.ticks.until(now - deadline.grace)
    coming = _tick_after(deadline, row, judged if judged != NEVER else now - deadline.grace)
    until = FOREVER if coming == FOREVER else coming + deadline.grace
    if judged != NEVER and judged >= row.known_since and not is_met(deadline, row, judged, now, memo):
        return Judgement(Verdict.STALE, Measure.DEADLINE, until)
    while coming != FOREVER:
        warned_at = coming - deadline.warn_before if deadline.warn_before else coming + deadline.grace
        if warned_at > until:
            break
        if not is_met(deadline, row, coming, now, memo):
            if now >= warned_at:
                return Judgement(Verdict.WARN, Measure.DEADLINE, until)
            return Judgement(Verdict.FRESH, Measure.DEADLINE, min(until, warned_at))
        coming = deadline.ticks.after(coming)
    return Judgement(Verdict.FRESH, Measure.DEADLINE, until)


def is_met(deadline: Deadline, row: Row, tick: Instant, at: Instant, memo: Memo) -> bool:
    """Whether the row has at `at` what the tick asks for; a tick before the first partition asks for nothing."""
    windows = _windows(row)
    if windows is None:
        return data_time(row, at, memo) >= tick - deadline.max_lag
    name = windows.ended_by(tick - deadline.offset)
    part = row.rare.parts.get(name) if row.rare.parts is not None else None
    return not name or (part is not None and updated_by(part, at))


def has_value(row: Row, at: Instant, memo: Memo) -> bool:
    """Whether there is anything that could meet a tick."""
    if _windows(row) is None:
        return data_time(row, at, memo) != NEVER
    return any(updated_by(part, at) for part in row.ups)


def _windows(row: Row) -> Windows | None:
    """The windows of the partitions that the row gathers, if it does and they are windows."""
    scheme = row.asset.partitions
    return windows_of(scheme) if scheme is not None and scheme.by and row.rare.parts is not None else None


def _tick_after(deadline: Deadline, row: Row, instant: Instant) -> Instant:
    """The first tick later than that at which the daemon knows the asset."""
    tick = deadline.ticks.after(instant)
    if tick < row.known_since:
        tick = deadline.ticks.after(row.known_since - 1)
    return tick


def deadline_turns(policy: Policy, deadline: Deadline, row: Row, now: Instant, memo: Memo) -> tuple[Instant, Instant]:
    """When the tick that is missed now, else the next one that will be if nothing arrives, warns and is stale."""
    if not has_value(row, now, memo):
        return FOREVER, missing_too_long_at(policy, row)
    tick = _missed_tick(deadline, row, now, memo)
    if tick == FOREVER:
        return FOREVER, FOREVER
    return tick - deadline.warn_before if deadline.warn_before else FOREVER, tick + deadline.grace


def _missed_tick(deadline: Deadline, row: Row, now: Instant, memo: Memo) -> Instant:
    tick = deadline.ticks.until(now - deadline.grace)
    if tick != NEVER and tick >= row.known_since and not is_met(deadline, row, tick, now, memo):
        return tick
    tick = _tick_after(deadline, row, max(tick, now - deadline.grace))
    for _ in range(TICKS_LOOKED_AHEAD):
        if tick == FOREVER or not is_met(deadline, row, tick, now, memo):
            return tick
        tick = deadline.ticks.after(tick)
    return FOREVER
