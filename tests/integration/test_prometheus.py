"""A real Prometheus scrapes the daemon: what it took in, and whether its alerts would fire."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import yaml
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics_families
from tests.integration.monitoring import Prometheus, program, prometheus_over
from tests.integration.running import SOON_S, RunningDaemon

pytestmark = pytest.mark.prometheus

ODD = 'odd "name"\\with\nlines'
ASSETS = {
    "assets": [
        {"key": "shop/raw_orders", "group": "ingestion", "owners": ["ingestion@shop.example"], "feed": "shop/loader"},
        {"key": "shop/orders", "upstreams": ["shop/raw_orders"], "launcher": "build", "group": "sales"},
        {"key": "shop/extract", "upstreams": ["shop/orders"], "group": ODD},
    ]
}
POLICIES = {
    "policies": [
        {
            "name": "within the hour",
            "select": "shop/**",
            "expect": {"lag": {"warn": "45m", "stale": "1h"}},
            "react": "eager",
            "alert": {"severity": "critical"},
        }
    ]
}
RULES = {
    "groups": [
        {
            "name": "freshd",
            "rules": [
                {"alert": "AssetStale", "expr": "time() > freshd_asset_stale_at_timestamp_seconds"},
                {"alert": "LoopHangs", "expr": "time() - freshd_loop_last_timestamp_seconds > 120"},
            ],
        }
    ]
}


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[RunningDaemon]:
    folder = tmp_path / "daemon"
    folder.mkdir()
    running = RunningDaemon(folder)
    running.configure(
        {"assets.yaml": ASSETS, "policies.yaml": POLICIES},
        catalog=["assets.yaml"],
        policies="policies.yaml",
        launchers={"build": {"kind": "command", "argv": ["true"]}},
    )
    running.start("/healthz")
    yield running
    running.stop()


@pytest.fixture
def prometheus(tmp_path: Path, daemon: RunningDaemon) -> Iterator[Prometheus]:
    (tmp_path / "rules.yml").write_text(yaml.safe_dump(RULES))
    targets = {"freshd": [daemon.url.removeprefix("http://")]}
    with prometheus_over(tmp_path, targets, [tmp_path / "rules.yml"]) as running:
        yield running


def test_a_real_prometheus_takes_in_everything_that_is_exported(daemon: RunningDaemon, prometheus: Prometheus) -> None:
    daemon.post({"asset": "shop/raw_orders", "id": "s1"})
    daemon.eventually(lambda: daemon.metric("freshd_runs_total", launcher="build", outcome="succeeded") == 1)
    prometheus.until(lambda: prometheus.value('freshd_runs_total{outcome="succeeded"}') == 1)

    (target,) = prometheus.get("targets")["activeTargets"]
    assert (target["health"], target["lastError"]) == ("up", "")
    # Nothing was left out on the way: as many samples were taken in as lines stand on the page.
    lines = [line for line in daemon.answer("/metrics").text.splitlines() if line and not line.startswith("#")]
    prometheus.until(lambda: prometheus.value("scrape_samples_post_metric_relabeling") == len(lines))
    said = '{job="freshd", __name__=~"(freshd|process)_.+"}'
    names = {sample["metric"]["__name__"] for sample in prometheus.query(said)}
    assert names == {line.partition("{")[0].partition(" ")[0] for line in lines}

    updated = prometheus.value('freshd_asset_updated_timestamp_seconds{asset="shop/raw_orders"}')
    stale_at = prometheus.value('freshd_asset_stale_at_timestamp_seconds{asset="shop/raw_orders"}')
    assert updated is not None and stale_at is not None
    assert stale_at - updated == pytest.approx(3600, abs=0.001)
    info = prometheus.query('freshd_asset_info{team="ingestion@shop.example"}')
    assert [found["metric"]["feed"] for found in info] == ["shop/loader"]
    odd = prometheus.query('freshd_asset_info{asset="shop/extract"}')
    assert [found["metric"]["asset_group"] for found in odd] == [ODD]
    assert prometheus.query('freshd_asset_in_flight{asset="shop/orders"}') == []


def test_promtool_finds_nothing_wrong_with_what_a_daemon_says(daemon: RunningDaemon) -> None:
    daemon.post({"asset": "shop/raw_orders", "at": "2026-01-01T00:00:00Z"})
    daemon.eventually(lambda: daemon.metric("freshd_incident_open") == 1)
    promtool = program("promtool", package="prometheus")
    said = daemon.answer("/metrics")
    assert said.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    done = subprocess.run([promtool, "check", "metrics"], input=said.content, capture_output=True, check=False)
    assert (done.returncode, done.stdout + done.stderr) == (0, b"")


def test_a_broker_that_is_away_is_told(tmp_path: Path) -> None:
    running = RunningDaemon(tmp_path)
    kafka = {"bootstrap_servers": ["127.0.0.1:1"], "topics": {"syncs": {"format": "freshd"}}}
    running.configure({"assets.yaml": {"assets": [{"key": "raw"}]}}, catalog=["assets.yaml"], kafka=kafka)
    running.start("/healthz")
    try:
        assert running.metric("freshd_up", dependency="kafka") == 0
        assert running.metric("freshd_up", dependency="store") == 1
        assert running.metric("freshd_leader") == 1
    finally:
        running.kill()


def test_openmetrics_says_the_same_to_who_asks_for_it(daemon: RunningDaemon) -> None:
    daemon.post({"asset": "shop/raw_orders", "id": "s1"})
    daemon.eventually(lambda: daemon.metric("freshd_runs_total", launcher="build", outcome="succeeded") == 1)
    answer = httpx.get(f"{daemon.url}/metrics", headers={"Accept": "application/openmetrics-text"}, timeout=SOON_S)
    assert answer.headers["content-type"].startswith("application/openmetrics-text")
    samples = {sample.name for family in openmetrics_families(answer.text) for sample in family.samples}
    plain = {line.split("{")[0].split(" ")[0] for line in daemon.text("/metrics").splitlines() if line[:1] != "#"}
    assert samples == plain


def test_an_alert_on_the_instant_of_staleness_fires_and_is_over(daemon: RunningDaemon, prometheus: Prometheus) -> None:
    def firing() -> list[str]:
        alerts = prometheus.get("alerts")["alerts"]
        assert not [alert for alert in alerts if alert["labels"]["alertname"] == "LoopHangs"]
        return sorted(alert["labels"]["asset"] for alert in alerts)

    daemon.post({"asset": "shop/raw_orders", "at": "2026-01-01T00:00:00Z"})
    prometheus.until(lambda: "shop/raw_orders" in firing())
    prometheus.until(lambda: len(prometheus.query("freshd_incident_open")) == 1)
    cause = prometheus.query("freshd_incident_open")[0]["metric"]
    assert (cause["cause"], cause["reason"], cause["severity"]) == ("shop/raw_orders", "no_update", "critical")
    daemon.post({"asset": "shop/raw_orders"})
    prometheus.until(lambda: firing() == [] and prometheus.query("freshd_incident_open") == [])
