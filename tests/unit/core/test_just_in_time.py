"""Just in time: launched as late as what is expected at the asset or below it allows. Instants are minutes.

Unless a line says otherwise r was updated at 100 and everything else at 100 too; then r has news at 110, so that
what reads it is due; runs of `a` took 4, 4 and 5 minutes, of `b` 10, of others nothing is known (10 minutes).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import pytest
from tests.unit.core.lives import Life
from tests.unit.core.play import EAGER, Play, charter_of, event, update

from freshd.core.just_in_time import duration_of
from freshd.model.asset import Asset, PartitionScheme
from freshd.model.effects import LaunchRun
from freshd.model.graph import build_graph
from freshd.model.inputs import EventKind, RunPhase, RunReport
from freshd.model.policy import Charter, Deadline, LauncherTraits, Limit, Measure, Policy, Reaction, ReactionKind, Retry
from freshd.model.records import RunRequested
from freshd.model.time import MINUTE, NEVER

M = MINUTE
JUST = Reaction(ReactionKind.JUST_IN_TIME, max_wait=600 * M, retry=Retry(attempts=2, jitter=0.0))
KNOWN = {"a": (4, 4, 5), "b": (10, 10, 10)}


def lag(stale: float) -> Policy:
    return Policy("p", (Limit(Measure.LAG, None, round(stale * M)),))


def behind(stale: float) -> Policy:
    return Policy("p", (Limit(Measure.BEHIND, None, round(stale * M)),))


class Every:
    """Ticks at every multiple of some minutes."""

    def __init__(self, minutes: float) -> None:
        self._every = round(minutes * M)

    def after(self, instant: int) -> int:
        return instant - instant % self._every + self._every if instant > NEVER else 0

    def until(self, instant: int) -> int:
        return instant - instant % self._every if instant >= 0 else NEVER


def play_of(
    graph: str,
    policies: Mapping[str, tuple[Policy, str]],
    just: str = "a b",
    reactions: Mapping[str, Reaction] | None = None,
    known: Mapping[str, tuple[float, ...]] = KNOWN,
    launched_by: Mapping[str, str] | None = None,
    launchers: tuple[LauncherTraits, ...] = (),
) -> Play:
    chosen = dict.fromkeys(just.split(), JUST) | dict(reactions or {})
    play = Play(charter_of(graph, policies, chosen, launched_by=launched_by, launchers=launchers))
    for key, durations in known.items():
        row = play.engine._state.rows.get(key)
        for minutes in durations if row is not None else ():
            row.moving_work.note_duration(round(minutes * M))
    keys = [part.split()[0] for part in graph.split(";") if "v<" not in part]
    return play.at(100, *(update(key, 100) for key in keys))


@dataclass(frozen=True)
class Line:
    number: str
    graph: str
    policies: Mapping[str, tuple[Policy, str]]
    launched: float | None
    """The minute at which the first run is requested; None: none is by 500."""
    of: str = "a"
    margin: float = 0.2
    reactions: Mapping[str, Reaction] = field(default_factory=dict)
    just: str = "a b"
    then: Callable[[Play], object] = lambda play: play
    why: str = ""


LINES = [
    Line("01 its own lag", "r; a < r", {"p": (lag(60), "a")}, 154, why="stale at 100 + 60, less 1.2 x 5"),
    Line("02 no margin", "r; a < r", {"p": (lag(60), "a")}, 155, margin=0.0),
    Line("03 a margin of 200%", "r; a < r", {"p": (lag(60), "a")}, 145, margin=2.0),
    Line("04 expected below: both durations", "r; a < r; b < a", {"p": (lag(60), "b")}, 142, why="160 - 1.2 x 15"),
    Line("05 the earliest counts: below", "r; a < r; b < a", {"p": (lag(90), "a"), "q": (lag(60), "b")}, 142),
    Line("06 the earliest counts: itself", "r; a < r; b < a", {"p": (lag(45), "a"), "q": (lag(60), "b")}, 139),
    Line(
        "07 of two ways down the longer", "r; a < r; b < a; c < a; d < b c", {"p": (lag(120), "d")}, 190,
        why="220 - 1.2 x (5 + 10 + 10); c is not known either: the same",
    ),
    Line("08 a view takes no time", "r; a < r; v v< a; b < v", {"p": (lag(60), "b")}, 142),
    Line("09 expected of a view below", "r; a < r; v v< a", {"p": (lag(60), "v")}, 154),
    Line("10 unknown durations: ten minutes", "r; c < r", {"p": (lag(60), "c")}, 148, of="c", just="c"),
    Line("11 behind", "r; a < r", {"p": (behind(30), "a")}, 134, why="behind since 110"),
    Line("12 behind below", "r; a < r; b < a", {"p": (behind(30), "b")}, 122),
    Line(
        "13 a deadline", "r; a < r", {"p": (Policy("p", deadlines=(Deadline(Every(180), 60 * M, grace=10 * M),)), "a")},
        184, why="the tick at 180 asks for 120, with grace until 190",
    ),
    Line(
        "14 a deadline that is met already is not asked for again", "r; a < r",
        {"p": (Policy("p", deadlines=(Deadline(Every(180), 90 * M),)), "a")}, 354,
        why="at 180 data of 100 is enough; the tick at 360 asks for 270",
    ),
    Line("15 stale already: at once", "r; a < r", {"p": (lag(9), "a")}, 110),
    Line("16 too little time left: at once", "r; a < r", {"p": (lag(12), "a")}, 110),
    Line("17 only what never turns stale is expected", "r; a < r", {"p": (behind(600), "r")}, None),
    Line("18 what a static asset shows is nobody's", "r; k =; a < r k", {"p": (lag(60), "a k")}, 154),
    Line("19 not due: not launched", "r; a < r", {"p": (lag(60), "a")}, None, then=lambda play: play.update(120, "a")),
    Line(
        "20 min_interval", "r; a < r", {"p": (lag(60), "a")}, 154, reactions={"a": replace(JUST, min_interval=30 * M)}
    ),
    Line(
        "21 waits for what is being built above", "r; q; b < r; a < b q", {"p": (lag(60), "a")}, 160, just="a",
        then=lambda play: play.at(109.5, event(EventKind.RUN_STARTED, "b", 109, run_id="x")).update(110, "q")
        .at(160, update("b", 160, run_id="x")),
        why="theirs began before a was due",
    ),
    Line(
        "22 but max_wait ends that", "r; q; b < r; a < b q", {"p": (lag(60), "a")}, 154, just="a",
        reactions={"a": replace(JUST, max_wait=30 * M)},
        then=lambda play: play.at(109.5, event(EventKind.RUN_STARTED, "b", 109, run_id="x")).update(110, "q")
        .at(160, update("b", 160, run_id="x")),
        why="from minute 110, though held until 154",
    ),
]  # fmt: skip


@pytest.mark.parametrize("line", LINES, ids=[line.number for line in LINES])
def test_when_it_is_launched(line: Line) -> None:
    reactions = {key: replace(JUST, margin=line.margin) for key in line.just.split()} | dict(line.reactions)
    play = play_of(line.graph, line.policies, line.just, reactions)
    play.update(110, "r")
    line.then(play)
    play.until(500)
    first = next((run for run in play.runs if run[1] == line.of), None)
    assert first == (None if line.launched is None else (line.launched, line.of)), line.why
    assert {record.run.reason for record in play.of(RunRequested)} <= {"just_in_time", "max_wait"}


# what brings it nearer, and what takes it away


def test_an_expectation_that_turns_stale_earlier_is_noticed_far_below() -> None:
    """d is behind of q only; when q changes, what r's news can wait for is no longer far away."""
    graph = "r; q; a < r; b < a; d < b q"
    play = play_of(graph, {"p": (lag(300), "d"), "q": (behind(60), "d")}, "a b d", known=KNOWN | {"d": (2, 2, 2)})
    play.update(110, "r").until(112)
    assert play.see("a").next_launch == round((170 - 1.2 * 17) * M), "behind since 110"
    play = play_of(graph, {"p": (lag(300), "d")}, "a b d", known=KNOWN | {"d": (2, 2, 2)}).update(110, "r")
    assert play.see("a").next_launch == round((400 - 1.2 * 17) * M)


