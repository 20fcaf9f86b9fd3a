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

FEW: Final = 64
"""So many members are looked through each time; of more a heap is kept."""


class Least:
    """The members that come first by `order`, a function that is its own inverse on their keys."""

    __slots__ = ("_heap", "_order")

    def __init__(self, order: Callable[[PairKey], PairKey]) -> None:
        self._order = order
        self._heap: list[PairKey] | None = None

    def put(self, key: PairKey) -> None:
        """The member came, or counts though it may not have before."""
        if self._heap is not None:
            heappush(self._heap, self._order(key))

    def forget(self) -> None:
        """Others may count than before."""
        self._heap = None

    def first(
        self, members: Mapping[PairKey, Pair], cause: str = "", without: Container[PairKey] = (), most: int = 1
    ) -> list[PairKey]:
        """At most so many members, in order, leaving some out; with a cause only those that have it.

        A member that comes to have the cause has to be put again; another cause needs `forget` first.
        """
        order = self._order
        if len(members) <= FEW:
            self._heap = None
            return self._among_few(members, cause, without, most)
        heap = self._heap
        if heap is None or len(heap) > 2 * len(members):
            heap = self._heap = [order(key) for key, pair in members.items() if not cause or pair.cause == cause]
            heapify(heap)
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

    def _among_few(
        self, members: Mapping[PairKey, Pair], cause: str, without: Container[PairKey], most: int
    ) -> list[PairKey]:
        order = self._order
        places = [
            order(key) for key, pair in members.items() if (not cause or pair.cause == cause) and key not in without
        ]
        places.sort()
        return [order(place) for place in places[:most]]


def by_policy(key: PairKey) -> PairKey:
    """By policy, then asset key."""
    return key


def by_asset(key: PairKey) -> PairKey:
    """By asset key, then policy."""
    first, second, partition = key
    return (second, first, partition)
