"""What policies come to on a graph: who is selected, one reaction per asset, and every contradiction told."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from freshd.documents import parse_yaml
from freshd.model.asset import Asset, PartitionScheme
from freshd.model.errors import ConfigError, Problem
from freshd.model.graph import build_graph
from freshd.model.policy import (
    Charter,
    CheckRule,
    LauncherTraits,
    Measure,
    Reaction,
    ReactionKind,
    Severity,
    Slo,
    Verdict,
)
from freshd.model.time import DAY, HOUR, MINUTE, SECOND, parse_instant
from freshd.policies import build_charter, policies_of

GRAPH = build_graph(
    [
        Asset("raw", owners=("in@x",), origin="assets.yaml:2"),
        Asset("fx", static=True),
        Asset("left", ("raw", "fx"), owners=("a@x", "b@x"), launcher="build", origin="assets.yaml:4"),
        Asset("right", ("raw",), owners=("a@x",), origin="assets.yaml:5"),
    ]
)


@dataclass
class Draft:
    value: dict[str, Any]
    origin: str


def charter(text: str, **more: Any) -> Charter:
    (document,) = parse_yaml("policies:\n" + text, "p.yaml")
    return build_charter(GRAPH, policies_of(document), **more)


def problems(text: str, **more: Any) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        charter(text, **more)
    return [str(problem) for problem in caught.value.problems]


def test_a_policy_becomes_what_the_engine_is_told() -> None:
    made = charter("""
- name: p
  select: left right
  expect:
    lag: {warn: 45m, stale: 1h}
    age: {stale: 2h}
    deadline: {cron: "0 9 * * *", timezone: Europe/London, max_lag: 9h, grace: 10m, warn_before: 30m}
    never_updated: {stale: 2d}
  sustain: 2m
  alert: {severity: critical, at: [stale, warn], mention: [owners, "@data"]}
  react: {eager: {debounce: 30s, updates_on: all}}
  retry: {attempts: 2, jitter: 0%}
  on_upstream_failure: go_on
""")
    policy = made.policies["p"]
    assert made.selected == {"p": ("left", "right")}
    assert [(limit.measure, limit.warn, limit.stale) for limit in policy.limits] == [
        (Measure.LAG, 45 * MINUTE, HOUR),
        (Measure.AGE, None, 2 * HOUR),
    ]
    (deadline,) = policy.deadlines
    assert deadline.ticks.after(parse_instant("2026-06-01T00:00:00Z")) == parse_instant("2026-06-01T08:00:00Z")
    assert (deadline.max_lag, deadline.grace, deadline.warn_before) == (9 * HOUR, 10 * MINUTE, 30 * MINUTE)
    assert (policy.never_updated, policy.sustain, policy.origin) == (2 * DAY, 2 * MINUTE, "p.yaml:3")
    assert policy.alert is not None and policy.alert.severity is Severity.CRITICAL
    assert policy.alert.mention == ("owners", "@data")
    reaction = made.reactions["left"]
    assert reaction is made.reactions["right"] and reaction.kind is ReactionKind.EAGER
    assert (reaction.debounce, reaction.max_wait, reaction.updates_on) == (30 * SECOND, HOUR, "all")
    assert reaction.go_on and reaction.retry.attempts == 2 and reaction.retry.jitter == 0


def test_the_highest_priority_reacts_and_brings_its_retries() -> None:
    made = charter("""
- {name: low, select: "*", react: eager, retry: {attempts: 9}}
- {name: high, select: left, react: manual, priority: 5}
- {name: none, select: left, priority: 7}
- {name: draftlike, select: right, react: {eager: {debounce: 1s}}, priority: -1}
""")
    assert made.reactions["left"] == Reaction(policy="high")
    assert made.reactions["right"].retry.attempts == 9 and made.reactions["right"].policy == "low"


def test_a_tie_is_a_problem_only_between_different_reactions_that_would_count() -> None:
    same = "- {name: a, select: '*', react: eager}\n- {name: b, select: left, react: {eager: {debounce: 0s}}}"
    assert charter(same).reactions["left"].policy == "a"
    differ = "- {name: a, select: '*', react: eager}\n- {name: b, select: left right, react: manual}"
    assert problems(differ) == [
        "p.yaml:3: policies 'a' (p.yaml:2) and 'b' give left, right different reactions with the same priority (0); "
        "give one of them a higher priority"
    ]
    settled = differ + "\n- {name: c, select: '*', react: manual, priority: 1}"
    assert charter(settled).reactions["left"].policy == "c"


def test_every_problem_with_this_graph_is_told_at_once() -> None:
    found = problems(
        """
