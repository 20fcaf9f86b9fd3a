"""Verdicts: each expectation's level at an instant, a policy's worst, and what `sustain` lets through.

Reads a `Freshness` and the policies; must not know of runs. Every level comes with the instants after now
at which it may change by itself.
"""

from __future__ import annotations

from dataclasses import dataclass

from tests.oracle.freshness import Freshness

from freshd.model.asset import AssetKey
from freshd.model.policy import Deadline, Limit, Measure, Policy, Verdict
from freshd.model.time import NEVER, Instant

WORSE = {Verdict.FRESH: 0, Verdict.UNKNOWN: 1, Verdict.WARN: 2, Verdict.STALE: 3}
MEASURES = (Measure.LAG, Measure.DEADLINE, Measure.BEHIND, Measure.AGE)


@dataclass(frozen=True, slots=True)
class Level:
    """One expectation's verdict, and when it may become another without news."""

    measure: Measure
    verdict: Verdict
    changes: tuple[Instant, ...] = ()
    valued: bool = True
    """Whether the measure has a value; without one it is unknown at best."""


def limit_level(limit: Limit, policy: Policy, fresh: Freshness, key: AssetKey, known: Instant, t: Instant) -> Level:
    """The level of `{warn, stale}` on age, lag or behind."""
    updated = fresh.updated_at(key, t)
    reference = {
        Measure.AGE: updated,
        Measure.LAG: fresh.data_time(key, t),
        Measure.BEHIND: fresh.pending_since(key, t),
    }[limit.measure]
    if updated is None or (limit.measure is Measure.LAG and reference is None):
        return _no_value(limit.measure, policy, known, t)
    if reference is None:
        return Level(limit.measure, Verdict.FRESH)
    changes = tuple(reference + d for d in (limit.warn, limit.stale) if d is not None)
    if limit.stale is not None and t >= reference + limit.stale:
        return Level(limit.measure, Verdict.STALE)
    if limit.warn is not None and t >= reference + limit.warn:
        return Level(limit.measure, Verdict.WARN, changes)
    return Level(limit.measure, Verdict.FRESH, changes)


def _no_value(measure: Measure, policy: Policy, known: Instant, t: Instant) -> Level:
    if policy.never_updated is None:
        return Level(measure, Verdict.UNKNOWN, valued=False)
    turns = known + policy.never_updated
    return Level(measure, Verdict.STALE if t >= turns else Verdict.UNKNOWN, (turns,), valued=False)


def deadline_level(
    deadline: Deadline, policy: Policy, fresh: Freshness, key: AssetKey, known: Instant, t: Instant
) -> Level:
    """The level of a deadline: the tick judged last, and those ahead that already warn."""
    data_time = fresh.data_time(key, t)
    ahead = deadline.ticks.after(t)
    changes = [ahead - deadline.warn_before, ahead, ahead + deadline.grace]
    if fresh.updated_at(key, t) is None or data_time is None:
        level = _no_value(Measure.DEADLINE, policy, known, t)
        return Level(Measure.DEADLINE, level.verdict, level.changes + tuple(changes), valued=False)
    verdict = Verdict.FRESH
    judged = deadline.ticks.until(t - deadline.grace)
    tick = deadline.ticks.after(t - deadline.grace)
    while tick - deadline.warn_before <= t:
        changes.append(tick + deadline.grace)
        if tick >= known and deadline.warn_before and data_time < tick - deadline.max_lag:
            verdict = Verdict.WARN
        tick = deadline.ticks.after(tick)
    changes += [tick - deadline.warn_before, tick + deadline.grace]
    if judged != NEVER and judged >= known and data_time < judged - deadline.max_lag:
        verdict = Verdict.STALE
    return Level(Measure.DEADLINE, verdict, tuple(changes))


def levels(policy: Policy, fresh: Freshness, key: AssetKey, known: Instant, t: Instant) -> list[Level]:
    """The levels of all expectations of a policy for an asset."""
    found = [limit_level(limit, policy, fresh, key, known, t) for limit in policy.limits]
    return found + [deadline_level(deadline, policy, fresh, key, known, t) for deadline in policy.deadlines]


@dataclass(slots=True)
class Shown:
    """A pair's verdict as shown, with its measure; remembers since when each level has been violated."""

    verdict: Verdict = Verdict.UNKNOWN
    measure: Measure | None = None
    warn_since: Instant | None = None
    stale_since: Instant | None = None

    def judge(self, policy: Policy, found: list[Level], t: Instant, held: bool = False) -> tuple[Instant, ...]:
        """Show what holds at t (while `held`, nothing worse than before); when it may change without news."""
        before = self.verdict
        if not found:
            self.verdict, self.measure = Verdict.UNKNOWN, None
            return ()
        worst = max((level.verdict for level in found), key=WORSE.__getitem__)
        self.warn_since = _kept(self.warn_since, WORSE[worst] >= WORSE[Verdict.WARN], t)
        self.stale_since = _kept(self.stale_since, worst is Verdict.STALE, t)
        due = [since + policy.sustain for since in (self.warn_since, self.stale_since) if since is not None]
        if self.stale_since is not None and t >= self.stale_since + policy.sustain:
            self.verdict = Verdict.STALE
        elif self.warn_since is not None and t >= self.warn_since + policy.sustain:
            self.verdict = Verdict.WARN
        else:
            self.verdict = Verdict.FRESH if all(level.valued for level in found) else Verdict.UNKNOWN
        if held and WORSE[self.verdict] > WORSE[before]:
            self.verdict = before
        bearing = [x for x in found if WORSE[x.verdict] >= WORSE[self.verdict]]
        exact = [x for x in bearing if x.verdict is self.verdict] or bearing or found
        self.measure = min((x.measure for x in exact), key=MEASURES.index)
        return tuple(change for level in found for change in level.changes) + tuple(due)


def _kept(since: Instant | None, violated: bool, t: Instant) -> Instant | None:
    if not violated:
        return None
    return t if since is None else since
