"""The virtual world: what is heard when, what an expectation sees, and that nothing runs for ever."""

from __future__ import annotations

from typing import Any

import pytest

from freshd.backtest import world
from freshd.backtest.scenario import Behaviour, Scenario
from freshd.backtest.world import RestlessError, ScriptedPerformer, TimeLine, VirtualClock
from freshd.model.effects import LaunchRun, Notice, SendNotice
from freshd.model.graph import build_graph
from freshd.model.inputs import CaughtUp, Input, NoticeReport, RunPhase, RunReport, Wish
from freshd.model.policy import Charter, Severity
from freshd.model.time import SECOND, Instant


def wish(name: str) -> Input:
    return Wish(name, ())


def names(inputs: tuple[Input, ...]) -> list[str]:
    return [given.id for given in inputs if isinstance(given, Wish)]


def test_everything_of_one_instant_comes_at_once_and_in_order() -> None:
    clock = VirtualClock(100)
    line = TimeLine(clock)
    line.tell(105, wish("b"))
    line.tell(103, wish("a"))
    line.tell(105, wish("c"))
    line.tell(50, wish("early"))
    assert names(line.poll(None).inputs) == ["early"] and clock.now() == 100
    assert names(line.poll(None).inputs) == ["a"] and clock.now() == 103
    line.hear(105, wish("of a run"))
    assert names(line.poll(None).inputs) == ["b", "c", "of a run"] and clock.now() == 105
    assert not line.over
    assert line.poll(None).inputs == () and line.over


def test_the_engines_timer_comes_between() -> None:
    clock = VirtualClock(0)
    line = TimeLine(clock)
    line.tell(10, wish("a"))
    assert line.poll(4).inputs == () and clock.now() == 4
    assert names(line.poll(10).inputs) == ["a"] and clock.now() == 10


def test_a_look_sees_what_is_due_at_its_instant() -> None:
    clock, seen = VirtualClock(0), []

    def look(_: Any, now: Instant) -> None:
        seen.append(now)

    line = TimeLine(clock)
    line.tell(10, wish("a"))
    line.look(10, look)
    line.look(20, look)
    first = line.poll(None)
    assert names(first.inputs) == ["a"] and not first.questions
    assert line.poll(10).questions == ()  # the engine has something to do at this instant still
    looked = line.poll(15)
    assert len(looked.questions) == 1 and clock.now() == 10
    looked.questions[0](None, clock.now())
    assert line.poll(15).questions == () and clock.now() == 15
    assert len(line.poll(None).questions) == 1 and clock.now() == 20 and seen == [10]
    assert not line.over
    line.poll(25)
    assert line.over and clock.now() == 20  # what would come after the last line is not waited for


def test_never_coming_to_rest_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(world, "TURNS_AT_ONE_INSTANT", 10)
    line = TimeLine(VirtualClock(0))
    line.tell(10, wish("a"))
    for _ in range(10):
        line.poll(0)
    with pytest.raises(RestlessError, match="does not come to rest at 1970"):
        line.poll(0)


def test_runs_go_as_the_scenario_says_and_notices_are_shown() -> None:
    clock = VirtualClock(0)
    line = TimeLine(clock)
    behaviours = {"a": (Behaviour(5 * SECOND), Behaviour(7 * SECOND, RunPhase.FAILED))}
    scenario = Scenario("s", "f:1", 0, Charter(build_graph([])), (), (), behaviours)
    performer = ScriptedPerformer(scenario, line, clock)
    notice = Notice("n", "i", "", "a", "no_update", Severity.INFO, 0, None, 0, (), 0)
    performer.perform([LaunchRun("r1", "scenario", ("a",), 0), SendNotice(notice)])
    performer.perform([LaunchRun("r2", "scenario", ("b",), 0)])
    assert line.poll(None).inputs == (NoticeReport("n", 0, delivered=True, handle="i"),)
    line.tell(60 * SECOND, CaughtUp())
    (succeeded, _) = line.poll(None).inputs
    assert succeeded == RunReport("r1", RunPhase.SUCCEEDED, 5 * SECOND, asset="a", started_at=0)
    performer.perform([LaunchRun("r3", "scenario", ("a",), clock.now())])
    (failed, finished) = line.poll(None).inputs
    assert isinstance(failed, RunReport) and failed.phase is RunPhase.FAILED and failed.error
    assert failed.at == 12 * SECOND and isinstance(finished, RunReport) and finished.phase is RunPhase.FINISHED
    assert clock.now() == 12 * SECOND
    (default, _) = line.poll(None).inputs
    assert isinstance(default, RunReport) and default.at == 30 * SECOND
    assert performer.launched == ("a", "b", "a") and performer.names == {"r1": "a#1", "r2": "b#1", "r3": "a#2"}
