"""One policy's verdict for one row at one instant, and until when it cannot get worse by itself.

A policy's verdict is the worst of its expectations', each a module of its own: limits, deadlines, learned,
checks. This module changes nothing: the engine records what comes of it.
"""

from __future__ import annotations

from collections.abc import Iterator

from freshd.core.checks import judge_checks
from freshd.core.deadlines import deadline_turns, judge_deadline
from freshd.core.freshness import Memo
from freshd.core.judgement import Judgement, both
from freshd.core.learned import judge_learned, learned_turns
from freshd.core.limits import judge_limit, limit_instants, missing_too_long_at, reference
from freshd.core.rows import Row
from freshd.model.policy import Policy, Verdict
from freshd.model.time import FOREVER, NEVER, Instant


def judge(policy: Policy, row: Row, now: Instant, memo: Memo) -> Judgement:
    """The worst of the policy's expectations; of equals the first by measure."""
    worst: Judgement | None = None
    for limit in policy.limits:
        worst = both(worst, judge_limit(policy, limit, row, now, memo))
    for deadline in policy.deadlines:
        worst = both(worst, judge_deadline(policy, deadline, row, now, memo))
    if policy.learned is not None:
        worst = both(worst, judge_learned(policy, policy.learned, row, now))
    if policy.checks:
        worst = both(worst, judge_checks(policy, row))
    return worst if worst is not None else Judgement(Verdict.FRESH, None, FOREVER)


def turns_stale_at(policy: Policy, row: Row, now: Instant, memo: Memo) -> Instant:
    """When the first of the policy's expectations turns stale (or did) if nothing happens; FOREVER: none ever does."""
    return min((stale_at for _, stale_at in _turns(policy, row, now, memo)), default=FOREVER)


def turning_points(policy: Policy, row: Row, now: Instant, memo: Memo) -> tuple[Instant | None, Instant | None]:
    """When the pair will be (or was) warn and stale if nothing happens; None where it never will."""
    turns = list(_turns(policy, row, now, memo))
    warn = min((warn_at for warn_at, _ in turns), default=FOREVER)
    stale = min((stale_at for _, stale_at in turns), default=FOREVER)
    return (None if warn == FOREVER else warn), (None if stale == FOREVER else stale)


def _turns(policy: Policy, row: Row, now: Instant, memo: Memo) -> Iterator[tuple[Instant, Instant]]:
    """Of each expectation, when it warns and when it is stale if nothing happens; FOREVER where it never is."""
    for limit in policy.limits:
        since = reference(limit.measure, row, now, memo)
        if since == NEVER:
            yield FOREVER, missing_too_long_at(policy, row)
        else:
            yield limit_instants(limit, since, policy.calendar)
    for deadline in policy.deadlines:
        yield deadline_turns(policy, deadline, row, now, memo)
    if policy.learned is not None:
        yield learned_turns(policy, policy.learned, row)
