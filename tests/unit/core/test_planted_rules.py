"""Bugs planted in objectives, tags, acknowledgements and feasibility: small rules, each with a table of its own.

Each is caught by that decision table, or the table proves nothing.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import product
from typing import Any
from unittest.mock import patch

import pytest
from tests.unit.core import test_declared, test_feasibility, test_objectives, test_places

from freshd.core import feasibility, places, slo
from freshd.core.incident_book import IncidentBook
from freshd.model.objective import Totals
from freshd.model.policy import Verdict

_has_place = places.has_place
_count = slo.count
_until = Totals.until


@dataclass(frozen=True, slots=True)
class Planted:
    """One bug, what it would do to a user, and the tables that are to catch it."""

    name: str
    why: str
    where: Any
    what: str
    instead: Any
    caught_by: tuple[Callable[..., None], ...]


def _without_limit_of_all(state: Any, row: Any) -> bool:
    runs, state.runs = state.runs, {}
    try:
        return _has_place(state, row)
    finally:
        state.runs = runs


def _count_all(pair: Any, held: bool, now: int, memo: Any) -> Any:
    return _count(pair, False, now, memo)


def _count_the_unknown(pair: Any, held: bool, now: int, memo: Any) -> Any:
    if held or pair.verdict is not Verdict.UNKNOWN:
        return _count(pair, held, now, memo)
    shown, pair.verdict = pair.verdict, Verdict.FRESH
    try:
        return _count(pair, held, now, memo)
    finally:
        pair.verdict = shown


def _closed_time_counts(self: Totals, at: int, calendar: Any) -> Totals:
    return _until(self, at, None)


OBJECTIVES = (test_objectives.test_what_counts,)
PLACES = (test_places.test_who_goes_first,)
ACKNOWLEDGED = (test_declared.test_an_acknowledgement_is_shown_and_lapses_at_its_instant,)

PLANTED = (
    Planted("nothing counts", "the budget is never spent", slo, "count", lambda *_: None, OBJECTIVES),
    Planted("maintenance counts in the slo", "planned work spends the budget", slo, "count", _count_all, OBJECTIVES),
    Planted("unknown time counts in the slo", "what nobody could see was fine", slo, "count", _count_the_unknown,
            OBJECTIVES),
    Planted("closed time counts in the slo", "a weekend hides a bad week", Totals, "until", _closed_time_counts,
            OBJECTIVES),
    Planted(
        "a tag's limit is forgotten", "eight dashboards refresh at once",
        places, "tags_have_place", lambda *_: True, PLACES,
    ),
    Planted(
        "the limit of all runs is forgotten", "forty runs share four cores",
        places, "has_place", _without_limit_of_all, PLACES,
    ),
    Planted(
        "the smallest key goes first", "what is needed first runs last",
        places, "needed_by", lambda *_: 0, PLACES,
    ),
    Planted("who knows of it is forgotten", "two people mend one thing", IncidentBook, "acknowledge",
            lambda *_: None, ACKNOWLEDGED),
    Planted("all can hold", "a target that no run can meet pages every day", feasibility, "_targets",
            lambda policy: iter(()), (test_feasibility.test_what_cannot_hold,)),
)  # fmt: skip


def _calls(table: Callable[..., None]) -> Iterator[dict[str, Any]]:
    """What pytest would call a test with: every combination of its parameters."""
    marks = [mark for mark in getattr(table, "pytestmark", []) if mark.name == "parametrize"]
    axes: list[list[dict[str, Any]]] = []
    for mark in marks:
        names, values = mark.args[:2]
        named = [name.strip() for name in names.split(",")] if isinstance(names, str) else list(names)
        axes.append([
            dict(zip(named, value if len(named) > 1 else [value], strict=True))
            for value in (getattr(one, "values", one) if len(named) > 1 else one for one in values)
        ])  # fmt: skip
    for chosen in product(*axes):
        yield {name: value for part in chosen for name, value in part.items()}


def _catches(table: Callable[..., None]) -> bool:
    for call in _calls(table):
        try:
            table(**call)
        except (AssertionError, StopIteration, RuntimeError, IndexError):
            return True
    return False


@pytest.mark.parametrize("bug", PLANTED, ids=lambda bug: bug.name)
def test_its_table_catches(bug: Planted) -> None:
    assert not any(_catches(table) for table in bug.caught_by), "without the bug the table holds"
    with patch.object(bug.where, bug.what, bug.instead):
        assert any(_catches(table) for table in bug.caught_by), f"{bug.name}: {bug.why}"


def test_every_table_is_called_with_what_it_takes() -> None:
    for table in {table for bug in PLANTED for table in bug.caught_by}:
        calls = list(_calls(table))
        assert calls
        assert all(set(call) == set(inspect.signature(table).parameters) for call in calls)
