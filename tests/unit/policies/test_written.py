"""The language of policy files: what is taken, and what is refused at its line."""

from __future__ import annotations

from pathlib import Path

import pytest

from freshd.documents import parse_yaml
from freshd.model.errors import ConfigError
from freshd.model.time import HOUR, MINUTE
from freshd.policies import load_policies, policies_of

CALENDAR = "  expect:\n    lag: {stale: 1h}\n  calendar: "


def problems(body: str) -> list[str]:
    (document,) = parse_yaml(f"policies:\n- name: p\n  select: '*'\n{body}", "p.yaml")
    with pytest.raises(ConfigError) as caught:
        policies_of(document)
    return [str(problem) for problem in caught.value.problems]


def test_everything_the_language_has_so_far() -> None:
    text = """
policies:
  - name: orders within the hour
    select: "tag:tier1 shop/marts/** +orders,group:sales"
    exclude: ["shop/sandbox/**"]
    expect:
      lag: {warn: 45m, stale: 1h}
      age: {warn_after: {count: 45, period: minute}, error_after: {count: 1, period: day}, filter: "x > 1"}
      behind: {stale: 90}
      deadline: {cron: "0 9 * * 1-5", timezone: Europe/London, max_lag: 9h, grace: 10m, warn_before: 30m}
      never_updated: {stale: 2d}
      learned: high
      checks:
        - {name: row_count, min: 1, max: 1e6, level: warn}
        - {name: row_count, last: 7, min: 50%, max: 200%, blocking: true}
        - {name: status, equals: ok}
        - {name: not_null, passed: true}
    calendar:
      days: [mon-thu, fri]
      hours: "22:00-06:00"
      timezone: Europe/London
      holidays: GB-ENG
      closed: [2026-12-24, 2027-01-02..2027-01-05]
    slo: {target: 99.5%, window: 4w}
    sustain: 2m
    completeness: 95%
    react: {eager: {debounce: 30s, max_wait: 20m, min_interval: 5m, updates_on: [shop/a, shop/b]}}
    retry: {attempts: 3, delay: 1m, factor: 2, max_delay: 15m, jitter: 10%}
    on_upstream_failure: wait
    alert: {severity: critical, at: [stale, failed], channel: "#finance-data", mention: owners}
    priority: 3
  - {name: plain, select: x, react: manual}
  - {name: bounds, select: x, react: {eager: }}
"""
    (document,) = parse_yaml(text, "p.yaml")
    first, plain, bounds = policies_of(document)
    assert first.where("expect", "lag") == "p.yaml:7" and plain.where() == "p.yaml:32"
    assert first.model.expect.age is not None and first.model.expect.age.warn_limit == 45 * MINUTE
    assert first.model.expect.age.stale_limit == 24 * HOUR
    assert first.model.completeness == 0.95 and first.model.retry.jitter == 0.1
    assert bounds.model.react is not None


