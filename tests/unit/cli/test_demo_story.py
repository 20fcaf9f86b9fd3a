"""The demo's checks can fail: each broken promise is told, and a story as promised breaks none."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from freshd.cli.demo import SHORTEST_S, times_within
from freshd.cli.demo.story import Alert, Evidence, broken_end, broken_promises, read_alert, recovered

UPSTREAMS = {
    "shop/raw_orders": [],
    "shop/raw_stores": [],
    "shop/cleaned_orders": ["shop/raw_orders"],
    "shop/by_region": ["shop/cleaned_orders", "shop/raw_stores"],
    "shop/by_product": ["shop/cleaned_orders"],
    "shop/sales_dashboard": ["shop/by_region", "shop/by_product"],
}
TURNS = [{"new": word} for word in ("fresh", "warn", "stale", "fresh")]


def second(number: float) -> str:
    return f"2026-11-22T08:00:{number:06.3f}Z"


def run(asset: str, at: float, takes: float = 0.2, outcome: str = "succeeded") -> dict[str, Any]:
    return {
        "run_id": f"{asset}@{at}",
        "assets": [asset],
        "requested_at": second(at),
        "ended_at": second(at + takes),
        "outcome": outcome,
    }


def as_promised() -> Evidence:
    runs = []
    for round in (3, 6, 9):
        runs += [run("shop/cleaned_orders", round), run("shop/by_region", round + 0.3)]
        runs += [run("shop/by_product", round + 0.3), run("shop/sales_dashboard", round + 0.6)]
    return Evidence(
        assets=[{"asset": key, "verdict": "fresh"} for key in UPSTREAMS],
        upstreams=UPSTREAMS,
        runs=runs,
        updates={"shop/raw_orders": 3, "shop/raw_stores": 1},
        verdicts={key: list(TURNS) for key in UPSTREAMS},
        alerts=[
            Alert("inc-1", "critical", "shop/raw_orders: no update arrives", new=True),
            Alert("inc-1", "critical", "shop/cleaned_orders: its run is still under way", new=False),
            Alert("inc-1", "resolved", "Resolved: shop/sales_dashboard after 9s", new=False),
        ],
    )


def test_a_story_as_promised_breaks_nothing() -> None:
    assert broken_promises(as_promised()) == []
    assert recovered(as_promised())


def drop_a_round(found: Evidence) -> None:
    found.runs = [one for one in found.runs if one["requested_at"] < second(9)]


def run_the_diamond_twice(found: Evidence) -> None:
    found.runs += [run("shop/sales_dashboard", round + 1.0) for round in (3, 6, 9)]


def run_too_early(found: Evidence) -> None:
    found.runs[-1] = run("shop/sales_dashboard", 9.4)


def overlap(found: Evidence) -> None:
    found.runs[0] = run("shop/cleaned_orders", 3, takes=4)


def fail_a_run(found: Evidence) -> None:
    found.runs[0]["outcome"] = "failed"


def take_in_nothing(found: Evidence) -> None:
    found.updates["shop/raw_orders"] = 2


def never_warn(found: Evidence) -> None:
    found.verdicts["shop/sales_dashboard"] = [{"new": "fresh"}, {"new": "stale"}, {"new": "fresh"}]


def never_stale(found: Evidence) -> None:
    found.verdicts["shop/raw_orders"] = [{"new": "fresh"}, {"new": "warn"}, {"new": "fresh"}]


def say_nothing(found: Evidence) -> None:
    found.alerts = []


def alert_twice(found: Evidence) -> None:
    found.alerts += [Alert("inc-2", "critical", "shop/raw_orders: no update arrives", new=True)]
    found.alerts += [Alert("inc-2", "resolved", "Resolved", new=False)]


def blame_another(found: Evidence) -> None:
    found.alerts[0] = Alert("inc-1", "critical", "shop/sales_dashboard: its run failed", new=True)


def never_resolve(found: Evidence) -> None:
    found.alerts.pop()


def leave_an_incident_open(found: Evidence) -> None:
    found.open_incidents = [{"cause": "shop/raw_orders", "reason": "no_update"}]


def end_stale(found: Evidence) -> None:
    found.assets[0] = {"asset": "shop/raw_orders", "verdict": "stale"}


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (drop_a_round, "ran only 2 times"),
        (run_the_diamond_twice, "shop/sales_dashboard ran 6 times for 4 syncs above it"),
        (run_too_early, "shop/sales_dashboard was launched while its upstream shop/by_product was still running"),
        (overlap, "two runs of shop/cleaned_orders overlapped"),
        (fail_a_run, "ended as failed"),
        (take_in_nothing, "only 2 syncs of shop/raw_orders"),
        (never_warn, "shop/sales_dashboard should turn fresh, warn, stale, fresh"),
        (never_stale, "shop/raw_orders should turn fresh, warn, stale, fresh"),
        (say_nothing, "there were 0"),
        (alert_twice, "there were 2"),
        (blame_another, "should name shop/raw_orders as the cause"),
        (never_resolve, "not followed by its recovery"),
        (leave_an_incident_open, "an incident is still open"),
        (end_stale, "not fresh at the end: shop/raw_orders"),
    ],
)
def test_each_promise_can_be_broken(spoil: Callable[[Evidence], None], told: str) -> None:
    found = as_promised()
    spoil(found)
    assert any(told in text for text in broken_promises(found)), broken_promises(found)


@pytest.mark.parametrize("spoil", [never_resolve, leave_an_incident_open, end_stale])
def test_the_demo_waits_until_all_is_well_and_told(spoil: Callable[[Evidence], None]) -> None:
    found = as_promised()
    spoil(found)
    assert not recovered(found)


def test_a_daemon_that_ends_badly_breaks_its_promise() -> None:
    assert broken_end(0) == []
    assert broken_end(1) and broken_end(None) and broken_end(-9)


@pytest.mark.parametrize(
    ("line", "alert"),
    [
        (
            "ALERT [critical] shop/raw_orders: no update arrives  (incident inc-1, 2026-11-22T18:44:02Z)",
            Alert("inc-1", "critical", "shop/raw_orders: no update arrives", new=True),
        ),
        (
            "ALERT [critical] (changed) a: its run failed  (incident inc-1, 2026-11-22T18:44:02Z)",
            Alert("inc-1", "critical", "a: its run failed", new=False),
        ),
        (
            "ALERT [resolved] Resolved: a after 9s  (incident inc-1, 2026-11-22T18:44:02Z)",
            Alert("inc-1", "resolved", "Resolved: a after 9s", new=False),
        ),
        ("  - shop/raw_orders is stale (p)", None),
    ],
)
def test_alerts_are_read_from_what_the_daemon_prints(line: str, alert: Alert | None) -> None:
    assert read_alert(line) == alert


@pytest.mark.parametrize("seconds", [SHORTEST_S - 6, 40.0, 60.0, 300.0])
def test_the_story_fits_into_its_time(seconds: float) -> None:
    times = times_within(seconds)
    assert times.silent_from >= 9 + 2  # the syncs at 0, 3, 6 and 9 s come through
    assert times.silent_for >= 12 + 3  # the policy's stale limit, and time to see it
    assert times.silent_from + times.silent_for + 3 < times.end
