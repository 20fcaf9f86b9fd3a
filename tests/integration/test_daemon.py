"""The thin thread through everything, and what a crash does to it: nothing lost, nothing twice."""

from __future__ import annotations

import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from random import Random

import httpx
import pytest
from tests.integration.running import ROOT, RunningDaemon

SETTINGS = """\
store: sqlite:///state/freshd.db
listen: 127.0.0.1:0
catalog: [assets.yaml]
policies: policies.yaml
launchers:
  build:
    kind: command
    argv: [PYTHON, -S, build.py, "{{ run_id }}", "{{ asset.key }}"]
"""
BUILD = """\
import sys, time
with open("runs.txt", "a") as runs:
    runs.write(" ".join(sys.argv[1:]) + "\\n")
time.sleep(0.05)
"""
ASSETS = """\
assets:
  - {key: shop/raw}
  - {key: shop/left, upstreams: [shop/raw], launcher: build}
  - {key: shop/right, upstreams: [shop/raw], launcher: build}
  - {key: shop/joined, upstreams: [shop/left, shop/right], launcher: build}
"""
POLICIES = """\
policies:
  - name: hourly
    select: "shop/*"
    expect: {lag: {warn: 1h, stale: 2h}}
    react: eager
    retry: {attempts: 5, delay: 100ms, max_delay: 200ms}
    alert: {severity: critical}
"""


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    (tmp_path / "state").mkdir()
    (tmp_path / "freshd.yaml").write_text(SETTINGS.replace("PYTHON", sys.executable))
    (tmp_path / "build.py").write_text(BUILD)
    (tmp_path / "assets.yaml").write_text(ASSETS)
    (tmp_path / "policies.yaml").write_text(POLICIES)
    return tmp_path


@pytest.fixture
def daemon(shop: Path) -> Iterator[RunningDaemon]:
    with RunningDaemon(shop) as running:
        yield running


def runs(shop: Path) -> list[tuple[str, str]]:
    """(run id, asset) of every command that was started, in order."""
    file = shop / "runs.txt"
    lines = file.read_text().splitlines() if file.exists() else []
    return [(line.split()[0], line.split()[1]) for line in lines]


def current(daemon: RunningDaemon) -> bool:
    """Every asset is up to date and nothing runs."""
    assets = daemon.get("/api/assets")["assets"]
    return all(asset["behind_seconds"] == 0 and not asset["in_flight"] for asset in assets)


def test_an_event_leads_to_each_run_once_in_order_and_to_metrics(shop: Path, daemon: RunningDaemon) -> None:
    daemon.post({"asset": "shop/raw", "id": "s1", "metadata": {"row_count": 3}})
    daemon.eventually(lambda: current(daemon))
    built = [asset for _, asset in runs(shop)]
    assert sorted(built[:2]) == ["shop/left", "shop/right"]
    assert built[2:] == ["shop/joined"]
    metrics = daemon.text("/metrics")
    assert 'freshd_asset_verdict{asset="shop/joined",' in metrics
    assert 'freshd_runs_total{launcher="build",outcome="succeeded",reason="first_data"} 3' in metrics
    updated = daemon.asset("shop/raw")["updated_at"]
    assert daemon.asset("shop/joined")["data_time"] == updated


def test_the_same_event_again_changes_nothing(shop: Path, daemon: RunningDaemon) -> None:
    event = {"asset": "shop/raw", "id": "s1"}
    daemon.post(event)
    daemon.eventually(lambda: current(daemon))
    before = daemon.asset("shop/raw")["updated_at"]
    daemon.post(event)
    assert daemon.asset("shop/raw")["updated_at"] == before
    assert len(runs(shop)) == 3


def test_stopping_is_clean_and_the_next_life_knows_everything(shop: Path) -> None:
    with RunningDaemon(shop) as first:
        first.post({"asset": "shop/raw", "id": "s1"})
        first.eventually(lambda: current(first))
        stood = first.asset("shop/joined")
        assert first.stop() == 0
        assert "Traceback" not in first.said()
    with RunningDaemon(shop) as second:
        again = second.asset("shop/joined")
        for name in ("updated_at", "data_time", "verdict", "runs_started"):
            assert again[name] == stood[name], name
        assert len(runs(shop)) == 3


