"""The whole daemon as a process of its own, driven over HTTP as a user would."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import yaml
from prometheus_client.parser import text_string_to_metric_families

ROOT = Path(__file__).resolve().parents[2]
READY_WITHIN_S = 60.0
SOON_S = 60.0
"""How long something may take that takes milliseconds on an idle machine."""


def free_port() -> int:
    """A port of 127.0.0.1 that nobody has."""
    with socket.create_server(("127.0.0.1", 0)) as held:
        return int(held.getsockname()[1])


class RunningDaemon:
    """`freshd run` in a folder that holds a freshd.yaml with `listen: 127.0.0.1:0`."""

    def __init__(self, folder: Path, **env: str) -> None:
        self.folder = folder
        self.log = folder / "daemon.log"
        self._env = {name: value for name, value in os.environ.items() if not name.startswith("FRESHD_")}
        self._env |= {"PYTHONPATH": str(ROOT / "daemon"), "PYTHONUNBUFFERED": "1", **env}
        self._process: subprocess.Popen[bytes] | None = None
        self.url = ""

    def __enter__(self) -> RunningDaemon:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def configure(self, files: Mapping[str, Any], **settings: Any) -> None:
        """Write freshd.yaml and the files that it names."""
        for name, value in {"freshd.yaml": {"listen": "127.0.0.1:0", **settings}, **files}.items():
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(value if isinstance(value, str) else yaml.safe_dump(value, sort_keys=False))

    def start(self, page: str = "/readyz") -> None:
        """Start it and wait until that page says that it is well: ready, or (`/healthz`) alive."""
        begun = self.log.stat().st_size if self.log.exists() else 0
        with self.log.open("ab") as log:
            command = [sys.executable, "-m", "freshd", "run"]
            self._process = subprocess.Popen(command, cwd=self.folder, env=self._env, stdout=log, stderr=log)
        self.url = f"http://{self._until(lambda: self._listens(begun), READY_WITHIN_S)}"
        self.eventually(lambda: self.answer(page).is_success, READY_WITHIN_S)

    def stop(self) -> int:
        """Stop it as an operator does; returns its exit code."""
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)
        code = self._process.wait(SOON_S)
        self._process = None
        return code

    def kill(self) -> None:
        """End it as a crash does."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(SOON_S)
            self._process = None

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        assert self._process is not None
        self._process.send_signal(number)

    def wait(self) -> int:
        """Wait for its end; returns its exit code."""
        assert self._process is not None
        return self._process.wait(SOON_S)

    def get(self, path: str) -> Any:
        """A JSON answer."""
        answer = httpx.get(f"{self.url}{path}", timeout=SOON_S)
        answer.raise_for_status()
        return answer.json()

    def answer(self, path: str) -> httpx.Response:
        """An answer, whatever its status."""
        return httpx.get(f"{self.url}{path}", timeout=SOON_S)

    def text(self, path: str) -> str:
        """An answer as text."""
        return self.answer(path).text

    def metric(self, name: str, **labels: str) -> float | None:
        """The value of the series of that name whose labels include these, or None if there is none."""
        for family in text_string_to_metric_families(self.text("/metrics")):
            for sample in family.samples:
                if sample.name == name and labels.items() <= sample.labels.items():
                    return sample.value
        return None

    def post(self, *events: dict[str, Any]) -> None:
        """Post events; returns when they are durable."""
        self.send(*events).raise_for_status()

    def send(self, *events: dict[str, Any]) -> httpx.Response:
        """Post events; the answer, whatever its status."""
        return httpx.post(f"{self.url}/events", json=list(events), timeout=SOON_S)

    def asset(self, key: str) -> Any:
        """How an asset stands."""
        return self.get(f"/api/assets/{key}")["asset"]

    def said(self) -> str:
        """Its log so far."""
        return self.log.read_text(encoding="utf-8", errors="replace")

    def eventually(self, holds: Callable[[], object], within_s: float = SOON_S) -> None:
        """Wait until it holds; fails with the daemon's log."""
        self._until(holds, within_s)

    def _until(self, look: Callable[[], Any], within_s: float) -> Any:
        end = time.monotonic() + within_s
        while True:
            found = None
            with suppress(httpx.TransportError, FileNotFoundError):  # not yet there
                found = look()
            if found:
                return found
            assert self._process is None or self._process.poll() is None, f"it ended by itself:\n{self.said()}"
            assert time.monotonic() < end, f"not within {within_s} s; the daemon said:\n{self.said()}"
            time.sleep(0.02)

    def _listens(self, begun: int) -> str:
        for line in self.said()[begun:].splitlines():
            if ("started" in line or "waiting" in line) and "listen=" in line:
                return line.split("listen=")[1].split()[0]
        return ""
