"""Whatever is explained in rough worlds agrees with what the daemon does: it never says "now" and then does nothing."""

from __future__ import annotations

import pytest
from tests.sim.simulation import Simulation, Watched
from tests.sim.stage import SimClock

from freshd.core.explaining import launching_of
from freshd.model.explanation import Hold
from freshd.model.time import FOREVER, Instant

SEEDS = range(16)


def test_what_nothing_holds_back_is_launched(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: dict[Hold, int] = {}
    beat = Simulation._beat

    def looked(world: Simulation, engine: Watched, clock: SimClock, now: Instant) -> None:
        beat(world, engine, clock, now)
        wake = engine.next_wake()
        if wake is not None and wake <= now:
            return
        state = engine._state
        for row in state.rows.values():
            found = launching_of(state, row)
            seen[found.hold] = seen.get(found.hold, 0) + 1
            assert found.hold is not Hold.NOTHING, f"{row.key} at {now} was not launched"
            if found.until is not None and row.automatic and found.hold is not Hold.STOPPED:
                assert state.now < found.until < FOREVER, f"{row.key}: {found}"
                assert wake is not None and wake <= found.until, f"{row.key}: nobody wakes for {found}"

    monkeypatch.setattr(Simulation, "_beat", looked)
    for seed in SEEDS:
        Simulation(seed).run()
    assert {Hold.SOURCE, Hold.IN_FLIGHT, Hold.NOT_DUE, Hold.CATCHING_UP, Hold.WAITS, Hold.STOPPED} <= seen.keys()
    assert {Hold.BLOCKED, Hold.RETRY_DELAY, Hold.MIN_INTERVAL, Hold.DEBOUNCE} & seen.keys()
