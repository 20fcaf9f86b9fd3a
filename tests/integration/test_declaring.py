"""Mute, acknowledge and pause on a real daemon, by the commands that people use: also after a crash."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.integration.running import ROOT, RunningDaemon

SETTINGS = """\
store: sqlite:///freshd.db
listen: 127.0.0.1:0
catalog: [assets.yaml]
policies: policies.yaml
launchers: {build: {kind: command, argv: ["true"]}}
ingress: {airbyte: {format: airbyte, url_token: s3cret}}
"""
ASSETS = """\
assets:
  - {key: shop/raw}
  - {key: shop/orders, upstreams: [shop/raw], launcher: build}
  - {key: crm/leads}
"""
POLICIES = """\
policies:
  - {name: hourly, select: "*", expect: {lag: {stale: 1h}}, react: eager, alert: {severity: critical}}
"""


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[RunningDaemon]:
    (tmp_path / "freshd.yaml").write_text(SETTINGS)
    (tmp_path / "assets.yaml").write_text(ASSETS)
    (tmp_path / "policies.yaml").write_text(POLICIES)
    with RunningDaemon(tmp_path) as running:
        yield running


def freshd(daemon: RunningDaemon, *words: str, exits: int = 0) -> str:
    """What a command says."""
    ended = subprocess.run(
        [sys.executable, "-m", "freshd", words[0], "--url", daemon.url, *words[1:]],
        cwd=daemon.folder, env={"PYTHONPATH": str(ROOT / "daemon"), "USER": "ada", "COLUMNS": "200"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert ended.returncode == exits, ended.stderr
    return ended.stdout or ended.stderr


def answer(daemon: RunningDaemon, *words: str) -> Any:
    return json.loads(freshd(daemon, *words, "--json"))


def test_what_people_declare_lasts_across_a_crash(daemon: RunningDaemon) -> None:
    freshd(daemon, "mute", "shop/raw+", "--for", "2h", "--reason", "the shop moves")
    freshd(daemon, "pause", "shop/orders", "--reason", "it is being rewritten")
    daemon.post(
        {"asset": "shop/raw", "at": "2026-01-01T00:00:00Z"}, {"asset": "crm/leads", "at": "2026-01-01T00:00:00Z"}
    )
    daemon.eventually(lambda: len(daemon.get("/api/incidents")["incidents"]) == 2)
    daemon.eventually(lambda: "ALERT [critical] crm/leads" in daemon.said())
    freshd(daemon, "ack", "crm/leads", "--reason", "the supplier has been called")
    daemon.kill()
    daemon.start()

    found = {one["cause"]: one for one in answer(daemon, "incidents")["incidents"]}
    assert found["shop/raw"]["muted"]
    assert found["crm/leads"]["acknowledged"]["author"] == "ada"
    assert "ALERT [critical] shop/raw" not in daemon.said()
    told = freshd(daemon, "incidents")
    assert "acknowledged by ada until" in told
    assert "muted" in told
    orders = answer(daemon, "explain", "shop/orders")["asset"]
    assert (orders["paused"], orders["due"], orders["runs_started"]) == (True, True, 0)
    assert "paused until resumed by ada: it is being rewritten (shop/orders)" in freshd(
        daemon, "explain", "shop/orders"
    )
    assert "muted until" in freshd(daemon, "status")

    freshd(daemon, "resume")
    daemon.eventually(lambda: bool(daemon.asset("shop/orders")["runs_started"]))
    freshd(daemon, "unmute", "shop/*")
    daemon.eventually(lambda: "ALERT [critical] shop/" in daemon.said())
    assert "nothing is declared of these assets" in freshd(daemon, "unmute", "shop/*", exits=2)


def test_what_has_been_recorded_is_listed(daemon: RunningDaemon) -> None:
    daemon.post({"asset": "shop/raw"})
    daemon.eventually(lambda: bool(answer(daemon, "events", "shop/orders")["events"]))
    assert "update" in freshd(daemon, "events")
    assert "shop/orders" in freshd(daemon, "runs")
    assert answer(daemon, "runs")["runs"][0]["outcome"] == "succeeded"
    assert freshd(daemon, "deadletters") == "every message so far was understood\n"
    httpx.post(f"{daemon.url}/events/airbyte/s3cret", content=b"not json")
    daemon.eventually(lambda: bool(answer(daemon, "deadletters")["dead_letters"]))
    (letter, *_) = answer(daemon, "deadletters")["dead_letters"]
    assert (letter["format"], letter["payload"]) == ("airbyte", "not json")
    assert letter["reason"] in freshd(daemon, "deadletters")
    assert "no open incidents" in freshd(daemon, "incidents", "--all")
