"""`freshd explain` of a real daemon: an asset, one of its partitions, and what is not there."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.integration.running import ROOT, RunningDaemon

SETTINGS = """\
listen: 127.0.0.1:0
catalog: [assets.yaml]
policies: policies.yaml
launchers:
  build: {kind: command, argv: ["true"]}
  fail: {kind: command, argv: ["false"]}
"""
ASSETS = """\
assets:
  - {key: raw, partitions: [eu, us]}
  - {key: orders, upstreams: [raw], launcher: build, partitions: [eu, us]}
  - {key: report, upstreams: [orders], launcher: fail}
"""
POLICIES = """\
policies:
  - {name: hourly, select: "*", expect: {lag: {stale: 1h}}}
  - {name: build, select: "orders report", react: eager, retry: {attempts: 1}, priority: 2}
  - {name: by hand, select: "*", react: manual}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, text in (("freshd.yaml", SETTINGS), ("assets.yaml", ASSETS), ("policies.yaml", POLICIES)):
        (tmp_path / name).write_text(text)
    return tmp_path


def explain(daemon: RunningDaemon, name: str, *more: str) -> tuple[int, str, str]:
    done = subprocess.run(
        [sys.executable, "-m", "freshd", "explain", name, "--url", daemon.url, *more],
        capture_output=True, text=True, check=False, env={**os.environ, "PYTHONPATH": str(ROOT / "daemon")},
    )  # fmt: skip
    return done.returncode, done.stdout, done.stderr


def why(daemon: RunningDaemon, name: str) -> Any:
    code, out, said = explain(daemon, name, "--json")
    assert code == 0, said
    return json.loads(out)


def test_assets_and_partitions_are_explained(folder: Path) -> None:
    with RunningDaemon(folder) as daemon:
        daemon.post({"asset": "raw", "partition": "eu", "id": "1"})
        daemon.eventually(lambda: why(daemon, "orders[eu]")["explanation"]["launching"]["hold"] == "not_due")
        eu, us = why(daemon, "orders[eu]"), why(daemon, "orders[us]")
        assert (eu["asset"]["partition"], eu["asset"]["verdict"]) == ("eu", eu["asset"]["verdict"])
        assert eu["asset"]["updated_at"] is not None
        assert us["asset"]["updated_at"] is None
        assert us["explanation"]["launching"]["hold"] == "not_due"
        path = [(step["asset"], step["partition"]) for step in eu["explanation"]["limits"]["path"]]
        assert path == [("orders", "eu"), ("raw", "eu")]
        assert "orders[eu] <- raw[eu]" in explain(daemon, "orders[eu]")[1]
        counts = {one["policy"]: one["gives_reaction"] for one in eu["explanation"]["policies"]}
        assert counts == {"build": True, "by hand": False, "hourly": False}
        assert "its priority 2 counts, by hand says manual with 0" in explain(daemon, "orders")[1]
        daemon.post({"asset": "raw", "partition": "us", "id": "2"})
        daemon.eventually(lambda: why(daemon, "report")["explanation"]["launching"]["hold"] == "stopped")
        told = explain(daemon, "report")[1]
        assert "due, but stopped: newer data above it, or `freshd materialize`, starts it again" in told
        assert "launched for first data: failed" in told


def test_what_is_not_there_is_said(folder: Path) -> None:
    with RunningDaemon(folder) as daemon:
        for name, message in (
            ("orders[mars]", "orders has no partition mars"),
            ("report[eu]", "report has no partition eu"),
            ("ordres[eu]", "did you mean"),
        ):
            code, _, said = explain(daemon, name)
            assert (code, message in said) == (2, True), said
