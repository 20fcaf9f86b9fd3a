"""The statements that write history, with one `?` for each value; PostgreSQL gets `%s` instead.

Raw text rather than built statements: they are made once and run a million times. Each is written so that it
says the same on both databases, and that repeating what it tells changes nothing.
"""

from __future__ import annotations

from typing import Final

MATERIALISATION_COLUMNS: Final = (
    "recorded_at",
    "asset",
    "partition",
    "started_at",
    "ended_at",
    "duration",
    "changed",
    "data_time",
    "outcome",
    "run_id",
    "source",
    "event_id",
    "completeness",
    "row_count",
    "error",
    "metadata",
)
VERDICT_COLUMNS: Final = ("at", "policy", "asset", "partition", "old", "new", "measure")
DEAD_LETTER_COLUMNS: Final = ("at", "origin", "reason", "format", "message", "payload", "dropped_bytes")

TAKE_LEASE: Final = "UPDATE lease SET epoch = epoch + 1, holder = ? WHERE id = 1"
READ_LEASE: Final = "SELECT epoch, step, history_step, holder, folded FROM lease WHERE id = 1"
MOVE_ON: Final = "UPDATE lease SET step = ?, history_step = ? WHERE id = 1 AND epoch = ? AND step = ?"
WRITE_JOURNAL: Final = "INSERT INTO journal (step, records, at, upto_bytes) VALUES (?, ?, ?, ?)"
FOLD_JOURNAL: Final = "UPDATE lease SET folded = ? WHERE id = 1"
NEWEST_BYTES: Final = "SELECT upto_bytes FROM journal ORDER BY step DESC LIMIT 1"
READ_STARTS: Final = "SELECT step, at FROM replay_starts ORDER BY step"
READ_READINGS: Final = "SELECT step, at, version, files FROM readings ORDER BY step"
READ_PAST_RUNS: Final = (
    "SELECT asset, COALESCE(started_at, requested_at), ended_at, outcome FROM run_assets "
    "WHERE outcome IN ('succeeded', 'failed', 'lost') AND ended_at IS NOT NULL ORDER BY requested_at DESC LIMIT ?"
)
NEWEST_READING: Final = "SELECT version, files FROM readings ORDER BY step DESC LIMIT 1"
PUT_READING: Final = (
    "INSERT INTO readings (step, at, version, files) VALUES (?, ?, ?, ?) ON CONFLICT (step) DO UPDATE SET "
    "at = excluded.at, version = excluded.version, files = excluded.files"
)
READ_JOURNAL: Final = "SELECT step, records FROM journal WHERE step > ? ORDER BY step LIMIT ?"
PUT_POSITION: Final = (
    "INSERT INTO positions (source, position, updated_at) VALUES (?, ?, ?) "
    "ON CONFLICT (source) DO UPDATE SET position = excluded.position, updated_at = excluded.updated_at"
)
READ_POSITIONS: Final = "SELECT source, position FROM positions"

READ_STATE: Final = "SELECT kind, key, value FROM state WHERE (kind, key) > (?, ?) ORDER BY kind, key LIMIT ?"
READ_STATE_OF_ENGINE: Final = "SELECT value FROM state WHERE kind = 'engine'"
READ_WHOLE_STATE: Final = "SELECT kind, key, value FROM state ORDER BY kind, key"
PUT_STATE: Final = (
    "INSERT INTO state (kind, key, value) VALUES (?, ?, ?) ON CONFLICT (kind, key) DO UPDATE SET value = excluded.value"
)
PUT_STATE_ARRAYS: Final = (
    "INSERT INTO state (kind, key, value) "
    "SELECT * FROM unnest(CAST(? AS text[]), CAST(? AS text[]), CAST(? AS bytea[])) "
    "ON CONFLICT (kind, key) DO UPDATE SET value = excluded.value"
)
DROP_STATE: Final = "DELETE FROM state WHERE kind = ? AND key = ?"

PUT_RUN: Final = (
    "INSERT INTO runs (run_id, launcher, partition, attempt, reason, observed, requested_at, assets) "
    "VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (run_id) DO NOTHING"
)
PUT_RUN_ASSET: Final = (
    "INSERT INTO run_assets (run_id, asset, requested_at) VALUES (?, ?, ?) ON CONFLICT (run_id, asset) DO NOTHING"
)
START_RUN_ASSETS: Final = (
    "UPDATE run_assets SET started_at = ? "
    "WHERE run_id = ? AND (asset = ? OR ? = '') AND outcome IS NULL AND started_at IS NULL"
)
START_RUN: Final = "UPDATE runs SET started_at = ? WHERE run_id = ? AND started_at IS NULL"
END_MATERIALISATION: Final = (
    "INSERT INTO materialisations (recorded_at, asset, partition, started_at, ended_at, duration, changed, data_time, "
    "outcome, run_id, source, event_id, row_count, error, metadata) "
    "SELECT CAST(? AS BIGINT), a.asset, r.partition, COALESCE(CAST(? AS BIGINT), a.started_at, r.requested_at), "
    "CAST(? AS BIGINT), CAST(? AS BIGINT) - COALESCE(CAST(? AS BIGINT), a.started_at, r.requested_at), "
    "CAST(? AS BOOLEAN), CAST(? AS BIGINT), CAST(? AS TEXT), r.run_id, '', '', CAST(? AS BIGINT), "
    "CAST(? AS TEXT), {json} "
    "FROM run_assets a JOIN runs r ON r.run_id = a.run_id "
    "WHERE a.run_id = ? AND (a.asset = ? OR ? = '') AND a.outcome IS NULL"
)
"""With `{json}` replaced by JSON_VALUE of the database."""

