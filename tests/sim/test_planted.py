"""Every planted bug is caught by some seed."""

from __future__ import annotations

import pytest
from tests.sim.planted import PLANTED, Planted
from tests.sim.planted_partitions import PLANTED_PARTITIONS
from tests.sim.planted_policies import PLANTED_POLICIES
from tests.sim.planted_promises import PLANTED_PROMISES
from tests.sim.simulation import simulate
from tests.sim.stage import Violation

ALL = (*PLANTED, *PLANTED_POLICIES, *PLANTED_PARTITIONS, *PLANTED_PROMISES)
SEEDS = 150
"""A bug that this many worlds do not show is not caught."""


def _caught(bug: Planted) -> bool:
    for seed in [bug.shown_by, *range(SEEDS)]:
        with bug.plant():
            try:
                simulate(seed)
            except Violation:
                return True
    return False


@pytest.mark.parametrize("bug", ALL, ids=lambda bug: bug.name)
def test_the_simulator_catches(bug: Planted) -> None:
    assert _caught(bug), f"{SEEDS} seeds did not show: {bug.name} ({bug.why})"


def test_names_are_unique() -> None:
    assert len({bug.name for bug in ALL}) == len(ALL)
