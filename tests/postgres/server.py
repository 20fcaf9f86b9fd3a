"""How one PostgreSQL server is made, started and stopped. Knows nothing of freshd.

It needs Debian's package `postgresql` or any other with initdb and postgres; it says so when they are missing.
"""

from __future__ import annotations

import ctypes
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

import psycopg

USER = "freshd"
START_LIMIT_S = 60.0
STOP_LIMIT_S = 20.0
_DIE_WITH_PARENT = 1  # PR_SET_PDEATHSIG
_SETTINGS = ("fsync=off", "max_connections=40", "shared_buffers=32MB", "lc_messages=C", "log_min_messages=warning")


class MissingServer(Exception):
    """PostgreSQL is not on this machine; the message says how to get it."""


def program(name: str) -> Path:
    """Where a program of PostgreSQL lies, the newest first. Raises MissingServer."""
    for folder in sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda p: float(p.parent.name), reverse=True):
        if (folder / name).exists():
            return folder / name
    found = shutil.which(name)
    if found is None:
        raise MissingServer(f"PostgreSQL ({name}) is not installed (Debian: apt-get install postgresql)")
    return Path(found)


class Server:
    """A server that lives in a temporary folder, until `stop`, or until the process that started it ends."""

    def __init__(self) -> None:
        self._initdb, self._postgres = program("initdb"), program("postgres")
        self._folder = Path(tempfile.mkdtemp(prefix="freshd-postgres-"))
        self._as: dict[str, Any] = {}
        if os.geteuid() == 0:  # PostgreSQL refuses to run as root
            user = _ordinary_user()
            os.chown(self._folder, user.pw_uid, user.pw_gid)
            self._as = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port: int = free.getsockname()[1]
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Its one database, where every user on this machine may do everything."""
        return f"postgresql://{USER}@127.0.0.1:{self.port}/postgres"

    def start(self) -> None:
        """Make the data folder if there is none, start, and wait until it answers."""
        data = self._folder / "data"
        if not data.exists():
            made = subprocess.run(
                [self._initdb, "-D", data, "-U", USER, "--auth=trust", "-E", "UTF8", "--no-locale", "--no-sync"],
                cwd="/",
                capture_output=True,
                text=True,
                **self._as,
            )
            if made.returncode:
                raise RuntimeError(f"initdb failed: {made.stdout[-1000:]}{made.stderr[-1000:]}")
        settings = [*_SETTINGS, f"port={self.port}", "listen_addresses=127.0.0.1", "unix_socket_directories="]
        self._process = subprocess.Popen(
            [self._postgres, "-D", data, *(part for setting in settings for part in ("-c", setting))],
            cwd="/",
            stdout=subprocess.DEVNULL,
            stderr=(self._folder / "log").open("ab"),
            preexec_fn=_end_with_parent,
            **self._as,
        )
        deadline = time.monotonic() + START_LIMIT_S
        while True:
            try:
                psycopg.connect(self.url, connect_timeout=2).close()
                return
            except psycopg.OperationalError:
                if time.monotonic() > deadline or self._process.poll() is not None:
                    raise RuntimeError(f"PostgreSQL does not start: {self.log()[-2000:]}") from None
                time.sleep(0.05)

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """Stop it; SIGINT ends its sessions and shuts down well, SIGQUIT is as a crash."""
        if self._process is not None:
            self._process.send_signal(how)
            try:
                self._process.wait(STOP_LIMIT_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process = None

    def remove(self) -> None:
        """Stop it and delete its data."""
        self.stop(signal.SIGQUIT)
        shutil.rmtree(self._folder, ignore_errors=True)

    def log(self) -> str:
        """What it said."""
        return (self._folder / "log").read_text(errors="replace")


def _ordinary_user() -> pwd.struct_passwd:
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise MissingServer("PostgreSQL does not run as root, and there is neither a user postgres nor nobody")


def _end_with_parent() -> None:
    ctypes.CDLL(None).prctl(_DIE_WITH_PARENT, signal.SIGQUIT)
