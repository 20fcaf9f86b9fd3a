"""Verdicts: each expectation's level at an instant, a policy's worst, and what `sustain` lets through.

Reads a `Freshness` and the policies; must not know of runs. Every level comes with the instants after now
at which it may change by itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from tests.oracle.freshness import Freshness
from tests.oracle.laws import CheckRule, Demands, DueBy
from tests.oracle.learned import learned
from tests.oracle.nodes import Sliced, node_key
from tests.oracle.results import Result, holds

from freshd.model.asset import AssetKey
from freshd.model.policy import Limit, Measure, Policy, Verdict
from freshd.model.time import NEVER, Instant

WORSE = {Verdict.FRESH: 0, Verdict.UNKNOWN: 1, Verdict.WARN: 2, Verdict.STALE: 3}
MEASURES = (Measure.LAG, Measure.DEADLINE, Measure.BEHIND, Measure.AGE, Measure.LEARNED, Measure.CHECKS)


@dataclass(frozen=True, slots=True)
class Level:
    """One expectation's verdict, and when it may become another without news."""

    measure: Measure
    verdict: Verdict
    changes: tuple[Instant, ...] = ()
    valued: bool = True
    """Whether the measure has a value; without one it is unknown at best."""


@dataclass(frozen=True, slots=True)
class Judge:
    """Judges one policy's expectations for one asset at one instant."""

    policy: Policy
    demands: Demands
    fresh: Freshness
    key: AssetKey
    known: Instant
    """When the daemon first knew the asset."""
    t: Instant
    told: Mapping[str, list[Result]] = field(default_factory=dict)
    """The results of its checks."""

    def levels(self) -> list[Level]:
        """The levels of all expectations."""
        found = [self._limit(limit) for limit in self.policy.limits]
        found += [self._deadline(deadline) for deadline in self.demands.deadlines]
        found += [self._learned()] if self.demands.learned else []
        return found + [self._check(rule) for rule in self.demands.checks]

    def _check(self, rule: CheckRule) -> Level:
        held = holds(rule, self.told.get(rule.name, []))
        if held is None:
            return Level(Measure.CHECKS, Verdict.UNKNOWN, valued=False)
        return Level(Measure.CHECKS, Verdict.FRESH if held else Verdict.WARN if rule.warns else Verdict.STALE)

    def _learned(self) -> Level:
        last = self.fresh.updated_at(self.key, self.t)
        if last is None:
            return self._no_value(Measure.LEARNED)
        ends = [u.end for u in self.fresh.updates(self.key) if u.end <= self.t]
        found = learned(ends, self.demands.learned, self.demands.zone, self.demands.passed)
        if found is None:
            return Level(Measure.LEARNED, Verdict.UNKNOWN, valued=False)
        warn, stale = (self.demands.reached(last, limit) for limit in found)
        verdict = Verdict.STALE if self.t >= stale else Verdict.WARN if self.t >= warn else Verdict.FRESH
        return Level(Measure.LEARNED, verdict, (warn, stale))

    def _reference(self, measure: Measure) -> Instant | None:
        if measure is Measure.AGE:
            return self.fresh.updated_at(self.key, self.t)
        if measure is Measure.BEHIND:
            return self.fresh.pending_since(self.key, self.t)
        return self.fresh.data_time(self.key, self.t)

    def _has_value(self, measure: Measure) -> bool:
        if self.fresh.updated_at(self.key, self.t) is None:
            return False
        if measure is Measure.DEADLINE and self._windows() is not None:
            return True
        return measure in (Measure.AGE, Measure.BEHIND) or self._reference(measure) is not None

    def _limit(self, limit: Limit) -> Level:
        """The level of `{warn, stale}` on age, lag or behind."""
        if not self._has_value(limit.measure):
            return self._no_value(limit.measure)
        reference = self._reference(limit.measure)
        if reference is None:
            return Level(limit.measure, Verdict.FRESH)
        stale = None if limit.stale is None else self.demands.reached(reference, limit.stale)
        warn = None if limit.warn is None else self.demands.reached(reference, limit.warn)
        changes = tuple(at for at in (warn, stale) if at is not None)
        if stale is not None and self.t >= stale:
            return Level(limit.measure, Verdict.STALE)
        if warn is not None and self.t >= warn:
            return Level(limit.measure, Verdict.WARN, changes)
        return Level(limit.measure, Verdict.FRESH, changes)

    def _no_value(self, measure: Measure) -> Level:
        if self.policy.never_updated is None:
            return Level(measure, Verdict.UNKNOWN, valued=False)
        turns = self.known + self.policy.never_updated
        return Level(measure, Verdict.STALE if self.t >= turns else Verdict.UNKNOWN, (turns,), valued=False)

    def _deadline(self, deadline: DueBy) -> Level:
        """The level of a deadline: the tick judged last, and those ahead that already warn."""
        t = self.t
        ahead = deadline.ticks.after(t)
        changes = [ahead - deadline.warn_before, ahead, ahead + deadline.grace]
        if not self._has_value(Measure.DEADLINE):
            level = self._no_value(Measure.DEADLINE)
            return Level(Measure.DEADLINE, level.verdict, level.changes + tuple(changes), valued=False)
        verdict = Verdict.FRESH
        judged = deadline.ticks.until(t - deadline.grace)
        tick = deadline.ticks.after(t - deadline.grace)
        while tick - deadline.warn_before <= t:
            changes.append(tick + deadline.grace)
            if tick >= self.known and deadline.warn_before and not self._met(deadline, tick):
                verdict = Verdict.WARN
            tick = deadline.ticks.after(tick)
        changes += [tick - deadline.warn_before, tick + deadline.grace]
        if judged != NEVER and judged >= self.known and not self._met(deadline, judged):
            verdict = Verdict.STALE
        return Level(Measure.DEADLINE, verdict, tuple(changes))

    def met_at(self, deadline: DueBy, tick: Instant) -> bool | None:
        """Whether a tick was met once its grace had ended, by what is known now; None: it does not count."""
        then = replace(self, t=tick + deadline.grace)
        if tick < self.known or not then._has_value(Measure.DEADLINE):
            return None
        return then._met(deadline, tick)

    def _windows(self) -> Sliced | None:
        """How its asset is sliced, if it is the whole of windows."""
        cut: Sliced | None = getattr(self.fresh.graph.assets[self.key], "cut", None)
        return cut if cut is not None and cut.by else None

    def _met(self, deadline: DueBy, tick: Instant) -> bool:
        cut = self._windows()
        if cut is not None:  # the newest partition whose window ended by then
            name = cut.window(cut.span(cut.window(tick - deadline.offset))[0] - 1)
            if not cut.exists(name):
                return True
            named = node_key(self.key, name)
            return named in self.fresh.graph.assets and self.fresh.updated_at(named, self.t) is not None
        reached = self.fresh.data_time(self.key, self.t)
        return reached is not None and reached >= tick - deadline.max_lag


