"""What a step costs, counted in rows looked at: by what an event changes, never by how many assets there are."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from types import FrameType

import pytest
from tests.unit.core.play import update

from freshd.core import engine as engine_module
from freshd.core.engine import TIMERS_PER_STEP, Engine
from freshd.model.asset import Asset, PartitionScheme
from freshd.model.effects import LaunchRun
from freshd.model.graph import build_graph
from freshd.model.inputs import CharterReplaced, Event, EventKind, Input, RunPhase, RunReport, Started
from freshd.model.policy import Alert, Charter, Limit, Measure, Places, Policy, Reaction, ReactionKind
from freshd.model.time import MINUTE

M = MINUTE
SMALL, LARGE = 60, 20_000
CORE = str(Path(engine_module.__file__).parent)


def world(sources: int, everywhere: bool = True) -> Engine:
    """Sources with a chain of three eager assets each, all under one policy."""
    assets = []
    for number in range(sources):
        assets += [
            Asset(f"r{number}"),
            Asset(f"a{number}", (f"r{number}",), launcher="go"),
            Asset(f"b{number}", (f"a{number}",), launcher="go"),
            Asset(f"c{number}", (f"b{number}",), launcher="go"),
        ]
    graph = build_graph(assets)
    policy = Policy("p", (Limit(Measure.LAG, 10 * M, 20 * M), Limit(Measure.BEHIND, None, 20 * M)), alert=Alert())
    eager = Reaction(ReactionKind.EAGER)
    engine = Engine(
        Charter(
            graph,
            {"p": policy},
            {"p": tuple(sorted(graph.assets))},
            {key: eager for key in graph.assets if key[0] != "r"},
        )
    )
    engine.step(0, [Started(False)])
    now = M
    inputs: Sequence[Input] = [update(f"r{number}", 1) for number in range(sources)]
    while inputs:
        runs = [effect for effect in engine.step(now, inputs).effects if isinstance(effect, LaunchRun)]
        now += 1
        inputs = [
            RunReport(run.run_id, phase, now) for run in runs for phase in (RunPhase.SUCCEEDED, RunPhase.FINISHED)
        ]
    engine.checkpointed()
    return engine


def spent(engine: Engine, minute: float, *inputs: Input) -> tuple[Counter[str], int]:
    """Calls of the core's functions in one step, and the rows that the next checkpoint writes."""
    calls: Counter[str] = Counter()

    def count(frame: FrameType, what: str, _: object) -> None:
        if what == "call" and CORE in frame.f_code.co_filename:
            calls[frame.f_code.co_qualname] += 1

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        engine.step(round(minute * M), inputs)
    finally:
        sys.setprofile(before)
    written = sum(kind == "asset" for kind, _, _ in engine.changed_state())
    engine.checkpointed()
    return calls, written


STORY: dict[str, Callable[[Engine], list[Input]]] = {
    "an update of a source": lambda engine: [update("r7", 2)],
    "the end of the run that it leads to": lambda engine: [
        RunReport(effect.run_id, RunPhase.SUCCEEDED, 2 * M + 1)
        for effect in engine.unconfirmed()
        if isinstance(effect, LaunchRun)
    ],
    "a late update of a source": lambda engine: [update("r8", 0.5)],
    "an update that changed nothing": lambda engine: [update("r9", 2, changed=False)],
    "nothing": lambda engine: [],
}


