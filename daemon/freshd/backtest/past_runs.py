"""How long a run takes and whether it fails, drawn from how runs went before.

The draw depends on the run's id alone: the same run goes the same way in every backtest, and the nth run of an asset
goes alike under both sets of policies. Assets that never ran take after the others of their launcher.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Final

from freshd.model.asset import AssetKey
from freshd.model.graph import AssetGraph
from freshd.model.time import MINUTE, Duration

USUAL: Final[Duration] = MINUTE
"""What a run takes of which nothing is known."""

SAMPLES_KEPT: Final = 100
"""Runs of an asset that are drawn from: the latest."""


@dataclass(frozen=True, slots=True)
class PastRun:
    """How one run of an asset went."""

    takes: Duration
    failed: bool = False


class PastRuns:
    """Runs to draw from."""

    def __init__(self, of: Mapping[AssetKey, Sequence[PastRun]], graph: AssetGraph, usual: Duration = USUAL) -> None:
        """`of`: the past runs of each asset, the latest last; `usual`: what is taken where there are none."""
        self._of = {key: tuple(runs[-SAMPLES_KEPT:]) for key, runs in of.items() if runs}
        self._usual = (PastRun(usual),)
        pools: dict[str, list[PastRun]] = {}
        for key in sorted(self._of):
            if key in graph.assets:
                pools.setdefault(graph.assets[key].launcher, []).extend(self._of[key])
        self._alike = {name: tuple(pool) for name, pool in pools.items()}
        self._graph = graph

    def draw(self, key: AssetKey, run_id: str) -> PastRun:
        """How this run of an asset goes."""
        runs = self._of.get(key)
        if runs is None:
            asset = self._graph.assets.get(key)
            runs = self._of[key] = self._alike.get(asset.launcher if asset else "", self._usual)
        if len(runs) == 1:
            return runs[0]
        drawn = blake2b(f"{run_id} {key}".encode(), digest_size=8).digest()
        return runs[int.from_bytes(drawn) % len(runs)]

    @property
    def known(self) -> int:
        """Assets that have run before."""
        return len(self._of)
