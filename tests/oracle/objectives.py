"""How much of the time each pair with an objective held, or how many of its ticks were met: sums, instant by instant.

By what is shown from one instant to the next; what is unknown, in maintenance or in closed time is left out. It must
not know how a verdict came about.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from tests.oracle.causes import Pair
from tests.oracle.laws import Demands
from tests.oracle.verdicts import Judge

from freshd.model.policy import Policy, Verdict
from freshd.model.time import NEVER, Duration, Instant


@dataclass(slots=True)
class Sums:
    """What one pair has come to."""

    active: Duration = 0
    stale: Duration = 0
    ticks: int = 0
    met: int = 0
    since: Instant = NEVER
    """When it was last shown another way: up to then the times are counted."""
    counts: bool = False
    is_stale: bool = False
    """How it has been since then."""
    looked: Instant = NEVER
    """Up to when ticks are counted."""

    def told(self, demands: Demands, t: Instant) -> tuple[Duration, Duration, int, int]:
        """Active and stale time up to an instant, ticks, ticks met."""
        passed = demands.passed(self.since, t) if self.counts and t > self.since else 0
        return self.active + passed, self.stale + (passed if self.is_stale else 0), self.ticks, self.met

    def turn(self, demands: Demands, t: Instant, counts: bool, is_stale: bool) -> None:
        """It is shown another way from this instant on."""
        self.active, self.stale, _, _ = self.told(demands, t)
        self.since, self.counts, self.is_stale = t, counts, is_stale


@dataclass(slots=True)
class Objectives:
    """The sums of all pairs whose policy has an objective."""

    sums: dict[Pair, Sums] = field(default_factory=dict)

    def look(self, pair: Pair, judge: Judge, verdict: Verdict, held: bool) -> None:
        """The pair is shown so from this instant on; `held`: it is in maintenance."""
        if not judge.demands.promises:
            return
        sums = self.sums.setdefault(pair, Sums())
        unseen = held or verdict is Verdict.UNKNOWN
        shown = (not unseen, not unseen and verdict is Verdict.STALE)
        if _by_ticks(judge.policy, judge.demands):
            _count_ticks(sums, judge, unseen)
        elif shown != (sums.counts, sums.is_stale):
            sums.turn(judge.demands, judge.t, *shown)

    def settle(self, pair: Pair, demands: Demands, t: Instant) -> None:
        """Its policy is another from this instant on: what has passed counts by the one before."""
        sums = self.sums[pair]
        sums.turn(demands, t, sums.counts, sums.is_stale)

    def keep(self, pairs: set[Pair]) -> None:
        """There are no others."""
        self.sums = {pair: sums for pair, sums in self.sums.items() if pair in pairs}


def _by_ticks(policy: Policy, demands: Demands) -> bool:
    return bool(demands.deadlines) and not (policy.limits or demands.checks or demands.learned)


def _count_ticks(sums: Sums, judge: Judge, unseen: bool) -> None:
    """Every tick whose grace has ended since the last look, by what had ended by then."""
    before = judge.t - 1 if sums.looked == NEVER else sums.looked
    for deadline in judge.demands.deadlines:
        tick = deadline.ticks.after(before - deadline.grace)
        while tick + deadline.grace <= judge.t:
            met = judge.met_at(deadline, tick)
            if met is not None and not unseen:
                sums.ticks += 1
                sums.met += met
            tick = deadline.ticks.after(tick)
    sums.looked = max(before, judge.t)
