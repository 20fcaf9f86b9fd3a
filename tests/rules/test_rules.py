"""The rules that are shipped: Prometheus takes them, every alert fires and does not, and says where it is explained."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.docs.checks import promtool
from tests.docs.metrics_table import families
from tests.docs.pages import ROOT, anchors

from freshd.model.records import Reason

RULES = ROOT / "helm" / "freshd" / "rules"
TESTS = sorted(Path(__file__).parent.glob("*.yaml"))
RUNBOOKS = ROOT / "docs" / "runbooks"
BASE = "https://freshd.example/"
SEVERITIES = {"critical", "warning", "info", "none", '{{ or $labels.severity "warning" }}'}


def rules(kind: str) -> Iterator[dict[str, Any]]:
    for path in sorted(RULES.glob("*.yaml")):
        for group in yaml.safe_load(path.read_text(encoding="utf-8"))["groups"]:
            yield from (rule for rule in group["rules"] if kind in rule)


ALERTS = {rule["alert"]: rule for rule in rules("alert")}


def test_prometheus_takes_the_rules() -> None:
    promtool("check", "rules", *(path.name for path in sorted(RULES.glob("*.yaml"))), cwd=RULES)


@pytest.mark.parametrize("path", TESTS, ids=lambda path: path.stem)
def test_alerts_fire_and_do_not(path: Path) -> None:
    promtool("test", "rules", path.name, cwd=path.parent)


def test_every_alert_is_shown_to_fire_and_not_to() -> None:
    shown: set[tuple[str, bool]] = set()
    for path in TESTS:
        for test in yaml.safe_load(path.read_text(encoding="utf-8"))["tests"]:
            shown |= {(case["alertname"], bool(case["exp_alerts"])) for case in test["alert_rule_test"]}
    wanted = {(name, fires) for name in ALERTS for fires in (True, False)} - {("FreshdWatchdog", False)}
    assert wanted - shown == set()


@pytest.mark.parametrize("name", ALERTS)
def test_every_alert_says_how_bad_it_is_and_where_it_is_explained(name: str) -> None:
    rule = ALERTS[name]
    assert name.startswith("Freshd")
    assert rule["labels"]["severity"] in SEVERITIES
    assert rule["annotations"]["summary"]
    url, _, anchor = rule["annotations"]["runbook_url"].partition("#")
    page = ROOT / url.removeprefix(BASE)
    assert url.startswith(BASE) and page == RUNBOOKS / f"{name}.md"
    text = page.read_text(encoding="utf-8")
    assert text.startswith(f"# {name}\n")
    assert "## How to look\n" in text and "## How to mend\n" in text
    if anchor:
        assert anchor == "{{ $labels.reason }}"
        causes = list(Reason)[list(Reason).index(Reason.SYNC_FAILED) : list(Reason).index(Reason.DONE)]
        assert {str(cause) for cause in causes} - anchors(page) <= {"no_result"}  # unknown, never an incident


def test_every_runbook_belongs_to_an_alert() -> None:
    assert {path.stem for path in RUNBOOKS.glob("*.md")} == set(ALERTS)


def test_names_of_recorded_series_say_level_metric_and_operation() -> None:
    recorded = [(rule["record"], tuple(rule.get("labels", {}).items())) for rule in rules("record")]
    assert len(set(recorded)) == len(recorded)
    assert [name for name, _ in recorded if name.count(":") != 2] == []


def test_rules_ask_for_what_exists() -> None:
    known = {name for name, *_ in families()} | {rule["record"] for rule in rules("record")}
    known |= {"freshd_event_to_launch_seconds_bucket"}
    for rule in [*rules("record"), *rules("alert")]:
        words = set("".join(c if c.isalnum() or c in "_:" else " " for c in rule["expr"]).split())
        asked = {word for word in words if word.startswith("freshd_") or word.count(":") == 2}
        assert asked - known == set(), rule


def test_every_alert_is_on_the_page_of_metrics() -> None:
    text = (ROOT / "docs" / "metrics.md").read_text(encoding="utf-8")
    assert [name for name in ALERTS if f"runbooks/{name}.md" not in text] == []
