"""What records mean for people: which rows of history they add or change.

Pure: records in, rows out, in the order of the columns that statements.py names. What is told of an asset's
updates and of runs becomes materialisations; an update counts once per asset. Cost per event matters here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Final

import orjson

from freshd.adapters.sql import statements as sql
from freshd.adapters.sql.scrub import scrub_json
from freshd.model.inputs import Event, EventKind, RunPhase
from freshd.model.records import (
    DeadLettered,
    DeclarationEnded,
    Declared,
    EventTaken,
    IncidentAcknowledged,
    IncidentChanged,
    NoticeReported,
    NoticeRequested,
    ObjectiveCounted,
    Record,
    RunReported,
    RunRequested,
    UnmatchedSeen,
    VerdictChanged,
    WishEnded,
    WishMade,
)
from freshd.model.time import FOREVER, HOUR, Instant

PAYLOAD_BYTES: Final = 16_384
"""How much of a dead letter's payload is kept; how much was dropped is told beside it."""

METADATA_BYTES: Final = 65_536
"""How large the metadata of a materialisation may be, as JSON; of larger ones only the size is kept."""

NAME_CHARS: Final = 500
FIELD_CHARS: Final = 1_000
FIELDS_KEPT: Final = 50
"""How much is kept of a name that matched nothing, and of the fields that a rule could match on."""

ERROR_CHARS: Final = 4_096
"""How much of the end of a run's error is kept in history."""

STARTS_KEPT: Final = 10_000
"""Runs of others whose start is remembered until their update comes."""

SUCCEEDED: Final = "succeeded"
FAILED: Final = "failed"

Values = tuple[Any, ...]


@dataclass(slots=True)
class HistoryRows:
    """Rows to add in bulk, and statements to run in order."""

    materialisations: list[Values] = field(default_factory=list)
    verdict_changes: list[Values] = field(default_factory=list)
    dead_letters: list[Values] = field(default_factory=list)
    changes: list[tuple[str, Values]] = field(default_factory=list)

    def add(self, other: HistoryRows) -> None:
        """Put the rows of a later append behind these."""
        self.materialisations += other.materialisations
        self.verdict_changes += other.verdict_changes
        self.dead_letters += other.dead_letters
        self.changes += other.changes

    def __len__(self) -> int:
        return len(self.materialisations) + len(self.verdict_changes) + len(self.dead_letters) + len(self.changes)


class Projector:
    """Turns records into rows; remembers only when runs of others began."""

    def __init__(self) -> None:
        self._starts: dict[str, dict[str, Instant]] = {}

    def project(self, records: Sequence[Record]) -> HistoryRows:
        """The rows of one append."""
        rows = HistoryRows()
        unmatched: dict[tuple[str, str], list[Any]] = {}
        for record in records:
            if type(record) is EventTaken:
                self._event(rows, record.now, record.event)
            elif type(record) is UnmatchedSeen:
                _count_unmatched(unmatched, record)
            else:
                project = _PROJECTIONS.get(type(record))
                if project is not None:
                    project(rows, record)
        for (form, name), (count, first, last, fields) in unmatched.items():
            rows.changes.append((sql.PUT_UNMATCHED, (form, name, count, first, last, json_text(fields))))
        return rows

    def _event(self, rows: HistoryRows, now: Instant, event: Event) -> None:
        kind = event.kind
        if kind is EventKind.UPDATE:
            outcome = SUCCEEDED
        elif kind is EventKind.RUN_FAILED:
            outcome = FAILED
        else:
            if kind is EventKind.RUN_STARTED and event.run_id:
                self._note_start(event)
            elif kind is EventKind.RUN_ENDED:
                self._starts.pop(event.run_id, None)
            return
        metadata = event.metadata
        text = _metadata_text(metadata) if metadata else None
        count = _row_count(metadata) if metadata else None
        end = event.at
        assets: Iterable[str] = event.assets
        starts = self._starts.get(event.run_id) if self._starts else None
        if starts is not None and event.whole_run:
            assets = dict.fromkeys((*assets, *starts))
        for asset in assets:
            start = event.started_at
            if starts is not None:
                told = starts.pop(asset, None)
                start = told if start is None else start
            rows.materialisations.append(
                (
                    now,
                    asset,
                    event.partition,
                    start,
                    end,
                    None if start is None else end - start,
                    event.changed,
                    event.data_time,
                    outcome,
                    event.run_id,
                    event.source,
                    event.id,
                    event.completeness,
                    count,
                    None,
                    text,
                )
            )
        if starts is not None and not starts:
            del self._starts[event.run_id]

    def _note_start(self, event: Event) -> None:
        start = event.at if event.started_at is None else event.started_at
        starts = self._starts.setdefault(event.run_id, {})
        for asset in event.assets:
            starts[asset] = start
        while len(self._starts) > STARTS_KEPT:
            del self._starts[next(iter(self._starts))]


