"""A launcher whose runs are processes of their own: started once per run id, followed, found again.

One thread per launcher. A run's directory is the only truth (traces.py): the bell that a supervisor
rings says that there is something to read, a bell that falls silent that it has gone, and a run found
running after a restart is looked at every now and then. It keeps true: what is handed over is claimed
at most once; a run that somebody may still be working on is never reported lost; every `launch` ends
with one FINISHED. It must not know what a run does (kinds.py) nor read any clock.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import structlog

from freshd.adapters.launch.handing import Handing
from freshd.adapters.launch.kinds import Kind
from freshd.adapters.launch.traces import RunFolders, Traces
from freshd.model.effects import LaunchRun
from freshd.model.errors import FreshdError, TransientError
from freshd.model.inputs import RunPhase, RunReport
from freshd.model.time import HOUR, SECOND, Duration, Instant
from freshd.ports import Clock

Report = Callable[[RunReport], None]

LOOK_EVERY: Final[Duration] = SECOND // 10
"""How often a run without a bell (found running after a restart) is looked at."""
HANDED_AT_MOST: Final = 3
"""How often a run is handed over that nobody claims."""
PRUNE_EVERY: Final[Duration] = HOUR
CLOSE_WAIT_S: Final = 5.0

_log = structlog.get_logger("freshd.launch")


@dataclass(eq=False, slots=True)
class _Followed:
    """A run that is not over."""

    run: LaunchRun
    traces: Traces
    reports: list[Report]
    bell: int = -1
    handed: int = 0
    is_waiting: bool = False
    """There is no room for it yet."""
    is_told_queued: bool = False
    looked_at: bool = False
    """It has no bell: look now and then."""


class ProcessLauncher:
    """ports.Launcher over a warm server and run directories."""

    def __init__(self, name: str, kind: Kind, state_dir: Path, clock: Clock, limit: int = 0, born: Instant = 0) -> None:
        """Start warming up at once. `limit`: runs at one time, 0 for no limit. Raises OSError.

        `born`: when the store was new that the run ids are from; what another store asked for by one of them is
        none of its. 0: nobody knows.
        """
        own = state_dir / "launchers" / name
        own.mkdir(parents=True, exist_ok=True)
        self._kind = kind
        self._log = own / "server.log"
        self._clock = clock
        self._limit = limit
        self._born = born
        self._folders = RunFolders(state_dir / "runs", clock.now())
        self._asked: deque[tuple[LaunchRun, Report]] = deque()
        self._followed: dict[str, _Followed] = {}
        self._waiting: deque[_Followed] = deque()
        self._selector = selectors.DefaultSelector()
        self._stopping = self._retiring = self._ended = False
        self._next_prune: Instant = 0
        self._wake_read, self._wake_write = os.pipe()
        for end in (self._wake_read, self._wake_write):
            os.set_blocking(end, False)
        self._selector.register(self._wake_read, selectors.EVENT_READ, self._drain_wake)
        self._handing: Handing[_Followed] = Handing(
            name,
            kind,
            self._log,
            clock,
            self._selector,
            self._hook,
            self._taken,
            self._not_taken,
            self._refuse,
        )
        self._thread = threading.Thread(target=self._live, name=f"launcher-{name}", daemon=True)
        self._thread.start()

    def launch(self, run: LaunchRun, report: Report) -> None:
        """As ports.Launcher.launch. Raises TransientError once it is closed, or retired and done."""
        self._asked.append((run, report))
        if self._ended:
            raise TransientError(f"the launcher {self._handing.name} is closed; another has taken its place, or will")
        self._wake()

    def retire(self) -> None:
        """Another takes its place: it ends by itself once the runs that it follows are over."""
        self._retiring = True
        self._wake()

    def close(self) -> None:
        """As ports.Launcher.close."""
        self._stopping = True
        self._wake()
        self._thread.join(CLOSE_WAIT_S)

    @property
    def server_pid(self) -> int:
        """The warm server's process; 0 if there is none now."""
        return self._handing.pid

    def _wake(self) -> None:
        with contextlib.suppress(OSError):  # full: it will wake; closed: it has ended
            os.write(self._wake_write, b".")

    def _drain_wake(self) -> None:
        with contextlib.suppress(BlockingIOError):
            os.read(self._wake_read, 65536)

    # --- the thread -------------------------------------------------------------------------------

    def _live(self) -> None:
        try:
            while not self._stopping and (self._followed or self._asked or not self._retiring):
                self._handing.keep_going()
                for key, _ in self._selector.select(self._rest()):
                    key.data()
                while self._asked:
                    self._admit(*self._asked.popleft())
                for followed in [each for each in self._followed.values() if each.looked_at]:
                    self._look(followed)
        except Exception:
            _log.exception("launcher.broken", launcher=self._handing.name)
            raise
        finally:
            self._let_go()

    def _let_go(self) -> None:
        self._ended = True
        self._handing.close()
        for followed in self._followed.values():
            if followed.bell >= 0:
                os.close(followed.bell)
        self._selector.close()
        for end in (self._wake_read, self._wake_write):
            os.close(end)

    def _rest(self) -> float | None:
        """Seconds until something is to be done without anybody saying so; None: nothing is."""
        waits = [self._handing.rest()]
        if any(followed.looked_at for followed in self._followed.values()):
            waits.append(LOOK_EVERY)
        known = [wait for wait in waits if wait is not None]
        return min(known) / SECOND if known else None

    # --- a run comes ------------------------------------------------------------------------------

    def _admit(self, run: LaunchRun, report: Report) -> None:
        known = self._followed.get(run.run_id)
        if known is not None:
            if report not in known.reports:
                known.reports.append(report)
            return
        now = self._clock.now()
        if now >= self._next_prune:
            self._next_prune = now + PRUNE_EVERY
            self._folders.prune(now)
        followed = _Followed(run, Traces(run, self._folders.of(run.run_id)), [report])
        self._followed[run.run_id] = followed
        try:
            if self._born and followed.traces.are_of_another(self._born):
                followed.traces.forget()
            existed = followed.traces.exist()
            if followed.traces.are_claimed() or followed.traces.are_sealed():
                followed.looked_at = True
                self._look(followed)
            elif run.resumed and not existed and not self._folders.would_know(run):
                self._end(followed, RunPhase.LOST, "its run directory is gone: nobody can tell whether it ran")
            else:
                followed.is_waiting = True
                self._waiting.append(followed)
                self._start_waiting()
        except OSError as error:
            self._end(followed, RunPhase.FAILED, f"cannot start it: {error}")

    def _start_waiting(self) -> None:
        """Start what there is room for, in the order in which it came; say once of the rest that it is queued."""
        held: deque[_Followed] = deque()
        while self._waiting:
            followed = self._waiting.popleft()
            if self._has_room(followed):
                followed.is_waiting = False
                self._start(followed)
            else:
                held.append(followed)
        self._waiting = held
        for followed in held:
            if not followed.is_told_queued:
                followed.is_told_queued = True
                self._tell(followed, RunReport(followed.run.run_id, RunPhase.QUEUED, self._clock.now()))

    def _has_room(self, followed: _Followed) -> bool:
        others = [each for each in self._followed.values() if not each.is_waiting and each is not followed]
        if self._limit and len(others) >= self._limit:
            return False
        mine = set(followed.run.assets)
        return not self._kind.exclusive or not any(mine & set(each.run.assets) for each in others)

    def _start(self, followed: _Followed) -> None:
        try:
            followed.traces.request(self._kind.request(followed.run, followed.traces.folder) | {"store": self._born})
        except FreshdError as error:
            self._end(followed, RunPhase.FAILED, str(error))
        except KeyError as error:
            self._end(followed, RunPhase.FAILED, f"cannot start it: asset {error} is not in the graph any more")
        except (OSError, TypeError, ValueError) as error:
            self._end(followed, RunPhase.FAILED, f"cannot start it: {error}")
        else:
            self._handing.add(followed)

    # --- handing it over: what Handing asks of us --------------------------------------------------

    def _hook(self, followed: _Followed) -> tuple[Path, int]:
        """A bell for the run that is about to be handed over: its directory, and the end that rings."""
        self._unhook(followed)
        followed.bell, ring = os.pipe()
        followed.handed += 1
        os.set_blocking(followed.bell, False)
        self._selector.register(followed.bell, selectors.EVENT_READ, lambda: self._answer(followed))
        return followed.traces.folder, ring

    def _taken(self, followed: _Followed) -> None:
        """A supervisor has got it; its bell may have fallen silent already."""
        if followed.bell < 0:
            self._fell_silent(followed)

    def _not_taken(self, followed: _Followed) -> None:
        """The run was handed over, and whoever got it is gone."""
        self._unhook(followed)
        if followed.traces.are_claimed():
            followed.looked_at = True
        elif followed.handed < HANDED_AT_MOST:
            self._handing.add(followed)
        else:
            self._refuse(followed, f"handed over {followed.handed} times, and no process took it")

    def _refuse(self, followed: _Followed, why: str) -> None:
        """Nothing can start it; should somebody have started it all the same, follow that."""
        if followed.traces.refuse():
            self._end(followed, RunPhase.FAILED, why)
        else:
            followed.looked_at = True

    # --- it goes on, and ends ----------------------------------------------------------------------

    def _answer(self, followed: _Followed) -> None:
        try:
            silent = not os.read(followed.bell, 65536)
        except BlockingIOError:
            return
        if not silent:
            self._look(followed)
            return
        self._unhook(followed)
        if not self._handing.is_handing(followed):  # else the server will say whether it was taken, or end
            self._fell_silent(followed)

    def _fell_silent(self, followed: _Followed) -> None:
        """Its supervisor is gone: it is over, or lost, or was never begun."""
        if followed.traces.are_claimed():
            followed.looked_at = True
            self._look(followed)
        else:
            self._not_taken(followed)

    def _unhook(self, followed: _Followed) -> None:
        if followed.bell >= 0:
            self._selector.unregister(followed.bell)
            os.close(followed.bell)
            followed.bell = -1

    def _look(self, followed: _Followed) -> None:
        """Tell what is new of it; see whether it is over, or lost."""
        try:
            self._read(followed)
        except OSError as error:  # no descriptors left, a disk that does not answer: look again
            _log.warning("launcher.cannot_look", run=followed.run.run_id, error=str(error))
            followed.looked_at = True

    def _read(self, followed: _Followed) -> None:
        traces = followed.traces
        gone = followed.bell < 0 and not traces.are_watched()
        sealed = traces.are_sealed()  # asked before reading, so that all of a sealed run is read
        for report in traces.news(self._clock.now()):
            self._tell(followed, report)
        if sealed:
            self._finish(followed, traces.ended_at())
        elif gone:
            traces.kill_worker()
            why = f"the process that watched over it is gone, and left no outcome; {self._log} may tell why"
            self._end(followed, RunPhase.LOST, why)

    def _end(self, followed: _Followed, phase: RunPhase, why: str) -> None:
        now = self._clock.now()
        self._tell(followed, RunReport(followed.run.run_id, phase, now, error=why))
        self._finish(followed, now)

    def _finish(self, followed: _Followed, ended_at: Instant) -> None:
        self._unhook(followed)
        self._followed.pop(followed.run.run_id, None)
        at = min(ended_at, self._clock.now())
        self._tell(followed, RunReport(followed.run.run_id, RunPhase.FINISHED, at))
        self._start_waiting()

    def _tell(self, followed: _Followed, report: RunReport) -> None:
        for each in followed.reports:
            try:
                each(report)
            except Exception:  # the run goes on, and is found again after a restart
                _log.exception("launcher.report_not_taken", run=report.run_id, phase=report.phase)
