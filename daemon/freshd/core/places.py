"""How many runs may go on at one time, of a launcher, with a tag, of all; and who goes first when places are few.

A row that is ready and finds no place queues; those who queue leave it when a run ends whose place they
could take, and look for one again. The place goes to the row with the least slack: how long from now until
the earliest expectation on it or below would turn stale, less what runs on the way take.
"""

from __future__ import annotations

from collections.abc import Iterable

from freshd.core.just_in_time import needed_by
from freshd.core.rows import Row, by_key
from freshd.core.state import State
from freshd.core.work import OwnRun
from freshd.model.time import Instant


def is_limited(state: State, row: Row) -> bool:
    """Whether runs of the row contend for places; not where a launcher orders its own work: one run takes all."""
    places = state.charter.places
    if places.runs or _limited_tags(state, row):
        return True
    traits = state.charter.launchers.get(row.asset.launcher)
    return traits is not None and bool(traits.limit) and not traits.wave


def has_place(state: State, row: Row) -> bool:
    """Whether one more run of the row may go on now."""
    places = state.charter.places
    if places.runs and len(state.runs) >= places.runs:
        return False
    limit = _launcher_limit(state, row)
    if limit and state.launcher_load.get(row.asset.launcher, 0) >= limit:
        return False
    return tags_have_place(state, row)


def tags_have_place(state: State, row: Row) -> bool:
    """Whether none of the row's tags has all the runs that it may have."""
    limits = state.charter.places.tags
    return all(_load(state, tag) < limits[tag] for tag in _limited_tags(state, row))


def least_slack_first(state: State, rows: Iterable[Row]) -> list[Row]:
    """The order in which rows get the places there are: by when a run must begin so that what is expected holds."""
    known: dict[Row, Instant] = {}
    return sorted(rows, key=lambda row: (needed_by(state, row, 1.0, known), row.key))


def leaving(state: State, run: OwnRun) -> list[Row]:
    """The rows that queue for a place that the run had, by key; they queue no longer."""
    places = state.charter.places
    left = state.queued.pop(run.launcher, set())
    tags = {tag for key in run.assets if key in state.rows for tag in _limited_tags(state, state.rows[key])}
    if places.runs or tags:
        for waiting in state.queued.values():
            freed = {row for row in waiting if places.runs or tags.intersection(row.asset.tags)}
            waiting -= freed
            left |= freed
    return sorted(left, key=by_key)


def _launcher_limit(state: State, row: Row) -> int:
    traits = state.charter.launchers.get(row.asset.launcher)
    return traits.limit if traits is not None else 0


def _limited_tags(state: State, row: Row) -> list[str]:
    tags = state.charter.places.tags
    return [tag for tag in row.asset.tags if tag in tags] if tags else []


def _load(state: State, tag: str) -> int:
    """How many runs go on of assets with the tag."""
    rows = state.rows
    return sum(any(key in rows and tag in rows[key].asset.tags for key in run.assets) for run in state.runs.values())