JSON_VALUE: Final = {"sqlite": "CAST(? AS TEXT)", "postgresql": "CAST(? AS JSON)"}

END_RUN_ASSETS: Final = (
    "UPDATE run_assets SET outcome = ?, ended_at = ?, error = ?, started_at = COALESCE(CAST(? AS BIGINT), started_at) "
    "WHERE run_id = ? AND (asset = ? OR ? = '') AND outcome IS NULL"
)
END_RUN: Final = (
    "UPDATE runs SET ended_at = ?, outcome = (SELECT CASE MAX(CASE outcome WHEN 'lost' THEN 3 WHEN 'failed' THEN 2 "
    "WHEN 'skipped' THEN 1 ELSE 0 END) WHEN 3 THEN 'lost' WHEN 2 THEN 'failed' WHEN 1 THEN 'skipped' "
    "ELSE 'succeeded' END FROM run_assets WHERE run_id = ?) WHERE run_id = ? AND outcome IS NULL "
    "AND NOT EXISTS (SELECT 1 FROM run_assets WHERE run_id = ? AND outcome IS NULL)"
)

PUT_INCIDENT: Final = (
    "INSERT INTO incidents (incident, cause, reason, severity, opened_at, closed_at, reopened, members, merged_into, "
    "updated_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (incident) DO UPDATE SET cause = excluded.cause, "
    "reason = excluded.reason, severity = excluded.severity, "
    "closed_at = excluded.closed_at, reopened = excluded.reopened, members = excluded.members, "
    "merged_into = excluded.merged_into, updated_at = excluded.updated_at"
)
PUT_MEMBER: Final = (
    "INSERT INTO incident_members (incident, policy, asset, partition, state, cause, reason, joined_at) "
    "VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (incident, policy, asset, partition) DO UPDATE SET "
    "state = excluded.state, cause = excluded.cause, reason = excluded.reason, joined_at = excluded.joined_at, "
    "left_at = NULL"
)
MEMBER_LEFT: Final = (
    "UPDATE incident_members SET left_at = ? WHERE incident = ? AND policy = ? AND asset = ? AND partition = ?"
)
OF_MEMBERS: Final = frozenset({PUT_MEMBER, MEMBER_LEFT})
"""What changes the members of incidents."""

PUT_OBJECTIVE: Final = (
    "INSERT INTO objective_hours (policy, asset, partition, hour, at, mode, active, stale, ticks, met) "
    "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (policy, asset, partition, hour) DO UPDATE SET "
    "at = excluded.at, mode = excluded.mode, active = excluded.active, stale = excluded.stale, "
    "ticks = excluded.ticks, met = excluded.met"
)

PUT_NOTICE: Final = (
    "INSERT INTO notices (notice_id, incident, channel, severity, requested_at, affected) VALUES (?, ?, ?, ?, ?, ?) "
    "ON CONFLICT (notice_id) DO NOTHING"
)
NOTICE_REPORTED: Final = "UPDATE notices SET reported_at = ?, delivered = ?, handle = ?, error = ? WHERE notice_id = ?"

PUT_WISH: Final = (
    "INSERT INTO wishes (wish_id, author, made_at, assets, planned) VALUES (?, ?, ?, ?, ?) "
    "ON CONFLICT (wish_id) DO NOTHING"
)
WISH_ENDED: Final = "UPDATE wishes SET ended_at = ?, outcome = ?, cause = ? WHERE wish_id = ?"

PUT_DECLARATION: Final = (
    "INSERT INTO declarations (id, kind, subject, author, reason, assets, made_at, begins_at, until_at) "
    "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET assets = excluded.assets"
)
DECLARATION_ENDED: Final = "UPDATE declarations SET ended_at = ?, ended_by = ? WHERE id = ?"
ACKNOWLEDGEMENT_ENDED: Final = (
    "UPDATE declarations SET ended_at = ? WHERE kind = 'acknowledge' AND subject = ? AND ended_at IS NULL"
)

PUT_UNMATCHED: Final = (
    "INSERT INTO unmatched (format, name, count, first_at, last_at, fields) VALUES (?, ?, ?, ?, ?, ?) "
    "ON CONFLICT (format, name) DO UPDATE SET count = unmatched.count + excluded.count, "
    "last_at = excluded.last_at, fields = excluded.fields"
)


def insert_into(table: str, columns: tuple[str, ...]) -> str:
    """The statement that adds one row."""
    return f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})"