def test_news_that_makes_a_reader_behind_hurries_what_is_above_it() -> None:
    """x is due for news of r, nobody minds; then s makes b behind, for which x is on the path."""
    policies = {"p": (behind(60), "b"), "q": (lag(1000), "b")}
    graph = "r; s; x < r; b < x s"
    play = play_of(graph, policies, "x b", known={"b": (10, 10, 10), "x": (5, 5, 5)})
    play.at(105, update("r", 105, changed=False)).until(106)
    assert play.runs == []
    play.update(110, "s")
    assert play.see("b").next_launch == (170 - 12) * M
    play.update(120, "r")
    assert play.see("x").next_launch == (170 - 18) * M


def test_what_comes_meanwhile_takes_it_further_away() -> None:
    play = play_of("r; a < r", {"p": (Policy("p", (Limit(Measure.AGE, None, 60 * M),)), "a")})
    play.update(110, "r").at(130, update("a", 130, started=105)).until(500)
    assert play.runs == [(184, "a")], "it has not read r's news of 110, but it is produced anew: stale at 190"


def test_a_run_that_takes_longer_makes_the_next_one_begin_earlier() -> None:
    play = play_of("r; a < r; b < a", {"p": (lag(60), "b")}, just="a b")
    play.update(110, "r").until(142).at(160)
    play.done(161, "a").until(162)
    work = play.engine._state.rows["a"].work
    assert work is not None and list(work.durations or ())[-1] == 19 * M
    assert duration_of(play.engine._state.rows["a"]) == 19 * M


