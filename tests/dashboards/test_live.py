"""Every question of every dashboard, put to a real Prometheus that scrapes a daemon with a story.

In the story one source is late and what rests on it too, one asset's runs fail and hold up another, one is being built
while another waits for its place, one was late and is well again, one is past its warning, one was never heard of.
Events come by HTTP and through a real Kafka, messages go to a server that behaves as Slack.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
import yaml
from tests.dashboards.reading import RULES, Question, asked, columns, dashboards, panels, questions, recorded, variables
from tests.integration.monitoring import Prometheus, prometheus_over
from tests.integration.running import RunningDaemon
from tests.slack_server import TOKEN, slack_server

pytestmark = [pytest.mark.prometheus, pytest.mark.kafka]

LATE, BUILT, WAITING = "shop/fx", "shop/orders", "shop/second"
ASSETS = [
    {"key": "shop/raw", "group": "ingestion", "owners": ["ingestion@shop.example"], "feed": "loader/raw"},
    {"key": "shop/raw_fx", "group": "ingestion", "owners": ["treasury@shop.example"], "feed": "loader/fx"},
    {"key": LATE, "group": "finance", "owners": ["treasury@shop.example"], "upstreams": ["shop/raw_fx"]},
    {"key": BUILT, "group": "sales", "owners": ["sales@shop.example"], "upstreams": ["shop/raw"], "launcher": "build"},
    {"key": "shop/broken", "group": "sales", "upstreams": ["shop/raw"], "launcher": "fail"},
    {"key": "shop/below", "group": "sales", "upstreams": ["shop/raw", "shop/broken"], "launcher": "build"},
    {"key": "shop/first", "group": "sales", "upstreams": ["shop/raw"], "launcher": "slow"},
    {"key": WAITING, "group": "sales", "upstreams": ["shop/raw"], "launcher": "slow"},
    {"key": "shop/healed", "group": "stock", "owners": ["sales@shop.example"]},
    {"key": "shop/warned", "group": "stock", "owners": ["sales@shop.example"]},
    {"key": "shop/unheard", "group": "stock", "owners": ["sales@shop.example"]},
]
POLICIES = [
    {
        "name": "hourly",
        "select": "shop/*",
        "expect": {"lag": {"warn": "45m", "stale": "1h"}},
        "react": "eager",
        "retry": {"attempts": 1, "delay": "1s", "max_delay": "1s"},
        "alert": {"severity": "critical", "channel": "#finance"},
        "slo": {"target": "99%", "window": "4w"},
    }
]
SLOW = "import os, time\nwhile os.path.exists('story'): time.sleep(0.2)"
LAUNCHERS = {
    "build": {"kind": "command", "argv": ["true"]},
    "fail": {"kind": "command", "argv": ["false"]},
    "slow": {"kind": "command", "argv": [sys.executable, "-c", SLOW], "limit": 1},
}
SPAN = 60
"""Seconds that the dashboards show."""


def ago(**past: float) -> str:
    return (datetime.now(UTC) - timedelta(**past)).isoformat()


@dataclass
class Story:
    """The daemon, and the Prometheus that watches it."""

    daemon: RunningDaemon
    prometheus: Prometheus

    def answer(self, question: Question, chosen: dict[str, str | list[str]]) -> list[dict[str, Any]]:
        """What Grafana would be answered: for now, or over the time shown."""
        expression = asked(question.expression, chosen, interval="15s", shown=f"{SPAN}s")
        if question.now:
            return self.prometheus.query(expression)
        now = time.time()
        given = {"query": expression, "start": now - SPAN, "end": now, "step": 1}
        answer = httpx.get(f"{self.prometheus.url}/api/v1/query_range", params=given, timeout=30)
        assert answer.is_success, f"{expression}: {answer.text}"
        found: list[dict[str, Any]] = answer.json()["data"]["result"]
        return found

    def offered(self, dashboard: str, variable: str, chosen: dict[str, str | list[str]]) -> list[str]:
        """What Grafana would offer to choose: `label_values(selector, label)`."""
        query = variables(dashboards()[dashboard])[variable]["query"]["query"]
        selector, _, label = query.removeprefix("label_values(").removesuffix(")").rpartition(", ")
        given = {"match[]": asked(selector, chosen)}
        answer = httpx.get(f"{self.prometheus.url}/api/v1/label/{label}/values", params=given, timeout=30)
        values: list[str] = answer.raise_for_status().json()["data"]
        return values


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory, kafka: str, kafka_admin: Any) -> Iterator[Story]:
    from kafka import KafkaProducer

    folder = tmp_path_factory.mktemp("story")
    name = f"freshd-dashboards-{time.time_ns()}"
    kafka_admin.create_topics({name: {"num_partitions": 1, "replication_factor": 1, "configs": {}}})
    rules = []
    for path in sorted(RULES.glob("*.yaml")):
        made = yaml.safe_load(path.read_text(encoding="utf-8"))
        for group in made["groups"]:
            group["interval"] = "1s"
        (folder / path.name).write_text(yaml.safe_dump(made))
        rules.append(folder / path.name)
    (folder / "story").touch()
    with slack_server() as slack:
        daemon = RunningDaemon(folder)
        daemon.configure(
            {"assets.yaml": {"assets": ASSETS}, "policies.yaml": {"policies": POLICIES}, "slack-token": TOKEN},
            catalog=["assets.yaml"],
            policies="policies.yaml",
            launchers=LAUNCHERS,
            ingress={"loader": {"format": "freshd"}},
            kafka={"bootstrap_servers": kafka.split(","), "topics": {name: {"format": "freshd"}}, "group_id": name},
            slack={"token_file": "slack-token", "channel": "#data-freshness", "base_url": slack.url},
        )
        daemon.start()
        daemon.eventually(lambda: daemon.metric("freshd_catching_up") == 0)  # from then on it launches
        producer = KafkaProducer(bootstrap_servers=kafka.split(","))
        with prometheus_over(folder, {"freshd": [daemon.url.removeprefix("http://")]}, rules) as prometheus:
            try:
                told = Story(daemon, prometheus)
                _told(told, lambda value: producer.send(name, value).get(30))
                yield told
            finally:
                (folder / "story").unlink()
                producer.close()
                daemon.kill()
                kafka_admin.delete_topics([name])


def _told(story: Story, produce: Callable[[bytes], object]) -> None:
    daemon, prometheus = story.daemon, story.prometheus
    daemon.post({"asset": "shop/raw", "at": ago(days=3)}, {"asset": "shop/raw_fx", "at": ago(days=2)})
    for key in ("below", "broken", "first", "second"):
        daemon.post({"asset": f"shop/{key}", "at": ago(days=2.5)})
    daemon.post({"asset": "shop/below", "at": ago(days=2.4)}, {"asset": "shop/fx", "at": ago(days=1.9)})
    daemon.post({"asset": "shop/healed", "at": ago(hours=5)}, {"asset": "shop/warned", "at": ago(minutes=50)})
    httpx.post(
        f"{daemon.url}/api/mute", json={"select": "shop/unheard", "for": "2h", "reason": "it is new", "author": "ada"}
    ).raise_for_status()
    produce(json.dumps({"asset": "shop/raw", "at": ago(seconds=5)}).encode())
    _again(story, produce, 1)
    # A counter that begins with its first event shows no increase: what happens happens again once it was scraped.
    prometheus.until(lambda: prometheus.value('sum(freshd_runs_total{outcome="failed"})') == 2)
    prometheus.until(lambda: len(prometheus.query('freshd_events_total{outcome=~"dead_letter|unmatched"}')) >= 2)
    prometheus.until(lambda: prometheus.value('sum(freshd_runs_total{outcome="succeeded"})') == 2)
    prometheus.until(lambda: prometheus.query("freshd_notifications_total"))
    daemon.post({"asset": "shop/healed"})
    produce(json.dumps({"asset": "shop/raw"}).encode())
    _again(story, produce, 2)
    prometheus.until(lambda: prometheus.query('increase(freshd_runs_total{outcome="failed"}[5m]) > 0'))
    prometheus.until(lambda: prometheus.query('increase(freshd_runs_total{outcome="succeeded"}[5m]) > 0'))
    prometheus.until(lambda: prometheus.query("sum_over_time(policy:freshd_policy_stale_seconds:rate5m[5m]) > 0"))
    prometheus.until(lambda: prometheus.query("policy:freshd_policy_burn:ratio_rate3d"))
    prometheus.until(lambda: prometheus.query("freshd_asset_blocked") and prometheus.query("freshd_asset_in_flight"))
    prometheus.until(lambda: not prometheus.query('asset:freshd_asset_overdue_seconds:current{asset="shop/healed"}'))


def _again(story: Story, produce: Callable[[bytes], object], number: int) -> None:
    """What is not understood, and what comes by an ingress of its own."""
    produce(b"{")
    story.daemon.post({"asset": "shop/nobody_knows", "id": f"n{number}"})
    httpx.post(f"{story.daemon.url}/events/loader", json={"asset": "shop/unheard_of"}).raise_for_status()


def everything(story: Story, dashboard: str) -> dict[str, str | list[str]]:
    """All of what there is to choose."""
    made: dict[str, str | list[str]] = {}
    for name, variable in variables(dashboards()[dashboard]).items():
        if variable["type"] == "query" and variable.get("includeAll"):
            made[name] = [variable["allValue"]]
    return made


@pytest.mark.parametrize("question", questions(), ids=lambda question: question.id)
def test_every_question_is_answered_with_the_labels_that_the_panel_names(story: Story, question: Question) -> None:
    chosen = everything(story, question.dashboard)
    named = [str(asset["key"]) for asset in ASSETS] if "$asset" in question.expression else [""]
    found = [row for asset in named for row in story.answer(question, {**chosen, "asset": asset})]
    assert found, "no row"
    wanted = question.labels | {column for column in question.columns if column not in _elsewhere(story, question)}
    assert any(wanted <= set(row["metric"]) for row in found), f"no row has all of {sorted(wanted)}"
    for row in found:
        values = row["values"] if "values" in row else [row["value"]]
        assert any(value != "NaN" for _, value in values), row


def _elsewhere(story: Story, question: Question) -> set[str]:
    """Columns that other questions of the same table bring."""
    (panel,) = [shown for shown in panels(dashboards()[question.dashboard]) if shown["title"] == question.panel]
    first = panel["targets"][0]["expr"] == question.expression
    return set() if first else set(columns(panel))


def test_every_metric_that_a_question_names_is_there(story: Story) -> None:
    shown = {line.partition("{")[0].partition(" ")[0] for line in story.daemon.text("/metrics").splitlines()}
    missing = {
        metric: str(question)
        for question in questions()
        for metric in question.metrics - shown - recorded() - {"scrape_duration_seconds"}
    }
    assert missing == {}


@pytest.mark.parametrize(
    ("dashboard", "variable", "among"),
    [
        ("freshd-overview", "team", "treasury@shop.example"),
        ("freshd-overview", "group", "finance"),
        ("freshd-asset", "group", "finance"),
        ("freshd-asset", "asset", LATE),
        ("freshd-slo", "policy", "hourly"),
        ("freshd-reaction", "launcher", "slow"),
        ("freshd-daemon", "job", "freshd"),
        ("freshd-daemon", "instance", "127.0.0.1"),
    ],
)
def test_what_there_is_to_choose(story: Story, dashboard: str, variable: str, among: str) -> None:
    offered = story.offered(dashboard, variable, everything(story, dashboard))
    assert any(value.startswith(among) for value in offered)


def test_the_choice_of_an_owner_and_a_group_narrows(story: Story) -> None:
    chosen: dict[str, str | list[str]] = {"team": ["treasury@shop.example"], "group": ["finance", "stock"]}
    assert story.offered("freshd-overview", "group", {"team": ["treasury@shop.example"]}) == ["finance", "ingestion"]
    assert [row["metric"]["asset"] for row in story.answer(_late(0), chosen)] == [LATE]


def _late(number: int) -> Question:
    return [asked for asked in questions() if asked.panel == "Late, worst first"][number]


def test_the_overview_says_what_is_late_by_how_much_and_why(story: Story) -> None:
    chosen = everything(story, "freshd-overview")
    hours = {row["metric"]["asset"]: float(row["value"][1]) / 3600 for row in story.answer(_late(0), chosen)}
    why = {row["metric"]["asset"]: row["value"][1] for row in story.answer(_late(1), chosen)}
    assert why == {
        "shop/raw_fx": "0", "shop/fx": "0", "shop/broken": "4", "shop/below": "3", "shop/first": "2", WAITING: "1",
    }  # fmt: skip
    assert set(hours) == set(why)
    assert hours["shop/raw_fx"] == pytest.approx(47, abs=0.2)
    numbers = {
        question.panel: story.answer(question, chosen)[0]["value"][1]
        for question in questions()
        if question.dashboard == "freshd-overview" and question.panel in ("Late", "At risk", "Unknown")
    }
    assert numbers == {"Late": "6", "At risk": "1", "Unknown": "1"}
    (causes,) = [question for question in questions() if question.panel == "Open incidents and their causes"]
    told = {row["metric"]["cause"]: row["metric"]["reason"] for row in story.answer(causes, chosen)}
    assert told["shop/raw_fx"] == "no_update" and told["shop/broken"] == "run_failed"


def test_an_owner_of_whom_nothing_is_fresh_has_a_share_of_none(story: Story) -> None:
    share = next(question for question in questions() if question.panel == "Fresh by owner")
    rows = story.answer(share, everything(story, "freshd-overview"))
    assert {row["metric"].get("team", ""): float(row["value"][1]) for row in rows} == {
        "treasury@shop.example": 0.0,
        "ingestion@shop.example": 1.0,
        "sales@shop.example": 0.5,
        "": 0.0,
    }
