"""The daemon's own circumstances: observe mode, catching up, full launchers, lost runs, what nobody asked for."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.unit.core.play import EAGER, Play, charter_of, check, event, update

from freshd.model.inputs import CaughtUp, EventKind, Input, NoticeReport, RunPhase, RunReport, Started
from freshd.model.policy import Alert, LauncherTraits, Limit, Limits, Measure, Policy, Retry
from freshd.model.records import (
    DaemonCaughtUp,
    IncidentChanged,
    NoticeRequested,
    RunOfOthersLost,
    RunQueued,
    RunRequested,
    VerdictChanged,
)
from freshd.model.time import MINUTE

M = MINUTE
LAG = Policy("p", (Limit(Measure.LAG, 5 * M, 10 * M),), alert=Alert())


# observe mode


def test_observed_runs_are_decided_once_per_news() -> None:
    play = Play(charter_of("r; a < r; b < a", eager="a b", observe=True))
    play.update(1, "r").update(2, "r", changed=False).until(30).update(31, "r").until(60)
    assert play.runs == [], "nothing is launched"
    assert [(record.now // M, record.run.assets) for record in play.of(RunRequested)] == [(1, ("a",)), (31, ("a",))]
    assert all(record.observed for record in play.of(RunRequested))
    assert play.see("a").due
    assert not play.see("a").runs


def test_observing_others_do_the_work() -> None:
    play = Play(charter_of("r; a < r", eager="a", observe=True)).update(1, "r").update(3, "a").update(5, "r")
    assert [record.now // M for record in play.of(RunRequested)] == [1, 5]


# catching up


def catching_up(**limits: int) -> Play:
    charter = charter_of("r; a < r", {"p": (LAG, "r a")}, eager="a", limits=Limits(catch_up=30 * M, **limits))
    play = Play(charter).update(1, "r").done(2, "a")
    play.engine.step(play.now, [])
    return play.at(3, Started(catching_up=True))


def test_nothing_gets_worse_nothing_is_launched_or_announced_until_caught_up() -> None:
    play = catching_up()
    marks = len(play.records)
    play.update(8, "r", started=-100).until(20)
    assert [type(record).__name__ for record in play.records[marks:]] == ["EventTaken"]
    assert [play.see(key).verdict for key in "ra"] == ["fresh", "fresh"]
    play.at(21, CaughtUp())
    late = play.records[marks + 1 :]
    assert [record.new.value for record in late if isinstance(record, VerdictChanged)] == ["stale", "stale"]
    assert [record.now // M for record in late if isinstance(record, RunRequested)] == [21]
    assert [record.now // M for record in late if isinstance(record, NoticeRequested)] == [21]


def test_it_gets_better_at_once() -> None:
    play = Play(charter_of("r", {"p": (LAG, "r")})).update(1, "r").until(15)
    assert play.see("r").verdict == "stale"
    play.at(16, Started(catching_up=True)).update(17, "r")
    assert play.see("r").verdict == "fresh"
    assert play.incidents() == []


def test_the_limit_ends_it() -> None:
    play = catching_up().until(32)
    assert play.engine.next_wake() == 33 * M
    assert play.of(DaemonCaughtUp) == []
    play.until(33)
    assert len(play.of(DaemonCaughtUp)) == 1
    assert not play.engine.catching_up
    assert play.see("a").verdict == "stale"


def test_what_healed_before_the_end_is_never_told() -> None:
    play = catching_up().until(25).update(26, "r", changed=False).at(27, CaughtUp())
    assert play.of(IncidentChanged) == []
    assert [record.new.value for record in play.of(VerdictChanged)] == ["fresh", "fresh"]


def test_caught_up_twice_is_once() -> None:
    play = catching_up().at(5, CaughtUp()).at(6, CaughtUp()).until(40)
    assert len(play.of(DaemonCaughtUp)) == 1


# full launchers


def crowd(limit: int, count: int = 4) -> Play:
    graph = "r; " + "; ".join(f"m{number} < r" for number in range(count))
    return Play(charter_of(graph, eager=EAGER, launchers=[LauncherTraits("go", limit=limit)])).update(1, "r")


def test_a_full_launcher_takes_the_next_as_one_ends() -> None:
    play = crowd(2)
    assert play.runs == [(1, "m0"), (1, "m1")]
    assert [record.asset for record in play.of(RunQueued)] == ["m2", "m3"]
    play.done(3, "m1")
    assert play.runs == [(1, "m0"), (1, "m1"), (3, "m2")]
    play.done(4, "m0").done(5, "m2").done(6, "m3").until(60)
    assert play.runs == [(1, "m0"), (1, "m1"), (3, "m2"), (4, "m3")]


@pytest.mark.parametrize("phase", [RunPhase.FAILED, RunPhase.LOST, RunPhase.SKIPPED, RunPhase.FINISHED])
def test_a_place_is_free_however_a_run_ended(phase: RunPhase) -> None:
    play = crowd(1, 2).report(3, "m0", phase)
    assert play.launches[-1].requested_at == 3 * M
    assert len(play.engine._state.runs) == 1


def test_other_launchers_are_not_held_up() -> None:
    charter = charter_of("r; a < r; b < r; c < r", eager="a b c", launchers=[LauncherTraits("go", limit=1)])
    other = charter_of("r; a < r; b < r; c < r", eager="a b c", launched_by={"c": "free"}).graph
    assert sorted(Play(replace(charter, graph=other)).update(1, "r").runs) == [(1, "a"), (1, "c")]


def test_what_is_no_longer_due_leaves_the_queue() -> None:
    play = crowd(1, 2).update(2, "m1").done(3, "m0").until(30)
    assert play.runs == [(1, "m0")]


# runs that end otherwise


def test_a_lost_run_counts_as_a_failed_attempt() -> None:
    eager = replace(EAGER, retry=Retry(2, 4 * M, jitter=0.0))
    play = Play(charter_of("r; a < r", eager=eager)).update(1, "r").report(2, "a", RunPhase.LOST).until(20)
    assert play.runs == [(1, "a"), (6, "a")]
    assert [run.attempt for run in play.launches] == [1, 2]
    play.report(21, "a", RunPhase.LOST).until(60)
    assert len(play.runs) == 2
    assert play.see("a").failed


@pytest.mark.parametrize("first", [RunPhase.SUCCEEDED, RunPhase.FAILED, RunPhase.LOST])
@pytest.mark.parametrize("then", [RunPhase.SUCCEEDED, RunPhase.FAILED, RunPhase.LOST, RunPhase.STARTED])
def test_the_first_outcome_is_final(first: RunPhase, then: RunPhase) -> None:
    play = Play(charter_of("r; a < r", eager="a")).update(1, "r").report(2, "a", first)
    before, count = play.see("a", 9), len(play.records)
    play.at(5, RunReport(play.launches[0].run_id, then, 5 * M, "a"))
    assert play.records[count:] == []
    assert play.see("a", 9) == before


STRANGERS: list[Input] = [
    RunReport("fd-unknown", RunPhase.SUCCEEDED, 5 * M, "a"),
    RunReport("fd-unknown", RunPhase.FINISHED, 5 * M),
    NoticeReport("n-unknown", 5 * M, True),
    event(EventKind.UPDATE, "gone", 5),
    event(EventKind.HEARTBEAT, "r", 5),
    check("gone", 5, False),
]


@pytest.mark.parametrize("stranger", STRANGERS, ids=lambda given: f"{type(given).__name__} {given}"[:40])
def test_what_nobody_asked_for_changes_nothing(stranger: Input) -> None:
    play = Play(charter_of("r; a < r", {"p": (LAG, "r a")}, eager="a")).update(1, "r")
    before = [play.see(key, 9) for key in "ra"]
    play.at(5, stranger)
    assert [play.see(key, 9) for key in "ra"] == before
    assert play.runs == [(1, "a")]


# runs of others


def test_a_run_of_others_is_lost_after_a_while() -> None:
    charter = charter_of("r; a < r; b < a", eager="b", limits=Limits(lost_after=20 * M))
    play = Play(charter).update(1, "r").update(2, "a").done(3, "b")
    play.at(5, event(EventKind.RUN_STARTED, "a", 5, run_id="x")).until(24)
    assert play.see("a").runs
    play.until(25)
    assert not play.see("a").runs
    assert [(record.asset, record.run_id) for record in play.of(RunOfOthersLost)] == [("a", "x")]


def test_an_update_after_it_was_lost_still_counts() -> None:
    play = Play(charter_of("r; a < r", limits=Limits(lost_after=20 * M))).update(1, "r")
    play.at(5, event(EventKind.RUN_STARTED, "a", 5, run_id="x")).update(10, "r").until(30)
    play.update(40, "a", run_id="x")
    seen = play.see("a")
    assert (seen.updated_at, seen.pending_since, seen.due) == (40 * M, 10 * M, True)


def test_it_holds_back_our_own_run() -> None:
    play = Play(charter_of("r; a < r", eager="a"))
    play.at(1, event(EventKind.RUN_STARTED, "a", 1, run_id="x")).update(2, "r")
    assert play.runs == []
    play.at(4, event(EventKind.RUN_ENDED, "a", 4, run_id="x"))
    assert play.runs == [(4, "a")]


def test_results_of_blocking_checks_are_waited_for() -> None:
    play = Play(charter_of("r; a < r; b < a", eager="a b", limits=Limits(check_wait=10 * M)))
    play.at(1, check("a", 1, True, blocking=True)).update(2, "r").done(4, "a")
    assert play.runs == [(2, "a")], "b waits for the check of what was made at 4"
    play.at(5, check("a", 5, True, blocking=True))
    assert play.runs == [(2, "a"), (5, "b")]
    play.done(6, "b").update(20, "r").done(22, "a").until(31)
    assert play.runs[2:] == [(20, "a")]
    play.until(40)
    assert play.runs[2:] == [(20, "a"), (32, "b")], "after ten minutes nobody waits any longer"


def test_a_failed_blocking_check_blocks_and_a_passed_one_frees() -> None:
    play = Play(charter_of("r; a < r; b < a", eager="a b")).at(1, check("a", 1, True, blocking=True))
    play.update(2, "r").done(4, "a").at(5, check("a", 5, False, blocking=True)).until(50)
    assert play.runs == [(2, "a")]
    assert play.see("b").blocked
    play.at(51, check("a", 51, True, blocking=True))
    assert play.runs == [(2, "a"), (51, "b")]


def test_a_repeated_event_changes_nothing() -> None:
    play = Play(charter_of("r; a < r", eager="a"))
    play.at(1, update("r", 1, id="e1")).done(2, "a").at(3, update("r", 3, id="e1")).until(20)
    assert play.runs == [(1, "a")]
