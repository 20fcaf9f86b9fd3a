"""Gives the rows one pair per policy that is asked of them, keeping the pairs and verdicts of policies that stand.

All rows pass here when policies are edited, while events wait: what is the same for many rows is found out once.
It decides no verdict.
"""

from __future__ import annotations

from freshd.core.expecting import asks, part_of, remember
from freshd.core.rows import Pair, Row
from freshd.core.slo import settle as settle_total
from freshd.core.state import State
from freshd.model.asset import AssetKey
from freshd.model.policy import Charter, Policy

Wanted = tuple[Policy, ...]
"""The policies that are asked of an asset, in the charter's order."""


def pair_up(state: State, charter: Charter, before: Charter) -> bool:
    """Give every row one pair per policy that selects it; `before`: the charter whose pairs they have.

    Returns whether what rows remember for their policies' sake may be other than it was.
    """
    wanted = _wanted(charter)
    alike = _Alike()
    for row in state.rows.values():
        policies = wanted.get(row.asset.key, ())
        if row.asset.partitions is not None:
            policies = _asked_of(row, policies)
        if not policies and not row.pairs:
            continue
        if len(policies) == len(row.pairs) == 1 and alike(row.pairs[0].policy, policies[0]):
            row.pairs[0].policy = policies[0]
            continue
        _pair(state, row, policies)
    if not any(map(asks, (*before.policies.values(), *charter.policies.values()))):
        return False
    for row in remember(state.rows.values()):
        state.mark(row)
    return True


def _wanted(charter: Charter) -> dict[AssetKey, Wanted]:
    wanted: dict[AssetKey, Wanted] = {}
    for name, policy in charter.policies.items():
        if policy.has_expectations or policy.alert is not None:
            alone = (policy,)
            for key in charter.selected.get(name, ()):
                others = wanted.get(key)
                wanted[key] = alone if others is None else others + alone
    return wanted


def _asked_of(row: Row, policies: Wanted) -> Wanted:
    """Of fixed partitions each is asked what is asked `per: partition`, of windows nothing; the rest of the whole."""
    scheme = row.asset.partitions
    if scheme is None:
        return policies
    parts = tuple([part_of(policy, row) for policy in policies])
    if not row.partition:
        return parts
    return () if scheme.by else tuple([part for part in parts if part.has_expectations])


class _Alike:
    """Whether a policy is the same as before: asked of many rows, found out once."""

    def __init__(self) -> None:
        self._found: dict[tuple[int, int], tuple[bool, Policy, Policy]] = {}  # policies held: no id comes twice

    def __call__(self, old: Policy, new: Policy) -> bool:
        known = self._found.get((id(old), id(new)))
        if known is None:
            known = self._found[id(old), id(new)] = (not new.slo and old == new, old, new)
        return known[0]


def _pair(state: State, row: Row, policies: Wanted) -> None:
    """Keep the pairs of policies that stand, make those of new ones."""
    before = row.pairs
    if len(policies) == len(before) == 1 and before[0].policy.name != policies[0].name:
        state.described_anew.add(row)
        row.pairs = (Pair(policies[0], row),)
        return
    standing = {pair.policy.name: pair for pair in before}
    if len(before) != len(policies) or any(policy.name not in standing for policy in policies):
        state.described_anew.add(row)
    pairs: list[Pair] = []
    for policy in policies:
        pair = standing.get(policy.name)
        if pair is None:
            pair = Pair(policy, row)
        else:
            settle_total(pair, state.now)
            pair.follow(policy)
        pairs.append(pair)
    row.pairs = tuple(pairs)
