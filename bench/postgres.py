"""A PostgreSQL server for one bench, in a folder of its own; nothing where none is installed."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def postgres(folder: Path) -> Iterator[str]:
    """The URL of a database, or "" if PostgreSQL is not installed. As root the server runs as user postgres."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb")) or [Path(p) for p in [shutil.which("initdb")] if p]
    if not found:
        yield ""
        return
    programs, home = found[-1].parent, folder / "postgres"
    home.mkdir()
    become = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
    if become:
        for parent in (folder, home):
            shutil.chown(parent, "postgres") if parent == home else parent.chmod(0o755)
    data = str(home / "data")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    _run(*become, str(programs / "initdb"), "-D", data, "-U", "freshd", "--auth=trust", "-E", "UTF8")
    options = f"-c listen_addresses=127.0.0.1 -c port={port} -c unix_socket_directories={home}"
    _run(*become, str(programs / "pg_ctl"), "-D", data, "-w", "-l", str(home / "log"), "-o", options, "start")
    try:
        yield f"postgresql://freshd@127.0.0.1:{port}/postgres"
    finally:
        _run(*become, str(programs / "pg_ctl"), "-D", data, "-m", "immediate", "stop")


def _run(*command: str) -> None:
    subprocess.run(command, cwd="/", stdout=subprocess.DEVNULL, check=True)
