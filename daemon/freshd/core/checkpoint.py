"""The state as JSON-able rows: what the journal keeps so that recovery need not fold all history.

Only facts are written; restoring.py takes them over, and whatever follows from them and the graph is made true again
by rebuild.py. One row per asset that ever had anything happen, per run, per wish, per incident, and one for the rest.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from typing import Any

from freshd.core import history
from freshd.core.incident_book import Incident
from freshd.core.rare import NOTHING_RARE, Rare
from freshd.core.rows import Pair, Row
from freshd.core.state import State
from freshd.core.wishes import OpenWish
from freshd.core.work import OwnRun, Work
from freshd.model.declarations import Acknowledgement, Declaration
from freshd.model.effects import Notice
from freshd.model.time import NEVER, Instant

WORK_FIELDS = tuple(slot for slot in sorted(Work.__slots__) if slot not in ("run", "durations"))
RARE_FIELDS = ("joined", "others", "starts", "unstarted")
NOTICE_FIELDS = tuple(Notice.__dataclass_fields__)

StateRow = tuple[str, str, Any]


def changed_rows(state: State) -> Iterator[StateRow]:
    """What changed since the last checkpoint, each key once, made as it is asked for; it may be asked for again.

    The caller writes all of it, in one transaction, and calls `all_written` then.
    """
    for key in dict.fromkeys(state.gone):
        if key not in state.rows:
            yield ("asset", key, None)
    for row in state.dirty:
        if state.rows.get(row.key) is row:
            yield ("asset", row.key, _asset(row))
    yield ("runs", "", [_run(run) for run in state.runs.values()])
    if state.declarations.dirty:
        standing, begun = state.declarations.standing.values(), state.declarations.begun
        yield ("declarations", "", [_declaration(known, known.id in begun) for known in standing])
    yield ("blind", "", [[known.now, known.topic, known.since, known.why] for known in state.blind.values()])
    for wish in sorted(state.wishes.dirty):
        known = state.wishes.open.get(wish)
        yield ("wish", wish, None if known is None else _wish(known))
    book = state.book
    for name in sorted(book.dirty):
        incident = book.find(name)
        yield ("incident", name, None if incident is None else _incident(incident))
    for piece, ids in state.seen.changed():
        yield ("seen", piece, ids)
    yield (
        "engine",
        "",
        {
            "now": state.now,
            "started_at": state.started_at,
            "catching_up_until": state.catching_up_until,
            "opened": book.opened,
            "joined": book.joined,
            "announced": book.announced,
            "generation": state.seen.generation,
            "seen_since": state.seen.since,
            "retired": dict(state.retired),
            "begun": dict(state.begun),
            "windows_at": state.windows_at,
            "review": _review(state),
            "waiting": _is_waiting(state),
        },
    )


def _review(state: State) -> tuple[Instant, str] | None:
    """From which row on the rows have yet to be looked at since the charter was replaced; None: all were."""
    row = state.timers.first_of(state.reviewed_at) if state.reviewed_at != NEVER else None
    return None if row is None else (state.reviewed_at, row.key)


def _is_waiting(state: State) -> bool:
    """Whether rows wait for the next step: whoever begins with this checkpoint looks at them earlier than this life."""
    at = state.timers.next()
    return bool(state.later) or (at is not None and at <= state.now)


def all_written(state: State) -> None:
    """The checkpoint has all that `changed_rows` said."""
    state.declarations.dirty = False
    state.dirty = {}
    state.gone = []
    state.wishes.dirty.clear()
    state.book.dirty.clear()
    state.seen.all_written()


def _asset(row: Row) -> dict[str, Any]:
    """What the row is; what is as in a row that nothing has happened to is left out: most rows have little."""
    made: dict[str, Any] = {
        "known": row.known_since,
        "ups": row.asset.upstreams,
        "cells": history.unpacked(row.cells),
        "updated": row.updated_at,
        "start": row.start,
        "changed": row.last_changed,
        "outcome": [row.outcome_at, row.outcome_failed],
        "due": [row.due, row.due_at],
        "pairs": [_pair(pair) for pair in row.pairs],
    }
    if row.source:
        made["first"] = row.first
    if row.base != NEVER or row.floor != NEVER:
        made["base"], made["floor"] = row.base, row.floor
    if row.rare is not NOTHING_RARE:
        made.update(_rare(row.rare))
    if row.ended_runs:
        made["ended_runs"] = list(array("I", row.ended_runs))
    if row.topic:
        made["topic"] = row.topic
    work = row.work
    if work is not None:
        made["work"] = [getattr(work, field) for field in WORK_FIELDS]
        made["durations"] = list(work.durations or ())
        made["run_of"] = work.run.run_id if work.run is not None else ""
    return made


def _rare(rare: Rare) -> Iterator[tuple[str, Any]]:
    """What few rows have."""
    for name in RARE_FIELDS:
        if getattr(rare, name):
            yield name, getattr(rare, name)
    if rare.ended_at != NEVER:
        yield "ended", rare.ended_at
    if rare.checked_by != NEVER:
        yield "checked_by", rare.checked_by
    if rare.checks:
        checks = rare.checks.items()
        yield "checks", {name: [at, check.passed, check.value, check.blocking] for name, (at, check) in checks}
    if rare.in_metadata:
        yield "in_metadata", {name: [at, told.passed, told.value] for name, (at, told) in rare.in_metadata.items()}
    if rare.recall is not None:
        yield "recall", rare.recall.rows()


def _pair(pair: Pair) -> list[Any]:
    """A policy's view, and its place in an incident if it has one: so a member costs a row, not the whole incident."""
    shown = [pair.policy.name, pair.verdict.value, pair.measure, pair.since, pair.warn_since, pair.stale_since]
    if pair.incident:
        shown += [pair.incident, pair.state, pair.cause, pair.reason, pair.joined_at, pair.joined]
    return shown


def _declaration(known: Declaration, begun: bool) -> list[Any]:
    about = [known.id, known.kind.value, list(known.assets), known.begins, known.until]
    return [*about, known.author, known.reason, known.select, begun]


def _run(run: OwnRun) -> list[Any]:
    return [
        run.run_id,
        run.launcher,
        list(run.assets),
        run.requested_at,
        run.attempt,
        run.reason,
        list(run.wishes),
        sorted(run.open),
        run.partition,
    ]


def _wish(known: OpenWish) -> list[Any]:
    wish = known.wish
    planned = {key: int(stage) for key, stage in known.planned.items()}
    return [list(wish.assets), wish.author, planned, list(wish.partitions), wish.parallel]


def _incident(incident: Incident) -> dict[str, Any]:
    return {
        "cause": incident.cause,
        "reason": incident.reason,
        "severity": incident.severity,
        "opened_at": incident.opened_at,
        "closed_at": incident.closed_at,
        "reopened": incident.reopened,
        "merged_into": incident.merged_into,
        "announced": incident.announced,
        "acknowledged": _acknowledgement(incident.acknowledged),
        "channels": {
            name: [
                channel.generation,
                channel.in_flight,
                channel.handle,
                None if channel.asked is None else [getattr(channel.asked, field) for field in NOTICE_FIELDS],
            ]
            for name, channel in incident.channels.items()
        },
    }


def _acknowledgement(known: Acknowledgement | None) -> list[Any] | None:
    return None if known is None else [known.author, known.reason, known.at, known.until]