def test_the_p95_is_of_the_last_twenty_successes() -> None:
    row = play_of("r; a < r", {"p": (lag(60), "a")}, known={"a": (1, 2)}).engine._state.rows["a"]
    assert duration_of(row) == 10 * M, "two are too few to tell"
    for minutes in (3, *range(50, 70)):
        row.moving_work.note_duration(minutes * M)
    assert duration_of(row) == 68 * M, "the nineteenth of twenty"
    assert row.work is not None and len(row.work.durations or ()) == 20


def test_durations_outlive_a_restart() -> None:
    charter = charter_of("r; a < r", {"p": (lag(60), "a")}, eager="a")
    life = Life(charter, 0)
    for nth in range(3):
        life.step((10 * nth + 1) * M, [update("r", 10 * nth + 1)])
        run = life.engine._state.rows["a"].moving_work.run
        assert run is not None
        at = (10 * nth + 5 + nth) * M
        life.step(at, [RunReport(run.run_id, phase, at, "a") for phase in (RunPhase.SUCCEEDED, RunPhase.FINISHED)])
        if nth == 1:
            life.checkpoint()
    life.restart(40 * M, charter, False)
    assert duration_of(life.engine._state.rows["a"]) == 6 * M, "of 4, 5 and 6 minutes; the last is only in the records"


# who is held is not waited for


def test_nobody_waits_for_what_is_held_until_it_is_launched() -> None:
    """e reads a, which is due and held; e is due by q and does not wait for it."""
    play = play_of("r; q; a < r; e < a q", {"p": (lag(60), "a")}, "a", {"e": EAGER})
    play.update(110, "r").update(120, "q")
    assert play.runs == [(120, "e")]


def test_who_is_due_when_the_hold_ends_waits() -> None:
    play = play_of("r; q; a < r; e < a q", {"p": (lag(60), "a")}, "a", {"e": EAGER})
    play.update(110, "r").update(154, "q")
    assert play.runs == [(154, "a")], "at 154 a is launched; e is due from 154 on and waits"
    play.done(158, "a")
    assert play.runs == [(154, "a"), (158, "e")]


# extractors


def extractor(policies: Mapping[str, tuple[Policy, str]], graph: str = "x; a < x", **kind: object) -> Play:
    reactions = {"x": replace(JUST, **kind), "a": EAGER}  # type: ignore[arg-type]
    return play_of(graph, policies, "", reactions, known={"x": (3, 3, 3), "a": (5, 5, 5)}, launched_by={"x": "go"})


def test_an_extractor_is_always_due_and_launched_in_time() -> None:
    play = extractor({"p": (lag(60), "a")})
    assert play.see("x").due
    play.until(300)
    assert play.runs == [(150.4, "x")], "160 - 1.2 x 8"


def test_extractors_go_on_round_after_round() -> None:
    play = extractor({"p": (lag(60), "a")}).until(150.4)
    play.done(153.4, "x").done(158, "a").until(205)
    assert [run for run in play.runs if run[1] == "x"] == [(150.4, "x"), (200.8, "x")], "data of 150.4: stale at 210.4"