@dataclass(slots=True)
class Shown:
    """A pair's verdict as shown, with its measure; remembers since when each level has been violated."""

    verdict: Verdict = Verdict.UNKNOWN
    measure: Measure | None = None
    warn_since: Instant | None = None
    stale_since: Instant | None = None

    def judge(
        self, policy: Policy, found: list[Level], t: Instant, held: bool = False, unseen: bool = False
    ) -> tuple[Instant, ...]:
        """Show what holds at t (while `held`, nothing worse than before); when it may change without news.

        `unseen`: it rests on what cannot be seen, and so is unknown, unless it is stale already.
        """
        before = self.verdict
        if not found:
            self.verdict, self.measure = Verdict.UNKNOWN, None
            return ()
        worst = max((level.verdict for level in found), key=WORSE.__getitem__)
        if unseen and not (worst is Verdict.STALE and before is Verdict.STALE):
            first = min((x.measure for x in found if x.verdict is worst), key=MEASURES.index)
            found, worst = [Level(first, Verdict.UNKNOWN, valued=False)], Verdict.UNKNOWN
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
        missing = [
            x for x in bearing if self.verdict is Verdict.UNKNOWN and not x.valued
        ]  # `never_updated` has yet to last
        exact = missing or [x for x in bearing if x.verdict is self.verdict] or bearing or found
        self.measure = min((x.measure for x in exact), key=MEASURES.index)
        return tuple(change for level in found for change in level.changes) + tuple(due)


def _kept(since: Instant | None, violated: bool, t: Instant) -> Instant | None:
    if not violated:
        return None
    return t if since is None else since
