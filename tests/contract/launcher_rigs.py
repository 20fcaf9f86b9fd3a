"""One rig per kind of launcher, and for the fake: assets that behave as a test asks, and a count of their runs.

An asset's name says how it behaves: `good`, `bad` (fails saying "boom"), `slow` (works for SLOW_S), `brief`
(works for a second). `ran` counts how often its work really began.
"""

from __future__ import annotations

import atexit
import json
import os
import shutil
import subprocess
import sys
import tempfile
import textwrap
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import pytest

from freshd.adapters.clock import SystemClock
from freshd.adapters.launch import CommandSettings, DbtSettings, ProcessLauncher, PythonSettings, make_launcher
from freshd.model.asset import Asset
from freshd.model.effects import LaunchRun
from freshd.model.inputs import RunPhase, RunReport
from freshd.model.time import SECOND
from freshd.ports import Launcher

ROOT = Path(__file__).parents[2]
SLOW_S = 600
PATIENCE_S = 90
"""How long a test waits for something that must happen; no test asserts how long it took."""
CLOCK = SystemClock()


class Reports:
    """What a launcher reports, with a way to wait for it."""

    def __init__(self) -> None:
        self._all: list[RunReport] = []
        self._changed = threading.Condition()

    def __call__(self, report: RunReport) -> None:
        with self._changed:
            self._all.append(report)
            self._changed.notify_all()

    def phases(self, run_id: str, asset: str | None = None) -> list[RunPhase]:
        return [each.phase for each in self.of(run_id) if asset is None or each.asset in ("", asset)]

    def of(self, run_id: str) -> list[RunReport]:
        with self._changed:
            return [each for each in self._all if each.run_id == run_id]

    def wait(self, run_id: str, *phases: RunPhase, times: int = 1) -> RunReport:
        """The `times`-th report of one of these phases."""

        def matching() -> list[RunReport]:
            return [each for each in self._all if each.run_id == run_id and each.phase in phases]

        with self._changed:
            came = self._changed.wait_for(lambda: len(matching()) >= times, PATIENCE_S)
            assert came, f"{run_id}: no {phases} within {PATIENCE_S} s, only {self._all}"
            return matching()[times - 1]

    def outcome(self, run_id: str) -> RunReport:
        """The first outcome, once the run is finished."""
        self.wait(run_id, RunPhase.FINISHED)
        return next(each for each in self.of(run_id) if each.phase in OUTCOMES)


OUTCOMES = (RunPhase.SUCCEEDED, RunPhase.FAILED, RunPhase.SKIPPED, RunPhase.LOST)


def run_of(asset: str, run_id: str = "run-1", **changes: Any) -> LaunchRun:
    """A run of one asset, requested now."""
    values: dict[str, Any] = {"requested_at": CLOCK.now(), "launcher": "l", "assets": (asset,), **changes}
    return LaunchRun(run_id=run_id, **values)


class Rig(Protocol):
    """A kind of launcher under test."""

    state: Path

    def launcher(self, timeout_s: float = 0, limit: int = 0) -> Launcher: ...

    def ran(self, name: str) -> int: ...

    def stop(self) -> None: ...


class RealRig(Rig, Protocol):
    """One whose runs are processes."""

    def launcher(self, timeout_s: float = 0, limit: int = 0) -> ProcessLauncher: ...


class _ProcessRig:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.state = folder / "state"
        self.assets: dict[str, Asset] = {}
        self.made: list[ProcessLauncher] = []
        (folder / "marks").mkdir(parents=True)

    def ran(self, name: str) -> int:
        return len(list((self.folder / "marks").glob(f"{name}.*")))

    def stop(self) -> None:
        """Close its launchers, and end what a failed test may have left running."""
        for launcher in self.made:
            launcher.close()
        for worker in self.state.glob("runs/*/worker"):
            pid = int(worker.read_text().split()[0])
            if is_running(pid):
                os.killpg(pid, 9)

    def _make(self, settings: CommandSettings | PythonSettings | DbtSettings) -> ProcessLauncher:
        launcher = make_launcher("l", settings, self.assets.__getitem__, self.state, CLOCK, self.folder)
        self.made.append(launcher)
        return launcher


_SCRIPT = f"""
import sys, time, tempfile
name = sys.argv[1]
tempfile.mkstemp(prefix=name + ".", dir="marks")
print("working on", name)
if name == "bad":
    sys.exit("boom")
time.sleep({{"slow": {SLOW_S}, "brief": 1}}.get(name, 0))
"""


