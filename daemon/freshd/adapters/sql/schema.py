"""The tables, as they are now; how they came to be so is in migrations/.

`lease`, `journal`, `state` and `positions` are what the daemon lives on; `replay_starts` and `readings` let a replay
read what the journal keeps after its checkpoints (`lease.folded`). All others are history, for people:
written in the same transactions, pruned by age, never read back by the engine. Instants and durations are
whole microseconds since 1970 (UTC); the views `readable_…` show them as times.
"""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import JSON, BigInteger, Boolean, Column, Float, Index, Integer, LargeBinary, MetaData, Table, Text

REVISION: Final = "0004"
"""The schema that this code reads and writes: the newest migration."""

VERSION_TABLE: Final = "schema_version"

metadata = MetaData()


def _instant(name: str, nullable: bool = True) -> Column[int]:
    return Column(name, BigInteger, nullable=nullable)


def _text(name: str, nullable: bool = False, **options: Any) -> Column[str]:
    return Column(name, Text, nullable=nullable, **options)


def _id() -> Column[int]:
    """Ascending, in the order of writing; SQLite needs INTEGER to make it the row's own number."""
    return Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True)


lease = Table(
    "lease",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("epoch", BigInteger, nullable=False),
    Column("step", BigInteger, nullable=False),
    Column("history_step", BigInteger, nullable=False),
    Column("folded", BigInteger, nullable=False, server_default="0"),
    _text("holder"),
)

journal = Table(
    "journal",
    metadata,
    Column("step", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=False),
    Column("at", BigInteger, nullable=False, server_default="0"),
    Column("upto_bytes", BigInteger, nullable=False, server_default="0"),
    Column("records", LargeBinary, nullable=False),
)

replay_starts = Table(
    "replay_starts",
    metadata,
    Column("step", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=False),
    _instant("at", nullable=False),
    Column("state", LargeBinary, nullable=False),
)

readings = Table(
    "readings",
    metadata,
    Column("step", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=False),
    _instant("at", nullable=False),
    _text("version"),
    Column("files", JSON, nullable=False),
)

state = Table(
    "state",
    metadata,
    _text("kind", primary_key=True),
    _text("key", primary_key=True),
    Column("value", LargeBinary, nullable=False),
    sqlite_with_rowid=False,
)

positions = Table(
    "positions",
    metadata,
    _text("source", primary_key=True),
    _text("position"),
    _instant("updated_at"),
    sqlite_with_rowid=False,
)

assets = Table(
    "assets",
    metadata,
    _text("key", primary_key=True),
    _text("kind"),
    _text("group_name"),
    _text("description"),
    _text("feed"),
    _text("relation"),
    _text("launcher"),
    Column("owners", JSON, nullable=False),
    Column("tags", JSON, nullable=False),
    Column("upstreams", JSON, nullable=False),
)

materialisations = Table(
    "materialisations",
    metadata,
    _id(),
    _instant("recorded_at", nullable=False),
    _text("asset"),
    _text("partition"),
    _instant("started_at"),
    _instant("ended_at", nullable=False),
    _instant("duration"),
    Column("changed", Boolean, nullable=False),
    _instant("data_time"),
    _text("outcome"),
    _text("run_id"),
    _text("source"),
    _text("event_id"),
    Column("completeness", Float),
    Column("row_count", BigInteger),
    _text("error", nullable=True),
    Column("metadata", JSON),
    Index("materialisations_by_asset", "asset", "ended_at"),
)

runs = Table(
    "runs",
    metadata,
    _text("run_id", primary_key=True),
    _text("launcher"),
    _text("partition"),
    Column("attempt", Integer, nullable=False),
    _text("reason"),
    Column("observed", Boolean, nullable=False),
    _instant("requested_at", nullable=False),
    _instant("started_at"),
    _instant("ended_at"),
    _text("outcome", nullable=True),
    Column("assets", JSON, nullable=False),
    Index("runs_by_request", "requested_at"),
)

