"""Every effect ends in a report, whatever launchers and notifiers do; one lane never holds up another."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from queue import Queue
from typing import Any

from tests.unit.runtime.fakes import ManualClock

from freshd.adapters.clock import SystemClock
from freshd.model.effects import LaunchRun, Notice, SendNotice
from freshd.model.errors import PermanentError, TransientError
from freshd.model.inputs import NoticeReport, RunPhase, RunReport
from freshd.model.policy import Severity
from freshd.model.time import HOUR, SECOND, Instant
from freshd.runtime.performer import LAUNCH_RETRY_FOR, NOTICE_RETRY_FOR, LivePerformer, Silent


def run(run_id: str, launcher: str = "build") -> LaunchRun:
    return LaunchRun(run_id, launcher, ("orders",), 0)


def notice(notice_id: str, channel: str = "#data") -> SendNotice:
    return SendNotice(
        Notice(notice_id, "i1", channel, "raw", "no_update", Severity.CRITICAL, 0, None, 0, (("raw", "p", "stale"),), 1)
    )


class Launcher:
    """Reports success at once; raises what it is given first."""

    def __init__(self, failures: Sequence[Exception] = (), gate: threading.Event | None = None) -> None:
        self.asked: list[str] = []
        self._failures = list(failures)
        self._gate = gate

    def launch(self, run: LaunchRun, report: Callable[[RunReport], None]) -> None:
        self.asked.append(run.run_id)
        if self._gate is not None:
            self._gate.wait(10)
        if self._failures:
            raise self._failures.pop(0)
        report(RunReport(run.run_id, RunPhase.FINISHED, 0))

    def close(self) -> None:
        return None


class Notifier:
    """Answers with what it is given, in order: a handle or an error."""

    def __init__(self, answers: Sequence[str | Exception]) -> None:
        self.sent: list[str] = []
        self._answers = list(answers)

    def send(self, notice: Notice) -> str:
        self.sent.append(notice.notice_id)
        answer = self._answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


def perform(
    effects: Sequence[LaunchRun | SendNotice],
    launchers: dict[str, Launcher] | None = None,
    notifier: Notifier | None = None,
    expect: int = 1,
    clock: Any = None,
) -> list[Any]:
    reports: Queue[Any] = Queue()
    performer = LivePerformer(
        clock or SystemClock(), launchers or {}, notifier or Notifier([]), reports.put, notice_interval=0
    )
    performer.perform(effects)
    try:
        return [reports.get(timeout=20) for _ in range(expect)]
    finally:
        performer.close()


def test_runs_of_a_launcher_are_started_in_order_and_each_is_reported() -> None:
    launcher = Launcher()
    reports = perform([run("r1"), run("r2"), run("r3")], {"build": launcher}, expect=3)
    assert launcher.asked == ["r1", "r2", "r3"]
    assert [report.run_id for report in reports] == ["r1", "r2", "r3"]


def test_a_launcher_that_hangs_holds_up_only_itself() -> None:
    gate = threading.Event()
    slow, quick = Launcher(gate=gate), Launcher()
    try:
        (report,) = perform([run("r1", "slow"), run("r2", "quick")], {"slow": slow, "quick": quick})
    finally:
        gate.set()
    assert report.run_id == "r2"


def test_a_launcher_nobody_knows_fails_the_run_and_says_which_there_are() -> None:
    failed, finished = perform([run("r1", "biuld")], {"build": Launcher()}, expect=2)
    assert (failed.phase, finished.phase) == (RunPhase.FAILED, RunPhase.FINISHED)
    assert failed.error == "no launcher is called 'biuld' (there are: build)"


def test_a_launcher_that_raises_fails_the_run_with_what_it_said() -> None:
    failed, finished = perform([run("r1")], {"build": Launcher([PermanentError("make: not found")])}, expect=2)
    assert (failed.phase, finished.phase) == (RunPhase.FAILED, RunPhase.FINISHED)
    assert "make: not found" in failed.error


def test_a_launcher_that_cannot_now_is_asked_again() -> None:
    launcher = Launcher([TransientError("no worker", retry_after=1_000)])
    (report,) = perform([run("r1")], {"build": launcher})
    assert launcher.asked == ["r1", "r1"]
    assert report.phase is RunPhase.FINISHED


def test_a_launcher_that_never_can_fails_the_run_in_the_end() -> None:
    clock = ManualClock()
    launcher = Launcher()

    def launch(run: LaunchRun, report: Callable[[RunReport], None]) -> None:
        clock.time += LAUNCH_RETRY_FOR
        raise TransientError("no worker")

    launcher.launch = launch  # type: ignore[method-assign]
    failed, _ = perform([run("r1")], {"build": launcher}, expect=2, clock=clock)
    assert failed.phase is RunPhase.FAILED
    assert failed.error == "launcher build could not start it within 5m: no worker"


def test_an_observer_that_raises_stops_nothing() -> None:
    class Broken(Silent):
        def launched(self, run: LaunchRun, at: Instant) -> None:
            raise RuntimeError("no disk for logs")

    reports: Queue[Any] = Queue()
    performer = LivePerformer(SystemClock(), {"build": Launcher()}, Notifier([]), reports.put, Broken())
    performer.perform([run("r1"), run("r2")])
    assert [reports.get(timeout=20).run_id for _ in range(2)] == ["r1", "r2"]
    performer.close()


def test_notices_of_a_channel_stay_in_order_and_come_back_with_their_handles() -> None:
    notifier = Notifier(["h1", TransientError("rate limited", retry_after=1_000), "h2", "h3"])
    reports = perform([notice("n1"), notice("n2"), notice("n3")], notifier=notifier, expect=3)
    assert notifier.sent == ["n1", "n2", "n2", "n3"]
    assert [(r.notice_id, r.delivered, r.handle) for r in reports] == [
        ("n1", True, "h1"),
        ("n2", True, "h2"),
        ("n3", True, "h3"),
    ]


def test_a_notice_that_can_never_be_delivered_is_reported_so_and_the_next_goes_on() -> None:
    notifier = Notifier([PermanentError("channel_not_found"), "h2"])
    first, second = perform([notice("n1"), notice("n2")], notifier=notifier, expect=2)
    assert (first.delivered, first.error) == (False, "channel_not_found")
    assert second.delivered


def test_a_notice_is_given_up_after_its_limit() -> None:
    clock = ManualClock()

    class Down(Notifier):
        def send(self, notice: Notice) -> str:
            clock.time += NOTICE_RETRY_FOR
            raise TransientError("connection refused")

    (report,) = perform([notice("n1")], notifier=Down([]), clock=clock)
    assert isinstance(report, NoticeReport)
    assert (report.delivered, report.error) == (False, "given up after 6h: connection refused")


def test_closing_leaves_what_waits_unconfirmed_and_does_not_wait_for_a_retry() -> None:
    reports: Queue[Any] = Queue()
    asked = threading.Event()

    class Down(Notifier):
        def send(self, notice: Notice) -> str:
            asked.set()
            raise TransientError("down", retry_after=HOUR)

    performer = LivePerformer(SystemClock(), {}, Down([]), reports.put)
    performer.perform([notice("n1"), notice("n2")])
    assert asked.wait(10)
    before = SystemClock().now()
    performer.close()
    assert SystemClock().now() - before < 4 * SECOND
    assert reports.empty()
