"""The asset graph: which asset is made from which, checked and put in topological order.

It keeps true: every upstream exists, there is no cycle, and the order is the same for the same assets
whatever order they came in. It must not know of events, state or policies.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from heapq import heapify, heappop, heappush

from freshd.model.asset import Asset, AssetKey
from freshd.model.errors import ConfigError, Problem


@dataclass(frozen=True)
class AssetGraph:
    """All assets by key, in topological order (upstreams first, ties by key)."""

    assets: Mapping[AssetKey, Asset]

    @cached_property
    def readers(self) -> Mapping[AssetKey, tuple[AssetKey, ...]]:
        """Direct downstreams, sorted; only of those that have any."""
        found: dict[AssetKey, list[AssetKey]] = {}
        for key, asset in self.assets.items():
            for up in set(asset.upstreams):
                found.setdefault(up, []).append(key)
        return {key: tuple(sorted(below)) for key, below in found.items()}

    @cached_property
    def static(self) -> frozenset[AssetKey]:
        """Those that are declared static, or virtual over such only."""
        found: set[AssetKey] = set()
        for key, asset in self.assets.items():
            if asset.static or (asset.virtual and asset.upstreams and all(up in found for up in asset.upstreams)):
                found.add(key)
        return frozenset(found)

    def __contains__(self, key: object) -> bool:
        return key in self.assets

    def __len__(self) -> int:
        return len(self.assets)

    def same_as(self, other: AssetGraph) -> bool:
        """Whether the other has equal assets in the same order."""
        return self is other or (list(self.assets) == list(other.assets) and self.assets == other.assets)

    def counted_upstreams(self, key: AssetKey) -> tuple[AssetKey, ...]:
        """Each upstream that counts: without the static ones (of a virtual asset over static ones only: all)."""
        asset = self.assets[key]
        unique = tuple(dict.fromkeys(asset.upstreams))
        moving = tuple(up for up in unique if up not in self.static)
        return unique if asset.virtual and not moving else moving


def build_graph(assets: Iterable[Asset]) -> AssetGraph:
    """Check the assets and order them.

    Raises ConfigError that lists every unknown upstream, repeated key and cycle (its path named).
    """
    by_key: dict[AssetKey, Asset] = {}
    problems: list[Problem] = []
    for asset in assets:
        if asset.key in by_key:
            other = by_key[asset.key].origin
            problems.append(Problem(asset.origin, f"asset {asset.key} is defined twice, also at {other}"))
        by_key[asset.key] = asset
    for asset in by_key.values():
        for up in asset.upstreams:
            if up not in by_key:
                problems.append(
                    Problem(asset.origin, f"asset {asset.key} has an unknown upstream: {asset.key} <- {up}")
                )
    if problems:
        raise ConfigError(problems)
    return _in_order(by_key)


def _in_order(by_key: dict[AssetKey, Asset]) -> AssetGraph:
    readers: dict[AssetKey, list[AssetKey]] = {}
    open_upstreams: dict[AssetKey, int] = {}
    for key, asset in by_key.items():
        upstreams = set(asset.upstreams)
        open_upstreams[key] = len(upstreams)
        for up in upstreams:
            readers.setdefault(up, []).append(key)
    ready = [key for key, count in open_upstreams.items() if count == 0]
    heapify(ready)
    ordered: dict[AssetKey, Asset] = {}
    while ready:
        key = heappop(ready)
        ordered[key] = by_key[key]
        for reader in readers.get(key, ()):
            open_upstreams[reader] -= 1
            if open_upstreams[reader] == 0:
                heappush(ready, reader)
    if len(ordered) < len(by_key):
        raise ConfigError([_cycle(by_key, by_key.keys() - ordered.keys())])
    return AssetGraph(ordered)


def _cycle(by_key: Mapping[AssetKey, Asset], stuck: set[AssetKey]) -> Problem:
    key = min(stuck)
    path: list[AssetKey] = []
    while key not in path:
        path.append(key)
        key = min(up for up in by_key[key].upstreams if up in stuck)
    loop = [*path[path.index(key) :], key]
    return Problem(by_key[key].origin, "the assets form a cycle: " + " <- ".join(loop))