run_assets = Table(
    "run_assets",
    metadata,
    _text("run_id", primary_key=True),
    _text("asset", primary_key=True),
    _instant("requested_at", nullable=False),
    _instant("started_at"),
    _instant("ended_at"),
    _text("outcome", nullable=True),
    _text("error", nullable=True),
    Index("run_assets_by_asset", "asset", "requested_at"),
)

verdict_changes = Table(
    "verdict_changes",
    metadata,
    _id(),
    _instant("at", nullable=False),
    _text("policy"),
    _text("asset"),
    _text("partition"),
    _text("old"),
    _text("new"),
    _text("measure"),
    Index("verdict_changes_by_asset", "asset", "at"),
)

objective_hours = Table(
    "objective_hours",
    metadata,
    _text("policy", primary_key=True),
    _text("asset", primary_key=True),
    _text("partition", primary_key=True),
    Column("hour", BigInteger, primary_key=True, autoincrement=False),
    _instant("at", nullable=False),
    _text("mode"),
    Column("active", BigInteger, nullable=False),
    Column("stale", BigInteger, nullable=False),
    Column("ticks", BigInteger, nullable=False),
    Column("met", BigInteger, nullable=False),
    Index("objective_hours_by_time", "hour"),
    sqlite_with_rowid=False,
)
"""Totals of a pair as they stood at the last change in an hour, and what counted from then on."""

incidents = Table(
    "incidents",
    metadata,
    _text("incident", primary_key=True),
    _text("cause"),
    _text("reason"),
    _text("severity", nullable=True),
    _instant("opened_at", nullable=False),
    _instant("closed_at"),
    Column("reopened", Integer, nullable=False),
    Column("members", Integer, nullable=False),
    _text("merged_into"),
    _instant("updated_at", nullable=False),
    Index("incidents_by_opening", "opened_at"),
    Index("incidents_by_closing", "closed_at"),
)

incident_members = Table(
    "incident_members",
    metadata,
    _text("incident", primary_key=True),
    _text("policy", primary_key=True),
    _text("asset", primary_key=True),
    _text("partition", primary_key=True),
    _text("state"),
    _text("cause"),
    _text("reason"),
    _instant("joined_at", nullable=False),
    _instant("left_at"),
)

notices = Table(
    "notices",
    metadata,
    _text("notice_id", primary_key=True),
    _text("incident"),
    _text("channel"),
    _text("severity"),
    _instant("requested_at", nullable=False),
    Column("affected", Integer, nullable=False),
    _instant("reported_at"),
    Column("delivered", Boolean),
    _text("handle", nullable=True),
    _text("error", nullable=True),
    Index("notices_by_incident", "incident"),
)

wishes = Table(
    "wishes",
    metadata,
    _text("wish_id", primary_key=True),
    _text("author"),
    _instant("made_at", nullable=False),
    Column("assets", JSON, nullable=False),
    Column("planned", Integer, nullable=False),
    _instant("ended_at"),
    _text("outcome", nullable=True),
    _text("cause", nullable=True),
    Index("wishes_by_time", "made_at"),
)

declarations = Table(
    "declarations",
    metadata,
    _text("id", primary_key=True),
    _text("kind"),
    _text("subject"),
    _text("author"),
    _text("reason"),
    Column("assets", JSON, nullable=False),
    _instant("made_at", nullable=False),
    _instant("begins_at", nullable=False),
    _instant("until_at"),
    _instant("ended_at"),
    _text("ended_by", nullable=True),
    Index("declarations_by_time", "made_at"),
)

unmatched = Table(
    "unmatched",
    metadata,
    _text("format", primary_key=True),
    _text("name", primary_key=True),
    Column("count", BigInteger, nullable=False),
    _instant("first_at", nullable=False),
    _instant("last_at", nullable=False),
    Column("fields", JSON, nullable=False),
    Index("unmatched_by_time", "last_at"),
)

dead_letters = Table(
    "dead_letters",
    metadata,
    _id(),
    _instant("at", nullable=False),
    _text("origin"),
    _text("reason"),
    _text("format"),
    _text("message"),
    Column("payload", LargeBinary, nullable=False),
    Column("dropped_bytes", BigInteger, nullable=False),
)
