"""What the core keeps is what it would come to: after every step of walks over all kinds of input."""

from __future__ import annotations

import pytest
from tests.unit.core.kept import kept_values_hold
from tests.unit.core.walks import Walk

from freshd.core.engine import Engine
from freshd.model.inputs import Started

STEPS = 60


@pytest.mark.parametrize("chunk", range(4))
@pytest.mark.parametrize("replacing", [False, True], ids=["one charter", "replaced charters"])
@pytest.mark.parametrize("small", [False, True], ids=["long histories", "short histories"])
def test_walks(chunk: int, replacing: bool, small: bool) -> None:
    for seed in range(chunk * 10, chunk * 10 + 10):
        walk = Walk(seed, replacing=replacing, small_history=small)
        engine = Engine(walk.charter)
        engine.step(walk.now, [Started(False)])
        for number in range(STEPS):
            walk.pass_time(engine)
            inputs = walk.inputs(engine)
            engine.step(walk.now, inputs)
            wrong = kept_values_hold(engine)
            assert not wrong, f"walk {seed}, step {number}, after {inputs}: {wrong}"
