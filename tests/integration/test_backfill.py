"""A backfill on a real daemon: bounded, gone on with after a crash, each partition made once, in its own file."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.integration.running import ROOT, RunningDaemon

ASSETS = """\
assets:
  - {key: shop/raw, partitions: {by: day, start: 2026-11-01}}
  - {key: shop/orders, upstreams: [shop/raw], partitions: {by: day, start: 2026-11-01}, launcher: build}
"""
SCRIPT = """\
import os, sys, time
with open("made.txt", "a") as made:
    made.write(f"{sys.argv[1]} begins\\n")
while not os.path.exists("go"):
    time.sleep(0.02)
with open("made.txt", "a") as made:
    made.write(f"{sys.argv[1]} ends\\n")
"""
DAYS = [f"2026-11-0{day}" for day in range(1, 7)]


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[RunningDaemon]:
    running = RunningDaemon(tmp_path)
    argv = [sys.executable, "build.py", "{{ partition }}"]
    running.configure(
        {"assets.yaml": ASSETS, "build.py": SCRIPT},
        store="sqlite:///freshd.db",
        catalog=["assets.yaml"],
        launchers={"build": {"kind": "command", "argv": argv}},
    )
    with running:
        yield running


def test_a_backfill_goes_on_after_a_crash(daemon: RunningDaemon) -> None:
    daemon.post(*({"asset": "shop/raw", "partition": day, "id": day} for day in DAYS))
    command = [sys.executable, "-m", "freshd", "materialize", "orders", "--partitions", f"{DAYS[0]}..{DAYS[-1]}"]
    asked = subprocess.run(
        [*command, "--parallel", "2", "--no-wait", "--url", daemon.url],
        cwd=daemon.folder, env={"PYTHONPATH": str(ROOT / "daemon"), "USER": "ada"}, capture_output=True, text=True,
        check=True,
    )  # fmt: skip
    assert "6 partitions (2026-11-01 … 2026-11-06), 2 runs at a time" in asked.stdout
    made = daemon.folder / "made.txt"
    daemon.eventually(lambda: made.exists() and len(made.read_text().splitlines()) == 2)
    [wish] = daemon.get("/api/wishes")["wishes"]
    assert (wish["planned"], wish["done"], wish["running"], wish["parallel"]) == (6, 0, 2, 2)

    daemon.kill()
    daemon.start()
    [wish] = daemon.get("/api/wishes")["wishes"]
    assert (wish["planned"], wish["running"], wish["over"]) == (6, 2, "")
    (daemon.folder / "go").touch()
    daemon.eventually(lambda: daemon.get(f"/api/wishes/{wish['wish']}")["over"] == "done")
    lines = made.read_text().splitlines()
    assert sorted(lines) == sorted(f"{day} {word}" for day in DAYS for word in ("begins", "ends"))
    assert daemon.asset("shop/orders[2026-11-03]")["data_time"] == "2026-11-04T00:00:00Z"
    assert daemon.asset("shop/orders")["runs_started"] == 6
