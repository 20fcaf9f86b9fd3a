"""The table of all metrics in docs/metrics.md, made from what /metrics says.

Every kind of series is made to appear once, so that names, types and labels are those that a scrape shows.
"""

from __future__ import annotations

from prometheus_client.parser import text_string_to_metric_families

from freshd.adapters.prometheus import DaemonMetrics, of_process
from freshd.model.assessment import Assessment, IncidentView, PolicyView, RunView
from freshd.model.asset import Asset
from freshd.model.declarations import Declaration, DeclarationKind
from freshd.model.effects import LaunchRun, Notice
from freshd.model.inputs import Event, EventKind, NoticeReport, RunPhase, RunReport
from freshd.model.objective import Totals
from freshd.model.policy import Severity, Slo, Verdict
from freshd.model.records import EventTaken, NoticeReported, NoticeRequested, Record, RunReported, RunRequested
from freshd.model.time import Instant

_T: Instant = 1_795_374_901_945_093


def families() -> list[tuple[str, str, tuple[str, ...], str]]:
    """(name, type, labels, meaning) of every metric, in the order of a scrape."""
    found = []
    for family in text_string_to_metric_families(_scrape()):
        name = f"{family.name}_total" if family.type == "counter" else family.name
        labels = sorted({label for sample in family.samples for label in sample.labels if label != "le"})
        assert family.samples, f"{name}: the sample world shows none of it"
        found.append((name, family.type, tuple(labels), family.documentation))
    return found


def table() -> str:
    """As Markdown."""
    lines = ["| metric | type | labels | meaning |", "| --- | --- | --- | --- |"]
    for name, kind, labels, meaning in families():
        lines.append(f"| `{name}` | {kind} | {', '.join(labels)} | {meaning} |")
    return "\n".join(lines)


def _scrape() -> str:
    metrics = DaemonMetrics(
        "1", kafka_lag=lambda: {("syncs", 0): 1}, loop_last=lambda: _T, last_reload=lambda: (True, _T),
        up=lambda: {"store": True}, process=of_process,
    )  # fmt: skip
    metrics.requests = lambda: {("fivetran", 202): 1}
    metrics.observe(_T, _records())
    asset = Asset("shop/orders", owners=("sales@shop.example",), group="sales", feed="shop/loader")
    counted = Totals(_T, "active", 1, 0, 0, 0)
    policy = PolicyView("hourly", Verdict.FRESH, "lag", _T, _T, Severity.CRITICAL, "", _T, counted=counted)
    state = Assessment(
        asset=asset.key, partition="", at=_T, verdict=Verdict.FRESH, policies=(policy,), updated_at=_T, data_time=_T,
        pending_since=_T, age=0, lag=0, behind=0, runs=(RunView("r", True, _T, 1),), runs_started=1, failed=True,
        blocked=True, due=False, static=False, last_error="", next_launch=None, waiting_for=(), cause="",
        cause_reason="", path=(), own_lag=0, declared=(Declaration("m", DeclarationKind.MUTE, (), _T),),
    )  # fmt: skip
    incident = IncidentView("inc-1", asset.key, "no_update", Severity.CRITICAL, _T, True, ())
    return metrics.render([(asset, state)], [incident], {"hourly": Slo(0.99, _T)}).decode()


def _records() -> list[Record]:
    run = LaunchRun("r", "build", ("shop/orders",), _T, reason="new_data")
    notice = Notice("n", "inc-1", "#data", "shop/orders", "no_update", Severity.CRITICAL, _T, None, _T, (), 0)
    event = Event(EventKind.UPDATE, ("shop/orders",), _T, feed="shop/loader")
    return [
        EventTaken(_T, event),
        RunRequested(_T, run),
        RunReported(_T, RunReport("r", RunPhase.SUCCEEDED, _T)),
        NoticeRequested(_T, notice),
        NoticeReported(_T, NoticeReport("n", _T, True)),
    ]
