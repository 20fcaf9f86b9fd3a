"""What /metrics says, read back with prometheus-client's own parser."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from freshd.adapters.prometheus import DaemonMetrics
from freshd.model.assessment import Assessment, IncidentView, PolicyView, RunView
from freshd.model.asset import Asset
from freshd.model.declarations import Declaration, DeclarationKind
from freshd.model.effects import LaunchRun, Notice
from freshd.model.graph import build_graph
from freshd.model.inputs import DeadLetter, Event, EventKind, NoticeReport, RunPhase, RunReport, Unmatched
from freshd.model.objective import Totals
from freshd.model.policy import Severity, Slo, Verdict
from freshd.model.records import (
    DaemonCaughtUp,
    DaemonStarted,
    DeadLettered,
    EventRepeated,
    EventTaken,
    NoticeReported,
    NoticeRequested,
    RunReported,
    RunRequested,
    UnmatchedSeen,
)
from freshd.model.time import FOREVER, HOUR, SECOND, parse_instant

T0 = parse_instant("2026-11-22T08:00:00Z")
UNIX = T0 / SECOND


MUTED = Declaration("m", DeclarationKind.MUTE, (), T0)


def assessment(key: str, **changes: Any) -> Assessment:
    plain = Assessment(
        asset=key, partition="", at=T0, verdict=None, policies=(), updated_at=None, data_time=None, pending_since=None,
        age=None, lag=None, behind=None, runs=(), runs_started=0, failed=False, blocked=False, due=False, static=False,
        last_error="", next_launch=None, waiting_for=(), cause="", cause_reason="", path=(), own_lag=None,
    )  # fmt: skip
    return replace(plain, **changes)


def view(policy: str = "hourly", verdict: Verdict = Verdict.FRESH, **changes: Any) -> PolicyView:
    plain = PolicyView(policy, verdict, "lag", T0 + 45 * 60 * SECOND, T0 + HOUR, Severity.CRITICAL, "", T0)
    return replace(plain, **changes)


def series(body: bytes) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    """Every sample by name and labels; two of the same would be an error."""
    found: dict[tuple[str, tuple[tuple[str, str], ...]], float] = {}
    for family in text_string_to_metric_families(body.decode()):
        for sample in family.samples:
            key = (sample.name, tuple(sorted(sample.labels.items())))
            assert key not in found, f"{key} stands twice"
            found[key] = sample.value
    return found


def value(body: bytes, metric: str, **labels: str) -> float | None:
    return series(body).get((metric, tuple(sorted(labels.items()))))


ORDERS = Asset("shop/orders", owners=("sales@shop.example", "x"), group="sales", kind="model")
RAW = Asset("shop/raw", group="ingestion", feed="fivetran/shop", kind="source")


def test_an_asset_shows_instants_not_ages_and_leaves_out_what_has_no_value() -> None:
    state = assessment("shop/orders", updated_at=T0, data_time=T0 - HOUR, verdict=Verdict.WARN,
                       policies=(view(verdict=Verdict.WARN, warn_at=T0, stale_at=FOREVER),))  # fmt: skip
    body = DaemonMetrics("1").render([(ORDERS, state)], [])
    who = {"asset": "shop/orders", "asset_group": "sales"}
    policy = {"policy": "hourly", "team": "sales@shop.example", "severity": "critical"}
    assert value(body, "freshd_asset_updated_timestamp_seconds", **who) == UNIX
    assert value(body, "freshd_asset_data_timestamp_seconds", **who) == UNIX - 3600
    assert value(body, "freshd_asset_pending_timestamp_seconds", **who) is None
    assert value(body, "freshd_asset_warn_at_timestamp_seconds", **who, **policy) == UNIX
    assert value(body, "freshd_asset_stale_at_timestamp_seconds", **who, **policy) is None
    assert value(body, "freshd_asset_verdict", **who, **policy) == 2
    info = {"team": "sales@shop.example", "kind": "model", "feed": ""}
    assert value(body, "freshd_asset_info", **who, **info) == 1
    for flag in ("failed", "blocked", "muted", "in_flight"):
        assert value(body, f"freshd_asset_{flag}", **who) is None
    flagged = replace(state, failed=True, blocked=True, declared=(MUTED,), runs=(RunView("r", True, T0, 1),))
    body = DaemonMetrics("1").render([(ORDERS, flagged)], [])
    for flag in ("failed", "blocked", "muted", "in_flight"):
        assert value(body, f"freshd_asset_{flag}", **who) == 1


def test_instants_are_exact_to_the_microsecond() -> None:
    state = assessment("shop/orders", updated_at=T0 + 123_457)
    body = DaemonMetrics("1").render([(ORDERS, state)], [])
    assert f"{UNIX + 0.123457:.6f}".encode() in body


def test_assets_are_counted_by_policy_and_verdict() -> None:
    states = [(Asset(f"a{n}", group="g"), assessment(f"a{n}", policies=(view(verdict=verdict),)))
              for n, verdict in enumerate([Verdict.FRESH, Verdict.STALE, Verdict.STALE])]  # fmt: skip
    body = DaemonMetrics("1").render(states, [])
    counted = {v: value(body, "freshd_assets", asset_group="g", policy="hourly", verdict=v) for v in Verdict}
    assert counted == {"fresh": 1, "unknown": 0, "warn": 0, "stale": 2}


def test_objectives_are_counted_by_policy_and_group() -> None:
    def state(number: int, **counted: int) -> tuple[Asset, Assessment]:
        totals = Totals(T0, "active", counted.get("active", 0), counted.get("stale", 0), counted.get("ticks", 0), 0)
        return Asset(f"a{number}", group="g"), assessment(f"a{number}", policies=(view(counted=totals),))

    body = DaemonMetrics("1").render([state(1, active=5 * SECOND, stale=SECOND), state(2, active=2 * SECOND)], [])
    labels = {"asset_group": "g", "policy": "hourly"}
    assert value(body, "freshd_policy_active_seconds_total", **labels) == 7
    assert value(body, "freshd_policy_stale_seconds_total", **labels) == 1
    assert b"# TYPE freshd_policy_stale_seconds_total counter" in body
    assert b"freshd_policy" not in DaemonMetrics("1").render([state(1, ticks=3)], [])  # it counts ticks, no time


def test_an_open_incident_shows_its_cause_and_whose_it_is() -> None:
    raw = replace(RAW, owners=("ingestion@shop.example",))
    incident = IncidentView("inc-1", "shop/raw", "no_update", Severity.CRITICAL, T0, True, ())
    body = DaemonMetrics("1").render([(raw, assessment("shop/raw"))], [incident])
    labels = {"cause": "shop/raw", "reason": "no_update", "severity": "critical", "team": "ingestion@shop.example"}
    assert value(body, "freshd_incident_open", incident="inc-1", **labels) == 1
    assert value(body, "freshd_incident_opened_timestamp_seconds", incident="inc-1") == UNIX


def test_an_incident_of_a_feed_is_of_the_team_of_its_first_source() -> None:
    sources = [Asset(f"shop/{n}", feed="fivetran/shop", owners=(f"team{n}",)) for n in (3, 1, 2)]
    other = Asset("shop/0", feed="elsewhere", owners=("nobody",))
    incidents = [
        IncidentView(cause, cause, "no_update", None, T0, True, ()) for cause in ("feed:fivetran/shop", "kafka/topic")
    ]
    body = DaemonMetrics("1").render([(asset, assessment(asset.key)) for asset in (*sources, other)], incidents)
    teams = {labels["cause"]: labels["team"] for name, found in series(body) if name == "freshd_incident_open"
             for labels in [dict(found)]}  # fmt: skip
    assert teams == {"feed:fivetran/shop": "team1", "kafka/topic": ""}


def test_a_feed_shows_its_latest_event_also_after_a_restart() -> None:
    metrics = DaemonMetrics("1")
    state = assessment("shop/raw", updated_at=T0)
    assert (
        value(metrics.render([(RAW, state)], []), "freshd_feed_last_event_timestamp_seconds", feed="fivetran/shop")
        == UNIX
    )
    beat = Event(EventKind.HEARTBEAT, (), T0 + HOUR, feed="fivetran/shop", format="fivetran")
    metrics.observe(T0 + HOUR, [EventTaken(T0 + HOUR, beat)])
    body = metrics.render([(RAW, state)], [])
    assert value(body, "freshd_feed_last_event_timestamp_seconds", feed="fivetran/shop") == UNIX + 3600


def test_events_are_counted_by_what_became_of_them() -> None:
    metrics = DaemonMetrics("1")
    event = Event(EventKind.UPDATE, ("shop/raw",), T0, feed="fivetran/shop", format="fivetran")
    metrics.observe(
        T0,
        [
            EventTaken(T0, event),
            EventTaken(T0, event),
            EventRepeated(T0, event),
            UnmatchedSeen(T0, Unmatched("fivetran", "x", {}, T0)),
            DeadLettered(T0, DeadLetter("t/0/1", "not_json", "no", b"", "freshd")),
        ],
    )
    body = metrics.render([], [])
    feed = {"format": "fivetran", "feed": "fivetran/shop"}
    assert value(body, "freshd_events_total", **feed, outcome="taken") == 2
    assert value(body, "freshd_events_total", **feed, outcome="repeated") == 1
    assert value(body, "freshd_events_total", format="fivetran", feed="", outcome="unmatched") == 1
    assert value(body, "freshd_events_total", format="freshd", feed="", outcome="dead_letter") == 1


def test_the_number_of_feeds_counted_apart_is_bounded() -> None:
    metrics = DaemonMetrics("1")
    many = [EventTaken(T0, Event(EventKind.HEARTBEAT, (), T0, feed=f"f/{n}")) for n in range(2_100)]
    metrics.observe(T0, many)
    found = [key for key in series(metrics.render([], [])) if key[0] == "freshd_events_total"]
    assert len(found) == 2_000
    assert value(metrics.render([], []), "freshd_events_total", format="freshd", feed="other", outcome="taken") == 101


def run(run_id: str, *assets: str, reason: str = "new_data") -> LaunchRun:
    return LaunchRun(run_id, "dbt", assets, T0, reason=reason)


@pytest.mark.parametrize(
    ("reports", "outcome"),
    [
        ([("a", RunPhase.SUCCEEDED), ("b", RunPhase.SUCCEEDED)], "succeeded"),
        ([("a", RunPhase.SUCCEEDED), ("", RunPhase.FAILED)], "failed"),
        ([("a", RunPhase.FAILED), ("b", RunPhase.SKIPPED)], "failed"),
        ([("a", RunPhase.SUCCEEDED), ("", RunPhase.FINISHED)], "succeeded"),
        ([("", RunPhase.LOST)], "lost"),
        ([("", RunPhase.STARTED), ("", RunPhase.FINISHED)], "skipped"),
    ],
)
def test_a_run_counts_once_by_its_worst_outcome(reports, outcome: str) -> None:
    metrics = DaemonMetrics("1")
    metrics.observe(T0, [RunRequested(T0, run("r1", "a", "b"))])
    assert value(metrics.render([], []), "freshd_runs_in_flight", launcher="dbt") == 1
    told = [RunReported(T0, RunReport("r1", phase, T0, asset)) for asset, phase in reports]
    metrics.observe(T0, [*told, RunReported(T0, RunReport("r1", RunPhase.FINISHED, T0))])
    body = metrics.render([], [])
    assert value(body, "freshd_runs_in_flight", launcher="dbt") == 0
    totals = {key: count for key, count in series(body).items() if key[0] == "freshd_runs_total"}
    assert list(totals.values()) == [1]
    assert value(body, "freshd_runs_total", launcher="dbt", outcome=outcome, reason="new_data") == 1


def test_runs_of_an_earlier_life_and_runs_only_observed_are_told_apart() -> None:
    metrics = DaemonMetrics("1")
    metrics.resume([run("r0", "a")])
    metrics.observe(T0, [RunRequested(T0, run("r1", "a"), observed=True)])
    body = metrics.render([], [])
    assert value(body, "freshd_runs_in_flight", launcher="dbt") == 1
    assert value(body, "freshd_runs_total", launcher="dbt", outcome="observed", reason="new_data") == 1


def test_the_delay_runs_from_the_first_event_not_built_yet_to_the_request() -> None:
    graph = build_graph([Asset("raw"), Asset("view", ("raw",), virtual=True), Asset("mart", ("view",))])
    metrics = DaemonMetrics("1", graph=lambda: graph)
    event = Event(EventKind.UPDATE, ("raw",), T0)
    metrics.observe(T0, [EventTaken(T0, event)])
    metrics.observe(T0 + 2 * SECOND, [EventTaken(T0 + 2 * SECOND, event)])
    metrics.observe(T0 + 3 * SECOND, [RunRequested(T0 + 3 * SECOND, run("r1", "mart"))])
    metrics.observe(T0 + 9 * SECOND, [RunRequested(T0 + 9 * SECOND, run("r2", "mart"))])
    body = metrics.render([], [])
    assert value(body, "freshd_event_to_launch_seconds_count") == 1
    assert value(body, "freshd_event_to_launch_seconds_sum") == 3
    assert value(body, "freshd_event_to_launch_seconds_bucket", le="2.5") == 0
    assert value(body, "freshd_event_to_launch_seconds_bucket", le="5.0") == 1


def test_notices_catching_up_lag_and_the_loops_last_turn_are_shown() -> None:
    metrics = DaemonMetrics(
        "7.1", kafka_lag=lambda: {("orders", 3): 17}, loop_last=lambda: T0, last_reload=lambda: (False, T0)
    )
    notice = Notice("n1", "inc-1", "#x", "a", "no_update", Severity.INFO, T0, None, T0, (), 0)
    metrics.observe(T0, [DaemonStarted(T0, True), NoticeRequested(T0, notice)])
    assert value(metrics.render([], []), "freshd_catching_up") == 1
    metrics.observe(T0, [DaemonCaughtUp(T0), NoticeReported(T0, NoticeReport("n1", T0, delivered=False))])
    body = metrics.render([], [])
    assert value(body, "freshd_catching_up") == 0
    assert value(body, "freshd_notifications_total", channel="#x", outcome="failed") == 1
    assert value(body, "freshd_kafka_consumer_lag", topic="orders", partition="3") == 17
    assert value(body, "freshd_loop_last_timestamp_seconds") == UNIX
    assert value(body, "freshd_config_last_reload_successful") == 0
    assert value(body, "freshd_config_last_reload_success_timestamp_seconds") == UNIX
    assert b"freshd_build_info{python=" in body and b'version="7.1"' in body


def test_label_blocks_follow_an_asset_that_is_redefined() -> None:
    metrics = DaemonMetrics("1")
    metrics.render([(RAW, assessment("shop/raw", updated_at=T0))], [])
    moved = replace(RAW, group="elsewhere")
    body = metrics.render([(moved, assessment("shop/raw", updated_at=T0))], [])
    assert value(body, "freshd_asset_updated_timestamp_seconds", asset="shop/raw", asset_group="elsewhere") == UNIX
    assert b"ingestion" not in body


TEXTS = st.text(max_size=12) | st.sampled_from(['a"b', "a\\b", "a\nb", '\\"', "\\n", "{}", "\ud800", "ü\u2028x"])


@settings(max_examples=150, deadline=None)
@given(TEXTS, TEXTS, TEXTS, TEXTS, TEXTS)
def test_no_name_breaks_the_format(key: str, group: str, owner: str, policy: str, feed: str) -> None:
    asset = Asset(key, group=group, owners=(owner,), feed=feed, kind=policy)
    metrics = DaemonMetrics("1")
    metrics.observe(T0, [EventTaken(T0, Event(EventKind.UPDATE, (key,), T0, feed=feed, format="f"))])
    state = assessment(key, updated_at=T0, policies=(view(policy=policy),))
    incident = IncidentView(key, group, policy, None, T0, False, ())
    body = metrics.render([(asset, state)], [incident])

    def clean(text: str) -> str:
        return text.encode("utf-8", "replace").decode()

    lines = [line for line in body.decode().split("\n") if line.startswith("freshd_asset_updated")]
    assert len(lines) == 1
    found = series(body)
    assert ("freshd_asset_updated_timestamp_seconds", (("asset", clean(key)), ("asset_group", clean(group)))) in found
    labels = (
        ("cause", clean(group)),
        ("incident", clean(key)),
        ("reason", clean(policy)),
        ("severity", ""),
        ("team", clean(owner) if group == key else ""),
    )
    assert ("freshd_incident_open", labels) in found


def full_body() -> bytes:
    """A scrape in which every family has a sample."""
    metrics = DaemonMetrics(
        "1.0", kafka_lag=lambda: {("orders", 0): 1}, loop_last=lambda: T0, last_reload=lambda: (True, T0),
        up=lambda: {"store": True},
    )  # fmt: skip
    metrics.requests = lambda: {("fivetran", 401): 2}
    notice = Notice("n1", "inc-1", "#x", "a", "no_update", Severity.INFO, T0, None, T0, (), 0)
    event = Event(EventKind.UPDATE, ("shop/raw",), T0, feed="fivetran/shop")
    metrics.observe(
        T0,
        [
            EventTaken(T0, event), RunRequested(T0, run("r1", "shop/orders")), RunRequested(T0, run("r2", "x")),
            RunReported(T0, RunReport("r2", RunPhase.SUCCEEDED, T0)),
            NoticeRequested(T0, notice), NoticeReported(T0, NoticeReport("n1", T0, delivered=True)),
        ],
    )  # fmt: skip
    state = assessment("shop/orders", updated_at=T0, data_time=T0, pending_since=T0, failed=True, blocked=True,
                       policies=(view(counted=Totals(T0, "active", 1, 0, 0, 0)),),
                       runs=(RunView("r", True, T0, 1),), declared=(MUTED,))  # fmt: skip
    incident = IncidentView("inc-1", "shop/raw", "no_update", Severity.CRITICAL, T0, True, ())
    told = [(ORDERS, state), (RAW, assessment("shop/raw", updated_at=T0))]
    return metrics.render(told, [incident], {"hourly": Slo(0.99, HOUR)})


def test_promtool_finds_nothing_to_complain_about() -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        _missing("promtool is not installed (Debian: prometheus)")
    done = subprocess.run([promtool, "check", "metrics"], input=full_body(), capture_output=True, check=False)
    assert (done.returncode, done.stdout + done.stderr) == (0, b"")


def test_every_name_and_label_is_the_documented_one() -> None:
    """The names of the interface; a change here is a change for everybody's dashboards."""
    shapes: dict[str, set[str]] = {}
    for name, labels in series(full_body()):
        shapes.setdefault(name, set()).update(label for label, _ in labels)
    asset, policy = {"asset", "asset_group"}, {"asset", "asset_group", "policy", "team", "severity"}
    assert shapes == {
        "freshd_asset_data_timestamp_seconds": asset,
        "freshd_asset_updated_timestamp_seconds": asset,
        "freshd_asset_pending_timestamp_seconds": asset,
        "freshd_asset_warn_at_timestamp_seconds": policy,
        "freshd_asset_stale_at_timestamp_seconds": policy,
        "freshd_asset_verdict": policy,
        "freshd_asset_failed": asset,
        "freshd_asset_blocked": asset,
        "freshd_asset_muted": asset,
        "freshd_asset_in_flight": asset,
        "freshd_policy_active_seconds_total": {"policy", "asset_group"},
        "freshd_policy_stale_seconds_total": {"policy", "asset_group"},
        "freshd_policy_objective_ratio": {"policy"},
        "freshd_policy_objective_window_seconds": {"policy"},
        "freshd_asset_info": asset | {"team", "kind", "feed"},
        "freshd_feed_last_event_timestamp_seconds": {"feed"},
        "freshd_assets": {"asset_group", "policy", "verdict"},
        "freshd_incident_open": {"incident", "cause", "reason", "severity", "team"},
        "freshd_incident_opened_timestamp_seconds": {"incident"},
        "freshd_events_total": {"format", "feed", "outcome"},
        "freshd_event_to_launch_seconds_bucket": {"le"},
        "freshd_event_to_launch_seconds_count": set(),
        "freshd_event_to_launch_seconds_sum": set(),
        "freshd_runs_total": {"launcher", "outcome", "reason"},
        "freshd_runs_in_flight": {"launcher"},
        "freshd_kafka_consumer_lag": {"topic", "partition"},
        "freshd_ingress_requests_total": {"ingress", "status"},
        "freshd_catching_up": set(),
        "freshd_leader": set(),
        "freshd_up": {"dependency"},
        "freshd_notifications_total": {"channel", "outcome"},
        "freshd_loop_last_timestamp_seconds": set(),
        "freshd_config_last_reload_successful": set(),
        "freshd_config_last_reload_success_timestamp_seconds": set(),
        "freshd_build_info": {"version", "python"},
    }


def _missing(what: str) -> None:
    if os.environ.get("CI") == "true":
        pytest.fail(what)
    pytest.skip(what)
