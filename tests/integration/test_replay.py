"""`freshd replay` over what a real daemon recorded, while it runs and after it was killed."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from tests.integration.running import ROOT, RunningDaemon

from freshd.adapters.sql.codec import RecordCodec
from freshd.model.records import RunRequested

SETTINGS = """\
store: sqlite:///freshd.db
listen: 127.0.0.1:0
catalog: [assets.yaml]
policies: policies.yaml
launchers:
  build: {kind: command, argv: ["true"]}
"""
ASSETS = """\
assets:
  - {key: raw}
  - {key: left, upstreams: [raw], launcher: build}
  - {key: right, upstreams: [raw], launcher: build}
  - {key: joined, upstreams: [left, right], launcher: build}
"""
POLICIES = """\
policies:
  - {name: hourly, select: "*", expect: {lag: {warn: 1s, stale: 2s}}, react: eager, alert: {severity: critical}}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "freshd.yaml").write_text(SETTINGS)
    (tmp_path / "assets.yaml").write_text(ASSETS)
    (tmp_path / "policies.yaml").write_text(POLICIES)
    return tmp_path


def replay(folder: Path) -> tuple[int, Any, str]:
    done = subprocess.run(
        [sys.executable, "-m", "freshd", "replay", "--json"],
        cwd=folder, capture_output=True, text=True, check=False, env={**os.environ, "PYTHONPATH": str(ROOT / "daemon")},
    )  # fmt: skip
    return done.returncode, json.loads(done.stdout) if done.stdout else None, done.stderr


def work(daemon: RunningDaemon, name: str) -> None:
    """An event, what it leads to, and a verdict that changes by itself."""
    before = daemon.asset("joined")["runs_started"]
    daemon.post({"asset": "raw", "id": name})
    daemon.eventually(lambda: daemon.asset("joined")["runs_started"] > before and not daemon.asset("joined")["due"])
    daemon.eventually(lambda: daemon.asset("raw")["verdict"] == "stale")


def test_lives_of_a_daemon_are_replayed(folder: Path) -> None:
    with RunningDaemon(folder) as daemon:
        work(daemon, "1")
        code, found, _ = replay(folder)
        assert (code, found["same"], found["lives"]) == (0, True, 1), "while it runs"
        daemon.kill()
    with RunningDaemon(folder) as daemon:
        work(daemon, "2")
        daemon.stop()
    code, found, _ = replay(folder)
    assert (code, found["same"], found["lives"], found["events"]) == (0, True, 2, 2)
    assert found["decisions"] > 10
    assert found["notes"] == []
    (folder / "policies.yaml").write_text(POLICIES.replace("warn: 1s", "warn: 500ms"))
    code, _, said = replay(folder)
    assert code == 2
    assert "policies.yaml: is another since" in said
    with RunningDaemon(folder) as daemon:
        work(daemon, "3")
        daemon.eventually(lambda: replay(folder)[0] == 0)
        work(daemon, "4")
        code, found, _ = replay(folder)
        assert (code, found["same"]) == (0, True), "from the checkpoint after the files changed"
        assert found["events"] in (1, 2)
        assert "(policies.yaml) then" in found["notes"][0], "what came before the edit is said to be left out"


def test_a_decision_that_was_another_is_told_with_both_sides(folder: Path) -> None:
    with RunningDaemon(folder) as daemon:
        work(daemon, "1")
        daemon.stop()
    codec = RecordCodec()
    with closing(sqlite3.connect(folder / "freshd.db")) as store, store:
        for step, blob in store.execute("SELECT step, records FROM journal ORDER BY step").fetchall():
            records = codec.decode(blob)
            kept = [record for record in records if not isinstance(record, RunRequested)]
            if len(kept) < len(records):
                store.execute("UPDATE journal SET records = ? WHERE step = ?", (codec.encode(kept), step))
                break
    code, found, _ = replay(folder)
    assert code == 1
    assert found["difference"]["step"] == step
    assert found["difference"]["replayed"]["kind"] == "RunRequested"
    assert "left" in found["difference"]["replayed"]["told"]


def test_a_store_without_a_record_says_so(folder: Path) -> None:
    code, found, said = replay(folder)
    assert (code, found) == (1, None)
    assert "freshd.db" in said
