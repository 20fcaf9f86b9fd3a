"""The numbered cases hold in the oracle and in the engine, in whatever order the events come."""

from __future__ import annotations

from itertools import permutations
from random import Random

import pytest
from tests.oracle.cases import CASES, Case, Row, events_of, graph_of
from tests.oracle.facts import Facts
from tests.oracle.freshness import Freshness

from freshd.core.engine import Engine
from freshd.model.inputs import Event, Started
from freshd.model.policy import Charter


def by_oracle(case: Case, events: list[Event]) -> dict[str, Row]:
    graph = graph_of(case.graph)
    facts = Facts(graph, events)
    fresh = Freshness(graph, {key: facts.updates(key) for key in graph.assets})
    return {
        key: (
            fresh.updated_at(key, case.at), fresh.data_time(key, case.at), fresh.pending_since(key, case.at),
            fresh.due(key, case.at),
        )
        for key in case.holds
    }  # fmt: skip


def by_engine(case: Case, events: list[Event]) -> dict[str, Row]:
    engine = Engine(Charter(graph_of(case.graph)))
    engine.step(0, [Started(catching_up=False)])
    for event in events:
        engine.step(case.at, [event])
    found = {key: engine.assess(key, case.at) for key in case.holds}
    return {key: (a.updated_at, a.data_time, a.pending_since, a.due) for key, a in found.items()}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_oracle(case: Case) -> None:
    assert by_oracle(case, events_of(case.updates)) == case.holds


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_engine_in_any_order(case: Case) -> None:
    events = events_of(case.updates)
    orders = list(permutations(events))
    for order in orders if len(orders) <= 24 else Random(case.name).sample(orders, 24):
        assert by_engine(case, list(order)) == case.holds, [f"{e.assets[0]} {e.started_at}..{e.at}" for e in order]
