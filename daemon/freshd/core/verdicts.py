"""One policy's verdict for one row at one instant, and until when it cannot get worse by itself.

Small rules, one per expectation; a policy's verdict is the worst of them. The instant of change is a
lower bound: data that moves on makes it later, never earlier, so a fresh row needs no new timer. This
module changes nothing: the engine records what comes of it.
"""

from __future__ import annotations

from dataclasses import dataclass

from freshd.core.freshness import Memo, data_time, pending_since, updated_at
from freshd.core.rows import Row
from freshd.model.policy import Deadline, Limit, Measure, Policy, Verdict
from freshd.model.time import FOREVER, NEVER, Duration, Instant

RANK = {Verdict.FRESH: 0, Verdict.UNKNOWN: 1, Verdict.WARN: 2, Verdict.STALE: 3}
"""From best to worst."""

MEASURE_ORDER = {measure: place for place, measure in enumerate(Measure)}


@dataclass(frozen=True, slots=True)
class Judgement:
    """A verdict, the measure that has it, and the earliest instant at which it may be another by itself."""

    verdict: Verdict
    measure: Measure | None
    until: Instant
    unknown: Measure | None = None
    """The first measure that has no value, if any."""


def judge(policy: Policy, row: Row, now: Instant, memo: Memo) -> Judgement:
    """The worst of the policy's expectations; of equals the first by lag, deadline, behind, age."""
    worst: Judgement | None = None
    until = FOREVER
    unknown: Measure | None = None
    for limit in policy.limits:
        found = _judge_limit(policy, limit, row, now, memo)
        until = min(until, found.until)
        unknown = _first(unknown, found.unknown)
        worst = _worse(worst, found)
    for deadline in policy.deadlines:
        found = _judge_deadline(policy, deadline, row, now, memo)
        until = min(until, found.until)
        unknown = _first(unknown, found.unknown)
        worst = _worse(worst, found)
    if worst is None:
        return Judgement(Verdict.FRESH, None, FOREVER)
    return Judgement(worst.verdict, worst.measure, until, unknown)


def sustained(
    found: Judgement, warn_since: Instant, stale_since: Instant, sustain: Duration, now: Instant
) -> Judgement:
    """What is shown of a judgement while violations must have lasted: until then fresh (or unknown)."""
    for level, since in ((Verdict.STALE, stale_since), (Verdict.WARN, warn_since)):
        if since != NEVER and now >= since + sustain:
            later = stale_since + sustain if level is Verdict.WARN and stale_since != NEVER else FOREVER
            return Judgement(level, found.measure, min(found.until, later))
    coming = [since + sustain for since in (warn_since, stale_since) if since != NEVER]
    until = min([found.until, *coming])
    if found.unknown is not None:
        return Judgement(Verdict.UNKNOWN, found.unknown, until)
    return Judgement(Verdict.FRESH, found.measure, until)


def _first(one: Measure | None, other: Measure | None) -> Measure | None:
    if one is None or other is None:
        return one or other
    return min(one, other, key=MEASURE_ORDER.__getitem__)


def _worse(one: Judgement | None, other: Judgement) -> Judgement:
    if one is None:
        return other
    mine, yours = RANK[one.verdict], RANK[other.verdict]
    if mine != yours:
        return one if mine > yours else other
    assert one.measure is not None and other.measure is not None
    return one if MEASURE_ORDER[one.measure] <= MEASURE_ORDER[other.measure] else other


def reference(measure: Measure, row: Row, now: Instant, memo: Memo) -> Instant:
    """What a measure counts from; NEVER: no value; FOREVER: nothing pending."""
    if measure is Measure.AGE:
        return updated_at(row)
    if measure is Measure.BEHIND:
        return pending_since(row) if updated_at(row) != NEVER else NEVER
    return data_time(row, now, memo)


def _judge_limit(policy: Policy, limit: Limit, row: Row, now: Instant, memo: Memo) -> Judgement:
    since = reference(limit.measure, row, now, memo)
    if since == NEVER:
        return _without_value(policy, limit.measure, row, now)
    warn_at, stale_at = limit_instants(limit, since)
    if now >= stale_at:
        return Judgement(Verdict.STALE, limit.measure, FOREVER)
    if now >= warn_at:
        return Judgement(Verdict.WARN, limit.measure, stale_at)
    return Judgement(Verdict.FRESH, limit.measure, min(warn_at, stale_at))


