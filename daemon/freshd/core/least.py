"""The first of an incident's members by some order, at the cost of what changed: never by how many they are.

A few members are looked through. Of many a heap is kept; what has left or changed since stays in it until it comes
up, and is passed over then. It knows neither why a member counts nor which order is asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping
from heapq import heapify, heappop, heappush
from typing import Final

from freshd.core.rows import Pair

PairKey = tuple[str, str, str]
"""(policy, asset, partition)."""

Order = Callable[[PairKey], PairKey]
"""What to sort a member by; its own inverse."""

FEW: Final = 8
"""So many members are looked through each time; of more a heap is kept."""

Members = Mapping[PairKey, Pair]


def by_policy(key: PairKey) -> PairKey:
    """By policy, then asset key."""
    return key


def by_asset(key: PairKey) -> PairKey:
    """By asset key, then policy."""
    first, second, partition = key
    return (second, first, partition)


def among_few(
    members: Members, order: Order, cause: str = "", without: Container[PairKey] = (), most: int = 1
) -> list[PairKey]:
    """As `Least.first`, by looking through all."""
    places = [order(key) for key, pair in members.items() if (not cause or pair.cause == cause) and key not in without]
    places.sort()
    return [order(place) for place in places[:most]]


class Least:
    """The members that come first by an order: those of one cause, or all."""

    __slots__ = ("_heap", "_order")

    def __init__(self, members: Members, order: Order, cause: str = "") -> None:
        self._order = order
        self._heap = [order(key) for key, pair in members.items() if not cause or pair.cause == cause]
        heapify(self._heap)

    def __len__(self) -> int:
        return len(self._heap)

    def put(self, key: PairKey) -> None:
        """The member came, or has the cause now."""
        heappush(self._heap, self._order(key))

    def first(
        self, members: Members, cause: str = "", without: Container[PairKey] = (), most: int = 1
    ) -> list[PairKey]:
        """At most so many members, in order, leaving some out; the cause is that of the beginning."""
        heap, order = self._heap, self._order
        found: list[PairKey] = []
        passed: list[PairKey] = []
        while heap and len(found) < most:
            place = heappop(heap)
            key = order(place)
            if key not in members or (cause and members[key].cause != cause):
                continue
            if key in without:
                passed.append(place)
            elif not found or place != found[-1]:
                found.append(place)
        for place in (*found, *passed):
            heappush(heap, place)
        return [order(place) for place in found]
