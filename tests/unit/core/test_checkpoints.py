"""A checkpoint and the records after it make an engine that answers and decides as the live one does."""

from __future__ import annotations

from random import Random

import pytest
from tests.unit.core.kept import kept_values_hold
from tests.unit.core.lives import Life, differences, picture
from tests.unit.core.walks import Walk

from freshd.core.engine import Engine
from freshd.model.inputs import Input
from freshd.model.records import Record
from freshd.model.time import Instant

STEPS = 50


def settled(engine: Engine, now: Instant, inputs: list[Input]) -> list[Record]:
    """The records of one step and of those that the engine asks for at the same instant."""
    records = list(engine.step(now, inputs).records)
    while (wake := engine.next_wake()) is not None and wake <= now:
        records += engine.step(now, []).records
    return records


@pytest.mark.parametrize("often", [0.03, 0.3, 1.0], ids=["in few pieces", "in some pieces", "after every step"])
@pytest.mark.parametrize("chunk", range(3))
def test_the_recovered_goes_on_as_the_live_one(chunk: int, often: float) -> None:
    for seed in range(chunk * 6, chunk * 6 + 6):
        walk, rng = Walk(seed, small_history=seed % 2 == 0), Random(seed)
        life = Life(walk.charter, walk.now)
        twin: Engine | None = None
        for number in range(STEPS):
            where = f"walk {seed}, step {number}"
            walk.pass_time(life.engine)
            inputs = walk.inputs(life.engine)
            made = [record for step in life.step(walk.now, inputs) for record in step.records]
            if twin is not None:
                assert settled(twin, walk.now, inputs) == made, where
            if rng.random() < often:
                life.checkpoint()
            if rng.random() < 0.3:
                twin = life.recovered()
                nothing_new = [record for step in life.step(walk.now, []) for record in step.records]
                assert settled(twin, walk.now, []) == nothing_new, f"{where}: it decides anew"
                assert kept_values_hold(twin) == [], where
                assert differences(picture(life.engine, walk.now), picture(twin, walk.now)) == [], where


@pytest.mark.parametrize("chunk", range(3))
def test_lives_whose_files_change_between_them(chunk: int) -> None:
    for seed in range(chunk * 8, chunk * 8 + 8):
        walk, rng = Walk(seed), Random(seed)
        life = Life(walk.charter, walk.now)
        for number in range(STEPS):
            walk.pass_time(life.engine)
            life.step(walk.now, walk.inputs(life.engine))
            if rng.random() < 0.3:
                life.checkpoint()
            if rng.random() < 0.2:
                if rng.random() < 0.6:
                    walk.charter = walk.redraw_some()
                life.restart(walk.now, walk.charter, rng.random() < 0.4)
            assert kept_values_hold(life.engine) == [], f"walk {seed}, step {number}"