class CommandRig(_ProcessRig):
    """The command launcher, with a small script."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        (folder / "script.py").write_text(_SCRIPT)
        for name in ("good", "bad", "slow", "brief"):
            self.assets[name] = Asset(name)

    def launcher(self, timeout_s: float = 0, limit: int = 0) -> ProcessLauncher:
        argv = [sys.executable, "-S", "-E", "script.py", "{{ asset.name }}"]
        return self._make(CommandSettings(kind="command", argv=argv, timeout=timeout_s, limit=limit))


_MODULE = f"""
import tempfile, time
import pandas as pd
from freshd import asset, log_metadata

def _mark(name):
    tempfile.mkstemp(prefix=name + ".", dir="marks")

@asset
def good():
    _mark("good")
    log_metadata(colour="green")
    return pd.DataFrame({{"a": [1, 2]}})

@asset
def bad():
    _mark("bad")
    raise ValueError("boom")

@asset
def slow():
    _mark("slow")
    time.sleep({SLOW_S})

@asset
def brief():
    _mark("brief")
    time.sleep(1)
    return pd.DataFrame({{"a": [1]}})
"""


class PythonRig(_ProcessRig):
    """The python launcher, with a module of assets."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.module("wares", _MODULE)
        for name in ("good", "bad", "slow", "brief"):
            self.asset(name, "wares")

    def module(self, name: str, text: str) -> None:
        (self.folder / f"{name}.py").write_text(textwrap.dedent(text))

    def asset(self, key: str, module: str, inputs: dict[str, str] | None = None, **changes: Any) -> Asset:
        inputs = inputs or {}
        hints = {"module": module, "function": key.rpartition("/")[2], "inputs": inputs}
        self.assets[key] = Asset(key, upstreams=tuple(inputs.values()), hints=hints, **changes)
        return self.assets[key]

    def launcher(self, timeout_s: float = 0, limit: int = 0, **more: Any) -> ProcessLauncher:
        return self._make(PythonSettings(kind="python", timeout=timeout_s, limit=limit, **more))


def dbt_interpreter() -> str | None:
    """An interpreter with dbt: $FRESHD_TEST_DBT_PYTHON, the project's own, or the `dbt` on PATH."""
    named = os.environ.get("FRESHD_TEST_DBT_PYTHON", "")
    beside = shutil.which("dbt")
    tried = [named, str(ROOT / ".venv-dbt" / "bin" / "python"), str(Path(beside).with_name("python")) if beside else ""]
    return next((path for path in tried if path and Path(path).exists()), None)


def need_dbt() -> str:
    """The interpreter with dbt; without one the test is skipped, in CI it fails."""
    found = dbt_interpreter()
    if found is None:
        reason = "dbt is not here: make .venv-dbt from requirements-dbt.lock, or set FRESHD_TEST_DBT_PYTHON"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    return found


_SLOW_MODEL = """
import time

def model(dbt, session):
    dbt.config(materialized="table")
    time.sleep({seconds})
    return session.sql("select 1 as a")
"""
_MARK = "copy (select 1 as a) to 'marks/{name}.{{{{ invocation_id }}}}.csv'"


