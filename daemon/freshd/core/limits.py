"""Limits of age, lag and behind: from which instant a value warns and is stale, and what holds without a value.

Under a calendar only open time brings a limit nearer; `never_updated` runs in wall time.
"""

from __future__ import annotations

from freshd.core.freshness import Memo, data_time, pending_since, updated_at
from freshd.core.judgement import Judgement, by_limits
from freshd.core.rows import Row
from freshd.model.policy import Calendar, Limit, Measure, Policy, Verdict
from freshd.model.time import FOREVER, NEVER, Duration, Instant


def judge_limit(policy: Policy, limit: Limit, row: Row, now: Instant, memo: Memo) -> Judgement:
    """Whether the value has reached the limit."""
    since = reference(limit.measure, row, now, memo)
    if since == NEVER:
        return without_value(policy, limit.measure, row, now)
    warn_at, stale_at = limit_instants(limit, since, policy.calendar)
    return by_limits(limit.measure, warn_at, stale_at, now)


def reference(measure: Measure, row: Row, now: Instant, memo: Memo) -> Instant:
    """What a measure counts from; NEVER: no value; FOREVER: nothing pending."""
    if measure is Measure.AGE:
        return updated_at(row)
    if measure is Measure.BEHIND:
        return pending_since(row) if updated_at(row) != NEVER else NEVER
    return data_time(row, now, memo)


def limit_instants(limit: Limit, since: Instant, calendar: Calendar | None = None) -> tuple[Instant, Instant]:
    """When a value that counts from `since` reaches warn and stale; FOREVER where there is no such limit."""
    if since == FOREVER:
        return FOREVER, FOREVER
    return reached(calendar, since, limit.warn), reached(calendar, since, limit.stale)


def reached(calendar: Calendar | None, since: Instant, duration: Duration | None) -> Instant:
    """The first instant at which so much (open) time has passed since; FOREVER for no duration."""
    if duration is None:
        return FOREVER
    return since + duration if calendar is None else calendar.reach(since, duration)


def without_value(policy: Policy, measure: Measure, row: Row, now: Instant) -> Judgement:
    """Unknown; stale once the daemon has known the asset too long for that."""
    stale_at = missing_too_long_at(policy, row)
    if now >= stale_at:
        return Judgement(Verdict.STALE, measure, FOREVER, unknown=measure)
    return Judgement(Verdict.UNKNOWN, measure, stale_at, unknown=measure)


def missing_too_long_at(policy: Policy, row: Row) -> Instant:
    """From when a missing value is stale, or FOREVER."""
    if policy.never_updated is None or row.known_since == FOREVER:
        return FOREVER
    return row.known_since + policy.never_updated
