"""The demo's stage: a copy of the example in a folder of its own, and the processes that play in it.

The daemon is the real one, `freshd run`, on its defaults; the loader is the example's own. Each is in a
session of its own, so that Ctrl-C reaches only the demo, which takes them down in order.
"""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import IO, Final

import freshd
from freshd.model.errors import ConfigError, PermanentError, Problem

EXAMPLE: Final = Path("examples/shop")
DEFAULT_PORT: Final = 8765
STOP_S: Final = 20.0
"""How long a process may take to stop before it is killed."""

Hear = Callable[[str], None]


def find_example() -> Path:
    """examples/shop of the checkout: below the current folder, or beside the package. Raises ConfigError."""
    for root in (Path.cwd(), *Path(__file__).resolve().parents):
        if (root / EXAMPLE / "freshd.yaml").is_file():
            return root / EXAMPLE
    raise ConfigError([Problem(str(EXAMPLE), "not found; run the demo in a checkout of freshd, or give --example")])


def free_port() -> int:
    """The default port, or any other if that is taken."""
    for port in (DEFAULT_PORT, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise PermanentError("no port is free on 127.0.0.1")


class Stage:
    """A folder with the example, and what runs in it."""

    def __init__(self, example: Path, folder: Path) -> None:
        self.folder = folder
        self.url = f"http://127.0.0.1:{free_port()}"
        self.log = folder / "daemon.log"
        self._checkout = example.parent.parent
        self._processes: list[tuple[str, subprocess.Popen[str]]] = []
        self._listeners: list[threading.Thread] = []
        self._broker: Path | None = None
        self._kafka: tuple[str, str] | None = None
        ignored = shutil.ignore_patterns("data", "*.db*", ".freshd", "__pycache__")
        shutil.copytree(example, folder, dirs_exist_ok=True, ignore=ignored)

    def start_broker(self) -> str:
        """A real Kafka broker by the recipe of freshd's own tests; returns its address."""
        folder = self.folder / "kafka"
        command = [sys.executable, "-m", "tests.broker", "start", str(folder)]
        self._broker = folder
        return _run(command, self._checkout, dict(os.environ), "the Kafka broker did not start").splitlines()[-1]

    def use_kafka(self, address: str) -> str:
        """Have the syncs go through a new topic of that broker; returns the topic's name."""
        topic = f"freshd-demo-{secrets.token_hex(4)}"
        command = [sys.executable, "loader.py", "--kafka", address, "--topic", topic, "--make-topic"]
        _run(command, self.folder, self._environment(), f"Kafka at {address} made no topic")
        self._kafka = (address, topic)
        return topic

    def start_daemon(self, hear: Hear) -> subprocess.Popen[str]:
        """`freshd run`; `hear` gets each line of its standard output, its log goes to a file."""
        env = self._environment() | {"FRESHD_LISTEN": self.url.removeprefix("http://")}
        if self._kafka is not None:
            address, topic = self._kafka
            env |= {
                "FRESHD_KAFKA__BOOTSTRAP_SERVERS": address,
                "FRESHD_KAFKA__TOPICS": f"{{{topic}: {{format: fivetran}}}}",
            }
        with self.log.open("w") as log:
            return self._start("daemon", [sys.executable, "-m", "freshd", "run"], env, hear, log)

    def start_loader(self, silent_from_s: float, silent_for_s: float, hear: Hear) -> None:
        """The shop's connectors, one of which goes silent for a while."""
        command = [sys.executable, "loader.py", "--url", f"{self.url}/events/fivetran"]
        command += ["--silent-from", str(silent_from_s), "--silent-for", str(silent_for_s)]
        if self._kafka is not None:
            command += ["--kafka", self._kafka[0], "--topic", self._kafka[1]]
        self._start("loader", command, self._environment(), hear, subprocess.STDOUT)

    def ended(self) -> str:
        """Which process has ended by itself; empty if none."""
        for name, process in self._processes:
            if process.poll() is not None:
                return f"the {name} has ended by itself with exit code {process.returncode}"
        return ""

    def stop(self) -> int | None:
        """Stop everything, the loader first; returns the daemon's exit code, if it was started."""
        code = None
        while self._processes:
            name, process = self._processes.pop()
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
            try:
                process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            if name == "daemon":
                code = process.returncode
        for listener in self._listeners:
            listener.join(STOP_S)
        if self._broker is not None:
            command = [sys.executable, "-m", "tests.broker", "stop", str(self._broker)]
            subprocess.run(command, cwd=self._checkout, capture_output=True, check=False)
            self._broker = None
        return code

    def _environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("FRESHD_")}
        package = str(Path(freshd.__file__).resolve().parents[1])
        path = os.pathsep.join(filter(None, (package, kept.get("PYTHONPATH", ""))))
        return kept | {"PYTHONPATH": path, "PYTHONUNBUFFERED": "1"}

    def _start(
        self, name: str, command: list[str], env: dict[str, str], hear: Hear, errors: int | IO[str]
    ) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            command,
            cwd=self.folder,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            start_new_session=True,
        )
        self._processes.append((name, process))

        def listen() -> None:
            assert process.stdout is not None
            for line in process.stdout:
                hear(line.rstrip())

        listener = threading.Thread(target=listen, name=f"demo-{name}", daemon=True)
        listener.start()
        self._listeners.append(listener)
        return process


def _run(command: list[str], cwd: Path, env: dict[str, str], failed: str) -> str:
    """What a command prints. Raises PermanentError with its last word if it fails."""
    done = subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, check=False)
    said = (done.stdout if done.returncode == 0 else done.stderr or done.stdout).strip()
    if done.returncode != 0:
        raise PermanentError(f"{failed}: {said.splitlines()[-1] if said else 'it said nothing'}")
    return said