class DbtRig(_ProcessRig):
    """The dbt launcher, with a project on DuckDB."""

    parsed: Path | None = None
    """What dbt keeps of an empty project that it has parsed: the next one need not parse dbt's own macros again."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.python = need_dbt()
        self.write("dbt_project.yml", "name: wares\nprofile: wares\nflags: {send_anonymous_usage_stats: false}\n")
        target = {"type": "duckdb", "path": "wares.duckdb", "threads": 2}
        self.write("profiles.yml", json.dumps({"wares": {"target": "dev", "outputs": {"dev": target}}}))
        if DbtRig.parsed is None:
            DbtRig.parsed = self._parse_once()
        (folder / "target").mkdir(exist_ok=True)
        shutil.copy(DbtRig.parsed, folder / "target")
        marks = [
            {"name": name, "config": {"pre_hook": _MARK.format(name=name)}} for name in ("good", "bad", "slow", "brief")
        ]
        self.write("models/marks.yml", json.dumps({"version": 2, "models": marks}))
        self.model("good", "select 1 as a")
        self.model("bad", "select error('boom') as a")
        for name, seconds in (("slow", SLOW_S), ("brief", 1)):
            self.write(f"models/{name}.py", _SLOW_MODEL.format(seconds=seconds))
            self.assets[name] = Asset(name, unique_id=f"model.wares.{name}")

    def _parse_once(self) -> Path:
        dbt = Path(self.python).with_name("dbt")
        subprocess.run([dbt, "--quiet", "--no-write-json", "parse"], cwd=self.folder, check=True)
        kept = tempfile.mkdtemp(prefix="freshd-dbt-")
        atexit.register(shutil.rmtree, kept, ignore_errors=True)
        return Path(shutil.copy(self.folder / "target/partial_parse.msgpack", kept))

    def write(self, path: str, text: str) -> None:
        (self.folder / path).parent.mkdir(parents=True, exist_ok=True)
        (self.folder / path).write_text(text)

    def model(self, name: str, sql: str, upstreams: tuple[str, ...] = (), virtual: bool = False) -> None:
        config = "{{ config(materialized='" + ("view" if virtual else "table") + "') }}\n"
        self.write(f"models/{name}.sql", config + sql)
        self.assets[name] = Asset(name, upstreams=upstreams, unique_id=f"model.wares.{name}", virtual=virtual)

    def launcher(self, timeout_s: float = 0, limit: int = 0, **more: Any) -> ProcessLauncher:
        settings = DbtSettings(kind="dbt", timeout=timeout_s, limit=limit or 8, python=self.python, **more)
        return self._make(settings)


class FakeLauncher:
    """A launcher without processes: what simulations and other tests may use in a real one's place."""

    def __init__(self, world: FakeRig, timeout_s: float, limit: int) -> None:
        self._world, self._timeout_s, self._limit = world, timeout_s, limit
        self._open = True

    def launch(self, run: LaunchRun, report: Callable[[RunReport], None]) -> None:
        threading.Thread(target=self._follow, args=(run, report), daemon=True).start()

    def close(self) -> None:
        self._open = False

    def _follow(self, run: LaunchRun, report: Callable[[RunReport], None]) -> None:
        def tell(phase: RunPhase, at: int | None = None, **more: Any) -> None:
            if self._open:
                report(RunReport(run.run_id, phase, CLOCK.now() if at is None else at, **more))

        if self._limit and self._world.running() >= self._limit:
            tell(RunPhase.QUEUED)
            while self._world.running() >= self._limit and self._open:
                time.sleep(0.01)
        if not self._open:
            return
        if run.resumed and not self._world.state.exists():
            tell(RunPhase.LOST)
        else:
            ends_at, started_at = self._world.begin(run)
            tell(RunPhase.STARTED)
            limit = started_at + round(self._timeout_s * SECOND) if self._timeout_s else ends_at + 1
            while CLOCK.now() < min(ends_at, limit):
                time.sleep(0.005)
            if limit < ends_at:
                tell(RunPhase.FAILED, limit, started_at=started_at, error="timed out")
            elif run.assets[0] == "bad":
                tell(RunPhase.FAILED, ends_at, started_at=started_at, error="boom")
            else:
                tell(RunPhase.SUCCEEDED, ends_at, started_at=started_at)
        tell(RunPhase.FINISHED)


class FakeRig:
    """The fake's world outlives its launchers, as run directories do."""

    def __init__(self, folder: Path) -> None:
        self.state = folder / "state"
        self.state.mkdir(parents=True)
        self._lock = threading.Lock()
        self._runs: dict[str, tuple[str, int, int]] = {}

    def launcher(self, timeout_s: float = 0, limit: int = 0) -> Launcher:
        return FakeLauncher(self, timeout_s, limit)

    def stop(self) -> None:
        """Nothing of it runs."""

    def begin(self, run: LaunchRun) -> tuple[int, int]:
        with self._lock:
            name = run.assets[0]
            seconds = {"slow": SLOW_S, "brief": 1}.get(name, 0)
            now = CLOCK.now()
            _, ends_at, started_at = self._runs.setdefault(run.run_id, (name, now + seconds * SECOND, now))
            return ends_at, started_at

    def running(self) -> int:
        with self._lock:
            return sum(ends_at > CLOCK.now() for _, ends_at, _ in self._runs.values())

    def ran(self, name: str) -> int:
        with self._lock:
            return sum(each == name for each, _, _ in self._runs.values())


def kill_supervisor(state: Path, run_id: str) -> int:
    """Kill the process that watches over a run; returns the pid of its worker."""
    folder = state / "runs" / run_id
    os.kill(int((folder / "claim").read_text().split()[0]), 9)
    return int((folder / "worker").read_text().split()[0])


def is_running(pid: int) -> bool:
    """Whether a process runs (a zombie does not)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in ("Z", "X")
    except FileNotFoundError:
        return False


def threads_of(pid: int) -> int:
    """How many threads a process has."""
    return len(list(Path(f"/proc/{pid}/task").iterdir()))


def forks_of(pid: int) -> list[int]:
    """The children that a process has forked and that became nothing else."""
    command = Path(f"/proc/{pid}/cmdline").read_bytes()
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [int(child) for child in children if Path(f"/proc/{child}/cmdline").read_bytes() == command]


def wait_until(true: Callable[[], bool]) -> None:
    """Wait until it holds, or fail."""
    end = time.monotonic() + PATIENCE_S
    while not true():
        assert time.monotonic() < end, "it never came true"
        time.sleep(0.01)
