"""A team hears of an incident by its own Alertmanager, and of its end: daemon, Prometheus, Alertmanager, all real."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.docs.pages import ROOT, blocks
from tests.integration.monitoring import Prometheus, Told, alertmanager_with, program, prometheus_over, somebody_told
from tests.integration.running import RunningDaemon

pytestmark = pytest.mark.prometheus

RULES = sorted((ROOT / "helm" / "freshd" / "rules").glob("*.yaml"))
ASSETS = {
    "assets": [
        {"key": "shop/raw_orders", "owners": ["ingestion@shop.example"]},
        {"key": "shop/orders", "upstreams": ["shop/raw_orders"], "owners": ["sales@shop.example"]},
        {"key": "shop/stock", "owners": ["sales@shop.example"]},
        {"key": "shop/fx", "owners": ["treasury@shop.example"]},
    ]
}
POLICIES = {
    "policies": [
        {
            "name": "hourly",
            "select": "raw_orders orders",
            "expect": {"lag": {"stale": "1h"}},
            "alert": {"severity": "critical"},
        },
        {"name": "stock", "select": "stock fx", "expect": {"lag": {"stale": "1h"}}, "alert": {"severity": "warning"}},
    ]
}
LONG_AGO = "2026-01-01T00:00:00Z"


def documented() -> dict[str, Any]:
    """The configuration that docs/alerts.md shows."""
    (block,) = [block for block in blocks(ROOT / "docs" / "alerts.md") if block.name == "alertmanager.yml"]
    config: dict[str, Any] = yaml.safe_load(block.text)
    return config


@pytest.fixture
def told() -> Iterator[Told]:
    with somebody_told() as told:
        yield told


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[RunningDaemon]:
    folder = tmp_path / "daemon"
    folder.mkdir()
    running = RunningDaemon(folder)
    running.configure(
        {"assets.yaml": ASSETS, "policies.yaml": POLICIES}, catalog=["assets.yaml"], policies="policies.yaml"
    )
    running.start()
    yield running
    running.kill()


@pytest.fixture
def prometheus(tmp_path: Path, daemon: RunningDaemon, told: Told) -> Iterator[Prometheus]:
    config = documented()
    config["route"] |= {"group_wait": "0s", "group_interval": "1s"}
    for receiver in config["receivers"]:
        for hook in receiver["webhook_configs"]:
            hook["url"] = f"http://127.0.0.1:{told.port}/{receiver['name']}"
    targets = {"freshd": [daemon.url.removeprefix("http://")]}
    with (
        alertmanager_with(tmp_path, config) as alertmanager,
        prometheus_over(tmp_path, targets, RULES, alertmanager) as running,
    ):
        yield running


def test_a_team_hears_of_what_is_its_own_and_of_its_end(
    daemon: RunningDaemon, prometheus: Prometheus, told: Told
) -> None:
    daemon.post(*({"asset": asset, "at": LONG_AGO} for asset in ("shop/raw_orders", "shop/orders", "shop/stock")))
    prometheus.until(lambda: told.alerts("/ingestion-on-call", "firing") and told.alerts("/sales", "firing"))
    first = told.alerts("/ingestion-on-call", "firing")[0]
    assert first["labels"] | {"incident": "", "instance": ""} == {
        "alertname": "FreshdIncident", "incident": "", "cause": "shop/raw_orders", "reason": "no_update",
        "severity": "critical", "team": "ingestion@shop.example", "job": "freshd", "instance": "",
    }  # fmt: skip
    assert first["annotations"]["runbook_url"].endswith("docs/runbooks/FreshdIncident.md#no_update")
    assert {alert["labels"]["cause"] for alert in told.alerts("/sales", "firing")} == {"shop/stock"}
    prometheus.until(lambda: told.alerts("/dead-mans-switch", "firing"))

    daemon.post({"asset": "shop/raw_orders"}, {"asset": "shop/orders"})
    prometheus.until(lambda: told.alerts("/ingestion-on-call", "resolved"))
    assert told.alerts("/ingestion-on-call", "resolved")[0]["labels"] == first["labels"]
    assert told.alerts("/sales", "resolved") == []

    daemon.post({"asset": "shop/fx", "at": LONG_AGO})  # whose team has no route
    prometheus.until(lambda: told.alerts("/data-platform", "firing"))
    assert told.alerts("/data-platform", "firing")[0]["labels"]["cause"] == "shop/fx"


@pytest.mark.parametrize(
    ("labels", "receiver"),
    [
        (["alertname=FreshdIncident", "team=ingestion@shop.example", "severity=critical"], "ingestion-on-call"),
        (["alertname=FreshdIncident", "team=ingestion@shop.example", "severity=warning"], "ingestion"),
        (["alertname=FreshdIncident", "team=sales@shop.example", "severity=critical"], "sales"),
        (["alertname=FreshdIncident", "team=nobody", "severity=critical"], "data-platform"),
        (["alertname=FreshdLoopStuck", "severity=critical"], "data-platform"),
        (["alertname=FreshdWatchdog", "severity=none"], "dead-mans-switch"),
    ],
)
def test_the_documented_routes(tmp_path: Path, labels: list[str], receiver: str) -> None:
    amtool = program("amtool", package="prometheus-alertmanager")
    path = tmp_path / "alertmanager.yml"
    path.write_text(yaml.safe_dump(documented()))
    subprocess.run([amtool, "check-config", path], check=True, capture_output=True)
    found = subprocess.run(
        [amtool, "config", "routes", "test", f"--config.file={path}", *labels],
        check=True,
        capture_output=True,
        text=True,
    )
    assert found.stdout.strip() == receiver