def limit_instants(limit: Limit, since: Instant) -> tuple[Instant, Instant]:
    """When a value that counts from `since` reaches warn and stale; FOREVER where there is no such limit."""
    if since == FOREVER:
        return FOREVER, FOREVER
    warn_at = FOREVER if limit.warn is None else since + limit.warn
    stale_at = FOREVER if limit.stale is None else since + limit.stale
    return warn_at, stale_at


def _without_value(policy: Policy, measure: Measure, row: Row, now: Instant) -> Judgement:
    if policy.never_updated is None or row.known_since == FOREVER:
        return Judgement(Verdict.UNKNOWN, measure, FOREVER, unknown=measure)
    stale_at = row.known_since + policy.never_updated
    if now >= stale_at:
        return Judgement(Verdict.STALE, measure, FOREVER, unknown=measure)
    return Judgement(Verdict.UNKNOWN, measure, stale_at, unknown=measure)


def _judge_deadline(policy: Policy, deadline: Deadline, row: Row, now: Instant, memo: Memo) -> Judgement:
    reached = data_time(row, now, memo)
    if reached == NEVER:
        return _without_value(policy, Measure.DEADLINE, row, now)
    judged = deadline.ticks.until(now - deadline.grace)
    coming = deadline.ticks.after(judged if judged != NEVER else now - deadline.grace)
    while coming != FOREVER and coming < row.known_since:
        coming = deadline.ticks.after(coming)
    if judged != NEVER and judged >= row.known_since and reached < judged - deadline.max_lag:
        until = FOREVER if coming == FOREVER else coming + deadline.grace
        return Judgement(Verdict.STALE, Measure.DEADLINE, until)
    if coming == FOREVER:
        return Judgement(Verdict.FRESH, Measure.DEADLINE, FOREVER)
    judged_at = coming + deadline.grace
    if reached >= coming - deadline.max_lag:
        return Judgement(Verdict.FRESH, Measure.DEADLINE, judged_at)
    warned_at = coming - deadline.warn_before if deadline.warn_before else judged_at
    if now >= warned_at:
        return Judgement(Verdict.WARN, Measure.DEADLINE, judged_at)
    return Judgement(Verdict.FRESH, Measure.DEADLINE, warned_at)


def turning_points(policy: Policy, row: Row, now: Instant, memo: Memo) -> tuple[Instant | None, Instant | None]:
    """When the pair will be (or was) warn and stale if nothing happens; None where it never will."""
    warns: list[Instant] = []
    stales: list[Instant] = []
    for limit in policy.limits:
        since = reference(limit.measure, row, now, memo)
        if since == NEVER:
            if policy.never_updated is not None and row.known_since != FOREVER:
                stales.append(row.known_since + policy.never_updated)
            continue
        warn_at, stale_at = limit_instants(limit, since)
        warns.append(warn_at)
        stales.append(stale_at)
    for deadline in policy.deadlines:
        found = _deadline_turn(deadline, row, now, memo)
        if found is not None:
            stales.append(found + deadline.grace)
            if deadline.warn_before:
                warns.append(found - deadline.warn_before)
    warn, stale = min(warns, default=FOREVER), min(stales, default=FOREVER)
    return (None if warn == FOREVER else warn), (None if stale == FOREVER else stale)


def _deadline_turn(deadline: Deadline, row: Row, now: Instant, memo: Memo) -> Instant | None:
    """The tick that is missed now, else the next one that will be if nothing arrives."""
    reached = data_time(row, now, memo)
    if reached == NEVER:
        return None
    tick = deadline.ticks.until(now - deadline.grace)
    if tick != NEVER and tick >= row.known_since and reached < tick - deadline.max_lag:
        return tick
    for _ in range(TICKS_LOOKED_AHEAD):
        tick = deadline.ticks.after(max(tick, now - deadline.grace))
        if tick == FOREVER:
            return None
        if tick >= row.known_since and reached < tick - deadline.max_lag:
            return tick
    return None


TICKS_LOOKED_AHEAD = 400
"""How many coming ticks are tried when looking for the one that will be missed."""
