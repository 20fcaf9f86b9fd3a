"""The warm server as the daemon sees it: a child process on the other end of a socket.

It hands over run directories and hears back; what becomes of a run it does not know. Killing the
server harms no run: supervisors are processes of their own.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

BOOT: Final = Path(__file__).parent / "workers" / "boot.py"
SHOWN_LOG: Final = 4_000
"""Bytes of the server's log shown in an error."""
_OWN: Final = "FRESHD_"


@dataclass(frozen=True, slots=True)
class ServerPlan:
    """How to start a warm server."""

    kind: str
    """Its body: command, python or dbt."""
    interpreter: str
    flags: tuple[str, ...] = ()
    """Of the interpreter."""
    cwd: str = "."
    env: Mapping[str, str] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)
    """What the body's `warm` wants."""


def inherited_environment() -> dict[str, str]:
    """The daemon's environment without its own settings, which may hold its secrets."""
    return {name: value for name, value in os.environ.items() if not name.startswith(_OWN)}


class WarmServer:
    """One server process, from start to end; used by one thread."""

    def __init__(self, plan: ServerPlan, log: Path) -> None:
        """Start it. Raises OSError if the interpreter cannot be run."""
        self._log = log
        self._unread = b""
        self.ready = False
        ours, its = socket.socketpair()
        described = json.dumps({**plan.options, "kind": plan.kind, "fd": its.fileno(), "cwd": plan.cwd})
        try:
            with log.open("wb") as sink:
                self._process = subprocess.Popen(
                    [plan.interpreter, *plan.flags, str(BOOT), described],
                    stdin=subprocess.DEVNULL,
                    stdout=sink,
                    stderr=subprocess.STDOUT,
                    cwd=plan.cwd,
                    env={**inherited_environment(), **plan.env},
                    pass_fds=[its.fileno()],
                    start_new_session=True,
                )
        except OSError:
            ours.close()
            raise
        finally:
            its.close()
        ours.setblocking(False)
        self._socket = ours

    @property
    def pid(self) -> int:
        """The server's process."""
        return self._process.pid

    def fileno(self) -> int:
        """For selectors: readable when there is something to hear."""
        return self._socket.fileno()

    def hear(self) -> list[dict[str, Any]]:
        """What it has said since. Raises EOFError when it is gone."""
        try:
            said = self._socket.recv(65536)
        except BlockingIOError:
            return []
        except ConnectionError as error:
            raise EOFError from error
        if not said:
            raise EOFError
        *lines, self._unread = (self._unread + said).split(b"\n")
        heard: list[dict[str, Any]] = [json.loads(line) for line in lines]
        self.ready = self.ready or any("ready" in line for line in heard)
        return heard

    def hand(self, folder: Path, bell: int) -> None:
        """Hand over one run; the next only after this one's `taken`. Raises OSError when it is gone."""
        socket.send_fds(self._socket, [str(folder).encode()], [bell])

    def last_words(self) -> str:
        """The end of its log."""
        try:
            return self._log.read_bytes()[-SHOWN_LOG:].decode("utf-8", "replace").strip()
        except OSError:
            return ""

    def close(self) -> None:
        """End it; its runs go on."""
        self._socket.close()
        self._process.kill()
        self._process.wait()
