"""Links are those of an engine that is linked from nothing over the same state, however they came to be.

Windows begin, partitions come into use, charters are replaced, in any order.
"""

from __future__ import annotations

from dataclasses import replace
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.core.lives import Life
from tests.unit.core.test_partitioned import World

from freshd.core import linking, partitions
from freshd.core.engine import Engine
from freshd.core.freshness import counts
from freshd.core.step import Step
from freshd.model.asset import Asset, PartitionScheme
from freshd.model.effects import LaunchRun
from freshd.model.graph import build_graph
from freshd.model.inputs import Event, EventKind, RunPhase, RunReport, Started
from freshd.model.policy import Charter, Reaction, ReactionKind
from freshd.model.time import HOUR, MINUTE

STEPS = 30


def links(engine: Engine) -> dict[str, Any]:
    """What linking finds for every row that is looked after: those above, below and beside it, and what it is asked."""
    rows = engine._state.rows
    kept = {key for key, row in rows.items() if not row.partition or counts(row)}
    return {
        key: (
            [up.key for up in row.ups if up.key in kept],
            [kid.key for kid in row.kids if kid.key in kept],
            [reader.key for reader in row.readers if reader.key in kept],
            row.level,
            [part.key for part in (row.rare.parts or {}).values() if part.key in kept],
            [pair.policy.name for pair in row.pairs],
            (row.virtual, row.source, row.automatic, row.rare.windowed),
            row.whole.key if row.whole is not None else "",
        )
        for key, row in rows.items()
        if key in kept
    }


@pytest.mark.parametrize("seed", range(100, 110))
def test_links_are_those_made_from_nothing(seed: int) -> None:
    world, rng = World(seed), Random(seed)
    life = Life(world.charter, world.now)
    compared = 0
    for number in range(STEPS):
        world.pass_time(life.engine)
        life.step(world.now, world.take(life.engine))
        if rng.random() < 0.4:
            life.checkpoint()
            again = life.recovered()
            mine, made = links(life.engine), links(again)
            compared += 1
            wrong = [(key, mine.get(key), made.get(key)) for key in mine | made if mine.get(key) != made.get(key)]
            assert wrong == [], f"world {seed}, step {number}"
    assert compared > 3


def test_a_link_that_is_kept_too_long_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Readers that are found once and never again."""
    find = linking.readers
    monkeypatch.setattr(linking, "readers", lambda row: row.readers or find(row))
    with pytest.raises(AssertionError):
        list(map(test_links_are_those_made_from_nothing, range(100, 110)))


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.randoms(use_true_random=False))
def test_events_of_partitions_come_to_the_same_in_any_order_and_if_repeated(seed: int, rng: Random) -> None:
    world = World(seed)
    keys = [key for key, asset in world.charter.graph.assets.items() if not asset.virtual]
    told = []
    for n in range(8):
        key = world.rng.choice(keys)
        at = world.now - world.rng.randint(0, 180) * MINUTE
        told.append(Event(EventKind.UPDATE, (key,), at, f"e{n}", partition=world.partition(key)))
    again = [*told, *rng.sample(told, 3)]
    rng.shuffle(again)
    assert _measures(world, told) == _measures(world, again)


def _measures(world: World, told: list[Event]) -> dict[str, Any]:
    engine = Engine(replace(world.charter, reactions={}))
    engine.step(world.now, [Started(False)])
    for event in told:
        engine.step(world.now, [event])
    seen = {key: engine.assess(row.asset.key, world.now, row.partition) for key, row in engine._state.rows.items()}
    return {key: (one.updated_at, one.data_time, one.pending_since, one.due) for key, one in seen.items()}


def test_nothing_comes_back_to_a_window_that_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    """It waited for a run above when it was one more than are kept: what that run wakes is the newest one."""
    monkeypatch.setattr(partitions, "PARTITIONS_KEPT", 1)
    hourly = PartitionScheme(by="hour")
    graph = build_graph(
        [Asset("s"), Asset("u", ("s",), launcher="go"), Asset("h", ("s", "u"), launcher="go", partitions=hourly)]
    )
    eager = Reaction(ReactionKind.EAGER)
    engine = Engine(Charter(graph, reactions={"u": eager, "h": eager}))
    engine.step(0, [Started(False)])
    engine.step(MINUTE, [Event(EventKind.UPDATE, ("s", "u", "h"), MINUTE, partition="1970-01-01T00")])
    step = engine.step(59 * MINUTE, [Event(EventKind.UPDATE, ("s",), 59 * MINUTE)])
    (run,) = [effect for effect in step.effects if isinstance(effect, LaunchRun)]
    assert run.assets == ("u",)
    assert launched(engine.step(HOUR, [])) == []
    assert "h[1970-01-01T01]" in {row.key for row in engine._state.waiters[engine._state.rows["u"]]}
    engine.step(2 * HOUR, [])
    assert "h[1970-01-01T01]" not in engine._state.rows
    ended = [RunReport(run.run_id, phase, 2 * HOUR + MINUTE) for phase in (RunPhase.SUCCEEDED, RunPhase.FINISHED)]
    assert "h[1970-01-01T01]" not in launched(engine.step(2 * HOUR + MINUTE, ended))
    assert engine._state.rows["h[1970-01-01T02]"].in_flight


def launched(step: Step) -> list[str]:
    return [f"{run.assets[0]}[{run.partition}]" for run in step.effects if isinstance(run, LaunchRun)]
