"""How much of the time a policy that has an objective held: running totals for each of its pairs.

Time counts from one change of what is shown to the next, so an idle pair costs nothing. A policy that
expects deadlines only counts ticks, each at its own instant, by what had come by then. What is unknown, in
maintenance or in closed time is left out. Totals are facts: a late event rewrites none of them.
"""

from __future__ import annotations

from freshd.core.deadlines import has_value, is_met
from freshd.core.freshness import Memo
from freshd.core.recall import Total
from freshd.core.rows import Pair
from freshd.model.objective import NOTHING, STALE, Totals
from freshd.model.policy import Policy, Verdict
from freshd.model.records import ObjectiveCounted
from freshd.model.time import FOREVER, NEVER, Duration, Instant

ACTIVE = "active"

TICKS_COUNTED = 1_000
"""Ticks that are counted at one look: more have only passed if the daemon was away."""


def by_ticks(policy: Policy) -> bool:
    """Whether the policy's objective counts ticks, not time."""
    return bool(policy.deadlines) and not (policy.limits or policy.checks or policy.learned)


def total_of(pair: Pair) -> Total | None:
    """The pair's totals, if its policy has an objective."""
    recall = pair.row.rare.recall
    return recall.totals.get(pair.policy.name) if recall is not None else None


def count(pair: Pair, held: bool, now: Instant, memo: Memo) -> ObjectiveCounted | None:
    """What there is to count now that the pair was judged; `held`: it is in maintenance. None: nothing new."""
    total = total_of(pair)
    if total is None:
        return None
    unknown = held or pair.verdict is Verdict.UNKNOWN
    if by_ticks(pair.policy):
        return _count_ticks(pair, total, unknown, now, memo)
    mode = "" if unknown else STALE if pair.verdict is Verdict.STALE else ACTIVE
    if mode == total.mode:
        return None
    found = totals_at(pair, now) or NOTHING
    return _counted(pair, now, mode, found.active, found.stale, total.ticks, total.met)


def next_count(pair: Pair, now: Instant) -> Instant:
    """When there is a tick to count, also while nothing can be said of the pair: that tick is left out then."""
    if total_of(pair) is None or not by_ticks(pair.policy):
        return FOREVER
    return min(one.ticks.after(now - one.grace) + one.grace for one in pair.policy.deadlines)


def totals_at(pair: Pair, at: Instant) -> Totals | None:
    """The pair's totals at `at`, which is not before they were counted last; None without an objective."""
    total = total_of(pair)
    if total is None:
        return None
    kept = Totals(total.counted, total.mode, total.active, total.stale, total.ticks, total.met)
    return kept.until(at, pair.policy.calendar)


def _count_ticks(pair: Pair, total: Total, unknown: bool, now: Instant, memo: Memo) -> ObjectiveCounted | None:
    since = total.ticked if total.ticked != NEVER else now - 1
    passed = ticks = met = 0
    row = pair.row
    for deadline in pair.policy.deadlines:
        tick = deadline.ticks.after(since - deadline.grace)
        while tick + deadline.grace <= now and passed < TICKS_COUNTED:
            passed += 1
            at = tick + deadline.grace
            if not unknown and tick >= row.known_since and has_value(row, at, memo):
                ticks += 1
                met += is_met(deadline, row, tick, at, memo)
            tick = deadline.ticks.after(tick)
    if not passed and total.ticked != NEVER:
        return None
    return _counted(pair, now, "", total.active, total.stale, total.ticks + ticks, total.met + met)


def _counted(
    pair: Pair, now: Instant, mode: str, active: Duration, stale: Duration, ticks: int, met: int
) -> ObjectiveCounted:
    row = pair.row
    return ObjectiveCounted(now, pair.policy.name, row.asset.key, row.partition, mode, active, stale, ticks, met)


def note(pair: Pair, record: ObjectiveCounted) -> None:
    """The totals are these now."""
    total = total_of(pair)
    if total is None:
        return
    total.counted = total.ticked = record.now
    total.mode, total.active, total.stale = record.mode, record.active, record.stale
    total.ticks, total.met = record.ticks, record.met


def settle(pair: Pair, now: Instant) -> None:
    """Count up to now by the policy as it was: the next one may have another calendar, or another way to count."""
    total = total_of(pair)
    if total is not None and total.mode:
        found = totals_at(pair, now) or NOTHING
        total.active, total.stale, total.counted = found.active, found.stale, found.at
