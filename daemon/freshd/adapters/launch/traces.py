"""What a run leaves behind, read by the daemon: its directory as reports.

The counterpart of workers/rundir.py. It keeps true: what is told of a run is a prefix of what its
supervisor wrote, in order and each line once. It decides nothing about what to start.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from freshd.adapters.launch.workers import rundir
from freshd.model.effects import LaunchRun
from freshd.model.inputs import Check, RunPhase, RunReport
from freshd.model.time import DAY, Duration, Instant

KEEP_RUNS: Final[Duration] = 7 * DAY
"""How long the directory of a run that is over is kept."""
_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,120}")
_SINCE: Final = ".since"


class RunFolders:
    """The folder of all run directories, and since when it exists."""

    def __init__(self, path: Path, now: Instant) -> None:
        """Make it where it is not yet. Raises OSError."""
        self.path = path
        path.mkdir(parents=True, exist_ok=True, mode=0o700)
        with contextlib.suppress(FileExistsError), (path / _SINCE).open("x") as since:
            since.write(str(now))

    def of(self, run_id: str) -> Path:
        """The directory of a run; ids that are no plain file names get one of their own all the same."""
        plain = _PLAIN.fullmatch(run_id)
        return self.path / (run_id if plain else hashlib.sha256(run_id.encode()).hexdigest()[:40])

    def would_know(self, run: LaunchRun) -> bool:
        """Whether a run requested then would have left its traces here, and not in a folder that is gone."""
        try:
            return int((self.path / _SINCE).read_text()) <= run.requested_at
        except (OSError, ValueError):
            return False

    def prune(self, now: Instant) -> None:
        """Remove the directories of runs that have been over for KEEP_RUNS."""
        with contextlib.suppress(OSError):
            for entry in os.scandir(self.path):
                seal = Path(entry.path, rundir.SEAL)
                if entry.is_dir() and seal.exists() and seal.stat().st_mtime_ns // 1000 < now - KEEP_RUNS:
                    shutil.rmtree(entry.path, ignore_errors=True)


class Traces:
    """One run directory, read forward."""

    __slots__ = ("_read", "_run", "folder")

    def __init__(self, run: LaunchRun, folder: Path) -> None:
        self.folder = folder
        self._run = run
        self._read = 0

    def exist(self) -> bool:
        """Whether anything was ever written for it."""
        return self.folder.exists()

    def are_claimed(self) -> bool:
        """Whether anybody has taken the run, or refused it for good."""
        return rundir.holder(self.folder) is not None

    def are_watched(self) -> bool:
        """Whether the supervisor that took it is alive."""
        return rundir.alive(rundir.holder(self.folder) or "")

    def are_sealed(self) -> bool:
        """Whether all is written."""
        return (self.folder / rundir.SEAL).exists()

    def are_of_another(self, store: Instant) -> bool:
        """Whether they are of a run that another store had requested, by the same id, and that nobody works on."""
        try:
            told = rundir.read_json(self.folder / rundir.REQUEST).get("store", store)
        except (OSError, ValueError, AttributeError):
            return False
        return told != store and not self.are_watched()

    def forget(self) -> None:
        """Make room for a run of the same id."""
        self.kill_worker()
        shutil.rmtree(self.folder, ignore_errors=True)

    def request(self, content: dict[str, Any]) -> None:
        """Write what is to be done. Raises OSError."""
        self.folder.mkdir(mode=0o700, exist_ok=True)
        rundir.write_whole(self.folder / rundir.REQUEST, json.dumps(content).encode())

    def refuse(self) -> bool:
        """See to it that nobody starts it any more; false if somebody has."""
        try:
            return rundir.claim(self.folder, rundir.REFUSED)
        except OSError:  # it has no directory, so nobody was handed it
            return True

    def ended_at(self) -> Instant:
        """When it was sealed; 0 if that cannot be read."""
        try:
            return int(rundir.read_json(self.folder / rundir.SEAL)["ended_at"])
        except (OSError, ValueError, KeyError, TypeError):
            return 0

    def news(self, now: Instant) -> Iterator[RunReport]:
        """The reports since the last look; no instant in them is later than `now`."""
        try:
            with (self.folder / rundir.PROGRESS).open("rb") as file:
                file.seek(self._read)
                said = file.read()
        except FileNotFoundError:
            return
        whole = said[: said.rfind(b"\n") + 1]
        self._read += len(whole)
        for line in whole.splitlines():
            with contextlib.suppress(ValueError, KeyError, TypeError):  # torn by a loss of power
                yield _report_of(self._run, json.loads(line), now)

    def kill_worker(self) -> None:
        """Stop what works on although its supervisor is gone: it would go on beside the next attempt."""
        who = rundir.worker(self.folder) or ""
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
