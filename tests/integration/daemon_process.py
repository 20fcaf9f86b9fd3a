"""A real daemon in a process of its own, in a folder of its own: to be started, asked, killed and started again."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import yaml
from prometheus_client.parser import text_string_to_metric_families

ROOT = Path(__file__).parents[2]
PATIENCE_S = 60.0
"""How long a test waits for what must come: generous, for slow machines; nothing is measured by it."""


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as held:
        return int(held.getsockname()[1])


@dataclass
class DaemonProcess:
    """`freshd run` over the freshd.yaml that `configure` wrote."""

    folder: Path
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    def configure(self, files: Mapping[str, Any], **settings: Any) -> None:
        """Write freshd.yaml and the files that it names."""
        for name, value in {"freshd.yaml": {"listen": f"127.0.0.1:{self.port}", **settings}, **files}.items():
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(value if isinstance(value, str) else yaml.safe_dump(value, sort_keys=False))

    def start(self) -> None:
        """Start it, and wait until it answers."""
        environment = {**os.environ, "PYTHONPATH": str(ROOT / "daemon"), "PYTHONUNBUFFERED": "1"}
        with (self.folder / "daemon.log").open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "freshd", "run"],
                cwd=self.folder, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )  # fmt: skip
        self.until(lambda: self.get("/healthz").status_code == 200)

    def kill(self) -> None:
        """End it with kill -9."""
        self._end(signal.SIGKILL)

    def stop(self) -> int:
        """End it as a service manager would; its exit status."""
        return self._end(signal.SIGTERM)

    def get(self, path: str) -> httpx.Response:
        """GET of one of its pages."""
        return httpx.get(f"http://127.0.0.1:{self.port}{path}", timeout=10)

    def post(self, path: str, value: Any, **headers: str) -> httpx.Response:
        """POST of JSON to it."""
        return httpx.post(f"http://127.0.0.1:{self.port}{path}", json=value, headers=headers, timeout=20)

    def metric(self, name: str, **labels: str) -> float | None:
        """The value of the series of that name whose labels include these, or None if there is none."""
        for family in text_string_to_metric_families(self.get("/metrics").text):
            for sample in family.samples:
                if sample.name == name and labels.items() <= sample.labels.items():
                    return sample.value
        return None

    def until(self, condition: Callable[[], object], patience_s: float = PATIENCE_S) -> None:
        """Wait until the condition holds; fails with the daemon's log if it does not."""
        deadline = time.monotonic() + patience_s
        while True:
            try:
                if condition():
                    return
            except (httpx.TransportError, FileNotFoundError):
                pass
            ended = self.process is not None and self.process.poll() is not None
            if ended or time.monotonic() > deadline:
                log = (self.folder / "daemon.log").read_text(errors="replace")[-5_000:]
                raise AssertionError(f"it did not come to be{' (the daemon ended)' if ended else ''}; its log:\n{log}")
            time.sleep(0.05)

    def _end(self, how: signal.Signals) -> int:
        if self.process is None:
            return 0
        self.process.send_signal(how)
        status = self.process.wait(30)
        self.process = None
        return status
