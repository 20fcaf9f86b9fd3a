"""The smoke test of the whole: the real daemon over examples/shop, judged by what its store says happened."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
from contextlib import closing, suppress
from pathlib import Path

import pytest
from tests.integration.running import ROOT


def demo(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "freshd", "demo", *arguments]
    env = {"PYTHONPATH": str(ROOT / "daemon"), "PATH": "/usr/bin:/bin"}
    return subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=200, check=False)


def test_the_demo_shows_what_it_promises_and_leaves_nothing_behind(tmp_path: Path) -> None:
    done = demo("--seconds", "36", "--folder", str(tmp_path))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "everything happened as promised" in done.stdout
    assert done.stdout.count("ALERT [critical] shop/raw_orders: no update arrives") == 1
    assert processes_in(tmp_path) == []


@pytest.mark.usefixtures("own_broker")  # tells what a broker lacks
def test_the_demo_goes_through_a_broker_of_its_own(tmp_path: Path) -> None:
    done = demo("--seconds", "36", "--kafka", "--folder", str(tmp_path))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "everything happened as promised" in done.stdout
    with closing(sqlite3.connect(tmp_path / "freshd.db")) as store:
        read = store.execute("SELECT position FROM positions WHERE source GLOB 'kafka/*/[0-9]*'").fetchall()
        assert sum(int(position) for (position,) in read) > 5, "what the loader said came by Kafka"
    assert processes_in(tmp_path) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_it_stops_cleanly_when_told_to(tmp_path: Path, number: signal.Signals) -> None:
    command = [sys.executable, "-m", "freshd", "demo", "--folder", str(tmp_path)]
    env = {"PYTHONPATH": str(ROOT / "daemon"), "PATH": "/usr/bin:/bin", "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(
        command, cwd=ROOT, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=in_background
    ) as played:
        assert played.stdout is not None
        for line in played.stdout:
            if "synced" in line:
                break
        played.send_signal(number)
        out, errors = played.communicate(timeout=60)
    assert (played.returncode, errors) == (0, "")
    assert "the daemon ended with exit code 0" in out
    assert processes_in(tmp_path) == []


def in_background() -> None:
    """What a shell does to a child that it starts in the background: `freshd demo &`, or `make test &` above it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def processes_in(folder: Path) -> list[str]:
    """The command lines of processes whose current folder lies there."""
    found = []
    for process in Path("/proc").iterdir():
        with suppress(OSError):
            if process.name.isdigit() and (process / "cwd").resolve().is_relative_to(folder):
                found.append((process / "cmdline").read_text())
    return found


@pytest.mark.parametrize(
    ("broken", "told"),
    [
        ("raise SystemExit('no database')", "the loader has ended by itself"),
        ("", "the loader has ended by itself"),
    ],
)
def test_a_demo_whose_story_breaks_fails(tmp_path: Path, broken: str, told: str) -> None:
    example = tmp_path / "examples" / "shop"
    (example / "shop").mkdir(parents=True)
    for file in (ROOT / "examples" / "shop").rglob("*"):
        if file.is_file() and file.suffix in {".yaml", ".py", ".secret"} and "data" not in file.parts:
            (example / file.relative_to(ROOT / "examples" / "shop")).write_bytes(file.read_bytes())
    (example / "loader.py").write_text(broken)
    done = demo("--seconds", "36", "--example", str(example), "--folder", str(tmp_path / "played"))
    assert done.returncode == 1
    assert told in done.stderr
