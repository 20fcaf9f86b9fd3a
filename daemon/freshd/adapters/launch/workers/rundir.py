"""The run directory: what a run was asked to do, who does it, what came of it. The only truth about a run.

    request.json    written by the daemon before anything starts
    claim           who runs it: linked into place, so that of any number of contenders one wins, for ever
    worker          the worker's process, once it exists
    progress.jsonl  one line for each thing worth reporting, in order
    output          the tail of what it said
    sealed.json     written last: nothing will be added

It keeps true: a run directory is claimed at most once, so a run id starts at most once; what is sealed
is complete and on disk. Stands on the standard library alone, for any interpreter.
"""

from __future__ import annotations

import json
import os
import subprocess
import uuid
from pathlib import Path
from typing import Any

REQUEST = "request.json"
CLAIM = "claim"
WORKER = "worker"
PROGRESS = "progress.jsonl"
OUTPUT = "output"
SEAL = "sealed.json"

REFUSED = "refused"
"""The claim of one that will never run it: nobody else may start it either."""


def write_whole(path: Path, content: bytes, durable: bool = False) -> None:
    """Put a file in place all at once; `durable`: also against a loss of power."""
    draft = path.with_name(f"{path.name}.{uuid.uuid4().hex}")
    try:
        with draft.open("wb") as file:
            file.write(content)
            if durable:
                file.flush()
                os.fsync(file.fileno())
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
    if durable:
        sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def read_json(path: Path) -> Any:
    """The content of a JSON file; None if there is none."""
    try:
        return json.loads(path.read_bytes())
    except FileNotFoundError:
        return None


def claim(folder: Path, who: str) -> bool:
    """Whether `who` may run it: true for the first that asks, ever."""
    draft = folder / f"{CLAIM}.{uuid.uuid4().hex}"
    with draft.open("w", encoding="utf-8") as file:
        file.write(who)
        file.flush()
        os.fsync(file.fileno())
    try:
        os.link(draft, folder / CLAIM)
    except FileExistsError:
        return False
    except PermissionError:  # a file system without links
        try:
            with (folder / CLAIM).open("x", encoding="utf-8") as file:
                file.write(who)
        except FileExistsError:
            return False
    finally:
        draft.unlink()
    sync_folder(folder)
    return True


def holder(folder: Path) -> str | None:
    """Who has claimed it, None if nobody has."""
    return _text(folder / CLAIM)


def worker(folder: Path) -> str | None:
    """The identity of its worker, None if there has been none."""
    return _text(folder / WORKER)


def _text(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None


def identity(pid: int) -> str:
    """A process for ever: its pid, when it started, and in which boot; empty if there is no such process."""
    started = _started(pid)
    return f"{pid} {started} {_boot()}" if started else ""


def alive(who: str) -> bool:
    """Whether the process of this identity still runs (one that has ended and is not yet reaped does not)."""
    pid = pid_of(who)
    return pid > 0 and identity(pid) == who


def pid_of(who: str) -> int:
    """The pid of an identity; 0 if it is none."""
    first = who.partition(" ")[0]
    return int(first) if first.isdigit() else 0


def _started(pid: int) -> str:
    try:
        fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
    except FileNotFoundError:
        return "" if Path("/proc/self/stat").exists() else _started_by_ps(pid)
    except ProcessLookupError:
        return ""
    return "" if fields[0] in (b"Z", b"X") else fields[19].decode()


def _started_by_ps(pid: int) -> str:
    said = subprocess.run(["ps", "-o", "stat=,lstart=", "-p", str(pid)], capture_output=True, text=True, check=False)
    state, _, started = said.stdout.strip().partition(" ")
    return "" if not state or state.startswith("Z") else "-".join(started.split())


def _boot() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return "-"
