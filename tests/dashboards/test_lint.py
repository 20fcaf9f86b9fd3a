"""What the known linter of dashboards asks for, as tests; and that a colour means one thing on all of them.

The linter's rules by their names: template-datasource, template-on-time-change-reload, panel-datasource,
panel-title-description, panel-units, panel-no-targets, target-promql, target-rate-interval, target-counter-agg,
uneditable-dashboard; template-job, template-instance, target-job and target-instance hold where the process matters,
on the daemon's own dashboard: elsewhere an asset is the same asset whichever process tells of it.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from helm.dashboards import words
from tests.dashboards.reading import ROOT, Question, all_panels, asked, dashboards, questions, recorded, variables
from tests.docs.metrics_table import families

SOURCE = {"type": "prometheus", "uid": "${datasource}"}
OF_PROMETHEUS = {"scrape_duration_seconds"}
UNITS = {
    "none", "short", "s", "percentunit", "bytes", "eps", "reqps", "dateTimeFromNow",
}  # fmt: skip
ALLOWED = {words.FRESH, words.UNKNOWN, words.WARN, words.STALE, words.NEUTRAL, "text", "transparent"}


def names(panel: tuple[str, Any]) -> str:
    return f"{panel[0]}: {panel[1]['title']}"


@pytest.mark.parametrize("panel", all_panels(), ids=names)
def test_a_panel_says_what_it_shows(panel: tuple[str, Any]) -> None:
    _, shown = panel
    assert shown["title"].strip() and shown["description"].strip().endswith((".", ":"))
    assert shown["datasource"] == SOURCE
    assert shown["targets"] and all(target["datasource"] == SOURCE for target in shown["targets"])
    assert [target["refId"] for target in shown["targets"]] == [chr(65 + n) for n in range(len(shown["targets"]))]
    defaults = shown["fieldConfig"]["defaults"]
    assert defaults["unit"] in UNITS
    assert defaults["thresholds"]["steps"][0]["value"] is None
    bounds = [step["value"] for step in defaults["thresholds"]["steps"][1:]]
    assert bounds == sorted(bounds)


@pytest.mark.parametrize("panel", all_panels(), ids=names)
def test_a_colour_means_one_thing(panel: tuple[str, Any]) -> None:
    _, shown = panel
    fields = shown["fieldConfig"]
    steps = fields["defaults"]["thresholds"]["steps"]
    assert {step["color"] for step in steps} <= ALLOWED
    meant = {**words.VERDICTS, **words.OUTCOMES, **words.SEVERITIES}
    for mapping in fields["defaults"].get("mappings", []):
        for found in mapping["options"].values():
            assert found["color"] == meant.get(found["text"], found["color"])
    for override in fields["overrides"]:
        name = override["matcher"]["options"]
        for setting in override["properties"]:
            if setting["id"] == "color" and setting["value"]["mode"] == "fixed" and name in meant:
                assert setting["value"]["fixedColor"] == meant[name]
            if setting["id"] == "mappings":
                for found in setting["value"][0]["options"].values():
                    assert found["color"] == meant.get(found["text"], found["color"])


def test_series_named_by_verdict_outcome_or_severity_have_their_colours() -> None:
    """A legend of `{{verdict}}` alone takes its colours from the words, or Grafana would choose some."""
    wanted = {"{{verdict}}": words.VERDICTS, "{{outcome}}": words.OUTCOMES, "{{severity}}": words.SEVERITIES}
    seen = set()
    for _, panel in all_panels():
        coloured = {override["matcher"]["options"] for override in panel["fieldConfig"]["overrides"]}
        for target in panel["targets"]:
            if (legend := target.get("legendFormat", "")) in wanted:
                assert set(wanted[legend]) <= coloured, panel["title"]
                seen.add(legend)
    assert seen == set(wanted)


@pytest.mark.parametrize("name", dashboards())
def test_head_and_variables(name: str) -> None:
    made = dashboards()[name]
    assert made["editable"] is False and made["timezone"] == "browser" and made["title"].startswith("freshd / ")
    assert made["refresh"] == "1m"
    known = variables(made)
    assert (known["datasource"]["type"], known["datasource"]["query"]) == ("datasource", "prometheus")
    assert (known["freshd"]["type"], known["freshd"]["hide"]) == ("constant", 2)
    for variable in known.values():
        if variable["type"] == "query":
            assert variable["datasource"] == SOURCE and variable["refresh"] == 2 and variable["description"]
            assert re.fullmatch(r"label_values\(.+, \w+\)", variable["query"]["query"])
            # An empty label is no label to Prometheus: only .* takes it too.
            assert not variable.get("includeAll") or variable["allValue"] == ".*"
    used = {
        found
        for question in questions()
        if question.dashboard == name
        for found in re.findall(r"\$\{?(\w+)", question.expression)
    }
    of_others = " ".join(str(variable.get("query")) for variable in known.values())
    used |= set(re.findall(r"\$(\w+)", of_others))
    assert used - {"__rate_interval", "__range"} <= set(known)
    offered = {variable for variable in known if known[variable]["type"] == "query"}
    assert offered <= used, "a variable that no panel heeds"


def test_the_daemons_own_dashboard_asks_by_job_and_instance() -> None:
    selected = re.compile(r"\b(?:freshd|process|scrape)_\w+(\{[^}]*\})?")
    for question in questions():
        if question.dashboard == "freshd-daemon":
            for found in selected.finditer(question.expression):
                assert found[1] and 'job=~"$job", instance=~"$instance"' in found[1], question


@pytest.mark.parametrize("question", questions(), ids=lambda question: question.id)
def test_rates(question: Question) -> None:
    """Over the time shown by Grafana's own interval; a counter is never shown as it stands."""
    if not question.now:
        assert set(re.findall(r"\[([^\]]+)\]", question.expression)) <= {"$__rate_interval"}
    for metric in question.metrics:
        if metric.endswith(("_total", "_bucket")):
            within = rf"(rate|increase)\({metric}(\{{[^}}]*\}})?\["
            assert re.search(within, question.expression), f"{metric} is a counter"
    if "_bucket" in question.expression:
        assert re.search(r"sum by \(le\)", question.expression)