def json_text(value: Any) -> str:
    """The value as JSON text, whatever it is made of."""
    try:
        return orjson.dumps(value).decode()
    except TypeError:
        return orjson.dumps(scrub_json(value)).decode()


def _metadata_text(metadata: Mapping[str, Any]) -> str:
    text = json_text(metadata)
    return text if len(text) <= METADATA_BYTES else json_text({"freshd_dropped_bytes": len(text)})


def _row_count(metadata: Mapping[str, Any]) -> int | None:
    count = metadata.get("row_count")
    return count if type(count) is int and abs(count) < 1 << 63 else None


def _count_unmatched(found: dict[tuple[str, str], list[Any]], record: UnmatchedSeen) -> None:
    seen = record.unmatched
    fields = {name[:NAME_CHARS]: value[:FIELD_CHARS] for name, value in islice(seen.fields.items(), FIELDS_KEPT)}
    known = found.setdefault((seen.format, seen.name[:NAME_CHARS]), [0, record.now, record.now, fields])
    known[0] += 1
    known[2:] = record.now, fields


def _verdict_changed(rows: HistoryRows, record: VerdictChanged) -> None:
    rows.verdict_changes.append(
        (
            record.now,
            record.policy,
            record.asset,
            record.partition,
            record.old.value,
            record.new.value,
            record.measure,
        )
    )


def _dead_lettered(rows: HistoryRows, record: DeadLettered) -> None:
    letter = record.letter
    kept = letter.payload[:PAYLOAD_BYTES]
    dropped = len(letter.payload) - len(kept)
    rows.dead_letters.append(
        (record.now, letter.origin, letter.reason, letter.format, letter.message[:ERROR_CHARS], kept, dropped)
    )


def _run_requested(rows: HistoryRows, record: RunRequested) -> None:
    run = record.run
    rows.changes.append(
        (
            sql.PUT_RUN,
            (
                run.run_id,
                run.launcher,
                run.partition,
                run.attempt,
                run.reason,
                record.observed,
                run.requested_at,
                json_text(run.assets),
            ),
        )
    )
    if not record.observed:
        rows.changes.extend((sql.PUT_RUN_ASSET, (run.run_id, asset, run.requested_at)) for asset in run.assets)


def _run_reported(rows: HistoryRows, record: RunReported) -> None:
    told = record.report
    run, asset, phase = told.run_id, told.asset, told.phase
    if phase is RunPhase.QUEUED:
        return
    at = min(told.at, record.now)
    if phase is RunPhase.STARTED:
        start = at if told.started_at is None else min(told.started_at, record.now)
        rows.changes.append((sql.START_RUN_ASSETS, (start, run, asset, asset)))
        rows.changes.append((sql.START_RUN, (start, run)))
        return
    error = told.error[-ERROR_CHARS:] or None
    outcome = RunPhase.SKIPPED.value if phase is RunPhase.FINISHED else phase.value
    if phase in (RunPhase.SUCCEEDED, RunPhase.FAILED, RunPhase.LOST):
        metadata = told.metadata
        text = _metadata_text(metadata) if metadata else None
        count = _row_count(metadata) if metadata else None
        start_at = told.started_at
        rows.changes.append(
            (
                sql.END_MATERIALISATION,
                (
                    *(record.now, start_at, at, at, start_at, told.changed, told.data_time, outcome),
                    *(count, error, text, run, asset, asset),
                ),
            )
        )
    rows.changes.append((sql.END_RUN_ASSETS, (outcome, at, error, told.started_at, run, asset, asset)))
    rows.changes.append((sql.END_RUN, (at, run, run, run)))


