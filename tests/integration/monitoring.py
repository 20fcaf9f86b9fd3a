"""A real Prometheus and a real Alertmanager of a test's own, and somebody who is told by the latter."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from tests.integration.running import SOON_S, free_port


def program(*names: str, package: str) -> str:
    """The path of a program; without it the test fails under CI and is skipped elsewhere."""
    found = next((path for name in names if (path := shutil.which(name))), None)
    if found is None:
        why = f"{names[0]} is not installed (Debian: apt-get install {package})"
        pytest.fail(why) if os.environ.get("CI") == "true" else pytest.skip(why)
    return found


@dataclass
class Server:
    """A process that answers HTTP."""

    port: int
    process: subprocess.Popen[bytes]

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self.port}"

    def until(self, holds: Callable[[], object]) -> None:
        """Wait until it holds."""
        end = time.monotonic() + SOON_S
        while True:
            try:
                if holds():
                    return
            except httpx.HTTPError:
                pass
            assert self.process.poll() is None, f"{self.process.args} has ended"
            assert time.monotonic() < end, "it did not come to be"
            time.sleep(0.1)


class Prometheus(Server):
    """A Prometheus of this test's own."""

    def query(self, expression: str) -> list[dict[str, Any]]:
        """The instant vector that an expression gives now."""
        answer = httpx.get(f"{self.url}/api/v1/query", params={"query": expression}, timeout=SOON_S)
        assert answer.is_success, f"{expression}: {answer.text}"
        result: list[dict[str, Any]] = answer.json()["data"]["result"]
        return result

    def value(self, expression: str) -> float | None:
        """The one value that an expression gives."""
        found = self.query(expression)
        return float(found[0]["value"][1]) if len(found) == 1 else None

    def get(self, path: str) -> Any:
        """Something of its API."""
        return httpx.get(f"{self.url}/api/v1/{path}", timeout=SOON_S).raise_for_status().json()["data"]


@contextmanager
def _served(command: Sequence[str], folder: Path, name: str) -> Iterator[subprocess.Popen[bytes]]:
    with (folder / f"{name}.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, cwd=folder)
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(2 * SOON_S)


@contextmanager
def prometheus_over(
    folder: Path,
    targets: Mapping[str, Sequence[str]],
    rules: Sequence[Path] = (),
    alertmanager: Server | None = None,
    every: str = "1s",
) -> Iterator[Prometheus]:
    """A Prometheus that scrapes `targets` (addresses by job) and goes by these files of rules."""
    path = program("prometheus", package="prometheus")
    jobs = [{"job_name": job, "static_configs": [{"targets": list(at)}]} for job, at in targets.items()]
    config: dict[str, Any] = {
        "global": {"scrape_interval": every, "scrape_timeout": every, "evaluation_interval": every},
        "scrape_configs": jobs,
        "rule_files": [str(rule) for rule in rules],
    }
    if alertmanager is not None:
        where = {"static_configs": [{"targets": [f"127.0.0.1:{alertmanager.port}"]}]}
        config["alerting"] = {"alertmanagers": [where]}
    (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
    port = free_port()
    command = [
        path, f"--config.file={folder / 'prometheus.yml'}", f"--storage.tsdb.path={folder / 'tsdb'}",
        f"--web.listen-address=127.0.0.1:{port}", "--rules.alert.resend-delay=1s",
    ]  # fmt: skip
    with _served(command, folder, "prometheus") as process:
        running = Prometheus(port, process)
        running.until(lambda: running.get("status/buildinfo"))
        yield running


@contextmanager
def alertmanager_with(folder: Path, config: Mapping[str, Any]) -> Iterator[Server]:
    """An Alertmanager with this configuration."""
    path = program("prometheus-alertmanager", "alertmanager", package="prometheus-alertmanager")
    (folder / "alertmanager.yml").write_text(yaml.safe_dump(config))
    port = free_port()
    command = [
        path, f"--config.file={folder / 'alertmanager.yml'}", f"--storage.path={folder / 'alertmanager'}",
        f"--web.listen-address=127.0.0.1:{port}", "--cluster.listen-address=",
    ]  # fmt: skip
    with _served(command, folder, "alertmanager") as process:
        running = Server(port, process)
        running.until(lambda: httpx.get(f"{running.url}/-/ready", timeout=5).is_success)
        yield running


@dataclass
class Told:
    """Who is told by webhooks: what came, by the path it was sent to."""

    port: int = 0
    said: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    def alerts(self, path: str, status: str) -> list[dict[str, Any]]:
        """The alerts that came there with that status, in the order of coming."""
        return [
            alert
            for at, message in list(self.said)
            if at == path
            for alert in message["alerts"]
            if alert["status"] == status
        ]


@contextmanager
def somebody_told() -> Iterator[Told]:
    """A server for webhooks."""
    told = Told()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            told.said.append((self.path, json.loads(body)))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    told.port = server.server_address[1]
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield told
    finally:
        server.shutdown()
        server.server_close()
