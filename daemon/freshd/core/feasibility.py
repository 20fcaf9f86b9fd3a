"""Which expectations cannot hold, since the runs on the way take longer than they allow. Said when policies are loaded.

It counts only runs of which enough have succeeded to tell; of several paths the one that takes longest. It decides
nothing: people are told both figures, and the asset is flagged.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from freshd.model.assessment import Infeasible
from freshd.model.asset import AssetKey
from freshd.model.errors import Problem
from freshd.model.policy import Charter, Measure, Policy
from freshd.model.time import Duration


def infeasible(charter: Charter, takes: Mapping[AssetKey, Duration]) -> list[Infeasible]:
    """The expectations that cannot hold, by policy, then asset; `takes`: what runs usually take, where known."""
    if not takes:
        return []
    graph = charter.graph
    longest: dict[AssetKey, Duration] = {}
    for key in graph.assets:  # upstreams first
        above = max((longest[up] for up in graph.counted_upstreams(key)), default=0)
        longest[key] = above + takes.get(key, 0)
    return [
        Infeasible(name, key, measure, target, needed)
        for name, policy in charter.policies.items()
        for measure, target in _targets(policy)
        for key in charter.selected.get(name, ())
        if (needed := takes.get(key, 0) if measure is Measure.AGE else longest[key]) > target
    ]


def notes(charter: Charter, found: Sequence[Infeasible]) -> list[Problem]:
    """One warning for each policy and measure: the asset that is worst off, and how many more there are."""
    groups: dict[tuple[str, Measure], list[Infeasible]] = {}
    for one in found:
        groups.setdefault((one.policy, one.measure), []).append(one)
    said: list[Problem] = []
    for (name, _), group in groups.items():
        worst = max(group, key=lambda one: one.takes)
        more = f"; so it is with {len(group) - 1} more of its assets" if len(group) > 1 else ""
        said.append(Problem(charter.policies[name].origin, f"policy {name!r}: {worst}{more}; allow more time"))
    return said


def _targets(policy: Policy) -> Iterator[tuple[Measure, Duration]]:
    for limit in policy.limits:
        if limit.stale is not None:
            yield limit.measure, limit.stale
    for deadline in policy.deadlines:
        yield Measure.DEADLINE, deadline.max_lag + deadline.offset + deadline.grace
