"""Carries out effects away from the loop: each launcher and each channel has a thread and an order of its own.

A launcher that is slow or broken holds up only itself, and so does a channel. What becomes of an effect
comes back as an input; what could not be performed is reported as failed, never dropped. A crash loses
nothing: an effect without a report is performed again by the next life. It must not know why an effect
was decided.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Mapping
from queue import SimpleQueue
from typing import Final, Generic, Protocol, TypeVar, assert_never

from freshd.model.effects import Effect, LaunchRun, Notice, SendNotice
from freshd.model.errors import TransientError
from freshd.model.inputs import NoticeReport, RunPhase, RunReport
from freshd.model.time import HOUR, MINUTE, SECOND, Duration, Instant, format_duration
from freshd.ports import Clock, Launcher, Notifier

LAUNCH_RETRY_FOR: Final[Duration] = 5 * MINUTE
"""How long a launcher that answers "not now" is asked again before the run counts as failed."""

NOTICE_RETRY_FOR: Final[Duration] = 6 * HOUR
"""How long a notice is tried again before it counts as one that cannot be delivered."""

FIRST_RETRY: Final[Duration] = SECOND // 2
LONGEST_RETRY: Final[Duration] = MINUTE
"""The longest wait between two tries, unless the other side asks for more."""

RETRY_AFTER_BOUND: Final[Duration] = 10 * MINUTE
"""The longest wait that the other side may ask for."""

NOTICE_INTERVAL: Final[Duration] = SECOND
"""The time from one notice to the next in one channel."""

CLOSE_WAIT_S: Final = 5.0
"""How long closing waits for a thread that is in the middle of a call."""

Report = Callable[[RunReport | NoticeReport], None]
E = TypeVar("E", LaunchRun, SendNotice)


class Observe(Protocol):
    """What a performer tells about its own doings, for logs and metrics."""

    def launched(self, run: LaunchRun, at: Instant) -> None:
        """The launcher has been called for this run."""
        ...

    def notified(self, notice: Notice, outcome: str) -> None:
        """`sent`, `retried` or `failed`."""
        ...

    def trouble(self, what: str, error: Exception) -> None:
        """An attempt failed; it is tried again, or reported as failed."""
        ...


class Silent:
    """Observes nothing."""

    def launched(self, run: LaunchRun, at: Instant) -> None:
        return None

    def notified(self, notice: Notice, outcome: str) -> None:
        return None

    def trouble(self, what: str, error: Exception) -> None:
        return None


class LivePerformer:
    """ports.Performer with threads. `close` leaves unconfirmed what has not been done."""

    def __init__(
        self,
        clock: Clock,
        launchers: Mapping[str, Launcher],
        notifier: Notifier,
        report: Report,
        observe: Observe | None = None,
        notice_interval: Duration = NOTICE_INTERVAL,
    ) -> None:
        self.launchers: Mapping[str, Launcher] = launchers
        """By name; replaced as a whole when the charter is."""
        self._clock = clock
        self._notifier = notifier
        self._report = report
        self._observe: Observe = observe or Silent()
        self._notice_interval = notice_interval
        self._closing = threading.Event()
        self._launch_lanes: dict[str, _Lane[LaunchRun]] = {}
        self._notice_lanes: dict[str, _Lane[SendNotice]] = {}

    def perform(self, effects: Iterable[Effect]) -> None:
        """Hand each effect to its lane; returns at once. Called by the loop's thread only."""
        for effect in effects:
            match effect:
                case LaunchRun():
                    self._lane(self._launch_lanes, f"launch-{effect.launcher}", self._launch).put(effect)
                case SendNotice():
                    self._lane(self._notice_lanes, f"notify-{effect.notice.channel}", self._send).put(effect)
                case _:
                    assert_never(effect)

    def close(self) -> None:
        """Stop the lanes. What they still hold stays unconfirmed, so that the next life performs it."""
        self._closing.set()
        lanes: list[_Lane[LaunchRun] | _Lane[SendNotice]] = [*self._launch_lanes.values(), *self._notice_lanes.values()]
        for lane in lanes:
            lane.stop()
        for lane in lanes:
            lane.join(CLOSE_WAIT_S)

    def _lane(self, lanes: dict[str, _Lane[E]], name: str, work: Callable[[E], None]) -> _Lane[E]:
        lane = lanes.get(name)
        if lane is None:
            lane = lanes[name] = _Lane(name, work, self._closing)
        return lane

    # -- on a launcher's lane --------------------------------------------------------------------

    def _launch(self, run: LaunchRun) -> None:
        launcher = self.launchers.get(run.launcher)
        if launcher is None:
            known = ", ".join(sorted(self.launchers)) or "none"
            self._launch_failed(run, f"no launcher is called {run.launcher!r} (there are: {known})")
            return
        deadline = self._clock.now() + LAUNCH_RETRY_FOR
        wait = FIRST_RETRY
        while not self._closing.is_set():
            try:
                launcher.launch(run, self._report)
            except TransientError as error:
                self._observe.trouble(f"launch {run.run_id}", error)
                if self._clock.now() >= deadline:
                    tried = format_duration(LAUNCH_RETRY_FOR)
                    self._launch_failed(run, f"launcher {run.launcher} could not start it within {tried}: {error}")
                    return
                wait = self._rest(wait, error.retry_after)
            except Exception as error:
                # Whatever a launcher raises, the run has to end: the engine waits for its outcome.
                self._observe.trouble(f"launch {run.run_id}", error)
                self._launch_failed(run, f"launcher {run.launcher} could not start it: {_said(error)}")
                return
            else:
                self._observe.launched(run, self._clock.now())
                return

    def _launch_failed(self, run: LaunchRun, why: str) -> None:
        now = self._clock.now()
        self._report(RunReport(run.run_id, RunPhase.FAILED, now, error=why))
        self._report(RunReport(run.run_id, RunPhase.FINISHED, now))

    # -- on a channel's lane ---------------------------------------------------------------------

    def _send(self, effect: SendNotice) -> None:
        notice = effect.notice
        deadline = self._clock.now() + NOTICE_RETRY_FOR
        wait = FIRST_RETRY
        while not self._closing.is_set():
            try:
                handle = self._notifier.send(notice)
            except TransientError as error:
                self._observe.trouble(f"notice {notice.notice_id}", error)
                if self._clock.now() >= deadline:
                    self._undelivered(notice, f"given up after {format_duration(NOTICE_RETRY_FOR)}: {error}")
                    return
                self._observe.notified(notice, "retried")
                wait = self._rest(wait, error.retry_after)
            except Exception as error:
                self._observe.trouble(f"notice {notice.notice_id}", error)
                self._undelivered(notice, _said(error))
                return
            else:
                self._observe.notified(notice, "sent")
                self._report(NoticeReport(notice.notice_id, self._clock.now(), True, handle))
                self._closing.wait(self._notice_interval / SECOND)
                return

    def _undelivered(self, notice: Notice, why: str) -> None:
        self._observe.notified(notice, "failed")
        self._report(NoticeReport(notice.notice_id, self._clock.now(), False, error=why))

    def _rest(self, wait: Duration, retry_after: Duration | None) -> Duration:
        """Wait before the next try; returns the wait after that."""
        asked = min(retry_after or 0, RETRY_AFTER_BOUND)
        self._closing.wait(max(wait, asked) / SECOND)
        return min(wait * 2, LONGEST_RETRY)


def _said(error: Exception) -> str:
    return str(error) or type(error).__name__


class _Lane(Generic[E]):
    """One thread that does one thing after the other, in the order asked for."""

    def __init__(self, name: str, work: Callable[[E], None], closing: threading.Event) -> None:
        self._queue: SimpleQueue[E | None] = SimpleQueue()
        self._work: Callable[[E], None] = work
        self._closing = closing
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def put(self, effect: E) -> None:
        self._queue.put(effect)

    def stop(self) -> None:
        self._queue.put(None)

    def join(self, timeout_s: float) -> None:
        self._thread.join(timeout_s)

    def _run(self) -> None:
        while (effect := self._queue.get()) is not None and not self._closing.is_set():
            try:
                self._work(effect)
            except Exception:
                # Only an observer can have raised: the lane goes on, whatever is wrong with telling.
                logging.getLogger(__name__).exception("what the performer tells cannot be told")
