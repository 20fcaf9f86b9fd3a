"""The first members of an incident by some order: right whatever comes and goes, and cheap when there are many."""

from __future__ import annotations

from random import Random

import pytest

from freshd.core.least import Least, PairKey, among_few, by_asset
from freshd.core.rows import Pair, Row
from freshd.model.asset import Asset
from freshd.model.policy import Policy
from freshd.model.records import Member


def pair(number: int, cause: str) -> Pair:
    made = Pair(Policy(f"p{number % 3}"), Row(Asset(f"a{number:05d}")))
    made.member = Member(*made.key, "stale", cause, "no_update", 0, number)
    return made


@pytest.mark.parametrize("seed", range(10))
def test_the_same_as_looking_through_all(seed: int) -> None:
    random = Random(seed)
    members: dict[PairKey, Pair] = {}
    least = Least(members, by_asset, "x")
    for _ in range(300):
        one = pair(random.randrange(60), random.choice("xy"))
        if random.random() < 0.4:
            members.pop(one.key, None)
        else:
            members[one.key] = one
            if one.cause == "x":
                least.put(one.key)
        without = set(random.sample(sorted(members), min(3, len(members))))
        assert least.first(members, "x", without, 4) == among_few(members, by_asset, "x", without, 4)


def test_a_look_costs_what_came_and_went_not_what_there_is() -> None:
    looked = 0

    def order(key: PairKey) -> PairKey:
        nonlocal looked
        looked += 1
        return by_asset(key)

    members = {one.key: one for one in (pair(number, "x") for number in range(10_000))}
    least = Least(members, order)
    for number in range(100):
        looked = 0
        gone = pair(number, "x").key
        del members[gone]
        assert least.first(members, most=2) == [pair(number + 1, "x").key, pair(number + 2, "x").key]
        assert looked <= 6