- {name: a, select: "nowhere"}
- {name: a, select: "*"}
- {name: c, select: "tga:x"}
- {name: d, select: "*", exclude: "@x+"}
- {name: e, select: "*", expect: {deadline: {cron: "0 25 * * *", max_lag: 1h}}}
- {name: f, select: "*", expect: {deadline: {cron: "0 9 * * *", timezone: Mars, max_lag: 1h}}}
- {name: g, select: left, react: {eager: {updates_on: [raw, fx]}}, priority: 3}
- {name: h, select: "*", exclude: "*"}
""",
        launchers={"biuld": LauncherTraits("biuld")},
    )
    starts = [
        "p.yaml:3: policy 'a' selects nothing: nowhere; known are fx, left, raw, right",
        "p.yaml:4: the policy 'a' is given twice, first at p.yaml:3",
        "p.yaml:5: policy 'c': unknown selector method tga",
        "p.yaml:6: policy 'd': '@x+' joins @ and +",
        "p.yaml:7: deadline.cron: '0 25 * * *' is not a cron expression",
        "p.yaml:8: deadline.timezone: 'Mars' is no time zone",
        "p.yaml:10: policy 'h' selects nothing: *; all of it is excluded",
        "assets.yaml:4: left name the launcher build, which is not among `launchers`; did you mean biuld?",
        "p.yaml:9: fx is no direct upstream of left that is not static; known are raw",
    ]
    assert len(found) == len(starts)
    for problem, start in zip(found, starts, strict=True):
        assert problem.startswith(start), problem


def test_several_deadlines_each_at_its_line() -> None:
    head = "- name: p\n  select: raw\n  expect:\n    deadline:\n    - {cron: '0 9 * * *', max_lag: 9h}\n"
    assert len(charter(head + "    - {cron: '0 17 * * *', max_lag: 9h}").policies["p"].deadlines) == 2
    assert problems(head + "    - {cron: '0 99 * * *', max_lag: 9h}")[0].startswith("p.yaml:7: deadline.cron")


def test_what_has_no_effect_can_be_a_note() -> None:
    notes: list[Problem] = []
    text = "- {name: a, select: nowhere}\n- {name: b, select: raw, retry: {attempts: 2}}"
    made = charter(text, notes=notes, partial=True)
    assert made.selected == {"a": (), "b": ("raw",)} and [note.where for note in notes] == ["p.yaml:2", "p.yaml:3"]


def test_policies_of_policies() -> None:
    made = charter("- {name: b, select: 'policy:\"a a\"', exclude: left}\n- {name: a a, select: left right}")
    assert made.selected["b"] == ("right",)


def test_drafts_of_a_catalogue_come_first_and_keep_their_origin() -> None:
    draft = {
        "name": "dbt",
        "select": "key:raw",
        "priority": -1,
        "expect": {"lag": {"warn_after": {"count": 1, "period": "day"}}},
    }
    made = charter("- {name: a, select: raw}", drafts=[Draft(draft, "manifest.json:raw")])
    assert list(made.policies) == ["dbt", "a"] and made.policies["dbt"].origin == "manifest.json:raw"
    found = problems("- {name: a, select: raw}", drafts=[Draft({**draft, "sustan": 1}, "manifest.json:raw")])
    assert found == ["manifest.json:raw: unknown key sustan; did you mean sustain?"]


NINE = "deadline: {cron: '0 9 * * *', max_lag: 1h}"

MISTAKES = [
    (1, "expect:\n    laag: {stale: 1h}", 5, "unknown key laag; did you mean lag?"),
    (2, "expect:\n    deadline: {cron: '0 9 31 2 *', max_lag: 1h}", 5, "deadline.cron: '0 9 31 2 *' is not a cron"),
    (3, "expect:\n    deadline: {cron: 9am, max_lag: 1h}", 5, "deadline.cron: '9am' is not a cron expression: it has"),
    (4, "expect:\n    deadline: {cron: '0 9 * * *', timezone: Lodon, max_lag: 1h}", 5, "deadline.timezone: 'Lodon' is"),
    (
        5,
        "expect:\n    deadline: {cron: '0 9 * * *'}",
        5,
        "deadline.max_lag is missing: only assets partitioned by time",
    ),
    (
        6,
        f"expect:\n    {NINE}\n  calendar: {{hours: '10:00-18:00'}}",
        5,
        "deadline.cron: no tick falls into the calend",
    ),
    (7, f"expect:\n    {NINE}\n  calendar: {{days: mon-fry}}", 6, "calendar.days: 'mon-fry' names no weekdays; write"),
    (8, "expect: {lag: {stale: 1h}}\n  exclude: 'left right raw fx'", 3, "policy 'p' selects nothing: *; all of it is"),
    (
        9,
        "react: eager\n- {name: q, select: '*', react: manual}",
        5,
        "policies 'p' (p.yaml:4) and 'q' give fx, left, raw",
    ),
    (
        10,
        "expect: {lag: {warn: 2h, stale: 1h}}",
        4,
        "expect.lag: warn (2h) comes after stale (1h); make it the smaller",
    ),
]


@pytest.mark.parametrize(("number", "body", "line", "said"), MISTAKES)
def test_a_mistake_is_told_with_its_line_and_what_to_write_instead(
    number: int, body: str, line: int, said: str
) -> None:
    found = problems(f"- name: p\n  select: '*'\n  {body}")
    assert [problem.partition(": ")[0] for problem in found] == [f"p.yaml:{line}"]
    assert found[0].partition(": ")[2].startswith(said), found


def test_a_policy_that_selects_nothing_names_what_is_like_it() -> None:
    assert problems("- {name: a, select: lefd}") == ["p.yaml:2: policy 'a' selects nothing: lefd; did you mean left?"]
    assert problems("- {name: a, select: 'owner:aa@x'}")[0].endswith("owner:aa@x; did you mean a@x?")
    assert problems("- {name: a, select: 'path:x'}")[0].endswith(
        "path:x; write a selector that fits an asset, or remove the policy"
    )
    assert problems("- {name: a, select: 'l* r*,left'}\n- {name: b, select: 'x* y*'}") == [
        "p.yaml:3: policy 'b' selects nothing: x* y*; write a selector that fits an asset, or remove the policy"
    ]


def test_what_is_expected_is_built_of_words() -> None:
    made = charter("""