def test_an_extractor_that_cannot_help_is_not_launched_over_and_over() -> None:
    """a is stale for s's sake; x runs once, and again only max_delay (15 m) after its run has ended."""
    play = extractor({"p": (lag(60), "a")}, "x; s; a < x s").until(150.4).done(152, "x").done(157, "a").until(170)
    assert [run[0] for run in play.runs if run[1] == "x"] == [150.4, 167]


def test_an_eager_extractor_is_launched_on_demand_only() -> None:
    play = play_of("x; a < x", {"p": (lag(60), "a")}, "", {"x": EAGER}, launched_by={"x": "go"})
    play.until(300).wish(301, "x")
    assert play.runs == [(301, "x")]


def test_an_extractor_goes_first_when_somebody_asks_for_what_is_below() -> None:
    play = extractor({"p": (lag(600), "a")}).wish(110, "a")
    assert play.runs == [(110, "x")]
    assert play.done(113, "x").runs == [(110, "x"), (113, "a")]


def test_an_extractor_that_fails_is_retried_and_stops() -> None:
    play = extractor({"p": (lag(60), "a")}).until(150.4).fail(152, "x")
    assert play.runs == [(150.4, "x")]
    play.until(153).fail(154, "x").until(400)
    assert [run for run in play.runs if run[1] == "x"] == [(150.4, "x"), (153, "x")]
    assert play.see("x").failed


def test_what_others_bring_for_a_stopped_extractor_is_built_on() -> None:
    play = extractor({"p": (lag(60), "a")}).until(150.4).fail(152, "x").until(153).fail(154, "x").until(160)
    assert play.see("x").failed
    play.update(170, "x")
    assert play.runs[-1] == (170, "a")
    assert not play.see("x").failed


def test_an_extractor_that_ran_in_vain_runs_once_it_would_help_again() -> None:
    """s holds a back until 157; from then on a rests on x too, which is needed long before max_delay has passed."""
    play = extractor({"p": (lag(60), "a")}, "x; s; a < x s").until(150.4).done(152, "x").done(157, "a")
    play.update(158, "s").done(160, "a")
    play.until(240)
    again = [run[0] for run in play.runs if run[1] == "x"]
    assert again == [150.4, 200.8], "data of 150.4 is stale at 210.4"


def test_an_extractor_keeps_what_is_shorter_than_the_wait_after_a_run_in_vain() -> None:
    """Data may be 20 minutes old, max_delay is 15: what below was not made yet is no reason to wait that long."""
    play = extractor({"p": (lag(20), "a")}).until(110.4).done(113.4, "x").done(118.4, "a").until(125)
    assert [run[0] for run in play.runs if run[1] == "x"] == [110.4, 120.8], "data of 110.4: stale at 130.4"


# waves


def test_members_of_a_wave_are_not_asked_for_their_time() -> None:
    dbt = LauncherTraits("dbt", wave=True)
    play = play_of(
        "r; a < r; b < a", {"p": (lag(60), "a"), "q": (lag(900), "b")}, launched_by={"a": "dbt", "b": "dbt"},
        launchers=(dbt,),
    )  # fmt: skip
    play.update(110, "r").until(154)
    assert play.runs == [(154, "a b")]


# partitions


def test_runs_of_all_partitions_of_an_asset_tell_how_long_one_takes() -> None:
    scheme = PartitionScheme(names=("eu", "us"))
    graph = build_graph([Asset("r"), Asset("a", ("r",), launcher="go", partitions=scheme)])
    charter = Charter(graph, reactions={"a": EAGER})
    life = Life(charter, 0)
    for nth, minutes in enumerate((4, 6)):
        steps = life.step((100 * nth + 1) * M, [update("r", 100 * nth + 1)])
        at = (100 * nth + 1 + minutes) * M
        orders = [effect for step in steps for effect in step.effects if isinstance(effect, LaunchRun)]
        assert len(orders) == 2
        told = [RunReport(one.run_id, RunPhase.SUCCEEDED, at, "a") for one in orders]
        life.step(at, [*told, *(RunReport(one.run_id, RunPhase.FINISHED, at) for one in orders)])
    life.checkpoint()
    life.restart(300 * M, charter, False)
    rows = [row for row in life.engine._state.rows.values() if row.asset.key == "a"]
    assert sorted((row.partition, duration_of(row) // M) for row in rows) == [("", 0), ("eu", 6), ("us", 6)]
