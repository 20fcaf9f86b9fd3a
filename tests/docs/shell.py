"""Does what a page's `console` blocks say, in a folder of its own, with a daemon on a port of its own.

A line that begins with `$ ` is a command and must end with 0; what follows it is what it must print, in order, where
`…` stands for anything. A command that only asks is asked again until it says so: what an event leads to takes a while.
A command that ends in `&` is a daemon, which is waited for.
"""

from __future__ import annotations

import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
from tests.docs.pages import ROOT, Block

PATIENCE_S = 90.0
"""How long what a page shows may take to come true: generous, nothing is measured by it."""

ADDRESS = "127.0.0.1:8765"
_ASKS = re.compile(r"^(freshd (status|assets|explain|unmatched)|curl -s 127|grep|cat|ls)\b")


class Shell:
    """One page's folder and daemon."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        with socket.create_server(("127.0.0.1", 0)) as held:
            self._address = f"127.0.0.1:{held.getsockname()[1]}"
        self._daemon: subprocess.Popen[bytes] | None = None
        self._log = folder.parent / f"{folder.name}.log"
        programs = folder.parent / "bin"
        programs.mkdir(exist_ok=True)
        program = programs / "freshd"
        program.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m freshd "$@"\n')
        program.chmod(0o755)
        self._env = {name: value for name, value in os.environ.items() if not name.startswith("FRESHD_")}
        self._env |= {
            "PATH": f"{programs}:{Path(sys.executable).parent}:{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT / "daemon"),
            "FRESHD_LISTEN": self._address,
            "NO_COLOR": "1",
            "COLUMNS": "200",
        }

    def run(self, block: Block) -> None:
        """Every command of a block."""
        for line, command, shown in _commands(block):
            where = f"{block.page}:{line}: {command}"
            if command.endswith("&"):
                self._start(command.removesuffix("&").strip(), where)
            else:
                self._try(command, shown, where)

    def close(self) -> None:
        """Stop the daemon as an operator would, which must work."""
        if self._daemon is not None:
            self._daemon.send_signal(signal.SIGTERM)
            assert self._daemon.wait(PATIENCE_S) == 0, self._said()

    def kill(self) -> None:
        """Leave nothing behind."""
        if self._daemon is not None and self._daemon.poll() is None:
            self._daemon.kill()
            self._daemon.wait()

    def _start(self, command: str, where: str) -> None:
        assert self._daemon is None, f"{where}: one daemon a page"
        with self._log.open("wb") as log:
            self._daemon = subprocess.Popen(
                ["bash", "-c", f"exec {self._here(command)}"],
                cwd=self.folder, env=self._env, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )  # fmt: skip
        end = time.monotonic() + PATIENCE_S
        while True:
            assert self._daemon.poll() is None, f"{where} ended by itself:\n{self._said()}"
            assert time.monotonic() < end, f"{where} does not come up:\n{self._said()}"
            try:
                if httpx.get(f"http://{self._address}/readyz", timeout=PATIENCE_S).is_success:
                    return
            except httpx.HTTPError:
                pass
            time.sleep(0.05)

    def _try(self, command: str, shown: list[str], where: str) -> None:
        end = time.monotonic() + PATIENCE_S
        while True:
            done = subprocess.run(
                ["bash", "-o", "pipefail", "-c", self._here(command)],
                cwd=self.folder, env=self._env, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120,
            )  # fmt: skip
            said = done.stdout + done.stderr
            wrong = "" if done.returncode == 0 else f"exits {done.returncode}"
            wrong = wrong or _missing(shown, said)
            if not wrong:
                return
            asks = _ASKS.match(command) is not None
            assert asks and time.monotonic() < end, f"{where}\n{wrong}\nit said:\n{said}\n{self._said()}"
            time.sleep(0.2)

    def _here(self, command: str) -> str:
        return command.replace(ADDRESS, self._address)

    def _said(self) -> str:
        return f"the daemon said:\n{self._log.read_text(errors='replace')}" if self._log.exists() else ""


def _commands(block: Block) -> Iterator[tuple[int, str, list[str]]]:
    """(line, command, what it must print); a backslash at a line's end joins the next one."""
    number, command = 0, ""
    shown: list[str] = []
    joins = False
    for line, text in enumerate(block.text.splitlines(), block.line + 1):
        if joins:
            command += "\n" + text
        elif text.startswith("$ "):
            if command:
                yield number, command, shown
            number, command, shown = line, re.sub(r"\s{2,}# .*$", "", text[2:]).rstrip(), []
        else:
            assert command, f"{block.page}:{line}: a console block begins with a command"
            shown.append(text)
        joins = (joins or text.startswith("$ ")) and text.endswith("\\")
    yield number, command, shown


def _missing(shown: list[str], said: str) -> str:
    """The first shown line that was not said, in order; empty if all were."""
    lines = [" ".join(line.split()) for line in said.splitlines()]
    at = 0
    for wanted in shown:
        if wanted.strip() in ("…", ""):
            continue
        words = re.escape(" ".join(wanted.split())).replace("…", ".*")
        found = next((n for n in range(at, len(lines)) if re.fullmatch(words, lines[n])), None)
        if found is None:
            return f"it does not say: {wanted}"
        at = found + 1
    return ""
