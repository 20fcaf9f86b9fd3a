"""Wishes by table: what a wish plans, in which order it is run, and how it ends.

Assets are manual unless a line says otherwise; every run takes one minute and succeeds unless it is named.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import pytest
from tests.unit.core.play import EAGER, Play, assets_of, charter_of, event

from freshd.model.graph import build_graph
from freshd.model.inputs import CharterReplaced, EventKind, RunPhase, RunReport, Wish
from freshd.model.policy import LauncherTraits, Reaction, Retry
from freshd.model.records import WishEnded, WishMade
from freshd.model.time import MINUTE

M = MINUTE


def carried_out(play: Play, until: int, failing: str = "") -> Play:
    """Every run ends a minute after its request, upstreams first."""
    ended = 0
    while ended < len(play.launches) and play.now < until * M:
        run = play.launches[ended]
        ended += 1
        minute = run.requested_at / M + 1
        for key in run.assets:
            phase = RunPhase.FAILED if key in failing.split() else RunPhase.SUCCEEDED
            play.at(minute, RunReport(run.run_id, phase, round(minute * M), key, round(minute * M) - 1))
        play.step(RunReport(run.run_id, RunPhase.FINISHED, round(minute * M)))
    return play


def ends(play: Play) -> list[tuple[str, str, str]]:
    return [(record.wish_id, record.reason.value, record.cause) for record in play.of(WishEnded)]


@dataclass(frozen=True)
class Line:
    number: str
    graph: str
    wish: str
    runs: str
    updated: str = ""
    """In this order, at minutes 1, 2, 3 and so on; the wish comes at minute 50."""
    by: Mapping[str, str] = field(default_factory=dict)
    failing: str = ""
    end: tuple[str, str] = ("done", "")


LINES = [
    Line("01 the asset itself, though it is fresh", "r; a < r", "a", "a", "r a"),
    Line("02 an ancestor that is fresh is left alone", "r; a < r; b < a", "b", "b", "r a b"),
    Line("03 an ancestor that is due goes first", "r; a < r; b < a", "b", "a b", "a b r"),
    Line("04 one that never was goes first", "r; a < r; b < a", "b", "a b", "r"),
    Line("05 below a planned one everything is planned", "r; a < r; b < a; c < b", "c", "a b c", "a b c r"),
    Line("06 but not beside it", "r; q; a < r; x < q; c < a x", "c", "a c", "q x a c r"),
    Line("07 what is below is not", "r; a < r; b < a", "a", "a", "r"),
    Line("08 a view is looked through", "r; a < r; v v< a; b < v", "b", "a b", "a b r"),
    Line("09 a view that is wished for: what it shows", "r; a < r; v v< a", "v", "a", "a r"),
    Line("10 a static one that never was", "r; s =< r; b < r s", "b", "s b", "r"),
    Line("11 a static one that was is left alone", "r; s =< r; b < r s", "b", "b", "r s"),
    Line("12 an extractor is launched", "r; a < r", "a", "r a", by={"r": "go", "a": "go"}),
    Line("13 one without a launcher is passed over", "r; a < r; b < a", "b", "b", "r", {"a": ""}),
    Line("14 a source without a launcher: nothing to do", "r; a < r", "r", ""),
    Line("15 two at once share what they need", "r; a < r; b < a; c < a", "b c", "a b c", "r"),
    Line("16 an unknown asset is nothing to do", "r; a < r", "gone", "", "r"),
    Line(
        "17 a failure ends it, with its cause", "r; a < r; b < a", "b", "a", "r", failing="a", end=("run_failed", "a")
    ),
    Line("18 the failure of the last too", "r; a < r; b < a", "b", "a b", "r", failing="b", end=("run_failed", "b")),
]


@pytest.mark.parametrize("line", LINES, ids=lambda line: line.number)
def test_wish(line: Line) -> None:
    play = Play(charter_of(line.graph, launched_by=line.by))
    for minute, key in enumerate(line.updated.split(), 1):
        play.update(minute, key)
    carried_out(play.wish(50, line.wish, "w"), 90, line.failing).until(100)
    assert " ".join(key for _, assets in play.runs for key in assets.split()) == line.runs
    assert ends(play) == [("w", *line.end)]
    assert all(row.rare.wishes is None for row in play.engine._state.rows.values())


def test_a_wish_with_an_id_again_is_the_same_wish() -> None:
    play = Play(charter_of("r; a < r")).update(1, "r").wish(2, "a", "w").wish(3, "a", "w")
    assert len(play.of(WishMade)) == 1
    assert play.runs == [(2, "a")]


def test_what_is_in_flight_gets_one_more_run() -> None:
    """Two people wish during a run: one further run serves both."""
    play = Play(charter_of("r; a < r", eager="a")).update(1, "r")
    assert play.runs == [(1, "a")]
    play.wish(2, "a", "one").wish(3, "a", "two").done(5, "a")
    assert play.runs == [(1, "a"), (5, "a")]
    assert ends(play) == []
    play.done(6, "a").until(30)
    assert play.runs == [(1, "a"), (5, "a")]
    assert sorted(ends(play)) == [("one", "done", ""), ("two", "done", "")]


def test_a_run_of_others_is_waited_for() -> None:
    play = Play(charter_of("r; a < r")).update(1, "r")
    play.at(2, event(EventKind.RUN_STARTED, "a", 2, run_id="x")).wish(3, "a", "w")
    assert play.runs == []
    play.update(5, "a", run_id="x")
    assert play.runs == [(5, "a")]


def test_two_wishes_that_overlap() -> None:
    """The second is for something further down: what the first already runs is run once more for it, then the rest."""
    play = Play(charter_of("r; a < r; b < a; c < b")).update(1, "r").wish(2, "b", "one").wish(2.5, "c", "two")
    carried_out(play, 30).until(40)
    assert sorted(ends(play)) == [("one", "done", ""), ("two", "done", "")]
    assert [assets for _, assets in play.runs].count("c") == 1
    assert play.see("c").updated_at is not None
    assert play.see("c").pending_since is None


WAVES = [LauncherTraits("dbt", wave=True)]


def test_a_wave_launcher_does_it_in_one_run() -> None:
    by = {"a": "dbt", "b": "dbt", "c": "dbt", "x": "go"}
    graph = "r; q; a < r; b < a; x < q; c < b x"
    play = Play(charter_of(graph, launched_by=by, launchers=WAVES)).update(1, "r", "q").wish(2, "c", "w")
    assert sorted(assets for _, assets in play.runs) == ["a b", "x"]
    carried_out(play, 30).until(40)
    assert sorted(assets for _, assets in play.runs) == ["a b", "c", "x"]
    assert ends(play) == [("w", "done", "")]


def test_a_member_of_a_wished_wave_that_was_skipped_is_tried_again_after_the_other() -> None:
    retry = replace(EAGER, retry=Retry(2, 3 * M, jitter=0.0))
    play = Play(charter_of("r; a < r; b < a", eager=retry, launched_by={"a": "dbt", "b": "dbt"}, launchers=WAVES))
    play.at(1, Wish("w", ("b",)))
    assert play.runs == [(1, "a b")]
    run = play.launches[0].run_id
    play.at(2, RunReport(run, RunPhase.FAILED, 2 * M, "a"), RunReport(run, RunPhase.SKIPPED, 2 * M, "b"))
    play.step(RunReport(run, RunPhase.FINISHED, 2 * M))
    play.until(4.9)
    assert play.runs == [(1, "a b")]
    play.until(5)
    assert play.runs == [(1, "a b"), (5, "a b")]


@pytest.mark.parametrize(
    ("number", "reaction", "attempts"),
    [("1 of a manual asset: one attempt", Reaction(), 1), ("2 of an automatic one: its attempts", EAGER, 2)],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_attempts(number: str, reaction: Reaction, attempts: int) -> None:
    chosen = replace(reaction, retry=Retry(2, 3 * M, jitter=0.0))
    play = Play(charter_of("r; a < r", reactions={"a": chosen}))
    carried_out(carried_out(play.wish(1, "a", "w"), 30, "a").until(10), 30, "a").until(40)
    assert len(play.runs) == attempts, number
    assert ends(play) == [("w", "run_failed", "a")]


def test_a_wish_ignores_the_stop_and_min_interval_and_debounce() -> None:
    held = replace(EAGER, min_interval=100 * M, debounce=100 * M, max_wait=200 * M)
    play = Play(charter_of("r; a < r", eager=held)).update(1, "r")
    assert play.runs == []
    play.wish(2, "a").fail(3, "a")
    assert play.see("a").failed
    play.wish(4, "a")
    assert play.runs == [(2, "a"), (4, "a")]


def test_observed_wishes_are_decided_once_and_end() -> None:
    play = Play(charter_of("r; a < r; b < a", observe=True)).update(1, "r").wish(2, "b", "w").update(3, "r").until(20)
    assert play.runs == [], "nothing is launched"
    assert ends(play) == [("w", "observe", "")]
    assert [play.see(key).runs_started for key in "ab"] == [1, 1]


# the graph is replaced under an open wish


def replaced(play: Play, minute: float, graph: str) -> Play:
    return play.at(minute, CharterReplaced(replace(play.engine.charter, graph=build_graph(assets_of(graph)))))


@pytest.mark.parametrize(
    ("number", "graph", "runs", "end"),
    [
        ("1 a planned upstream is gone: the rest goes on", "r; b < r; c < b", ["a", "b", "c"], ("done", "")),
        ("2 what was wished for is gone: the rest is still done", "r; a < r; b < a", ["a", "b"], ("done", "")),
        ("3 all of it is gone: nothing is left to do", "r", ["a"], ("done", "")),
        ("4 rewired: the order is the new one", "r; a < r; c < a; b < c", ["a", "c", "b"], ("done", "")),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_under_another_graph(number: str, graph: str, runs: list[str], end: tuple[str, str]) -> None:
    play = Play(charter_of("r; a < r; b < a; c < b")).update(1, "r").wish(2, "c", "w")
    replaced(play, 2.5, graph)
    carried_out(play, 30).until(40)
    assert [assets for _, assets in play.runs] == runs, number
    assert ends(play) == [("w", *end)]


def test_an_asset_that_comes_back_is_no_longer_wished_for() -> None:
    play = Play(charter_of("r; a < r; b < a")).update(1, "r").wish(2, "b", "w")
    replaced(play, 2.2, "r; a < r")
    replaced(play, 2.4, "r; a < r; b < a")
    carried_out(play, 30).until(40)
    assert [assets for _, assets in play.runs] == ["a"]
    assert ends(play) == [("w", "done", "")]
