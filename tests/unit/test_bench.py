"""The benches say what they measure in the way that others read it."""

from __future__ import annotations

import importlib
import json

import pytest
from bench.measure import Goal, conclude, in_turn, percentile
from bench.world import EVENT_BYTES, START, charter, event_bytes, source

from freshd.model.time import DAY


def test_the_event_has_the_size_that_the_numbers_are_about() -> None:
    for number, unique in ((0, "s"), (99_999, "sync-123456-00000000001234567890")):
        assert len(event_bytes(source(number), START + DAY, unique)) == EVENT_BYTES == 1_010


def test_a_bench_ends_with_one_line_of_json_and_fails_if_a_goal_is_missed(capsys: pytest.CaptureFixture[str]) -> None:
    assert conclude("x", [Goal("a", 2, 3), Goal("b", 0.5, 0.25, at_least=True)], {"n": 1}) == 0
    assert conclude("x", [Goal("a", 2, 3), Goal("b", 0.2, 0.25, at_least=True)], {"n": 1}) == 1
    line = json.loads(capsys.readouterr().out.strip().splitlines()[-1])
    assert line.keys() == {"name", "ratio", "goal", "holds", "figures"}
    assert (line["ratio"], line["goal"], line["holds"]) == (2, 3, False)
    assert [goal["holds"] for goal in line["figures"]["goals"]] == [True, False]


def test_subjects_are_measured_in_turn_after_a_warm_up() -> None:
    seen: list[str] = []
    found = in_turn(2, lambda: seen.append("a") or 1.0, lambda: seen.append("b") or 2.0)
    assert (seen, found) == (list("ababab"), [[1.0, 1.0], [2.0, 2.0]])


def test_a_percentile_is_a_value_that_was_measured() -> None:
    assert [percentile([4, 1, 3, 2], share) for share in (0, 0.5, 0.99)] == [1, 3, 4]


@pytest.mark.parametrize("name", ["core", "live", "ingest", "launch", "idle", "backtest", "memory", "soak"])
def test_every_bench_can_be_started(name: str) -> None:
    assert callable(importlib.import_module(f"bench.{name}").main)


def test_the_benches_world_has_one_downstream_a_source() -> None:
    graph = charter(3).graph
    assert all(len(graph.readers[key]) == 1 for key in graph.assets if "raw" in key)