- name: p
  select: left
  expect:
    lag: {stale: 2h}
    checks: [{name: rows, min: 50%, last: 7, level: warn, blocking: true}]
    learned: low
  calendar: {days: mon-fri, hours: "09:00-17:00", timezone: Europe/London}
  slo: {target: 99.5%, window: 28d}
""").policies["p"]
    calendar = made.calendar
    assert calendar is not None
    assert calendar.reach(parse_instant("2026-06-05T15:00:00Z"), 2 * HOUR) == parse_instant("2026-06-08T09:00:00Z")
    assert made.checks == (CheckRule("rows", min=0.5, last=7, level=Verdict.WARN, blocking=True),)
    assert made.learned is not None and made.learned.tenths == 20
    assert made.learned.weekhours.of(parse_instant("2026-06-07T23:30:00Z")) == 0  # Monday, half past midnight there
    assert made.slo == Slo(0.995, 28 * DAY)


SLICED = build_graph(
    [
        Asset("daily", partitions=PartitionScheme("day")),
        Asset("regions", partitions=PartitionScheme(names=("eu", "us"))),
        Asset("plain"),
    ]
)


@pytest.mark.parametrize(
    ("number", "select", "expect", "said"),
    [
        (1, "daily", "deadline: {cron: '0 9 * * *'}", ""),
        (2, "daily", "deadline: {cron: '0 9 * * *', offset: 1h}", ""),
        (3, "daily plain", "deadline: {cron: '0 9 * * *', offset: 1h}", "p.yaml:5: deadline.max_lag is missing: only"),
        (4, "daily plain", "deadline: {cron: '0 9 * * *', offset: 1h, max_lag: 9h}", ""),
        (5, "plain", "deadline: {cron: '0 9 * * *', offset: 1h, max_lag: 9h}", "p.yaml:5: deadline.offset says which"),
        (6, "regions plain", "lag: {stale: 1h, per: partition}", ""),
        (7, "daily plain", "lag: {stale: 1h, per: partition}", "p.yaml:5: lag.per asks each fixed partition by itself"),
        (8, "regions", "deadline: {cron: '0 9 * * *', max_lag: 9h, per: partition}", ""),
        (9, "plain", "deadline: [{cron: '0 9 * * *', max_lag: 9h, per: partition}]", "p.yaml:5: deadline.per asks"),
    ],
)
def test_what_is_asked_of_partitions_fits_them(number: int, select: str, expect: str, said: str) -> None:
    (document,) = parse_yaml(f"policies:\n- name: p\n  select: {select}\n  expect:\n    {expect}", "p.yaml")
    try:
        build_charter(SLICED, policies_of(document))
        found = ""
    except ConfigError as error:
        found = "; ".join(str(problem) for problem in error.problems)
    assert found[: len(said)] == said and bool(found) == bool(said), found
