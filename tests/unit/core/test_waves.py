"""Waves: which assets go in one run of a launcher that orders its own work. `>` stands for the runs requested.

Unless a line says otherwise all derived assets are eager and of the launcher `dbt`, which takes waves.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import pytest
from tests.unit.core.play import EAGER, Play, charter_of, check, event, update

from freshd.model.inputs import Event, EventKind, RunPhase, RunReport
from freshd.model.policy import LauncherTraits, Reaction, Retry
from freshd.model.records import RunQueued
from freshd.model.time import MINUTE

M = MINUTE
DBT = LauncherTraits("dbt", wave=True)
MANUAL = Reaction()


def wave_play(
    graph: str,
    reactions: Mapping[str, Reaction] | None = None,
    by: Mapping[str, str] | None = None,
    limit: int = 0,
    eager: Reaction = EAGER,
) -> Play:
    """Everything derived is launched by dbt, except what `by` says."""
    names = [part.split()[0] for part in graph.split(";") if "<" in part and "v<" not in part]
    launched_by = dict.fromkeys(names, "dbt") | dict(by or {})
    traits = (replace(DBT, limit=limit), LauncherTraits("other"))
    return Play(charter_of(graph, reactions=reactions, eager=eager, launchers=traits, launched_by=launched_by))


@dataclass(frozen=True)
class Line:
    number: str
    graph: str
    runs: str
    """Of everything that is due at minute 100, with `|` between runs of one step."""
    reactions: Mapping[str, Reaction] = field(default_factory=dict)
    by: Mapping[str, str] = field(default_factory=dict)
    before: tuple[Event, ...] = ()
    """Besides these, everything was updated in topological order up to minute 60."""
    news: tuple[str, ...] = ("r",)


LINES = [
    Line("01 all below go with it", "r; a < r; b < a; c < b", "a b c"),
    Line("02 a diamond is one run", "r; a < r; b < r; d < a b", "a b d"),
    Line("03 through a view", "r; a < r; view v< a; b < view", "a b"),
    Line("04 through two views", "r; a < r; v1 v< a; v2 v< v1; b < v2", "a b"),
    Line("05 several due at one instant: one run", "r; q; a < r; b < q; c < a b", "a b c", news=("r", "q")),
    Line("06 unrelated ones too", "r; q; a < r; b < q", "a b", news=("r", "q")),
    Line("07 not one of another launcher, nor what is below it", "r; a < r; b < a; c < b", "a", by={"b": "other"}),
    Line("08 its diamond half goes, the join waits", "r; a < r; b < r; d < a b", "a | b", by={"b": "other"}),
    Line("09 not a manual one, but what else there is", "r; a < r; b < a; c < a", "a c", {"b": MANUAL}),
    Line("10 below a manual one nothing is made due", "r; a < r; b < a; c < b", "a", {"b": MANUAL}),
    Line(
        "11 updates_on all: both members", "r; a < r; b < r; d < a b", "a b d", {"d": replace(EAGER, updates_on="all")}
    ),
    Line(
        "12 updates_on all: one has nothing new",
        "r; q; a < r; b < q; d < a b",
        "a",
        {"d": replace(EAGER, updates_on="all")},
    ),
    Line(
        "13 updates_on all: the other has news that it has not read",
        "r; q; a < r; b < q; d < a b",
        "a d",
        {"d": replace(EAGER, updates_on="all")},
        before=(update("b", 80),),
    ),
    Line("14 updates_on named ones", "r; q; a < r; b < q; d < a b", "a", {"d": replace(EAGER, updates_on=("b",))}),
    Line("15 not inside its min_interval", "r; a < r; b < a", "a", {"b": replace(EAGER, min_interval=200 * M)}),
    Line(
        "16 debounce is not asked of what goes with it",
        "r; a < r; b < a",
        "a b",
        {"b": replace(EAGER, debounce=30 * M)},
    ),
    Line(
        "17 not what is in flight", "r; a < r; b < a", "a", before=(event(EventKind.RUN_STARTED, "b", 90, run_id="x"),)
    ),
    Line(
        "18 not what waits for a run outside",
        "r; q; a < r; x < q; d < a x",
        "a",
        {"x": MANUAL},
        {"x": "other"},
        (event(EventKind.RUN_STARTED, "x", 90, run_id="x"),),
    ),
    Line(
        "19 a source in flight is waited for by nobody",
        "r; q; a < r; d < a q",
        "a d",
        before=(event(EventKind.RUN_STARTED, "q", 90, run_id="x"),),
    ),
    Line(
        "20 not below a failed blocking check outside",
        "r; q; a < r; d < a q",
        "a",
        before=(check("q", 90, False, True),),
    ),
    Line(
        "21 unless it goes on regardless",
        "r; q; a < r; d < a q",
        "a d",
        {"d": replace(EAGER, go_on=True)},
        before=(check("q", 90, False, True),),
    ),
    Line("22 a static one in between carries nothing", "r; a < r; s =< a; d < s", "a", {"s": MANUAL}),
    Line("23 what it makes due twice over goes once", "r; a < r; b < a; c < a b; d < a b c", "a b c d"),
]


@pytest.mark.parametrize("line", LINES, ids=lambda line: line.number)
def test_members(line: Line) -> None:
    play = wave_play(line.graph, line.reactions, line.by)
    order = [key for key, asset in play.engine.charter.graph.assets.items() if not asset.virtual]
    sources = [key for key in order if not play.engine.charter.graph.assets[key].upstreams]
    play.at(50, *(update(key, 50) for key in order if key in sources))
    for minute, key in enumerate(order, 60):
        if key not in sources:
            settle(play, key, minute)
    for one in line.before:
        play.at(one.at / M, one)
    play.until(99)
    count = len(play.launches)
    play.at(100, *(update(key, 100) for key in line.news))
    assert " | ".join(" ".join(run.assets) for run in play.launches[count:]) == line.runs
    assert len({key for run in play.launches[count:] for key in run.assets}) == len(line.runs.replace("|", "").split())


def settle(play: Play, key: str, minute: int) -> None:
    """Its run succeeds, or somebody else updates it."""
    if play.see(key).runs:
        play.at(minute, RunReport(play.run_of(key).run_id, RunPhase.SUCCEEDED, minute * M, key, minute * M))
    else:
        play.at(minute, update(key, minute))


# outcomes


def chain(**reactions: Reaction) -> Play:
    """a, b and c one below the other, in flight in one run since minute 1."""
    play = wave_play("r; a < r; b < a; c < b", reactions, eager=replace(EAGER, retry=Retry(2, 5 * M, jitter=0.0)))
    play.update(1, "r")
    assert play.runs == [(1, "a b c")]
    return play


@pytest.mark.parametrize(
    ("graph", "runs"),
    [
        ("r; a < r; b < a; c < b", "a b c"),
        ("r; q; a < r; x < q; d < a x", "a"),
        ("r; q; a < r; d < a q", "a"),
        ("r; q; a < r; view v< a q; d < view", "a"),
    ],
    ids=["all it needs is in the run", "not if another upstream never was", "nor a source", "nor a part of a view"],
)
def test_never_updated(graph: str, runs: str) -> None:
    assert wave_play(graph).update(1, "r").runs == [(1, runs)]


def told(play: Play, minute: float, *outcomes: tuple[str, RunPhase]) -> Play:
    run = play.launches[-1].run_id
    ends = {key: round(minute * M) - (len(outcomes) - number) for number, (key, _) in enumerate(outcomes)}
    reports = [RunReport(run, phase, ends[key], key, ends[key]) for key, phase in outcomes]
    return play.at(minute, *reports, RunReport(run, RunPhase.FINISHED, round(minute * M)))


DONE, FAILED, SKIPPED, LOST = RunPhase.SUCCEEDED, RunPhase.FAILED, RunPhase.SKIPPED, RunPhase.LOST


@pytest.mark.parametrize(
    ("number", "outcomes", "runs", "attempts"),
    [
        ("1 all done: nothing more", [("a", DONE), ("b", DONE), ("c", DONE)], [], []),
        ("2 the last fails: it alone again", [("a", DONE), ("b", DONE), ("c", FAILED)], [(7, "c")], [2]),
        (
            "3 the middle fails: with what it kept from running",
            [("a", DONE), ("b", FAILED), ("c", SKIPPED)],
            [(7, "b c")],
            [2],
        ),
        ("4 the first fails: all of it again", [("a", FAILED), ("b", SKIPPED), ("c", SKIPPED)], [(7, "a b c")], [2]),
        ("5 lost counts as failed", [("a", LOST), ("b", LOST), ("c", LOST)], [(7, "a b c")], [2]),
        ("6 finished without outcomes: as if it had not run", [], [(2, "a b c")], [1]),
        ("7 finished with some: the others had not run", [("a", DONE)], [(2, "b c")], [1]),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_outcomes(
    number: str, outcomes: list[tuple[str, RunPhase]], runs: list[tuple[float, str]], attempts: list[int]
) -> None:
    play = told(chain(), 2, *outcomes).until(30)
    assert [(round(at), assets) for at, assets in play.runs[1:]] == runs, number
    assert [run.attempt for run in play.launches[1:]] == attempts


def test_a_member_that_used_up_its_attempts_blocks_what_is_below() -> None:
    play = told(chain(), 2, ("a", DONE), ("b", FAILED), ("c", SKIPPED))
    told(play.until(7.5), 8, ("b", FAILED), ("c", SKIPPED)).until(60)
    assert [play.see(key).failed for key in "abc"] == [False, True, False]
    assert play.see("c").due is False, "b was never made, so c has nothing to read"
    assert len(play.runs) == 2


def test_each_member_has_its_own_end() -> None:
    play = chain()
    run = play.launches[0].run_id
    play.at(3, RunReport(run, DONE, 3 * M, "a", started_at=2 * M))
    assert [bool(play.see(key).runs) for key in "abc"] == [False, True, True]
    assert (play.see("a").updated_at, play.see("b").updated_at) == (3 * M, None)
    play.at(5, RunReport(run, DONE, 5 * M, "b", started_at=4 * M), RunReport(run, DONE, 5 * M, "c", started_at=5 * M))
    assert [play.see(key).due for key in "abc"] == [False, False, False]
    assert play.runs == [(1, "a b c")]


def test_news_during_a_wave_is_one_more_wave() -> None:
    play = chain()
    run = play.launches[0].run_id
    play.at(3, RunReport(run, DONE, 2 * M, "a", started_at=1 * M), RunReport(run, DONE, 3 * M, "b", started_at=2 * M))
    play.update(4, "r")
    assert play.runs == [(1, "a b c"), (4, "a b")], "c is in flight"
    play.at(5, RunReport(run, DONE, 5 * M, "c", started_at=3 * M))
    told(play, 7, ("a", DONE), ("b", DONE)).until(30)
    assert play.runs == [(1, "a b c"), (4, "a b"), (7, "c")]


# a launcher that is full


def test_the_queued_go_as_one_wave_afterwards() -> None:
    play = wave_play("r; q; s; a < r; b < q; c < s; d < b c", limit=1)
    play.update(1, "r").update(2, "q").update(3, "s")
    assert play.runs == [(1, "a")]
    assert sorted({record.asset for record in play.of(RunQueued)}) == ["b", "c"]
    told(play, 5, ("a", DONE)).until(6)
    assert play.runs == [(1, "a"), (5, "b c d")]
    told(play, 8, ("b", DONE), ("c", DONE), ("d", DONE)).until(60)
    assert len(play.runs) == 2


def test_a_full_launcher_is_told_of_once() -> None:
    play = wave_play("r; q; a < r; b < q", limit=1)
    for minute in range(1, 6):
        play.update(minute, "r", "q")
    assert [run for _, run in play.runs] == ["a b"]
    assert len(play.of(RunQueued)) <= 2
