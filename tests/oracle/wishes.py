"""On-demand materialisation: what a wish plans, which of it may start, how it ends.

Decides nothing about time; the planner asks it which wishes an asset could serve now.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from tests.oracle.facts import OwnRun

from freshd.model.asset import AssetKey
from freshd.model.policy import Charter


@dataclass(slots=True)
class Wished:
    """A person's wish: what is planned, what has succeeded; `failed` is the asset that ended it."""

    number: int
    planned: tuple[AssetKey, ...]
    """In topological order."""
    done: set[AssetKey] = field(default_factory=set)
    failed: AssetKey = ""
    parallel: int = 0
    """How many of its runs may go on at once; 0: as many as like."""

    @property
    def open(self) -> bool:
        """Whether something is still to be done."""
        return not self.failed and not self.done.issuperset(self.planned)


class Wishes:
    """All wishes of a world."""

    def __init__(self, charter: Charter) -> None:
        self.charter = charter
        self.all: list[Wished] = []
        self._told: set[tuple[str, AssetKey]] = set()

    def plan(
        self,
        named: Sequence[AssetKey],
        due: Callable[[AssetKey], bool],
        never: Callable[[AssetKey], bool],
        above_of: Callable[[AssetKey], Sequence[AssetKey]],
        parallel: int = 0,
    ) -> Wished:
        """Plan the named assets and every ancestor that is never updated, due, or has a planned upstream."""
        assets = self.charter.graph.assets
        named = [key for key in named if key in assets]
        wanted = set(named)
        todo = list(named)
        while todo:
            for up in above_of(todo.pop()):
                if up not in wanted:
                    wanted.add(up)
                    todo.append(up)
        planned: list[AssetKey] = []
        shown: dict[AssetKey, frozenset[AssetKey]] = {}
        for key, asset in assets.items():
            if key not in wanted:
                continue
            above = frozenset(p for up in above_of(key) if up in shown for p in shown[up])
            through = asset.virtual and key not in named
            if asset.launcher and not through and (key in named or never(key) or due(key) or above):
                planned.append(key)
                shown[key] = frozenset({key})
            else:
                shown[key] = above
        wished = Wished(len(self.all), tuple(planned), parallel=parallel)
        self.all.append(wished)
        return wished

    def forget(self, key: AssetKey) -> None:
        """An asset is gone: wishes plan it no more."""
        for wished in self.all:
            wished.planned = tuple(planned for planned in wished.planned if planned != key)

    def ready(self, key: AssetKey, runs: Sequence[OwnRun]) -> tuple[int, ...]:
        """The open wishes that a run of this asset would serve now, without those that have as many runs as may be."""
        return tuple(
            w.number
            for w in self.all
            if w.open
            and key in w.planned
            and key not in w.done
            and self._planned_above(w, key) <= w.done
            and not 0 < w.parallel <= sum(run.end is None and w.number in run.wishes for run in runs)
        )

    def _planned_above(self, wished: Wished, key: AssetKey) -> set[AssetKey]:
        """The planned upstreams of an asset, virtual ones that are not planned read through."""
        above: set[AssetKey] = set()
        for up in self.charter.graph.assets[key].upstreams:
            if up in wished.planned:
                above.add(up)
            elif self.charter.graph.assets[up].virtual:
                above |= self._planned_above(wished, up)
        return above

    def wanted(self, key: AssetKey) -> bool:
        """Whether an open wish plans the asset and has not got it yet."""
        return any(w.open and key in w.planned and key not in w.done for w in self.all)

    def take_outcomes(self, runs: Sequence[OwnRun], attempts: Callable[[OwnRun], int]) -> None:
        """What has ended counts, once."""
        for run in runs:
            if run.end is None or run.name in self._told:
                continue
            self._told.add(run.name)
            for number in run.wishes:
                if run.succeeded:
                    self.all[number].done.add(run.asset)
                elif run.attempt >= attempts(run) and self.all[number].open:
                    self.all[number].failed = run.asset
