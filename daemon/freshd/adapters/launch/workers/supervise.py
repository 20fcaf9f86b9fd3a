"""One run: claim it, fork its worker, keep output, time limit and outcome, seal the run directory.

A supervisor is a process of its own session, so that it outlives the daemon. The worker is a child in
a process group of its own, which is killed as a whole when its time is over. Of every asset of the
run exactly one outcome stands in progress.jsonl before the seal: what the worker itself did not tell
follows from how it ended. The daemon is told that there is something to read by a byte on `bell`.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import selectors
import signal
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from . import rundir

Tell = Callable[[dict[str, Any]], None]
"""Report one thing: phase, and what belongs to it."""
Work = Callable[[dict[str, Any], Tell], int]
"""What a worker does with a request; returns its exit status."""

KEPT_OUTPUT = 64 * 1024
"""Bytes of output kept, the last ones."""
SHOWN_OUTPUT = 4_000
"""Bytes of output shown in an error."""
GRACE_S = 5.0
"""Between asking a worker to stop and killing it."""
POLL_S = 0.02
"""How often a child is looked at where the system has no pidfd."""

FULL_DISK_S = 0.5
"""Between two tries to write to a full disk."""

OUTCOMES = ("succeeded", "failed", "skipped", "lost")


def now() -> int:
    """Microseconds since 1970."""
    return time.time_ns() // 1000


class Worker:
    """A process that is ready to work and waits to be told on what; it ends if nobody ever tells it."""

    def __init__(self, work: Work, not_its: int) -> None:
        """Fork it. `not_its` is a descriptor that it must not keep open. Raises OSError."""
        self.output, output = os.pipe()
        self.told, told = os.pipe()
        go, self._go = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            for its_parents in (self.output, self.told, self._go, not_its):
                os.close(its_parents)
            os._exit(_work(work, output, told, go))
        for its in (output, told, go):
            os.close(its)
        with contextlib.suppress(OSError):
            os.setpgid(self.pid, self.pid)

    def begin(self, folder: Path) -> None:
        """Let it do what the directory asks for."""
        os.write(self._go, bytes(folder))
        self.dismiss()

    def dismiss(self) -> None:
        """Let it go, if it has not begun."""
        os.close(self._go)


def _work(work: Work, output: int, told: int, go: int) -> int:
    """In the worker: wait, then work."""
    try:
        with contextlib.suppress(OSError):
            os.setpgid(0, 0)
        quiet = os.open(os.devnull, os.O_RDONLY)
        for source, target in ((quiet, 0), (output, 1), (output, 2)):
            os.dup2(source, target)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        folder = os.read(go, 65536).decode()
        if not folder:
            return 0
        for spent in (quiet, output, go):
            if spent > 2:
                os.close(spent)
        request = rundir.read_json(Path(folder) / rundir.REQUEST)
        os.chdir(request["cwd"])
        os.environ.update(request["env"])

        def tell(line: dict[str, Any]) -> None:
            text = json.dumps({"at": now(), **line}, default=str) + "\n"
            rest = text.encode()
            while rest:
                rest = rest[os.write(told, rest) :]

        return work(request, tell)
    except BaseException:
        traceback.print_exc()
        return 1
    finally:
        with contextlib.suppress(Exception):
            sys.stdout.flush()
            sys.stderr.flush()


def supervise(folder: Path, bell: int, worker: Worker) -> None:
    """Have the worker do what `folder` asks for, if nobody has yet; returns when all is over."""
    if not rundir.claim(folder, rundir.identity(os.getpid())):
        worker.dismiss()
        return
    run = _Run(folder, bell, rundir.read_json(folder / rundir.REQUEST))
    rundir.write_whole(folder / rundir.WORKER, rundir.identity(worker.pid).encode())
    run.begin()
    worker.begin(folder)
    run.watch(worker)
    run.seal()


class _Run:
    def __init__(self, folder: Path, bell: int, request: dict[str, Any]) -> None:
        self.folder = folder
        self.request = request
        self.started_at = now()
        self.bell = bell
        self._progress = (folder / rundir.PROGRESS).open("ab")
        self._output = os.open(folder / rundir.OUTPUT, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND, 0o600)
        self._tail = bytearray()
        self._partial = b""
        self._open_assets = set(request["assets"])
        self._late = False
        """Its time is over."""

    def begin(self) -> None:
        """The worker is about to be let go."""
        self.started_at = now()
        if self.request["starts_as_one"]:
            self.note({"phase": "started", "at": self.started_at})

    def note(self, line: dict[str, Any]) -> None:
        """Write down one report, and ring the bell."""
        if line["phase"] in OUTCOMES:
            if "asset" in line:
                self._open_assets.discard(line["asset"])
            else:
                self._open_assets.clear()
        self._progress.write(json.dumps(line).encode() + b"\n")
        _insist(self._progress.flush)
        self.ring()

    def ring(self) -> None:
        with contextlib.suppress(OSError):  # the daemon is gone, or has enough to read
            os.write(self.bell, b".")

    def watch(self, worker: Worker) -> None:
        """Keep what the worker says until it ends; stop it when its time is over; conclude."""
        pid, output, told = worker.pid, worker.output, worker.told
        stop_at = time.monotonic() + self.request["timeout_s"] if self.request["timeout_s"] else float("inf")
        status = None
        with selectors.DefaultSelector() as selector:
            for pipe, keep in ((output, self._keep), (told, self._hear)):
                os.set_blocking(pipe, False)
                selector.register(pipe, selectors.EVENT_READ, keep)
            pidfd = os.pidfd_open(pid) if hasattr(os, "pidfd_open") else -1
            if pidfd >= 0:
                selector.register(pidfd, selectors.EVENT_READ)
            while status is None:
                rest = stop_at - time.monotonic()
                if rest <= 0:
                    _signal_group(pid, signal.SIGKILL if self._late else self.request["stop_signal"])
                    self._late, stop_at = True, time.monotonic() + GRACE_S
                    continue
                wait = rest if pidfd >= 0 else min(rest, POLL_S)
                for key, _ in selector.select(None if wait == float("inf") else wait):
                    if key.data is not None and not _drain(key.fd, key.data):
                        selector.unregister(key.fd)
                done, raw = os.waitpid(pid, os.WNOHANG)
                status = raw if done else None
        if self._late:
            _signal_group(pid, signal.SIGKILL)
        _drain(output, self._keep)
        _drain(told, self._hear)
        self._conclude(os.waitstatus_to_exitcode(status))

    def seal(self) -> None:
        """Nothing will be added."""
        os.fsync(self._progress.fileno())
        seal = json.dumps({"ended_at": now()}).encode()
        _insist(lambda: rundir.write_whole(self.folder / rundir.SEAL, seal, durable=True))
        self.ring()

    def _keep(self, said: bytes) -> None:
        self._tail += said
        with contextlib.suppress(OSError):  # a full disk: the end of it is shown all the same
            if len(self._tail) > 2 * KEPT_OUTPUT:
                del self._tail[:-KEPT_OUTPUT]
                os.ftruncate(self._output, 0)
                said = bytes(self._tail)
            os.write(self._output, said)

    def _hear(self, said: bytes) -> None:
        *lines, self._partial = (self._partial + said).split(b"\n")
        for line in lines:
            with contextlib.suppress(ValueError, KeyError):
                told = json.loads(line)
                if self._late and told["phase"] == "failed":
                    told["error"] = f"{self._why_late()}\n{told['error']}"
                self.note(told)

    def _why_late(self) -> str:
        return f"timed out after {self.request['timeout_s']:g} s; its process group was killed"

    def _conclude(self, code: int) -> None:
        if not self._open_assets:
            return
        if code == 0 and not self._late and self.request["exit_tells"]:
            self.note({"phase": "succeeded", "at": now(), "started_at": self.started_at})
            return
        if self._late:
            why = self._why_late()
        elif code < 0:
            why = f"killed by {signal.Signals(-code).name}"
        elif code > 0:
            why = f"exit status {code}"
        else:
            why = "it ended without telling what became of this"
        tail = bytes(self._tail[-SHOWN_OUTPUT:]).decode("utf-8", "replace").strip()
        error = f"{why}\n{tail}" if tail else why
        self.note({"phase": "failed", "at": now(), "started_at": self.started_at, "error": error})


def _insist(write: Callable[[], object]) -> None:
    """Write what must not be lost, as soon as the disk has room for it."""
    while True:
        try:
            write()
            return
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                raise
            time.sleep(FULL_DISK_S)


def _drain(pipe: int, keep: Callable[[bytes], None]) -> bool:
    """Read what is there; false once nothing more will come."""
    while True:
        try:
            said = os.read(pipe, 65536)
        except BlockingIOError:
            return True
        if not said:
            return False
        keep(said)


def _signal_group(pid: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, number)
