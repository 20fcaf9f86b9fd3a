"""By when a run must begin so that what is expected on an asset or below it still holds: stale instants less durations.

Literal: every expectation below, every path to it. Durations are told by whoever plays the world; where fewer
than three runs of an asset have succeeded, one is taken to take ten minutes.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import ceil

from tests.oracle.facts import Facts
from tests.oracle.freshness import Freshness
from tests.oracle.laws import Demands, DueBy, Laws
from tests.oracle.learned import learned

from freshd.model.asset import AssetKey
from freshd.model.policy import Measure, Policy
from freshd.model.time import FOREVER, MINUTE, NEVER, Duration, Instant

TICKS_AHEAD = 1_000


class Slack:
    """What is known at one instant."""

    def __init__(self, laws: Laws, facts: Facts, fresh: Freshness, known: Mapping[AssetKey, Instant], t: Instant):
        self._laws = laws
        self._facts = facts
        self._fresh = fresh
        self._known = known
        self._t = t

    def needed_by(self, key: AssetKey, factor: float = 1.0) -> Instant:
        """The minimum over the expectations on it and below of (stale instant - factor x durations on the path)."""
        below = min((self.needed_by(kid, factor) for kid in self._kids(key)), default=FOREVER)
        soonest = min(self.stale_at(key), below)
        return soonest if soonest == FOREVER else soonest - round(factor * self.duration(key))

    def _kids(self, key: AssetKey) -> list[AssetKey]:
        return [kid for kid in self._laws.graph.assets if key in self._fresh.up(kid)]

    def duration(self, key: AssetKey) -> Duration:
        """The p95 of its last 20 successes."""
        asset = self._laws.graph.assets[key]
        if not asset.launcher or asset.virtual:
            return 0
        took = [
            max(0, run.end - (run.began if run.began is not None else run.requested))
            for run in sorted(self._facts.own_runs(key), key=lambda run: run.requested)
            if run.end is not None and run.succeeded
        ][-20:]
        return sorted(took)[ceil(len(took) * 95 / 100) - 1] if len(took) >= 3 else 10 * MINUTE

    def stale_at(self, key: AssetKey) -> Instant:
        """When the first of its expectations turns stale (or did) if nothing happens."""
        found = [FOREVER]
        for name, keys in self._laws.selected.items():
            if key in keys:
                found += self._of(self._laws.policies[name], self._laws.demands.get(name, Demands()), key)
        return min(found)

    def _of(self, policy: Policy, demands: Demands, key: AssetKey) -> list[Instant]:
        missing = FOREVER if policy.never_updated is None else self._known[key] + policy.never_updated
        updated = self._fresh.updated_at(key, self._t)
        reached = self._fresh.data_time(key, self._t)
        found = []
        for limit in policy.limits:
            if updated is None or (limit.measure is Measure.LAG and reached is None):
                found.append(missing)
                continue
            since = {Measure.AGE: updated, Measure.LAG: reached}.get(
                limit.measure, self._fresh.pending_since(key, self._t)
            )
            if since is not None and limit.stale is not None:
                found.append(demands.reached(since, limit.stale))
        for deadline in demands.deadlines:
            found.append(missing if updated is None or reached is None else self._missed(deadline, key, reached))
        if demands.learned and updated is None:
            found.append(missing)
        elif demands.learned and updated is not None:
            ends = [u.end for u in self._fresh.updates(key) if u.end <= self._t]
            limits = learned(ends, demands.learned, demands.zone, demands.passed)
            found += [] if limits is None else [demands.reached(updated, limits[1])]
        return found

    def _missed(self, deadline: DueBy, key: AssetKey, reached: Instant) -> Instant:
        """The tick missed now, else the first one that will be, with its grace."""
        judged = deadline.ticks.until(self._t - deadline.grace)
        if judged != NEVER and judged >= self._known[key] and reached < judged - deadline.max_lag:
            return judged + deadline.grace
        tick = deadline.ticks.after(self._t - deadline.grace)
        for _ in range(TICKS_AHEAD):
            if tick == FOREVER:
                return FOREVER
            if tick >= self._known[key] and reached < tick - deadline.max_lag:
                return tick + deadline.grace
            tick = deadline.ticks.after(tick)
        return FOREVER
