"""Expectations that are shorter than what the runs on their path take: said at load time, with both figures.

Runs of `a` take 10 minutes, of `b` 20, of `c` 5; of `d` nothing is known. `r` is loaded by nobody we know.
"""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from tests.unit.core.play import Play, charter_of
from tests.unit.core.test_windows import Every

from freshd.core.feasibility import infeasible, notes
from freshd.core.just_in_time import usual_duration
from freshd.model.policy import Deadline, Limit, Measure, Policy
from freshd.model.time import MINUTE

M = MINUTE
TAKES = {"a": 10 * M, "b": 20 * M, "c": 5 * M}
GRAPH = "r; a < r; b < a; c < a; d < b c; e v< d; k =; x < k"


def limit(measure: Measure, stale: int | None, warn: int | None = None) -> Policy:
    return Policy("p", (Limit(measure, warn, stale),), origin="p.yaml:3")


def due_by(max_lag: int, grace: int = 0) -> Policy:
    return Policy("p", deadlines=(Deadline(Every(60), max_lag * M, grace * M),))


@dataclass(frozen=True)
class Line:
    number: str
    policy: Policy
    on: str
    takes: str
    """What cannot hold, as `asset minutes`."""


LINES = [
    Line("01 lag: the whole path", limit(Measure.LAG, 29 * M), "b", "b 30"),
    Line("02 lag: just enough", limit(Measure.LAG, 30 * M), "b", ""),
    Line("03 behind: the whole path", limit(Measure.BEHIND, 29 * M), "b", "b 30"),
    Line("04 age: its own run", limit(Measure.AGE, 19 * M), "b", "b 20"),
    Line("05 age: its own run is short enough", limit(Measure.AGE, 29 * M), "b", ""),
    Line("06 of two ways the longer; unknown runs do not count", limit(Measure.LAG, 12 * M), "d", "d 30"),
    Line("07 through a view", limit(Measure.LAG, 12 * M), "e", "e 30"),
    Line("08 a source", limit(Measure.LAG, 1), "r", ""),
    Line("09 warn is no target", limit(Measure.LAG, None, M), "b", ""),
    Line("10 several assets", limit(Measure.LAG, 12 * M), "a b c", "b 30;c 15"),
    Line("11 a deadline: max_lag and grace", due_by(20, 9), "b", "b 30"),
    Line("12 a deadline with time enough", due_by(20, 10), "b", ""),
    Line("13 nothing is expected", Policy("p"), "b", ""),
    Line("14 static assets are on no path", limit(Measure.LAG, 1), "x", ""),
]


@pytest.mark.parametrize("line", LINES, ids=[line.number for line in LINES])
def test_what_cannot_hold(line: Line) -> None:
    charter = charter_of(GRAPH, {"p": (line.policy, line.on)})
    found = infeasible(charter, TAKES)
    assert ";".join(f"{one.asset} {one.takes // M}" for one in found) == line.takes


def test_both_figures_are_named_once_for_each_policy() -> None:
    charter = charter_of(GRAPH, {"p": (limit(Measure.LAG, 12 * M), "a b c")})
    (note,) = notes(charter, infeasible(charter, TAKES))
    assert note.where == "p.yaml:3"
    assert note.message == (
        "policy 'p': b cannot meet it: lag is stale after 12m, but the runs on the path to it take 30m (p95); so it is"
        " with 1 more of its assets; allow more time"
    )


def test_nothing_is_said_without_history() -> None:
    charter = charter_of(GRAPH, {"p": (limit(Measure.LAG, 1), "b")})
    assert infeasible(charter, {}) == []
    assert usual_duration([M, M]) is None, "two runs are too few"
    assert usual_duration([*range(1, 30)]) == 28, "of the last twenty, the nineteenth"


def test_the_asset_is_flagged_from_when_policies_are_loaded() -> None:
    play = Play(charter_of("r; a < r", {"p": (limit(Measure.LAG, 5 * M), "a")}, eager="a"))
    for minute in (1, 21, 41):
        play.update(minute, "r").done(minute + 8, "a")
    assert not play.see("a").infeasible
    assert [str(one) for one in play.engine.infeasible()] == [
        "a cannot meet it: lag is stale after 5m, but the runs on the path to it take 8m (p95)"
    ]
    (one,) = play.see("a").infeasible
    assert (one.policy, one.measure, one.target, one.takes) == ("p", Measure.LAG, 5 * M, 8 * M)
    assert not play.see("r").infeasible
