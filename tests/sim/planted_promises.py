"""Bugs planted in what only the later worlds have: acknowledgements, objectives, extractors."""

from __future__ import annotations

from typing import Any
from unittest.mock import patch

from tests.sim.planted import Planted
from tests.sim.planted_policies import Plant

from freshd.core import holding, incidents, just_in_time, slo, updates
from freshd.core.incident_book import IncidentBook
from freshd.model.time import FOREVER


def _is(place: Any, name: str, value: Any) -> Plant:
    return lambda: patch.object(place, name, value)


_acknowledge = IncidentBook.acknowledge
_count = slo.count
_settle = updates.settle


def _never_forgotten(self: IncidentBook, name: str, known: Any) -> None:
    if known is not None:
        _acknowledge(self, name, known)


def _no_worse(severity: Any, than: Any) -> bool:
    return severity is not None and than is None


def _in_maintenance_too(pair: Any, _held: bool, now: int, memo: Any) -> Any:
    return _count(pair, False, now, memo)


def _over_and_over(state: Any, row: Any) -> int:
    return just_in_time.needed_by(state, row, 1 + row.reaction.margin)


def _not_of_sources(state: Any, row: Any) -> None:
    if not row.source:
        _settle(state, row)


PLANTED_PROMISES = (
    Planted(
        "who knows of it knows for ever",
        "what has grown worse or come back is told to nobody",
        _is(IncidentBook, "acknowledge", _never_forgotten),
        20_000,
    ),
    Planted(
        "the first severity stays", "what is critical counts as known", _is(incidents, "is_worse", _no_worse), 20_009
    ),
    Planted("nothing is counted", "the budget is never spent", _is(slo, "count", lambda *_: None), 20_000),
    Planted("maintenance is counted", "planned work spends the budget", _is(slo, "count", _in_maintenance_too), 20_000),
    Planted(
        "ticks are counted when somebody looks",
        "a tick that nobody could judge is missed afterwards",
        _is(slo, "next_count", lambda pair, now: FOREVER),
        20_036,
    ),
    Planted(
        "extractors run over and over", "an API is paid by the call", _is(holding, "launch_at", _over_and_over), 20_012
    ),
    Planted(
        "a stop of an extractor outlives it",
        "all below a source stands still although its data came",
        _is(updates, "settle", _not_of_sources),
        20_003,
    ),
)
