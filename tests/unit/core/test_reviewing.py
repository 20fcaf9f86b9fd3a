"""Other policies over the same assets: what does not rest on them is kept, the rest is what it would come to."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import pytest
from tests.unit.core.kept import kept_values_hold
from tests.unit.core.lives import Life, differences, picture
from tests.unit.core.walks import Walk

from freshd.core import engine as engine_module
from freshd.core import rebuild as rebuild_module
from freshd.core.engine import Engine
from freshd.core.rows import Row
from freshd.model.asset import Asset
from freshd.model.graph import build_graph
from freshd.model.inputs import CharterReplaced, Event, EventKind, Input, Started
from freshd.model.policy import Charter, Limit, Measure, Policy, Reaction, ReactionKind
from freshd.model.records import VerdictChanged
from freshd.model.time import MINUTE, NEVER

M = MINUTE
STEPS = 60


def edited(walk: Walk) -> Charter:
    """The same graph, its files read anew: policies are others, and at times what assets react with."""
    charter = replace(walk.charter, graph=build_graph(list(walk.charter.graph.assets.values())))
    names = [name for name in charter.policies if walk.chance(0.7)]
    policies = {name: walk.policy(name) for name in names}
    if walk.chance(0.5):
        policies |= {f"{name}2": replace(policy, name=f"{name}2") for name, policy in policies.items()}
    keys = list(charter.graph.assets)
    selected = {name: tuple(sorted(walk.rng.sample(keys, walk.rng.randint(1, len(keys))))) for name in policies}
    reactions = {key: replace(reaction) for key, reaction in charter.reactions.items()}
    if walk.chance(0.3):
        reactions = {key: walk.reaction(charter.graph.assets[key]) for key in reactions}
    return replace(charter, policies=policies, selected=selected, reactions=reactions)


@pytest.mark.parametrize("chunk", range(4))
def test_what_is_kept_under_other_policies_is_what_it_would_come_to(chunk: int) -> None:
    for seed in range(chunk * 10, chunk * 10 + 10):
        walk = Walk(seed)
        engine = Engine(walk.charter)
        engine.step(walk.now, [Started(False)])
        for number in range(STEPS):
            walk.pass_time(engine)
            inputs = list(walk.inputs(engine))
            if walk.chance(0.2):
                walk.charter = edited(walk)
                inputs.append(CharterReplaced(walk.charter))
            engine.step(walk.now, inputs)
            wrong = kept_values_hold(engine)
            assert not wrong, f"walk {seed}, step {number}, after {inputs}: {wrong}"


@pytest.fixture
def small_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    """A row or two a step: a reload of few assets takes many slices."""
    monkeypatch.setattr(engine_module, "TIMERS_PER_STEP", 2)
    monkeypatch.setattr(engine_module, "TIMERS_BESIDE_INPUTS", 1)


def slices(life: Life, inputs: list[Input], most: int) -> int:
    """Steps at one instant, each durable, with its checkpoint where one is due: at most so many."""
    now, done = life.engine._state.now, 0
    while done < most and (inputs or ((wake := life.engine.next_wake()) is not None and wake <= now)):
        life.one(now, inputs)
        inputs, done = [], done + 1
    return done


@pytest.mark.usefixtures("small_slices")
@pytest.mark.parametrize("chunk", range(4))
def test_a_crash_after_any_slice_of_a_reload_is_as_if_there_had_been_none(chunk: int) -> None:
    crashes = 0
    for seed in range(chunk * 8, chunk * 8 + 8):
        walk, rng = Walk(seed), Random(seed)
        life = Life(walk.charter, walk.now)
        for number in range(STEPS):
            where = f"walk {seed}, step {number}"
            walk.pass_time(life.engine)
            life.step(walk.now, walk.inputs(life.engine))
            if rng.random() < 0.3:
                life.checkpoint()
            if rng.random() > 0.25:
                continue
            walk.charter = edited(walk)
            slices(life, [CharterReplaced(walk.charter)], rng.randint(1, 8))
            if rng.random() < 0.5:
                life.checkpoint()
                slices(life, [], rng.randint(0, 3))
            twin = life.recovered(walk.charter)
            crashes += life.engine.next_wake() == walk.now
            slices(life, [], 1_000)
            twin.step(walk.now, [])
            while (wake := twin.next_wake()) is not None and wake <= walk.now:
                twin.step(walk.now, [])
            assert kept_values_hold(twin) == [], where
            assert differences(picture(life.engine, walk.now), picture(twin, walk.now)) == [], where
    assert crashes > 10


@pytest.mark.usefixtures("small_slices")
@pytest.mark.parametrize("done", range(1, 10))
def test_no_verdict_of_long_ago_comes_back(done: int) -> None:
    """Policy p gives way to q; a crash after so many slices; p comes back while the daemon is down."""
    keys = [f"a{number}" for number in range(8)]
    graph = build_graph([Asset(key) for key in keys])

    def under(name: str, selected: list[str]) -> Charter:
        return Charter(graph, {name: Policy(name, (Limit(Measure.LAG, None, 10 * M),))}, {name: tuple(selected)})

    life = Life(under("p", keys), 0)
    life.step(M, [Event(EventKind.UPDATE, tuple(keys), M)])
    assert {life.engine.assess(key, M).policies[0].verdict.value for key in keys} == {"fresh"}
    life.checkpoint()
    life.step(3 * M, [])
    slices(life, [CharterReplaced(under("q", keys[:1]))], done)
    life.restart(4 * M, under("q", keys[:1]), catching_up=False)
    life.checkpoint()
    again = life.recovered(under("p", keys))
    told = {key: again.assess(key, 5 * M).policies[0] for key in keys}
    assert {one.since for one in told.values()} == {NEVER}, "they are judged under p for the first time"


@pytest.mark.parametrize(
    ("number", "policy", "eager", "derived"),
    [
        ("1 other limits", Policy("p", (Limit(Measure.LAG, None, 2 * M),)), True, False),
        ("2 another name", Policy("q", (Limit(Measure.LAG, None, 2 * M),)), True, False),
        ("3 another reaction", Policy("p", (Limit(Measure.LAG, None, 10 * M),)), False, True),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_limits_alone_change_nothing_but_verdicts(
    monkeypatch: pytest.MonkeyPatch, number: str, policy: Policy, eager: bool, derived: bool
) -> None:
    def charter(policy: Policy, eager: bool) -> Charter:
        graph = build_graph([Asset("r"), Asset("a", ("r",), launcher="go")])
        reactions = {"a": Reaction(ReactionKind.EAGER)} if eager else {}
        return Charter(graph, {policy.name: policy}, {policy.name: ("r",)}, reactions)

    engine = Engine(charter(Policy("p", (Limit(Measure.LAG, None, 10 * M),)), True))
    engine.step(0, [Started(False)])
    engine.step(M, [Event(EventKind.UPDATE, ("r",), M)])
    looked_at: list[Row] = []
    is_due = rebuild_module.is_due
    monkeypatch.setattr(rebuild_module, "is_due", lambda row: bool(looked_at.append(row)) or is_due(row))
    step = engine.step(5 * M, [CharterReplaced(charter(policy, eager))])
    assert bool(looked_at) is derived, number
    stale = any(isinstance(record, VerdictChanged) and record.new.value == "stale" for record in step.records)
    assert stale is (not derived), number