@pytest.fixture(scope="module")
def large() -> Engine:
    return world(LARGE // 4)


def test_a_step_looks_at_what_an_event_changes_not_at_the_graph(large: Engine) -> None:
    small = world(SMALL // 4)
    for number, (what, said) in enumerate(STORY.items()):
        minute = 3 + number / 100
        few = spent(small, minute, *said(small))
        many = spent(large, minute, *said(large))
        assert few == many, what
        assert sum(many[0].values()) <= 400, what
        assert many[1] <= 6, what


def test_a_deadline_looks_at_the_rows_whose_instant_has_come(large: Engine) -> None:
    """Nothing is looked at before; then, of 20,000 assets, those that turn: all but the ones updated since."""
    assert spent(large, 10.9)[0]["Judging._judge_row"] == 0
    assert large.next_wake() == 11 * M
    calls, written = spent(large, 11)
    assert 0 < calls["Judging._judge_row"] <= 2 * TIMERS_PER_STEP
    assert 0 < written <= TIMERS_PER_STEP
    assert large.next_wake() == 11 * M, "the rest is looked at in the next step"


def test_a_slice_of_what_rests_on_a_feed_looks_at_no_more_the_more_are_bad_already() -> None:
    """Two sources of one feed are one cause, whose reason is that of the first pair: it is not looked for among all."""
    readers = [f"m{number:05d}" for number in range(12 * TIMERS_PER_STEP)]
    assets = [Asset("r0", feed="f"), Asset("r1", feed="f")]
    graph = build_graph([*assets, *(Asset(key, (f"r{n % 2}",)) for n, key in enumerate(readers))])
    policy = Policy("p", (Limit(Measure.LAG, None, 10 * M),), alert=Alert())
    engine = Engine(Charter(graph, {"p": policy}, {"p": tuple(readers)}))
    engine.step(0, [Started(False)])
    engine.step(M, [update(key, 1) for key in ("r0", "r1", *readers)])
    while engine.next_wake() == M:
        engine.step(M, [])
    calls = []
    while engine.next_wake() == 11 * M:
        calls.append(sum(spent(engine, 11)[0].values()))
    assert engine.incidents()[0].cause == "feed:f"
    assert len(calls) == 12
    assert calls[-1] < calls[2] + 100


# just in time


def world_in_time(sources: int) -> Engine:
    """The same chains, launched just in time for what is expected at their ends; nobody has had news since minute 4."""
    engine = world(sources)
    charter = engine.charter
    just = Reaction(ReactionKind.JUST_IN_TIME, margin=0.0, max_wait=9_000 * M)
    policy = Policy("p", (Limit(Measure.LAG, None, 500 * M),))
    ends = tuple(sorted(key for key in charter.graph.assets if key[0] == "c"))
    engine.step(
        10 * M,
        [CharterReplaced(replace(charter, policies={"p": policy}, selected={"p": ends},
                                 reactions=dict.fromkeys(charter.reactions, just)))],
    )  # fmt: skip
    while engine.next_wake() == 10 * M:
        engine.step(10 * M, [])  # every row is looked at again, some in a step
    engine.checkpointed()
    return engine


def test_just_in_time_asks_only_along_what_an_event_changes() -> None:
    costs = {}
    for sources in (SMALL, LARGE // 20):
        engine = world_in_time(sources)
        first = spent(engine, 11, update("r7", 11))
        again = spent(engine, 12, update("r7", 12))
        costs[sources] = (sum(first[0].values()), sum(again[0].values()))
        assert again[0]["_found"] == 0, "it is due already, and nothing below turns stale earlier"
    assert costs[SMALL] == costs[LARGE // 20]


def test_a_wide_graph_is_walked_once_and_then_along_one_path() -> None:
    """One root over 500 readers: the first question looks at all of them, a later one where its instant may lie."""
    assets = [Asset("r"), Asset("a", ("r",), launcher="go")]
    assets += [Asset(f"k{number:03}", ("a",), launcher="go") for number in range(500)]
    graph = build_graph(assets)
    just = Reaction(ReactionKind.JUST_IN_TIME, margin=0.0, max_wait=9_000 * M)
    policies = {
        f"p{number:03}": Policy(f"p{number:03}", (Limit(Measure.AGE, None, (600 + number) * M),))
        for number in range(500)
    }
    engine = Engine(Charter(graph, policies, {name: (f"k{name[1:]}",) for name in policies}, {"a": just}))
    engine.step(0, [Started(False)])
    engine.step(M, [update(key, 1) for key in graph.assets])
    first, _ = spent(engine, 2, update("r", 2))
    assert first["stale_at"] > 500
    spent(engine, 3, update("k000", 3))  # the most urgent one becomes less so
    wake = engine.next_wake()
    assert wake == (601 - 20) * M
    later, _ = spent(engine, 581)
    assert engine.next_wake() == (602 - 20) * M, "k001 is next"
    assert later["stale_at"] <= 5


def test_slack_is_found_for_all_who_contend_in_one_walk() -> None:
    """Fifty contenders over one view and two hundred readers of it: each of these is asked once."""
    heads = tuple(f"h{number:02}" for number in range(50))
    assets = [Asset("r"), *(Asset(key, ("r",), launcher="go") for key in heads), Asset("v", heads, virtual=True)]
    assets += [Asset(f"k{number:03}", ("v",)) for number in range(200)]
    graph = build_graph(assets)
    eager = dict.fromkeys(heads, Reaction(ReactionKind.EAGER))
    policy = Policy("p", (Limit(Measure.LAG, None, 500 * M),))
    ends = tuple(key for key in graph.assets if key[0] == "k")
    engine = Engine(Charter(graph, {"p": policy}, {"p": ends}, eager, places=Places(runs=3)))
    engine.step(0, [Started(False)])
    engine.step(M, [update(key, 1) for key in graph.assets])
    calls, _ = spent(engine, 2, update("r", 2))
    assert 200 <= calls["stale_at"] <= 300
    assert len(engine._state.runs) == 3


# windows

LATE = "1970-01-01T00"


def sliced_world(beside: int) -> Engine:
    """An hourly pair and who reads it as a whole, beside so many assets that know of no partitions."""
    hourly = PartitionScheme(by="hour")
    assets = [
        Asset("h", partitions=hourly),
        Asset("i", ("h", "x0"), launcher="go", partitions=hourly),
        Asset("j", ("i",)),
        Asset("k", ("j",)),
        *(Asset(f"x{number}") for number in range(beside)),
        *(Asset(f"y{number}", (f"x{number}",)) for number in range(beside)),
    ]
    graph = build_graph(assets)
    policy = Policy("p", (Limit(Measure.LAG, None, 500 * M),))
    engine = Engine(Charter(graph, {"p": policy}, {"p": tuple(sorted(graph.assets))}))
    engine.step(M, [Started(False), *[update(f"x{number}", 1) for number in range(beside)]])
    engine.checkpointed()
    return engine


def test_a_window_that_begins_concerns_what_touches_partitions() -> None:
    """Nor does a late day that an event names cost more the more other assets there are."""
    costs = []
    for beside in (SMALL, LARGE // 4):
        engine = sliced_world(beside)
        begins, written = spent(engine, 120)
        late = Event(EventKind.UPDATE, ("h",), 121 * M, partition=LATE)
        named, _ = spent(engine, 121, late)
        assert engine.assess("h", 121 * M, LATE).updated_at == 121 * M
        costs.append((begins, written, named))
    assert costs[0] == costs[1]
    assert sum(costs[0][0].values()) <= 1_000