def test_every_reason_of_an_incident_has_words() -> None:
    """Those that docs/alerts.md explains."""
    page = (ROOT / "docs" / "alerts.md").read_text(encoding="utf-8")
    _, _, section = page.partition("## The root cause")
    told = set(re.findall(r"^\| `(\w+)` \|", section.partition("\n## ")[0], re.MULTILINE))
    assert told and set(words.REASONS) == told


def test_every_metric_exists() -> None:
    """In the exposition, the recording rules, or Prometheus itself."""
    known = recorded() | OF_PROMETHEUS
    for name, kind, _, _ in families():
        known |= {f"{name}_bucket"} if kind == "histogram" else {name}
    unknown = {metric: question.panel for question in questions() for metric in question.metrics - known}
    assert unknown == {}


@pytest.mark.prometheus
def test_prometheus_understands_every_question(tmp_path: Path) -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        missing = "promtool is not installed (Debian: apt-get install prometheus)"
        pytest.fail(missing) if os.environ.get("CI") == "true" else pytest.skip(missing)
    rules = [
        {"record": f"question:{number}", "expr": asked(question.expression, dict.fromkeys(("asset",), "a") | ALL)}
        for number, question in enumerate(questions())
    ]
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump({"groups": [{"name": "questions", "rules": rules}]}))
    checked = subprocess.run([promtool, "check", "rules", tmp_path / "rules.yaml"], capture_output=True, text=True)
    assert checked.returncode == 0, checked.stdout + checked.stderr


ALL: dict[str, str | list[str]] = {name: [".*"] for name in ("team", "group", "policy", "launcher", "job", "instance")}
