"""Root causes, as the numbered steps of semantics.md say: from a bad pair to one asset, and feeds.

Looks at facts, freshness and decisions at one instant; must not know of incidents.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tests.oracle.decisions import Decisions
from tests.oracle.nodes import base

from freshd.model.asset import AssetKey
from freshd.model.policy import Measure
from freshd.model.time import NEVER, Instant

Pair = tuple[AssetKey, str]
"""(asset, policy)."""


@dataclass(frozen=True, slots=True)
class Cause:
    """Asset key or `feed:NAME`, and why."""

    key: str
    reason: str


class Causes:
    """The causes at one instant."""

    default = Measure.LAG

    def __init__(self, decisions: Decisions) -> None:
        self._decisions = decisions
        self._facts = decisions.facts
        self._fresh = decisions.fresh
        self._graph = decisions.charter.graph
        self._now: Instant = decisions.now

    def of(self, key: AssetKey, measure: Measure) -> Cause:
        """The root cause of a pair that is not fresh by a measure."""
        if measure is Measure.CHECKS:
            return Cause(key, "check_failed" if self._decisions.checks.violated(key) else "no_result")
        node = self._graph.assets[key]
        if getattr(node, "source", not node.upstreams):
            return self.of_source(key)
        limiting = self._limiting(key, measure)
        if limiting:
            return self.of(min(limiting), measure)
        return self._of_derived(key)

    def of_failure(self, key: AssetKey) -> Cause:
        """The cause of a pair that is bad only because its asset failed."""
        return Cause(key, "run_failed" if self._decisions.stopped(key) else "check_failed")

    def of_source(self, key: AssetKey) -> Cause:
        """Why a source is the cause."""
        if self._facts.latest_outcome_failed(*[node for node in self._graph.assets if base(node) == base(key)]):
            return Cause(key, "sync_failed")
        never = self._fresh.updated_at(key, self._now) is None
        return Cause(key, "never_updated" if never else "no_update")

    def _limiting(self, key: AssetKey, measure: Measure) -> list[AssetKey]:
        up = self._fresh.up(key)
        if getattr(self._graph.assets[key], "gathers", ""):
            up = [p for p in up if self._fresh.looked_after(p)]  # type: ignore[attr-defined]
        if measure is Measure.BEHIND:
            pending = self._fresh.pending_since(key, self._now)
            return [p for p in up if self._fresh.pending_since(p, self._now) == pending]
        if measure in (Measure.AGE, Measure.LEARNED) and self._decisions.due(key):
            return []
        reached = self._data_time(key)
        return [p for p in up if self._data_time(p) == reached]

    def _data_time(self, key: AssetKey) -> Instant:
        value = self._fresh.data_time(key, self._now)
        return NEVER if value is None else value

    def _of_derived(self, key: AssetKey) -> Cause:
        decisions = self._decisions
        if decisions.due(key) and self._facts.latest_outcome_failed(key):
            return Cause(key, "run_failed")
        if decisions.in_flight(key):
            return Cause(key, "running")
        if decisions.blocked(key):
            return self._stuck_above(key)
        return Cause(key, "not_materialised" if decisions.due(key) else "old_data")

    def _stuck_above(self, key: AssetKey) -> Cause:
        decisions = self._decisions
        p = min(p for p in self._fresh.up(key) if decisions.stuck(p))
        if decisions.stopped(p) and decisions.due(p):
            return Cause(p, "run_failed")
        if decisions.checks.blocks(p):
            return Cause(p, "check_failed")
        return self._stuck_above(p)

    def collapse(self, causes: Mapping[Pair, Cause]) -> dict[Pair, Cause]:
        """Two or more sources of one feed that are causes at the same instant count as one, `feed:NAME`."""
        of_feed: dict[str, dict[AssetKey, list[Pair]]] = {}
        for pair, cause in causes.items():
            asset = self._graph.assets.get(cause.key)
            if asset is not None and asset.feed and getattr(asset, "source", not asset.upstreams):
                of_feed.setdefault(asset.feed, {}).setdefault(cause.key, []).append(pair)
        collapsed = dict(causes)
        for feed, sources in of_feed.items():
            if len(sources) > 1:
                first = min(sources[min(sources)], key=lambda pair: (pair[1], pair[0]))
                for pairs in sources.values():
                    collapsed.update({pair: Cause(f"feed:{feed}", causes[first].reason) for pair in pairs})
        return collapsed
