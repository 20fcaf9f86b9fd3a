"""`freshd backtest` as people call it: over a file of events, and over what a daemon has recorded."""

from __future__ import annotations

import gzip
import json
import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.integration.running import ROOT, RunningDaemon

from freshd.adapters.sql import StoreSettings
from freshd.adapters.sql.history import SqlHistory

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
  - {key: orders, upstreams: [raw], launcher: build}
"""
POLICIES = "policies: [{name: hourly, select: '*', expect: {lag: {stale: 3h}}, react: eager}]\n"
STRICTER = (
    "policies: [{name: hourly, select: '*', expect: {lag: {stale: 90m}}, react: eager, alert: {severity: info}}]\n"
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "freshd.yaml").write_text(SETTINGS)
    (tmp_path / "assets.yaml").write_text(ASSETS)
    (tmp_path / "policies.yaml").write_text(POLICIES)
    (tmp_path / "stricter.yaml").write_text(STRICTER)
    hours = [hour for hour in range(24) if hour not in (10, 11, 15)]
    lines = [json.dumps({"asset": "raw", "at": f"2026-03-02T{hour:02}:00:00Z"}) for hour in hours]
    (tmp_path / "events.jsonl").write_text("\n".join(lines) + "\n")
    return tmp_path


def backtest(folder: Path, *more: str) -> tuple[int, str, str]:
    done = subprocess.run(
        [sys.executable, "-m", "freshd", "backtest", *more],
        cwd=folder, capture_output=True, text=True, check=False, env={**os.environ, "PYTHONPATH": str(ROOT / "daemon")},
    )  # fmt: skip
    return done.returncode, done.stdout, done.stderr


def told(folder: Path, *more: str) -> Any:
    code, out, said = backtest(folder, "--json", *more)
    assert code == 0, said
    return json.loads(out)


def test_a_file_of_events_through_two_sets_of_policies(folder: Path) -> None:
    found = told(folder, "--policies", "stricter.yaml", "--events", "events.jsonl", "--takes", "5m", "--beat", "0s")
    assert (found["events"], found["since"], found["until"]) == (21, "2026-03-02T00:00:00Z", "2026-03-02T23:00:00Z")
    only = found["violations"]["only_candidate"]
    assert [(one["asset"], one["since"], one["seconds"]) for one in only] == [
        ("raw", "2026-03-02T10:30:00Z", 90 * 60),
        ("orders", "2026-03-02T15:30:00Z", 35 * 60), ("raw", "2026-03-02T15:30:00Z", 30 * 60),
    ]  # fmt: skip
    (both,) = found["violations"]["both"]
    assert (both["asset"], both["since"], both["sooner_seconds"]) == ("orders", "2026-03-02T10:30:00Z", 90 * 60)
    assert found["violations"]["only_current"] == []
    assert found["totals"]["candidate"]["alerts"] == 2
    assert found["totals"]["current"]["alerts"] == 0
    assert found["totals"]["candidate"]["runs"] == 21
    assert found["totals"]["candidate"]["run_seconds"] == 21 * 300
    assert found["notes"] == ["1 of 1 assets with a launcher have no run in the store to draw from"]
    assert not (folder / "freshd.db").exists()
    with gzip.open(folder / "events.jsonl.gz", "wb") as packed:
        packed.write((folder / "events.jsonl").read_bytes())
    more = ("--policies", "stricter.yaml", "--takes", "5m", "--beat", "0s")
    assert told(folder, "--events", "events.jsonl.gz", *more) == found
    later = told(folder, "--events", "events.jsonl", *more, "--since", "2026-03-02T14:00:00Z")
    assert later["totals"]["candidate"]["violations"] == 2


def test_a_report_for_people(folder: Path) -> None:
    code, out, _ = backtest(folder, "--policies", "stricter.yaml", "--events", "events.jsonl")
    assert code == 0
    assert "found by the candidate alone: 3" in out
    assert "2026-03-02T15:30:00Z raw stale by lag for 30m (hourly)" in out
    assert "found by both: 1, 1 sooner by the candidate, 0 later" in out


def test_what_a_daemon_has_recorded(folder: Path) -> None:
    with RunningDaemon(folder) as daemon:
        for name in ("1", "2"):
            before = daemon.asset("orders")["runs_started"]
            daemon.post({"asset": "raw", "id": name})
            daemon.eventually(lambda was=before: daemon.asset("orders")["runs_started"] > was)  # type: ignore[misc]
            daemon.eventually(lambda: not daemon.asset("orders")["due"])
        found = told(folder, "--policies", "stricter.yaml", "--beat", "0s")
    assert found["events"] == 2
    assert found["totals"]["current"]["runs"] == found["totals"]["candidate"]["runs"] >= 1
    assert found["notes"] == []


def test_what_people_declared_holds_on_both_sides(folder: Path) -> None:
    """`orders` is paused before its second update, so that neither side launches it then."""
    with RunningDaemon(folder) as daemon:
        daemon.post({"asset": "raw", "id": "1"})
        daemon.eventually(lambda: daemon.asset("orders")["runs_started"] == 1)
        daemon.eventually(lambda: not daemon.asset("orders")["due"])
        httpx.post(f"{daemon.url}/api/pause", json={"select": "orders", "reason": "we move"}).raise_for_status()
        daemon.post({"asset": "raw", "id": "2"})
        daemon.eventually(lambda: daemon.asset("orders")["due"])
        found = told(folder, "--policies", "stricter.yaml", "--beat", "0s")
    assert [found["totals"][side]["runs"] for side in ("current", "candidate")] == [1, 1]


def test_a_journal_that_begins_in_the_middle_goes_on_from_a_checkpoint(folder: Path) -> None:
    def live(*names: str) -> None:
        with RunningDaemon(folder) as daemon:
            for name in names:
                before = daemon.asset("orders")["runs_started"]
                daemon.post({"asset": "raw", "id": name})
                daemon.eventually(lambda was=before: daemon.asset("orders")["runs_started"] > was)  # type: ignore[misc]
                daemon.eventually(lambda: not daemon.asset("orders")["due"])

    live("1")
    live()  # its checkpoint knows the first event
    history = SqlHistory(StoreSettings.model_validate("sqlite:///freshd.db").target(folder))
    start, state = history.whole_state()  # as a daemon keeps it in a quiet moment
    history.close()
    live("2")
    with closing(sqlite3.connect(folder / "freshd.db")) as store, store:
        store.execute("INSERT OR REPLACE INTO replay_starts (step, at, state) VALUES (?, 0, ?)", (start, state))
        store.execute("DELETE FROM journal WHERE step <= ?", (start,))
    found = told(folder, "--policies", "stricter.yaml", "--beat", "0s")
    assert (found["events"], found["totals"]["candidate"]["runs"], found["notes"]) == (1, 1, [])
    with closing(sqlite3.connect(folder / "freshd.db")) as store, store:
        store.execute("DELETE FROM replay_starts")
    (note,) = told(folder, "--policies", "stricter.yaml", "--beat", "0s")["notes"]
    assert note.startswith("the journal begins in the middle")


@pytest.mark.parametrize(
    ("more", "code", "message"),
    [
        (("--policies", "none.yaml", "--events", "events.jsonl"), 2, "none.yaml"),
        (("--policies", "bad.yaml", "--events", "events.jsonl"), 2, "bad.yaml:1: unknown key lagg; did you mean lag?"),
        (("--policies", "stricter.yaml", "--events", "none.jsonl"), 2, "none.jsonl: cannot be read"),
        (("--policies", "stricter.yaml", "--events", "bad.jsonl"), 2, "bad.jsonl:2: "),
        (("--policies", "stricter.yaml", "--events", "timeless.jsonl"), 2, "timeless.jsonl:1: an event of a file"),
        (("--policies", "stricter.yaml", "--events", "strange.jsonl"), 1, "strange.jsonl holds no event of an asset"),
        (("--policies", "stricter.yaml", "--events", "events.jsonl", "--since", "soon"), 2, "soon"),
        (("--policies", "stricter.yaml"), 1, "freshd.db"),
        ((), 2, "--policies"),
    ],
)  # fmt: skip
def test_what_cannot_be_tried_is_told(folder: Path, more: tuple[str, ...], code: int, message: str) -> None:
    (folder / "bad.yaml").write_text("policies: [{name: x, select: '*', expect: {lagg: {stale: 1h}}}]")
    (folder / "bad.jsonl").write_text('{"asset": "raw", "at": "2026-03-02T00:00:00Z"}\n{"asset": \n')
    (folder / "timeless.jsonl").write_text('{"asset": "raw"}\n')
    (folder / "strange.jsonl").write_text('{"asset": "nobody", "at": "2026-03-02T00:00:00Z"}\n')
    found, _, said = backtest(folder, *more)
    assert found == code, said
    assert message in " ".join(said.split())