def test_killed_at_any_moment_it_loses_nothing_and_does_nothing_twice(shop: Path) -> None:
    """Each life takes some events and is killed soon after; a last one must end where all of them lead."""
    random = Random(20)
    told = 0
    for _life in range(4):
        with RunningDaemon(shop) as running:
            for _ in range(random.randint(1, 3)):
                told += 1
                running.post({"asset": "shop/raw", "id": f"s{told}"})
            time.sleep(random.random() * 0.3)
            running.kill()
    with RunningDaemon(shop) as last:
        last.eventually(lambda: current(last))
        history = last.get("/api/assets/shop/raw?limit=100")["history"]
        assert len([row for row in history if row["asset"] == "shop/raw"]) == told
        started = runs(shop)
        assert len({run for run, _ in started}) == len(started), f"a run was started twice: {started}"
        requested = last.get("/api/runs?limit=200")["runs"]
        assert {run for run, _ in started} <= {row["run_id"] for row in requested}
        assert last.asset("shop/joined")["data_time"] == last.asset("shop/raw")["updated_at"]


def test_a_store_that_begins_anew_takes_no_run_of_the_old_one_for_its_own(shop: Path) -> None:
    for life in (1, 2):
        with RunningDaemon(shop) as daemon:
            daemon.post({"asset": "shop/raw", "at": "1970-01-01T00:00:00Z"})
            daemon.eventually(lambda: daemon.asset("shop/joined")["updated_at"])
            assert len(runs(shop)) == 3 * life, "its run ids are those of before"
        for file in (shop / "state").glob("freshd.db*"):
            file.unlink()


def test_what_was_answered_202_survives_a_kill_right_after_it(shop: Path) -> None:
    with RunningDaemon(shop) as running:
        running.post({"asset": "shop/raw", "id": "s1", "at": "2026-01-01T00:00:00Z"})
        running.kill()
    with RunningDaemon(shop) as again:
        assert again.asset("shop/raw")["updated_at"] == "2026-01-01T00:00:00Z"


def test_bad_input_is_refused_or_kept_and_nothing_stops(shop: Path, daemon: RunningDaemon) -> None:
    def post(body: bytes) -> int:
        headers = {"Content-Type": "application/json"}
        return httpx.post(f"{daemon.url}/events", content=body, headers=headers, timeout=60).status_code

    assert post(b"{nope") == 400
    assert post(b'{"asset": "shop/raw", "colour": 1}') == 400
    assert post(b'{"asset": "shop/raw", "at": "2999-01-01T00:00:00Z"}') == 400
    assert post(b'{"asset": "' + b"x" * (2 << 20) + b'"}') == 413
    assert post(b'{"asset": "no/such"}') == 202
    assert post(b'{"asset": "shop/raw", "at": "1970-01-01T00:00:00Z"}') == 202
    assert daemon.asset("shop/raw")["updated_at"] == "1970-01-01T00:00:00Z"
    assert [row["name"] for row in daemon.get("/api/unmatched")["unmatched"]] == ["no/such"]
    kept = [row["reason"] for row in daemon.get("/api/deadletters")["dead_letters"]]
    assert kept == ["from_the_future", "unknown_field", "not_json"]
    assert daemon.get("/readyz")["ok"]


def test_a_sender_that_reads_no_answer_before_it_has_sent_all_is_told_too(daemon: RunningDaemon) -> None:
    request = urllib.request.Request(
        f"{daemon.url}/events",
        data=b'{"asset": "%s"}' % (b"x" * 10_000_000),
        headers={"Content-Type": "application/json"},
    )
    with pytest.raises(urllib.error.HTTPError, match="413") as answer:
        urllib.request.urlopen(request, timeout=60)
    assert "larger than 1048576 bytes" in answer.value.read().decode()


