"""A launcher whose runs are processes of their own: started once per run id, followed, found again.

One thread per launcher. A run's directory is the only truth (workers/rundir.py): the bell that a
supervisor rings says that there is something to read, a bell that falls silent that it has gone, and a
run found running after a restart is looked at every now and then. It keeps true: what is handed over
is claimed at most once; a run that somebody may still be working on is never reported lost; every
`launch` ends with one FINISHED. It must not know what a run does (kinds.py) nor read any clock.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import selectors
import shutil
import signal
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from freshd.adapters.launch.kinds import Kind
from freshd.adapters.launch.warm import WarmServer
from freshd.adapters.launch.workers import rundir
from freshd.model.effects import LaunchRun
from freshd.model.errors import FreshdError
from freshd.model.inputs import Check, RunPhase, RunReport
from freshd.model.time import DAY, HOUR, SECOND, Duration, Instant
from freshd.ports import Clock

Report = Callable[[RunReport], None]

LOOK_EVERY: Final[Duration] = SECOND // 10
"""How often a run without a bell (found running after a restart) is looked at."""
RESTART_DELAY: Final[Duration] = SECOND
"""Between the end of a warm server and the start of the next."""
HANDED_AT_MOST: Final = 3
"""How often a run is handed over that nobody claims."""
KEEP_RUNS: Final[Duration] = 7 * DAY
"""How long the directory of a run that is over is kept."""
PRUNE_EVERY: Final[Duration] = HOUR
CLOSE_WAIT_S: Final = 5.0
_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,120}")


@dataclass(eq=False, slots=True)
class _Followed:
    """A run that is not over."""

    run: LaunchRun
    folder: Path
    reports: list[Report]
    bell: int = -1
    read: int = 0
    """Bytes of its progress told so far."""
    handed: int = 0
    queued: bool = False
    looked_at: bool = False
    """It has no bell: look now and then."""


@dataclass(slots=True)
class _Server:
    """The warm server, and what it is being handed."""

    process: WarmServer | None = None
    handing: _Followed | None = None
    to_hand: deque[_Followed] = field(default_factory=deque)
    not_before: Instant = 0


class ProcessLauncher:
    """ports.Launcher over a warm server and run directories."""

    def __init__(self, name: str, kind: Kind, state_dir: Path, clock: Clock, limit: int = 0) -> None:
        """Start warming up at once. `limit`: runs at one time, 0 for no limit."""
        self._name = name
        self._kind = kind
        self._clock = clock
        self._limit = limit
        self._runs = state_dir / "runs"
        self._own = state_dir / "launchers" / name
        self._asked: deque[tuple[LaunchRun, Report]] = deque()
        self._followed: dict[str, _Followed] = {}
        self._waiting: deque[_Followed] = deque()
        self._server = _Server()
        self._selector = selectors.DefaultSelector()
        self._stopping = False
        self._next_prune: Instant = 0
        self._wake_read, self._wake_write = os.pipe()
        for end in (self._wake_read, self._wake_write):
            os.set_blocking(end, False)
        self._selector.register(self._wake_read, selectors.EVENT_READ, None)
        self._thread = threading.Thread(target=self._live, name=f"launcher-{name}", daemon=True)
        self._thread.start()

    def launch(self, run: LaunchRun, report: Report) -> None:
        """As ports.Launcher.launch."""
        self._asked.append((run, report))
        self._wake()

    def close(self) -> None:
        """As ports.Launcher.close."""
        self._stopping = True
        self._wake()
        self._thread.join(CLOSE_WAIT_S)

    def _wake(self) -> None:
        with contextlib.suppress(BlockingIOError, OSError):
            os.write(self._wake_write, b".")

    # --- the thread -------------------------------------------------------------------------------

    def _live(self) -> None:
        self._prepare()
        while not self._stopping:
            self._start_server()
            for key, _ in self._selector.select(self._rest()):
                if key.fd == self._wake_read:
                    with contextlib.suppress(BlockingIOError):
                        os.read(self._wake_read, 65536)
                elif isinstance(key.data, WarmServer):
                    self._hear(key.data)
                elif isinstance(key.data, _Followed):
                    self._answer(key.data)
            while self._asked:
                self._admit(*self._asked.popleft())
            for followed in [each for each in self._followed.values() if each.looked_at]:
                self._look(followed)
        self._let_go()

    def _prepare(self) -> None:
        """The folders, and since when they exist: what was asked for earlier left its traces elsewhere."""
        with contextlib.suppress(OSError):  # said of each run that it keeps from starting
            self._own.mkdir(parents=True, exist_ok=True)
            self._runs.mkdir(parents=True, exist_ok=True, mode=0o700)
            with contextlib.suppress(FileExistsError), (self._runs / ".since").open("x") as since:
                since.write(str(self._clock.now()))

    def _let_go(self) -> None:
        if self._server.process is not None:
            self._server.process.close()
        for followed in self._followed.values():
            if followed.bell >= 0:
                os.close(followed.bell)
        self._selector.close()
        for end in (self._wake_read, self._wake_write):
            os.close(end)

    def _rest(self) -> float | None:
        waits = []
        if any(followed.looked_at for followed in self._followed.values()):
            waits.append(LOOK_EVERY)
        if self._server.process is None and self._server.to_hand:
            waits.append(max(0, self._server.not_before - self._clock.now()))
        return min(waits) / SECOND if waits else None

    # --- a run comes ------------------------------------------------------------------------------

    def _admit(self, run: LaunchRun, report: Report) -> None:
        known = self._followed.get(run.run_id)
        if known is not None:
            if report not in known.reports:
                known.reports.append(report)
            return
        self._prune()
        followed = _Followed(run, self._runs / _folder_name(run.run_id), [report])
        try:
            existed = followed.folder.exists()
            claimed = rundir.holder(followed.folder) is not None
            if claimed or self._is_over(followed):
                self._followed[run.run_id] = followed
                followed.looked_at = True
                self._look(followed)
            elif run.resumed and not existed and self._since() > run.requested_at:
                self._lose(followed, "its run directory is gone: nobody can tell whether it ran")
            else:
                self._waiting.append(followed)
                self._followed[run.run_id] = followed
                self._start_waiting()
        except OSError as error:
            self._fail(followed, f"cannot start it: {error}")

    def _since(self) -> Instant:
        try:
            return int((self._runs / ".since").read_text())
        except (OSError, ValueError):
            return 0

    def _start_waiting(self) -> None:
        """Start what there is room for, in the order in which it came."""
        held: deque[_Followed] = deque()
        while self._waiting:
            followed = self._waiting.popleft()
            if self._has_room(followed, held):
                self._start(followed)
                continue
            held.append(followed)
            if not followed.queued:
                followed.queued = True
                self._tell(followed, RunReport(followed.run.run_id, RunPhase.QUEUED, self._clock.now()))
        self._waiting = held

    def _has_room(self, followed: _Followed, held: deque[_Followed]) -> bool:
        waiting = {id(each) for each in (*held, *self._waiting)}
        others = [each for each in self._followed.values() if id(each) not in waiting and each is not followed]
        if self._limit and len(others) >= self._limit:
            return False
        mine = set(followed.run.assets)
        return not self._kind.exclusive or not any(mine & set(each.run.assets) for each in others)

    def _start(self, followed: _Followed) -> None:
        try:
            request = self._kind.request(followed.run, followed.folder)
            followed.folder.mkdir(mode=0o700, exist_ok=True)
            rundir.write_whole(followed.folder / rundir.REQUEST, json.dumps(request).encode())
        except FreshdError as error:
            self._fail(followed, str(error))
        except (OSError, KeyError) as error:
            self._fail(followed, f"cannot start it: {type(error).__name__}: {error}")
        else:
            self._server.to_hand.append(followed)
            self._hand()

    # --- the warm server --------------------------------------------------------------------------

    def _start_server(self) -> None:
        server = self._server
        if server.process is not None or self._clock.now() < server.not_before:
            return
        try:
            server.process = WarmServer(self._kind.server(), self._own / "server.log")
        except OSError as error:
            self._give_up(f"cannot start the {self._name} launcher's process: {error}")
            return
        self._selector.register(server.process, selectors.EVENT_READ, server.process)

    def _hear(self, process: WarmServer) -> None:
        try:
            for line in process.hear():
                if "error" in line:
                    self._end_server(f"the {self._name} launcher cannot warm up: {line['error']}")
                    return
                if "taken" in line:
                    self._server.handing = None
            self._hand()
        except EOFError:
            why = f"the {self._name} launcher's process ended: {process.last_words()}"
            self._end_server("" if process.ready else why)

    def _hand(self) -> None:
        server = self._server
        if server.process is None or not server.process.ready or server.handing is not None or not server.to_hand:
            return
        followed = server.to_hand.popleft()
        self._unhook(followed)
        followed.bell, ring = os.pipe()
        followed.handed += 1
        server.handing = followed
        os.set_blocking(followed.bell, False)
        self._selector.register(followed.bell, selectors.EVENT_READ, followed)
        with contextlib.suppress(OSError):  # it is gone; hearing it will say so
            server.process.hand(followed.folder, ring)
        os.close(ring)

    def _end_server(self, why: str) -> None:
        """It is gone. With a reason, nothing that waits for it could start; else the next one goes on."""
        server = self._server
        if server.process is not None:
            self._selector.unregister(server.process)
            server.process.close()
        server.process = None
        server.not_before = self._clock.now() + RESTART_DELAY
        if server.handing is not None:
            again, server.handing = server.handing, None
            self._unhook(again)
            self._hand_again(again)
        if why:
            self._give_up(why)

    def _give_up(self, why: str) -> None:
        self._server.not_before = self._clock.now() + RESTART_DELAY
        while self._server.to_hand:
            self._refuse(self._server.to_hand.popleft(), why)

    def _hand_again(self, followed: _Followed) -> None:
        if rundir.holder(followed.folder) is not None:
            followed.looked_at = True
        elif followed.handed < HANDED_AT_MOST:
            self._server.to_hand.append(followed)
            self._hand()
        else:
            self._refuse(followed, f"handed over {followed.handed} times, and no process took it")

    def _refuse(self, followed: _Followed, why: str) -> None:
        """Make sure that nobody starts it any more; if somebody has, follow that."""
        try:
            refused = rundir.claim(followed.folder, rundir.REFUSED)
        except OSError:
            refused = True
        if refused:
            self._fail(followed, why)
        else:
            followed.looked_at = True

    # --- a run goes on, and ends ------------------------------------------------------------------

    def _answer(self, followed: _Followed) -> None:
        try:
            silent = not os.read(followed.bell, 65536)
        except BlockingIOError:
            return
        if not silent:
            self._look(followed)
            return
        self._unhook(followed)
        if followed is self._server.handing:
            return  # the server went with it, and will be heard to
        if rundir.holder(followed.folder) is None:
            self._hand_again(followed)
        else:
            followed.looked_at = True
            self._look(followed)

    def _unhook(self, followed: _Followed) -> None:
        if followed.bell >= 0:
            self._selector.unregister(followed.bell)
            os.close(followed.bell)
            followed.bell = -1

    def _look(self, followed: _Followed) -> None:
        """Tell what is new of it; see whether it is over, or lost."""
        holder = "" if followed.bell >= 0 else rundir.holder(followed.folder) or ""
        gone = followed.bell < 0 and not rundir.alive(holder)
        over = self._is_over(followed)
        self._tell_progress(followed)
        if over:
            self._finish(followed, _ended_at(followed.folder))
        elif gone:
            _kill_worker(followed.folder)
            self._lose(followed, "the process that watched over it is gone, and left no outcome")

    def _is_over(self, followed: _Followed) -> bool:
        return (followed.folder / rundir.SEAL).exists()

    def _tell_progress(self, followed: _Followed) -> None:
        try:
            with (followed.folder / rundir.PROGRESS).open("rb") as file:
                file.seek(followed.read)
                said = file.read()
        except FileNotFoundError:
            return
        whole = said[: said.rfind(b"\n") + 1]
        followed.read += len(whole)
        for line in whole.splitlines():
            with contextlib.suppress(ValueError, KeyError, TypeError):  # torn by a loss of power
                self._tell(followed, _report_of(followed.run, json.loads(line), self._clock.now()))

    def _fail(self, followed: _Followed, why: str) -> None:
        now = self._clock.now()
        self._tell(followed, RunReport(followed.run.run_id, RunPhase.FAILED, now, error=why))
        self._finish(followed, now)

    def _lose(self, followed: _Followed, why: str) -> None:
        now = self._clock.now()
        self._tell(followed, RunReport(followed.run.run_id, RunPhase.LOST, now, error=why))
        self._finish(followed, now)

    def _finish(self, followed: _Followed, ended_at: Instant) -> None:
        self._unhook(followed)
        self._followed.pop(followed.run.run_id, None)
        at = min(ended_at, self._clock.now())
        self._tell(followed, RunReport(followed.run.run_id, RunPhase.FINISHED, at))
        self._start_waiting()

    def _tell(self, followed: _Followed, report: RunReport) -> None:
        for each in followed.reports:
            each(report)

    def _prune(self) -> None:
        now = self._clock.now()
        if now < self._next_prune:
            return
        self._next_prune = now + PRUNE_EVERY
        with contextlib.suppress(OSError):
            for entry in os.scandir(self._runs):
                seal = Path(entry.path, rundir.SEAL)
                if entry.is_dir() and seal.exists() and seal.stat().st_mtime_ns // 1000 < now - KEEP_RUNS:
                    shutil.rmtree(entry.path, ignore_errors=True)


def _folder_name(run_id: str) -> str:
    if _PLAIN.fullmatch(run_id):
        return run_id
    return hashlib.sha256(run_id.encode()).hexdigest()[:40]


def _ended_at(folder: Path) -> Instant:
    try:
        return int(rundir.read_json(folder / rundir.SEAL)["ended_at"])
    except (OSError, ValueError, KeyError, TypeError):
        return 0


def _kill_worker(folder: Path) -> None:
    """What is left of a run whose supervisor is gone would otherwise work beside the next attempt."""
    who = rundir.worker(folder) or ""
    if rundir.alive(who):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(rundir.pid_of(who), signal.SIGKILL)


def _report_of(run: LaunchRun, line: dict[str, Any], now: Instant) -> RunReport:
    started_at = line.get("started_at")
    return RunReport(
        run_id=run.run_id,
        phase=RunPhase(line["phase"]),
        at=min(int(line["at"]), now),
        asset=line.get("asset", ""),
        started_at=None if started_at is None else min(int(started_at), now),
        changed=bool(line.get("changed", True)),
        metadata=line.get("metadata") or None,
        checks=tuple(Check(**check) for check in line.get("checks", ())),
        error=line.get("error", ""),
    )
