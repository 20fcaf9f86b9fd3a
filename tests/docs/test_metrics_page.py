"""docs/metrics.md says what /metrics says, and its alerts fire when they should, also once the daemon is silent."""

from __future__ import annotations

from pathlib import Path

import yaml
from tests.docs.checks import promtool
from tests.docs.metrics_table import families
from tests.docs.pages import ROOT, blocks

PAGE = ROOT / "docs" / "metrics.md"
STALE_AT = 'freshd_asset_stale_at_timestamp_seconds{asset="a", policy="p", severity="critical"}'
LOST = 'freshd_notifications_total{channel="#c", outcome="failed"}'
DEAD = 'freshd_events_total{format="x", feed="", outcome="dead_letter"}'
OF_TARGETS = {
    "job", "instance", "namespace", "service", "pod", "container", "endpoint", "node",
    "cluster", "region", "env", "stage", "owner", "type",
}  # fmt: skip
"""What Prometheus, its operator's monitors and platform teams put on every target: it would take the place of ours."""


def test_every_metric_that_the_page_names_exists() -> None:
    known = {name for name, *_ in families()} | {"freshd_event_to_launch_seconds_bucket"}
    named = {word for block in blocks(PAGE) for word in _metrics_in(block.text)}
    assert named
    assert named <= known


def test_no_label_is_one_that_targets_have() -> None:
    assert [(name, label) for name, _, labels, _ in families() for label in labels if label in OF_TARGETS] == []


def test_alerts_fire(tmp_path: Path) -> None:
    """Prometheus' own test of rules: series that end as those of a daemon do that hangs or dies."""
    rules = next(block.text for block in blocks(PAGE) if block.name == "freshd-alerts.yaml")
    (tmp_path / "freshd-alerts.yaml").write_text(rules, encoding="utf-8")
    series = {
        STALE_AT: "600 600 stale",
        'up{job="freshd"}': "1 1 0x20",
        "freshd_loop_last_timestamp_seconds": "0 60 60x20",
        LOST: "_ _ 1x20",
        DEAD: "3x5 4x30",
    }
    expected = [
        ("AssetStale", "9m", 0), ("AssetStale", "11m", 1),
        ("FreshdDown", "1m", 0), ("FreshdDown", "5m", 1),
        ("FreshdHangs", "2m", 0), ("FreshdHangs", "4m", 1),
        ("FreshdCannotTell", "1m", 0), ("FreshdCannotTell", "3m", 1), ("FreshdCannotTell", "15m", 0),
        ("FreshdDoesNotUnderstand", "14m", 1), ("FreshdDoesNotUnderstand", "20m", 0),
    ]  # fmt: skip
    labels = {
        "AssetStale": ({"asset": "a", "policy": "p", "severity": "critical"}, {"summary": "a is stale (p)"}),
        "FreshdDown": ({"job": "freshd"}, {}),
        "FreshdHangs": ({}, {}),
        "FreshdCannotTell": ({"channel": "#c", "outcome": "failed"}, {}),
        "FreshdDoesNotUnderstand": ({"format": "x", "outcome": "dead_letter"}, {}),
    }
    cases = [
        {
            "alertname": name,
            "eval_time": at,
            "exp_alerts": [{"exp_labels": labels[name][0], "exp_annotations": labels[name][1]}] * count,
        }
        for name, at, count in expected
    ]
    inputs = [{"series": name, "values": values} for name, values in series.items()]
    test = {
        "rule_files": ["freshd-alerts.yaml"],
        "evaluation_interval": "1m",
        "tests": [{"interval": "1m", "input_series": inputs, "alert_rule_test": cases}],
    }
    (tmp_path / "test.yaml").write_text(yaml.safe_dump(test, sort_keys=False), encoding="utf-8")
    promtool("test", "rules", "test.yaml", cwd=tmp_path)


def _metrics_in(text: str) -> set[str]:
    return {word for word in text.replace("{", " ").replace("(", " ").replace(")", " ").replace("[", " ").split()
            if word.startswith("freshd_")}  # fmt: skip