def test_its_files_can_change_while_it_runs(shop: Path, daemon: RunningDaemon) -> None:
    daemon.post({"asset": "shop/raw", "id": "s1"})
    daemon.eventually(lambda: current(daemon))
    (shop / "assets.yaml").write_text(ASSETS + "  - {key: shop/extract, upstreams: [shop/joined], launcher: build}\n")
    daemon.signal(signal.SIGHUP)
    daemon.eventually(lambda: "shop/extract" in [asset for _, asset in runs(shop)])
    daemon.eventually(lambda: current(daemon))
    assert len(runs(shop)) == 4
    settings = (shop / "freshd.yaml").read_text()
    (shop / "freshd.yaml").write_text(settings + 'slack: {channel: "#elsewhere"}\n')
    daemon.signal(signal.SIGHUP)
    daemon.eventually(lambda: "reload.partial" in daemon.said() and "settings=slack" in daemon.said())
    (shop / "policies.yaml").write_text("policies: [{name: x, select: 1, colour: red}]")
    daemon.signal(signal.SIGHUP)
    daemon.eventually(lambda: "reload.refused" in daemon.said())
    assert daemon.get("/readyz")["ok"]


def test_its_files_can_change_between_two_lives_also_after_a_crash(shop: Path) -> None:
    with RunningDaemon(shop) as first:
        first.post({"asset": "shop/raw", "id": "s1"})
        first.eventually(lambda: current(first))
        first.post({"asset": "shop/raw", "id": "s2"})
        first.kill()
    before = len(runs(shop))
    (shop / "assets.yaml").write_text("""\
assets:
  - {key: shop/raw}
  - {key: shop/left, upstreams: [shop/raw], launcher: build}
  - {key: shop/joined, upstreams: [shop/left], launcher: build}
  - {key: shop/extract, upstreams: [shop/joined], launcher: build}
""")
    with RunningDaemon(shop) as second:
        second.eventually(lambda: current(second))
        assert {asset["asset"] for asset in second.get("/api/assets")["assets"]} == {
            *("shop/raw", "shop/left", "shop/joined", "shop/extract")
        }
        second.post({"asset": "shop/raw", "id": "s3"})
        second.eventually(lambda: current(second))
        assert "shop/right" not in [asset for _, asset in runs(shop)[before + 3 :]]
        assert second.asset("shop/extract")["data_time"] == second.asset("shop/raw")["updated_at"]
    started = [run for run, _ in runs(shop)]
    assert len(set(started)) == len(started)


def test_a_second_daemon_on_the_same_store_fences_the_first(shop: Path) -> None:
    with RunningDaemon(shop) as first, RunningDaemon(shop):
        first.eventually(lambda: _refused(first))
        assert first.wait() != 0
        assert "loop.ended" in first.said()


