"""When the daemon launches what is due: corners that took a while to get right. Instants are minutes."""

from __future__ import annotations

from dataclasses import replace

from tests.unit.core.lives import Life
from tests.unit.core.play import EAGER, Play, charter_of, check, event, update

from freshd.model.inputs import Event, EventKind
from freshd.model.policy import LauncherTraits, Limit, Measure, Policy
from freshd.model.time import MINUTE

M = MINUTE


# waiting


def test_who_waits_through_an_asset_that_stops_waits_no_longer() -> None:
    """b waits, through a, for checks of c; then a's run, asked for by a person, fails for good."""
    play = Play(charter_of("c; q; a < c; b < a q", eager="a b"))
    play.at(1, *(update(key, 1) for key in "cqab"), check("c", 1, True, blocking=True))
    play.at(8, update("c", 8, changed=False)).update(9, "q")
    assert play.see("b").waiting_for == ("c",)
    play.wish(10, "a").fail(11, "a")
    assert play.runs == [(10.0, "a"), (11.0, "b")]


# due at an instant as a whole


def test_due_not_due_and_due_again_at_one_instant_is_due_all_the_time() -> None:
    play = Play(charter_of("r; a < r", reactions={"a": replace(EAGER, debounce=20 * M, max_wait=30 * M)}))
    play.at(1, update("r", 1), update("a", 1)).update(40, "r")
    play.at(55, update("a", 55, started=50), update("r", 55)).until(100)
    assert play.runs == [(70.0, "a")], "quiet from minute 75, but max_wait counts from minute 40"


# waves


def test_a_head_that_max_wait_forces_goes_in_the_wave_of_its_instant() -> None:
    """`a` waits for x, which somebody else builds for hours; `b` is due just when a's patience ends."""
    play = Play(
        charter_of(
            "r; s; t; x < r; a < s x; b < t; c < a b",
            reactions={"a": replace(EAGER, max_wait=30 * M), "b": EAGER, "c": EAGER},
            launchers=[LauncherTraits("dbt", wave=True)],
            launched_by={"a": "dbt", "b": "dbt", "c": "dbt"},
        )
    )
    play.at(1, *(update(key, 1) for key in "rstxabc"))
    play.at(10, event(EventKind.RUN_STARTED, "x", 10, run_id="theirs"))
    play.at(11, update("r", 11), update("s", 11))
    play.at(41, update("t", 41))
    assert play.runs == [(41.0, "b a c")]


# runs of others


def test_a_start_that_is_told_late_counts_for_every_update_of_its_run() -> None:
    play = Play(charter_of("r; q; a < r q", {"p": (Policy("p", (Limit(Measure.LAG, None, 60 * M),)), "a r")}))
    play.at(1, update("r", 1), update("q", 1), update("a", 1))
    play.update(20, "r", run_id="x").update(30, "r", run_id="x")
    play.at(31, event(EventKind.RUN_STARTED, "r", 10, run_id="x"))
    assert play.see("r").data_time == 10 * M
    play.update(40, "a", started=29)
    assert play.see("a").pending_since == 30 * M
    assert play.see("a").data_time == 1 * M, "q is of minute 1"
    play.update(45, "q", started=44).update(50, "a", started=49)
    assert play.see("a").data_time == 10 * M


def test_runs_of_others_are_in_flight_and_materialise() -> None:
    """Nobody runs a beside them, what reads it waits for them, and their success counts like any other."""
    play = Play(charter_of("r; q; a < r; b < a q", eager="a b"))
    play.at(1, *(update(key, 1) for key in "rqab"))
    play.at(9, event(EventKind.RUN_STARTED, "a", 9, run_id="x")).update(10, "r", "q")
    assert play.runs == [] and play.see("a").in_flight and play.see("b").waiting_for == ("a",)
    play.update(20, "a", run_id="x")
    assert play.runs == [(20, "a")], "it began before r's news: exactly one further run"
    assert play.done(25, "a").runs == [(20, "a"), (25, "b")]


def test_runs_of_others_that_read_the_news_leave_nothing_to_do() -> None:
    play = Play(charter_of("r; a < r; b < a", eager="b")).at(1, *(update(key, 1) for key in "rab"))
    play.update(10, "r").at(12, event(EventKind.RUN_STARTED, "a", 12, run_id="x")).update(20, "a", run_id="x")
    assert play.see("a").pending_since is None and play.runs == [(20, "b")]


def test_a_failed_run_of_others_is_not_retried() -> None:
    play = Play(charter_of("r; a < r", eager="")).at(1, update("r", 1), update("a", 1)).update(10, "r")
    play.at(12, event(EventKind.RUN_STARTED, "a", 12, run_id="x"))
    play.at(20, event(EventKind.RUN_FAILED, "a", 20, run_id="x")).until(300)
    assert play.runs == [] and not play.see("a").failed and not play.see("a").in_flight


def test_a_run_that_names_its_assets_only_at_its_end_began_when_it_said_so() -> None:
    charter = charter_of("r; a < r")
    life = Life(charter, 0)
    start = Event(EventKind.RUN_STARTED, (), 10 * M, run_id="x", whole_run=True)
    life.step(10 * M, [start])
    life.checkpoint()
    life.restart(11 * M, charter, False)
    life.step(20 * M, [update("r", 20, run_id="x")])
    seen = life.engine.assess("r", 20 * M)
    assert seen.data_time == 10 * M and not seen.in_flight
    life.step(21 * M, [update("r", 21, run_id="another")])
    assert life.engine.assess("r", 21 * M).data_time == 21 * M