@pytest.mark.parametrize(
    ("number", "body", "said"),
    [
        (1, "  calendar: {days: mon-fri}", "p.yaml:4: calendar: says when time counts"),
        (2, "  slo: {target: 99.5%}", "p.yaml:4: slo: says how often the policy is to hold"),
        (3, "  expect:\n    learned: {k: 2}", "p.yaml:5: unknown key k; known are sensitivity"),
        (4, "  expect:\n    checks: [{name: rows, last: 7}]", "p.yaml:5: expect.checks.0: last says what min and max"),
        (
            5,
            "  expect:\n    lag:\n      stale: 1h\n      per: asset",
            "p.yaml:7: expect.lag.per: should be 'partition'",
        ),
        (6, "  react:\n    just_in_time: {margin: wide}", "p.yaml:5: react.just_in_time.margin: 'wide' is not a share"),
        (7, "  react:\n    just_in_time: {margins: 20%}", "p.yaml:5: unknown key margins; did you mean margin?"),
        (8, "  react:\n    eager:\n      window: {for: 2h}", "p.yaml:6: cron is missing in react.eager.window"),
        (9, "  expect:\n    lag: {warn: 2h, stale: 1h}", "p.yaml:5: expect.lag: warn (2h) comes after stale (1h)"),
        (10, "  expect:\n    lag: {}", "p.yaml:5: expect.lag: has no limit"),
        (
            11,
            "  expect:\n    lag: {stale: 1h, error_after: {count: 1, period: hour}}",
            "p.yaml:5: expect.lag: the same",
        ),
        (12, "  expect:\n    never_updated: {stale: 2d}", "p.yaml:4: expect: never_updated says from when"),
        (13, "  expect:\n    deadline: {max_lag: 1h}", "p.yaml:5: cron is missing in expect.deadline"),
        (14, "  expect:\n    lags: {stale: 1h}", "p.yaml:5: unknown key lags; did you mean lag?"),
        (15, "  expect:\n    lag: {stales: 1h}", "p.yaml:5: unknown key stales; did you mean stale?"),
        (16, "  react: eagre", "p.yaml:4: react: should be 'eager', 'manual' or 'just_in_time'"),
        (17, "  react:\n    eager: {debonce: 1s}", "p.yaml:5: unknown key debonce; did you mean debounce?"),
        (18, "  react: {eager: {}, manual: {}}", "p.yaml:4: react: names not exactly one reaction"),
        (19, "  retry: {attempts: 0}", "p.yaml:4: retry.attempts: should be greater than or equal to 1"),
        (20, "  retry: {jitter: much}", "p.yaml:4: retry.jitter: 'much' is not a share"),
        (21, "  alert: {severity: bad}", "p.yaml:4: alert.severity: should be 'info', 'warning' or 'critical'"),
        (22, "  alert: {at: [stael]}", "p.yaml:4: alert.at.0: should be 'stale', 'failed', 'warn' or 'sync_failed'"),
        (23, "  completeness: 3", "p.yaml:4: completeness: should be less than or equal to 1"),
        (24, "  sustain: soon", "p.yaml:4: sustain: 'soon' is not a duration"),
        (25, "  prio: 1", "p.yaml:4: unknown key prio; did you mean priority?"),
        (26, CALENDAR + "{days: mo-fr}", "p.yaml:6: calendar.days: 'mo-fr' names no weekdays; write them like mon-fri"),
        (27, CALENDAR + "{hours: 8-20}", "p.yaml:6: calendar.hours: '8-20' are no hours; write them like 08:00-20:00"),
        (28, CALENDAR + "{hours: '08:00-08:00'}", "p.yaml:6: calendar.hours: '08:00-08:00' opens and closes at once"),
        (29, CALENDAR + "{hours: '08:00-25:00'}", "p.yaml:6: calendar.hours: '08:00-25:00': there is no 25:00"),
        (
            30,
            CALENDAR + "{days: mon-fri, timezone: London}",
            "p.yaml:6: calendar.timezone: 'London' is no time zone of the IANA database; did you mean Europe/London?",
        ),
        (
            31,
            CALENDAR + "{holidays: UK}",
            "p.yaml:6: calendar.holidays: 'UK' is no country whose holidays are known; did",
        ),
        (
            32,
            CALENDAR + "{holidays: [DE, GB-LND]}",
            "p.yaml:6: calendar.holidays: 'GB-LND' is no part of a country whose holidays are known; parts of GB are",
        ),
        (33, CALENDAR + "{closed: 24.12.2026}", "p.yaml:6: calendar.closed: '24.12.2026' is no date; write one like"),
        (34, CALENDAR + "{closed: 2027-01-01..2026-12-24}", "p.yaml:6: calendar.closed: '2027-01-01..2026-12-24' ends"),
        (
            46,
            CALENDAR + "{days: mon-fri, timezone: Europe/Londn}",
            "p.yaml:6: calendar.timezone: 'Europe/Londn' is no time zone of the IANA database; did you mean Europe/Lo",
        ),
        (35, CALENDAR + "{timezone: UTC}", "p.yaml:6: calendar: is open all the time; say when it is"),
        (36, CALENDAR + "{day: mon}", "p.yaml:6: unknown key day; did you mean days?"),
        (37, "  expect:\n    checks: [{name: rows, min: 9, max: 1}]", "p.yaml:5: expect.checks.0: min (9) is greater"),
        (
            38,
            "  expect:\n    checks: [{name: rows, min: 9, equals: 1}]",
            "p.yaml:5: expect.checks.0: equals and a range",
        ),
        (39, "  expect:\n    checks: [{name: rows, min: few}]", "p.yaml:5: expect.checks.0.min: 'few' is not a number"),
        (40, "  expect:\n    checks: [{min: 1}]", "p.yaml:5: name is missing in expect.checks.0"),
        (41, "  expect:\n    checks: [{name: a, passed: false}]", "p.yaml:5: expect.checks.0.passed: should be true"),
        (42, "  expect:\n    learned: sharp", "p.yaml:5: expect.learned: should be 'high', 'medium' or 'low'"),
        (
            43,
            CALENDAR.replace("calendar", "slo") + "{target: 100%}",
            "p.yaml:6: slo.target: no share that can be missed; write one between 0% and 100%, like 99.5%",
        ),
        (
            44,
            CALENDAR.replace("calendar", "slo") + "{target: 99%, window: 1m}",
            "p.yaml:6: slo.window: should be greater",
        ),
    ],
)
def test_what_is_refused(number: int, body: str, said: str) -> None:
    found = problems(body)
    assert any(problem.startswith(said) for problem in found), found
    assert len(found) == 1, found


def test_problems_of_all_files_are_told_at_once(tmp_path: Path) -> None:
    (tmp_path / "policies").mkdir()
    (tmp_path / "policies" / "a.yaml").write_text("policies:\n- {name: a}\n")
    (tmp_path / "policies" / "b.yaml").write_text("polices: []\n")
    with pytest.raises(ConfigError) as caught:
        load_policies(["policies/*.yaml", "missing.yaml"], tmp_path)
    assert [str(problem) for problem in caught.value.problems] == [
        "policies/a.yaml:2: select is missing",
        "policies/b.yaml:1: unknown key polices; did you mean policies?",
        "missing.yaml: no such file; write it, or mend the path that names it",
    ]
    (tmp_path / "policies" / "a.yaml").write_text("policies:\n- {name: a, select: x}\n")
    (tmp_path / "policies" / "b.yaml").write_text("# nothing yet\n")
    assert [written.model.name for written in load_policies("policies/*.yaml", tmp_path)] == ["a"]
