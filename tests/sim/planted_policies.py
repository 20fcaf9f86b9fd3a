"""Bugs planted in what people say: calendars, deadlines, checks, learned limits, windows, declarations."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any
from unittest.mock import patch

from tests.sim.planted import Planted, everywhere

from freshd.core import (
    blindness,
    busy,
    checks,
    deadlines,
    declared,
    facts,
    holding,
    just_in_time,
    learned,
    limits,
    notices,
    places,
    recall,
    verdicts,
)
from freshd.core.declarations import Declarations
from freshd.model.declarations import DeclarationKind
from freshd.model.policy import Verdict, Window
from freshd.model.time import FOREVER, NEVER
from freshd.policies import building

Plant = Callable[[], AbstractContextManager[Any]]


def _is(module: Any, name: str, value: Any) -> Plant:
    return lambda: patch.object(module, name, value)


def _closed_time_passes() -> AbstractContextManager[Any]:
    def at_once(_calendar: Any, since: int, duration: int | None) -> int:
        return FOREVER if duration is None else since + duration

    return everywhere("reached", at_once, limits, learned)


def _without(kind: DeclarationKind) -> Plant:
    holding_of = Declarations.holding

    def fewer(self: Declarations, asked: DeclarationKind, key: str) -> Any:
        return None if asked is kind else holding_of(self, asked, key)

    return _is(Declarations, "holding", fewer)


def _only_passed(rule: Any, row: Any) -> bool | None:
    known = row.rare.checks.get(rule.name) if row.rare.checks else None
    return None if known is None else known[1].passed


def _first_told(row: Any, metadata: Any) -> Any:
    return [check for check in _results_in(row, metadata) if check.name not in (row.rare.checks or {})]


_results_in = checks.results_in


def _all_of(_state: Any, incident: Any) -> list[Any]:
    return list(incident.members.values())


def _levels_alike() -> AbstractContextManager[Any]:
    judge = checks.judge_checks

    def harsh(policy: Any, row: Any) -> Any:
        found = judge(policy, row)
        if found.verdict is not Verdict.WARN:
            return found
        return type(found)(Verdict.STALE, found.measure, found.until, found.unknown)

    return patch.object(verdicts, "judge_checks", harsh)


@contextmanager
def _never_missing() -> Iterator[None]:
    with everywhere("missing_too_long_at", lambda *_: FOREVER, limits, deadlines, learned, verdicts):
        yield


PLANTED_POLICIES = (
    Planted("closed time passes", "people are paged on Monday for the weekend", _closed_time_passes, 10),
    Planted(
        "ticks in closed time exist",
        "a deadline is missed on a holiday",
        _is(building, "open_ticks", lambda ticks, _: ticks),
        9,
    ),
    Planted("deadlines are always met", "the report is late and green", _is(deadlines, "is_met", lambda *_: True), 2),
    Planted("never_updated is forgotten", "what never came is not missed", _never_missing),
    Planted(
        "half of an update is one",
        "an incomplete load turns all green",
        _is(facts, "completeness_wanted", lambda row: 0.0),
        10,
    ),
    Planted("ranges are forgotten", "an empty table is fine", _is(checks, "follows", _only_passed), 9),
    Planted("warnings are stale", "a hint wakes people", _levels_alike, 18),
    Planted("rules block nobody", "a row count of 0 spreads", _is(busy, "blocked_by_rule", lambda row: False), 18),
    Planted(
        "metadata counts once", "a row count that recovers is never seen", _is(facts, "results_in", _first_told), 9
    ),
    Planted(
        "relative rules look at themselves",
        "half of the rows are gone and nobody knows",
        _is(recall.Recall, "before", lambda self, name, at, n: []),
        71,
    ),
    Planted(
        "the median is learned",
        "every second sync is late",
        _is(learned, "percentile", lambda gaps, share: gaps[len(gaps) // 2]),
        25,
    ),
    Planted("windows are always open", "models run at noon", _is(Window, "opened", lambda self, at, floor=0: at), 9),
    Planted(
        "just in time is at once", "runs are spent for nothing", _is(holding, "launch_at", lambda state, row: NEVER), 9
    ),
    Planted("runs take no time", "just in time is too late", _is(just_in_time, "duration_of", lambda row: 0), 26),
    Planted(
        "mutes are told",
        "people turn the alerts off",
        _is(notices, "_quiet", lambda state, incident: ()),
        35,
    ),
    Planted("maintenance is ignored", "planned work opens incidents", _without(DeclarationKind.MAINTENANCE), 1),
    Planted(
        "pauses are ignored",
        "what was stopped runs on",
        _is(Declarations, "reaction", lambda self, key, reaction: reaction),
        44,
    ),
    Planted("declarations never end", "a mute is for ever", _is(declared, "turn", lambda *_: None), 1),
    Planted(
        "blindness is freshness", "a broker is gone and all is green", _is(blindness, "_resting", lambda state: {}), 4
    ),
    Planted("blind is stale", "a hundred false alarms", _is(blindness, "spread", lambda state: None), 4),
    Planted(
        "places go by key",
        "what is needed first runs last",
        _is(places, "least_slack_first", lambda state, rows: sorted(rows, key=lambda row: row.key)),
        32,
    ),
    Planted(
        "a tag has no limit",
        "eight dashboards refresh at once",
        _is(places, "tags_have_place", lambda state, row: True),
        10_083,
    ),
    Planted(
        "all runs have no limit",
        "forty runs share four cores",
        _is(places, "has_place", lambda state, row: places.tags_have_place(state, row)),
        10_067,
    ),
    Planted(
        "nobody gets the place that a run leaves",
        "what queued once queues for ever",
        _is(places, "leaving", lambda state, run: []),
        10_010,
    ),
)
