"""Which rows remember something for their policies' sake: set up when a charter is linked.

It keeps true: a row has a `Recall` if and only if a policy asks for it, also the rows that a virtual one shows
where the limits of that one are learned.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import replace
from functools import lru_cache

from freshd.core.history import WIDTH
from freshd.core.lineage import through_virtual
from freshd.core.recall import Recall
from freshd.core.rows import Row
from freshd.model.policy import Policy


def remember(rows: Collection[Row]) -> list[Row]:
    """Give every row the recall that its pairs ask for, keeping what it remembers; the rows that it was changed for."""
    learning: set[Row] = set()
    asking: dict[Row, list[Policy]] = {}
    for row in rows:
        policies = [pair.policy for pair in row.pairs if asks(pair.policy)]
        if policies:
            asking[row] = policies
            if any(policy.learned is not None for policy in policies):
                learning.update(through_virtual(row))
    checked = {
        part: row for row in asking if row.rare.parts for part in row.rare.parts.values() if _checks(asking[row])
    }
    changed: list[Row] = []
    for row in sorted(rows, key=lambda row: bool(row.partition)):  # whole ones first
        wanted = asking.get(row, [])
        if not wanted and row not in learning and row not in checked:
            if row.rare.recall is not None:
                row.own_rare.recall = None
                changed.append(row)
            continue
        recall = row.rare.recall
        if recall is None:
            recall = row.own_rare.recall = Recall()
            changed.append(row)
        recall.follow(wanted, row in learning, checked[row].rare.recall if row in checked else None)
        seed(row)
    return changed


def _checks(policies: Iterable[Policy]) -> bool:
    return any(policy.checks for policy in policies)


def part_of(policy: Policy, row: Row) -> Policy:
    """What of a policy is asked of this row: of fixed partitions some of it `per: partition`, the rest of the whole."""
    scheme = row.asset.partitions
    if scheme is None or not scheme.names:
        return policy
    return _part(policy, bool(row.partition))


@lru_cache(maxsize=4_096)
def _part(policy: Policy, each: bool) -> Policy:
    limits = tuple(limit for limit in policy.limits if limit.each is each)
    deadlines = tuple(deadline for deadline in policy.deadlines if deadline.each is each)
    if each:
        return replace(policy, limits=limits, deadlines=deadlines, checks=(), learned=None)
    if limits == policy.limits and deadlines == policy.deadlines:
        return policy
    return replace(policy, limits=limits, deadlines=deadlines)


def asks(policy: Policy) -> bool:
    """Whether rows have to remember something for the policy's sake."""
    return bool(policy.checks or policy.learned or policy.slo)


def seed(row: Row) -> None:
    """What is new to learn from begins with the history that the row keeps."""
    recall = row.rare.recall
    if recall is not None and recall.learns and not recall.ends:
        for end in row.cells[::WIDTH]:
            recall.note_end(end)