def _objective_counted(rows: HistoryRows, record: ObjectiveCounted) -> None:
    hour = record.now - record.now % HOUR
    pair = (record.policy, record.asset, record.partition)
    totals = (record.active, record.stale, record.ticks, record.met)
    rows.changes.append((sql.PUT_OBJECTIVE, (*pair, hour, record.now, record.mode, *totals)))


def _incident_changed(rows: HistoryRows, record: IncidentChanged) -> None:
    severity = None if record.severity is None else record.severity.value
    rows.changes.append(
        (
            sql.PUT_INCIDENT,
            (
                record.incident,
                record.cause,
                record.reason,
                severity,
                record.opened_at,
                record.closed_at,
                record.reopened,
                record.members,
                record.merged_into,
                record.now,
            ),
        )
    )
    rows.changes.extend(
        (sql.PUT_MEMBER, (record.incident, m.policy, m.asset, m.partition, m.state, m.cause, m.reason, m.joined_at))
        for m in record.put
    )
    rows.changes.extend((sql.MEMBER_LEFT, (record.now, record.incident, *member)) for member in record.left)


def _notice_requested(rows: HistoryRows, record: NoticeRequested) -> None:
    notice = record.notice
    rows.changes.append(
        (
            sql.PUT_NOTICE,
            (
                notice.notice_id,
                notice.incident,
                notice.channel,
                notice.severity.value,
                record.now,
                notice.affected_count,
            ),
        )
    )


def _notice_reported(rows: HistoryRows, record: NoticeReported) -> None:
    told = record.report
    error = told.error[-ERROR_CHARS:] or None
    rows.changes.append((sql.NOTICE_REPORTED, (record.now, told.delivered, told.handle, error, told.notice_id)))


def _wish_made(rows: HistoryRows, record: WishMade) -> None:
    wish = record.wish
    rows.changes.append((sql.PUT_WISH, (wish.id, wish.author, record.now, json_text(wish.assets), len(record.planned))))


def _wish_ended(rows: HistoryRows, record: WishEnded) -> None:
    rows.changes.append((sql.WISH_ENDED, (record.now, record.reason.value, record.cause, record.wish_id)))


def _declared(rows: HistoryRows, record: Declared) -> None:
    said = record.declaration
    subject = said.select or ("" if said.assets else "everything")
    about = (said.id, said.kind.value, subject, said.author, said.reason, json_text(said.assets))
    until = None if said.until >= FOREVER else said.until
    rows.changes.append((sql.PUT_DECLARATION, (*about, record.now, said.begins, until)))


def _declaration_ended(rows: HistoryRows, record: DeclarationEnded) -> None:
    rows.changes.append((sql.DECLARATION_ENDED, (record.now, record.author or None, record.declaration)))


def _acknowledged(rows: HistoryRows, record: IncidentAcknowledged) -> None:
    known = record.acknowledgement
    rows.changes.append((sql.ACKNOWLEDGEMENT_ENDED, (record.now, record.incident)))
    if known is not None:
        name = f"acknowledge-{record.incident}-{known.at}"
        about = (name, "acknowledge", record.incident, known.author, known.reason, "[]")
        rows.changes.append((sql.PUT_DECLARATION, (*about, record.now, known.at, known.until)))


_PROJECTIONS: Final[dict[type, Callable[[HistoryRows, Any], None]]] = {
    VerdictChanged: _verdict_changed,
    DeadLettered: _dead_lettered,
    RunRequested: _run_requested,
    RunReported: _run_reported,
    ObjectiveCounted: _objective_counted,
    IncidentChanged: _incident_changed,
    NoticeRequested: _notice_requested,
    NoticeReported: _notice_reported,
    WishMade: _wish_made,
    WishEnded: _wish_ended,
    Declared: _declared,
    DeclarationEnded: _declaration_ended,
    IncidentAcknowledged: _acknowledged,
}
"""The records that tell people something; the others are for the engine alone."""
