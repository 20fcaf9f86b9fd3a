"""What every launcher keeps true, whatever starts its runs: the fake, commands, python functions, dbt."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import pytest
from tests.contract.launcher_rigs import (
    CLOCK,
    OUTCOMES,
    CommandRig,
    DbtRig,
    FakeRig,
    PythonRig,
    RealRig,
    Reports,
    Rig,
    forks_of,
    is_running,
    kill_supervisor,
    run_of,
    threads_of,
    wait_until,
)

from freshd.model.errors import TransientError
from freshd.model.inputs import RunPhase

RIGS = {"fake": FakeRig, "command": CommandRig, "python": PythonRig, "dbt": DbtRig}


def _rig(kind: str, folder: Path) -> Iterator[Rig]:
    made: Rig = RIGS[kind](folder)
    yield made
    made.stop()


@pytest.fixture(params=["fake", "command", "python", pytest.param("dbt", marks=pytest.mark.dbt)])
def rig(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Rig]:
    """Every kind."""
    yield from _rig(request.param, tmp_path / "world")


@pytest.fixture(params=["command", "python", pytest.param("dbt", marks=pytest.mark.dbt)])
def real(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[RealRig]:
    """Every kind whose runs are processes."""
    yield from cast("Iterator[RealRig]", _rig(request.param, tmp_path / "world"))


@pytest.fixture(params=["fake", "command", "python"])
def quick(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Rig]:
    """For what the kinds share, to the last line: dbt takes seconds to warm up."""
    yield from _rig(request.param, tmp_path / "world")


@pytest.fixture(params=["command", "python"])
def quick_real(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[RealRig]:
    """As `quick`, with processes."""
    yield from cast("Iterator[RealRig]", _rig(request.param, tmp_path / "world"))


def test_a_run_starts_succeeds_and_finishes(rig: Rig) -> None:
    reports, run = Reports(), run_of("good")
    rig.launcher().launch(run, reports)
    outcome = reports.outcome(run.run_id)
    assert outcome.phase is RunPhase.SUCCEEDED, outcome
    assert reports.phases(run.run_id) == [RunPhase.STARTED, RunPhase.SUCCEEDED, RunPhase.FINISHED]
    assert outcome.started_at is not None
    assert run.requested_at <= outcome.started_at <= outcome.at <= CLOCK.now()
    assert rig.ran("good") == 1


def test_a_failing_run_says_why(rig: Rig) -> None:
    reports, run = Reports(), run_of("bad")
    rig.launcher().launch(run, reports)
    outcome = reports.outcome(run.run_id)
    assert outcome.phase is RunPhase.FAILED
    assert "boom" in outcome.error
    assert reports.phases(run.run_id)[-1] is RunPhase.FINISHED


def test_asked_twice_for_one_id_it_runs_once(rig: Rig) -> None:
    launcher, first, second, run = rig.launcher(), Reports(), Reports(), run_of("brief")
    launcher.launch(run, first)
    launcher.launch(run, second)
    assert first.outcome(run.run_id).phase is RunPhase.SUCCEEDED
    assert second.outcome(run.run_id).phase is RunPhase.SUCCEEDED
    launcher.launch(run, third := Reports())
    assert third.outcome(run.run_id).phase is RunPhase.SUCCEEDED
    assert rig.ran("brief") == 1


def test_a_restart_finds_the_run_running_and_waits_for_it(rig: Rig) -> None:
    before, after, run = Reports(), Reports(), run_of("brief")
    old = rig.launcher()
    old.launch(run, before)
    wait_until(lambda: rig.ran("brief") == 1)
    old.close()
    rig.launcher().launch(run_of("brief", requested_at=run.requested_at, resumed=True), after)
    outcome = after.outcome(run.run_id)
    assert outcome.phase is RunPhase.SUCCEEDED, outcome
    assert not any(phase in OUTCOMES for phase in before.phases(run.run_id))
    assert rig.ran("brief") == 1


def test_a_restart_finds_what_became_of_a_run_in_between(rig: Rig) -> None:
    before, after, run = Reports(), Reports(), run_of("bad")
    old = rig.launcher()
    old.launch(run, before)
    ended = before.outcome(run.run_id)
    old.close()
    rig.launcher().launch(run_of("bad", requested_at=run.requested_at, resumed=True), after)
    outcome = after.outcome(run.run_id)
    assert (outcome.phase, outcome.error) == (RunPhase.FAILED, ended.error)
    assert outcome.started_at == ended.started_at
    assert rig.ran("bad") == 1


def test_a_run_that_was_requested_but_never_handed_over_starts_after_the_restart(quick: Rig) -> None:
    old = quick.launcher()
    old.launch(run_of("good", "other"), others := Reports())
    others.outcome("other")
    old.close()
    quick.launcher().launch(run_of("good", resumed=True), reports := Reports())
    assert reports.outcome("run-1").phase is RunPhase.SUCCEEDED
    assert quick.ran("good") == 2


def test_a_run_whose_traces_are_gone_is_lost_and_not_run_again(quick: Rig) -> None:
    before, after, run = Reports(), Reports(), run_of("good")
    old = quick.launcher()
    old.launch(run, before)
    before.outcome(run.run_id)
    old.close()
    shutil.rmtree(quick.state)
    ran = quick.ran("good")
    quick.launcher().launch(run_of("good", requested_at=run.requested_at, resumed=True), after)
    assert after.outcome(run.run_id).phase is RunPhase.LOST
    assert quick.ran("good") == ran


def test_two_daemons_asking_for_one_run_start_it_once(quick: Rig) -> None:
    run, all_reports = run_of("brief"), [Reports() for _ in range(3)]
    for reports in all_reports:
        quick.launcher().launch(run, reports)
    assert {reports.outcome(run.run_id).phase for reports in all_reports} == {RunPhase.SUCCEEDED}
    assert quick.ran("brief") == 1


def test_a_run_that_takes_too_long_fails(rig: Rig) -> None:
    reports, run = Reports(), run_of("slow")
    rig.launcher(timeout_s=3).launch(run, reports)
    outcome = reports.outcome(run.run_id)
    assert outcome.phase is RunPhase.FAILED
    assert "timed out" in outcome.error


def test_runs_beyond_the_limit_are_queued_and_then_run(rig: Rig) -> None:
    launcher, reports = rig.launcher(limit=1), Reports()
    launcher.launch(run_of("brief", "first"), reports)
    reports.wait("first", RunPhase.STARTED)
    launcher.launch(run_of("good", "second"), reports)
    assert reports.outcome("second").phase is RunPhase.SUCCEEDED
    assert reports.phases("second")[0] is RunPhase.QUEUED
    ended = reports.outcome("first").at
    started = reports.outcome("second").started_at
    assert started is not None
    assert ended <= started


def test_a_run_whose_watcher_was_killed_is_lost_and_its_work_stopped(real: RealRig) -> None:
    reports, run = Reports(), run_of("slow")
    real.launcher().launch(run, reports)
    wait_until(lambda: real.ran("slow") == 1)
    worker = kill_supervisor(real.state, run.run_id)
    assert reports.outcome(run.run_id).phase is RunPhase.LOST
    wait_until(lambda: not is_running(worker))


def test_a_run_whose_watcher_died_while_the_daemon_was_down_is_lost(quick_real: RealRig) -> None:
    before, after, run = Reports(), Reports(), run_of("slow")
    old = quick_real.launcher()
    old.launch(run, before)
    wait_until(lambda: quick_real.ran("slow") == 1)
    old.close()
    worker = kill_supervisor(quick_real.state, run.run_id)
    quick_real.launcher().launch(run_of("slow", requested_at=run.requested_at, resumed=True), after)
    assert after.outcome(run.run_id).phase is RunPhase.LOST
    wait_until(lambda: not is_running(worker))
    assert quick_real.ran("slow") == 1


def test_a_worker_that_was_killed_has_failed(quick_real: RealRig) -> None:
    reports, run = Reports(), run_of("slow")
    quick_real.launcher().launch(run, reports)
    wait_until(lambda: quick_real.ran("slow") == 1)
    os.kill(int((quick_real.state / "runs" / run.run_id / "worker").read_text().split()[0]), 9)
    outcome = reports.outcome(run.run_id)
    assert outcome.phase is RunPhase.FAILED
    assert "SIGKILL" in outcome.error


def test_the_end_of_the_warm_server_harms_no_run(quick_real: RealRig) -> None:
    launcher, reports = quick_real.launcher(), Reports()
    launcher.launch(run_of("brief", "first"), reports)
    wait_until(lambda: quick_real.ran("brief") == 1)
    os.kill(launcher.server_pid, 9)
    time.sleep(0.05)
    launcher.launch(run_of("good", "second"), reports)
    assert reports.outcome("first").phase is RunPhase.SUCCEEDED
    assert reports.outcome("second").phase is RunPhase.SUCCEEDED
    assert quick_real.ran("brief") == quick_real.ran("good") == 1


def test_nothing_but_runs_outlives_the_daemon(quick_real: RealRig) -> None:
    launcher, reports = quick_real.launcher(), Reports()
    launcher.launch(run_of("slow"), reports)
    wait_until(lambda: quick_real.ran("slow") == 1)
    server = launcher.server_pid
    spares = [pid for pid in forks_of(server) if str(pid) != _watcher(quick_real)]
    launcher.close()
    wait_until(lambda: not any(is_running(pid) for pid in (server, *spares)))
    assert is_running(int(_watcher(quick_real)))


def test_the_warm_server_forks_with_one_thread(real: RealRig) -> None:
    launcher, reports = real.launcher(), Reports()
    launcher.launch(run_of("good"), reports)
    assert reports.outcome("run-1").phase is RunPhase.SUCCEEDED
    assert threads_of(launcher.server_pid) == 1


def test_a_retired_launcher_ends_once_its_runs_are_over(quick_real: RealRig) -> None:
    launcher, reports = quick_real.launcher(), Reports()
    launcher.launch(run_of("brief"), reports)
    wait_until(lambda: quick_real.ran("brief") == 1)
    server = launcher.server_pid
    launcher.retire()
    assert reports.outcome("run-1").phase is RunPhase.SUCCEEDED
    wait_until(lambda: not is_running(server))
    with pytest.raises(TransientError, match="closed"):
        launcher.launch(run_of("good", "run-2"), reports)


def _watcher(rig: Rig) -> str:
    return (rig.state / "runs" / "run-1" / "claim").read_text().split()[0]
