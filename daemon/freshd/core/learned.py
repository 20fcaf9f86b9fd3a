"""Limits learned from a row's own rhythm: how long its updates usually let wait for the next.

Gaps count by the weekday and hour at which they began; where those are few, by the hour alone, then all.
Percentiles are by nearest rank, so that they are gaps that were. Learned anew only when an update comes.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from freshd.core.freshness import updated_at
from freshd.core.judgement import Judgement, by_limits
from freshd.core.limits import missing_too_long_at, reached, without_value
from freshd.core.lineage import through_virtual
from freshd.core.recall import GAPS_KEPT, GAPS_SPAN
from freshd.core.rows import Row
from freshd.model.policy import Calendar, Learned, Measure, Policy, Verdict
from freshd.model.time import FOREVER, NEVER, Duration, Instant

FEWEST_GAPS = 10
"""With fewer gaps nothing is known."""

FEWEST_IN_BUCKET = 5
"""A bucket with fewer gaps takes the wider one."""

NO_LIMITS = (FOREVER, FOREVER)


def judge_learned(policy: Policy, learned: Learned, row: Row, now: Instant) -> Judgement:
    """Whether the wait since the last update is longer than usual."""
    if updated_at(row) == NEVER:
        return without_value(policy, Measure.LEARNED, row, now)
    found = learned_instants(policy, learned, row)
    if found is None:
        return Judgement(Verdict.UNKNOWN, Measure.LEARNED, FOREVER, unknown=Measure.LEARNED)
    return by_limits(Measure.LEARNED, *found, now)


def learned_turns(policy: Policy, learned: Learned, row: Row) -> tuple[Instant, Instant]:
    """When the wait will be (or was) too long; FOREVER where it never will."""
    if updated_at(row) == NEVER:
        return FOREVER, missing_too_long_at(policy, row)
    return learned_instants(policy, learned, row) or NO_LIMITS


def learned_instants(policy: Policy, learned: Learned, row: Row) -> tuple[Instant, Instant] | None:
    """When the present wait reaches warn and stale; None: there are too few gaps to learn from."""
    if row.rare.recall is not None and not row.virtual:
        known = row.rare.recall.limits.get((policy.name, learned))
        if known is not None:
            return None if known is NO_LIMITS else known
    found = _learn(learned, policy.calendar, _ends_of(row))
    if row.rare.recall is not None and not row.virtual:
        row.rare.recall.limits[(policy.name, learned)] = found or NO_LIMITS
    return found


def _ends_of(row: Row) -> Sequence[Instant]:
    """The distinct ends of updates; of a virtual row those of what it shows."""
    if not row.virtual:
        return row.rare.recall.ends if row.rare.recall is not None else ()
    shown = [up.rare.recall.ends for up in through_virtual(row) if up.rare.recall is not None]
    ends = sorted({end for some in shown for end in some})
    return [end for end in ends if end >= ends[-1] - GAPS_SPAN][-GAPS_KEPT - 1 :]


def _learn(learned: Learned, calendar: Calendar | None, ends: Sequence[Instant]) -> tuple[Instant, Instant] | None:
    if len(ends) - 1 < FEWEST_GAPS:
        return None
    of = learned.weekhours.of
    last = ends[-1]
    bucket = of(last)
    gaps = [
        (of(start), end - start if calendar is None else calendar.elapsed(start, end)) for start, end in pairwise(ends)
    ]
    same = [gap for begun, gap in gaps if begun == bucket]
    if len(same) < FEWEST_IN_BUCKET:
        same = [gap for begun, gap in gaps if begun % 24 == bucket % 24]
    if len(same) < FEWEST_IN_BUCKET:
        same = [gap for _, gap in gaps]
    same.sort()
    warn, stale = (percentile(same, share) * learned.tenths // 10 for share in (95, 99))
    return reached(calendar, last, warn), reached(calendar, last, stale)


def percentile(ascending: Sequence[Duration], share: int) -> Duration:
    """The nearest rank: the ceil(share * n / 100)-th smallest."""
    return ascending[-(-share * len(ascending) // 100) - 1]