def test_while_the_store_is_locked_nothing_is_lost_and_nobody_is_told_a_lie(shop: Path, daemon: RunningDaemon) -> None:
    with closing(sqlite3.connect(shop / "state/freshd.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(httpx.HTTPStatusError, match="503"):
            daemon.post({"asset": "shop/raw", "id": "s1"})
        daemon.eventually(lambda: "store.unavailable" in daemon.said())
        assert not httpx.get(f"{daemon.url}/readyz", timeout=60).is_success
        with ThreadPoolExecutor(60) as many:  # more than the server has threads
            asked = [many.submit(httpx.get, f"{daemon.url}/api/status", timeout=60) for _ in range(60)]
            assert httpx.get(f"{daemon.url}/healthz", timeout=60).is_success
            assert {answer.result().status_code for answer in asked} == {503}
        assert runs(shop) == []
        other.execute("ROLLBACK")
    daemon.eventually(lambda: httpx.get(f"{daemon.url}/api/assets", timeout=60).is_success)
    daemon.eventually(lambda: current(daemon))
    assert len(runs(shop)) == 3
    assert daemon.get("/readyz")["ok"]


def test_a_store_that_is_away_at_the_start_is_waited_for_and_seen_to_be(shop: Path) -> None:
    with RunningDaemon(shop) as daemon:
        daemon.stop()
    with closing(sqlite3.connect(shop / "state/freshd.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        daemon = RunningDaemon(shop)
        try:
            daemon.start("/healthz")
            ready = httpx.get(f"{daemon.url}/readyz", timeout=60)
            assert ready.status_code == 503
            assert "locked" in ready.json()["store"]["trouble"]
            assert 'freshd_up{dependency="store"} 0.0' in httpx.get(f"{daemon.url}/metrics", timeout=60).text
            refused = httpx.post(f"{daemon.url}/api/events", json={}, timeout=60)
            assert (refused.status_code, refused.headers["Retry-After"]) == (503, "5")
            assert "has not begun yet" in refused.json()["error"]
            other.execute("ROLLBACK")
            daemon.eventually(lambda: "started" in daemon.said().rpartition("waiting")[2])
            assert daemon.stop() == 0
        finally:
            daemon.kill()


def test_beyond_loopback_a_write_needs_the_token(shop: Path) -> None:
    settings = (shop / "freshd.yaml").read_text().replace("127.0.0.1:0", "0.0.0.0:0")
    (shop / "freshd.yaml").write_text(settings + "api: {token_file: token}\n")
    (shop / "token").write_text("s3cret\n")
    with RunningDaemon(shop) as daemon:
        url = daemon.url.replace("0.0.0.0", "127.0.0.1")

        def post(path: str, body: object, **headers: str) -> int:
            return httpx.post(f"{url}{path}", json=body, headers=headers, timeout=60).status_code

        assert post("/events", {"asset": "shop/raw"}) == 401
        assert post("/events", {"asset": "shop/raw"}, Authorization="Bearer wrong") == 401
        assert post("/api/materialize", {"select": "shop/joined"}) == 401
        assert post("/events", {"asset": "shop/raw"}, Authorization="Bearer s3cret") == 202
        assert post("/api/materialize", {"select": "shop/joined"}, Authorization="Bearer s3cret") == 202
        assert "s3cret" not in daemon.said()


def test_probes_and_metrics_can_have_a_port_of_their_own(shop: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as held:
        port = held.getsockname()[1]
    with (shop / "freshd.yaml").open("a") as settings:
        settings.write(f"metrics: {{listen: 127.0.0.1:{port}}}\n")
    with RunningDaemon(shop):
        assert "freshd_build_info" in httpx.get(f"http://127.0.0.1:{port}/metrics", timeout=60).text
        assert httpx.get(f"http://127.0.0.1:{port}/readyz", timeout=60).is_success
        assert httpx.get(f"http://127.0.0.1:{port}/api/status", timeout=60).status_code == 404


def test_observe_mode_decides_and_launches_nothing(shop: Path) -> None:
    with (shop / "freshd.yaml").open("a") as settings:
        settings.write("mode: observe\n")
    with RunningDaemon(shop) as daemon:
        daemon.post({"asset": "shop/raw"})
        daemon.eventually(lambda: "run.observed" in daemon.said())
        assert runs(shop) == []
        decided = daemon.get("/api/runs")["runs"]
        assert decided
        assert all(row["observed"] for row in decided)
        command = [sys.executable, "-m", "freshd", "runs", "--url", daemon.url]
        shown = subprocess.run(
            command, capture_output=True, text=True, check=True, env={**os.environ, "COLUMNS": "200"}
        )
        assert shown.stdout.count("would launch") == len(decided)


def test_a_second_start_on_an_address_in_use_ends_with_a_message_and_leaves_the_first_its_store(
    shop: Path, daemon: RunningDaemon
) -> None:
    other = shop / "other"
    (other / "state").mkdir(parents=True)
    port = daemon.url.rpartition(":")[2]
    for name in ("freshd.yaml", "assets.yaml", "policies.yaml"):
        text = (shop / name).read_text().replace("127.0.0.1:0", f"127.0.0.1:{port}")
        text = text.replace("sqlite:///state", f"sqlite:///{shop}/state")
        (other / name).write_text(text)
    ended = subprocess.run(
        [sys.executable, "-m", "freshd", "run"],
        cwd=other,
        env={"PYTHONPATH": str(ROOT / "daemon"), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 2
    assert f"freshd.yaml:2: cannot listen on 127.0.0.1:{port}" in ended.stderr
    assert "Traceback" not in ended.stderr
    daemon.post({"asset": "shop/raw"})  # raises if the other has taken over the store
    daemon.eventually(lambda: daemon.asset("shop/joined")["verdict"] == "fresh")


def _refused(daemon: RunningDaemon) -> bool:
    """Post until the daemon notices at its next write that the store is not its own any more."""
    try:
        daemon.post({"asset": "shop/raw"})
    except httpx.HTTPError:
        return True
    return False
