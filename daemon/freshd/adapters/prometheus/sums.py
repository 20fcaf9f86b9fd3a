"""What is summed over assets: how many have which verdict, and what objectives have counted.

An asset that changes is taken out of the sums as it was and put in as it is, so that a scrape pays for what changed.
Totals of objectives move on by themselves; other policies or assets change who is counted from then on, never what has
been, so that a counter does not fall and does not leap.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from freshd.adapters.prometheus.families import escape
from freshd.model.assessment import Assessment, PolicyView
from freshd.model.asset import Asset
from freshd.model.objective import STALE
from freshd.model.policy import Slo, Verdict
from freshd.model.time import SECOND, Duration

Standing = tuple[str, tuple[tuple[str, Verdict], ...]]
"""Group, and (policy, verdict) of each policy."""


class Standings:
    """Assets by policy and verdict."""

    def __init__(self, assets: int) -> None:
        self._kept: list[Standing | None] = [None] * assets
        self._alike: dict[Standing, Standing] = {}
        self._counts: dict[tuple[str, str], dict[Verdict, int]] = {}

    def put(self, number: int, asset: Asset, state: Assessment) -> bool:
        """Count the asset as it stands now; whether it stands differently than before."""
        found: Standing = (asset.group, tuple([(view.policy, view.verdict) for view in state.policies]))
        before = self._kept[number]
        if found == before:
            return False
        self._kept[number] = self._alike.setdefault(found, found)
        for standing, by in ((before, -1), (found, 1)):
            if standing is not None:
                for policy, verdict in standing[1]:
                    counts = self._counts.setdefault((standing[0], policy), dict.fromkeys(Verdict, 0))
                    counts[verdict] += by
        return True

    def lines(self) -> Iterator[str]:
        """Without the family's name."""
        for (group, policy), by_verdict in sorted(self._counts.items()):
            for verdict, count in by_verdict.items():
                labels = f'asset_group="{escape(group)}",policy="{escape(policy)}",verdict="{verdict.value}"'
                yield f"{{{labels}}} {count}"


class _Sum:
    """Of one policy in one group."""

    __slots__ = ("active", "moving", "stale", "stale_moving")

    def __init__(self) -> None:
        self.active: Duration = 0
        self.stale: Duration = 0
        self.moving = self.stale_moving = 0  # pairs whose time counts now


class Objectives:
    """Time that counted towards objectives, by policy and group."""

    def __init__(self) -> None:
        self._clocks: dict[str, Duration] = {}  # by policy: the (open) time that passed since everything was told
        self._pairs: dict[tuple[int, str], tuple[Duration, Duration, str, Duration]] = {}
        self._sums: dict[tuple[str, str], _Sum] = {}
        self._before: dict[tuple[str, str], tuple[Duration, Duration]] | None = None
        self._bases: dict[tuple[str, str], tuple[Duration, Duration]] = {}

    def begin(self) -> None:
        """Everything is told anew."""
        if self._before is None and self._sums:
            self._before = self._totals()
        self._clocks, self._pairs, self._sums, self._bases = {}, {}, {}, {}

    def settle(self) -> None:
        """Everything has been told: whoever was counted goes on where the sums were."""
        if self._before is None:
            return
        found = self._totals()
        for key, (active, stale) in self._before.items():
            if key in found:
                self._bases[key] = active - found[key][0], stale - found[key][1]
        self._before = None

    def advance(self, passed: Mapping[str, Duration]) -> None:
        """So much (open) time has passed, by policy."""
        for policy, duration in passed.items():
            self._clocks[policy] = self._clocks.get(policy, 0) + duration
        for (policy, _), known in self._sums.items():
            duration = passed.get(policy, 0)
            known.active += known.moving * duration
            known.stale += known.stale_moving * duration

    def put(self, number: int, asset: Asset, state: Assessment) -> None:
        """The asset's totals are these now."""
        for view in state.policies:
            if view.counted is not None:
                self._put(number, asset.group, view)

    def _put(self, number: int, group: str, view: PolicyView) -> None:
        counted = view.counted
        assert counted is not None
        clock = self._clocks.get(view.policy, 0)
        known = self._sums.setdefault((view.policy, group), _Sum())
        active, stale, mode, since = self._pairs.get((number, view.policy), (0, 0, "", clock))
        if mode:
            active += clock - since
            known.moving -= 1
        if mode == STALE:
            stale += clock - since
            known.stale_moving -= 1
        known.active += counted.active - active
        known.stale += counted.stale - stale
        known.moving += bool(counted.mode)
        known.stale_moving += counted.mode == STALE
        self._pairs[number, view.policy] = (counted.active, counted.stale, counted.mode, clock)

    def _totals(self) -> dict[tuple[str, str], tuple[Duration, Duration]]:
        found = {}
        for key, known in self._sums.items():
            active, stale = self._bases.get(key, (0, 0))
            found[key] = active + known.active, stale + known.stale
        return found

    def lines(self) -> tuple[list[str], list[str]]:
        """Of active and of stale seconds, without the families' names; a policy of deadlines counts ticks, no time."""
        active_lines, stale_lines = [], []
        for (policy, group), (active, stale) in sorted(self._totals().items()):
            if active:
                labels = f'{{policy="{escape(policy)}",asset_group="{escape(group)}"}}'
                active_lines.append(f"{labels} {active / SECOND!r}")
                stale_lines.append(f"{labels} {stale / SECOND!r}")
        return active_lines, stale_lines


def target_lines(objectives: Mapping[str, Slo]) -> tuple[list[str], list[str]]:
    """Of targets and windows of objectives, without the families' names."""
    known = [(f'{{policy="{escape(name)}"}}', slo) for name, slo in sorted(objectives.items())]
    return [f"{label} {slo.target!r}" for label, slo in known], [
        f"{label} {slo.window / SECOND!r}" for label, slo in known
    ]
