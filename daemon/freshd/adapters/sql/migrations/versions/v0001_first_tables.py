"""The first tables: what the daemon lives on, history for people, and views that show instants as times."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

INSTANTS = {
    "materialisations": ("recorded_at", "started_at", "ended_at", "data_time"),
    "runs": ("requested_at", "started_at", "ended_at"),
    "run_assets": ("requested_at", "started_at", "ended_at"),
    "verdict_changes": ("at",),
    "incidents": ("opened_at", "closed_at", "updated_at"),
    "incident_members": ("joined_at", "left_at"),
    "notices": ("requested_at", "reported_at"),
    "wishes": ("made_at", "ended_at"),
    "unmatched": ("first_at", "last_at"),
    "dead_letters": ("at",),
    "positions": ("updated_at",),
}
"""The tables with a readable view, and their columns that hold instants."""


def upgrade() -> None:
    """Make everything."""
    _make_what_the_daemon_lives_on()
    _make_assets_and_materialisations()
    _make_runs()
    _make_verdicts_and_incidents()
    _make_notices_and_wishes()
    _make_what_was_not_understood()
    _make_views()


def _text(name: str, nullable: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.Text(), nullable=nullable)


def _big(name: str, nullable: bool = True) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger(), nullable=nullable)


def _number(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.Integer(), nullable=False)


def _json(name: str, nullable: bool = False) -> sa.Column[Any]:
    return sa.Column(name, sa.JSON(), nullable=nullable)


def _row_number(name: str, autoincrement: bool) -> sa.Column[int]:
    kind = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    return sa.Column(name, kind, autoincrement=autoincrement, nullable=False)


def _key(*names: str) -> sa.PrimaryKeyConstraint:
    return sa.PrimaryKeyConstraint(*names)


def _make_what_the_daemon_lives_on() -> None:
    op.create_table(
        "lease",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        _big("epoch", nullable=False),
        _big("step", nullable=False),
        _big("history_step", nullable=False),
        _text("holder"),
        _key("id"),
    )
    op.create_table(
        "journal",
        _row_number("step", autoincrement=False),
        sa.Column("records", sa.LargeBinary(), nullable=False),
        _key("step"),
    )
    op.create_table(
        "state",
        _text("kind"),
        _text("key"),
        sa.Column("value", sa.LargeBinary(), nullable=False),
        _key("kind", "key"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "positions",
        _text("source"),
        _text("position"),
        _big("updated_at"),
        _key("source"),
        sqlite_with_rowid=False,
    )
    op.execute("INSERT INTO lease (id, epoch, step, history_step, holder) VALUES (1, 0, 0, 0, '')")


def _make_assets_and_materialisations() -> None:
    op.create_table(
        "assets",
        *(_text(name) for name in ("key", "kind", "group_name", "description", "feed", "relation", "launcher")),
        _json("owners"),
        _json("tags"),
        _json("upstreams"),
        _key("key"),
    )
    op.create_table(
        "materialisations",
        _row_number("id", autoincrement=True),
        _big("recorded_at", nullable=False),
        _text("asset"),
        _text("partition"),
        _big("started_at"),
        _big("ended_at", nullable=False),
        _big("duration"),
        sa.Column("changed", sa.Boolean(), nullable=False),
        _big("data_time"),
        _text("outcome"),
        _text("run_id"),
        _text("source"),
        _text("event_id"),
        sa.Column("completeness", sa.Float(), nullable=True),
        _big("row_count"),
        _text("error", nullable=True),
        _json("metadata", nullable=True),
        _key("id"),
    )
    op.create_index("materialisations_by_asset", "materialisations", ["asset", "ended_at"])


def _make_runs() -> None:
    op.create_table(
        "runs",
        _text("run_id"),
        _text("launcher"),
        _text("partition"),
        _number("attempt"),
        _text("reason"),
        sa.Column("observed", sa.Boolean(), nullable=False),
        _big("requested_at", nullable=False),
        _big("started_at"),
        _big("ended_at"),
        _text("outcome", nullable=True),
        _json("assets"),
        _key("run_id"),
    )
    op.create_index("runs_by_request", "runs", ["requested_at"])
    op.create_table(
        "run_assets",
        _text("run_id"),
        _text("asset"),
        _big("requested_at", nullable=False),
        _big("started_at"),
        _big("ended_at"),
        _text("outcome", nullable=True),
        _text("error", nullable=True),
        _key("run_id", "asset"),
    )
    op.create_index("run_assets_by_asset", "run_assets", ["asset", "requested_at"])


def _make_verdicts_and_incidents() -> None:
    op.create_table(
        "verdict_changes",
        _row_number("id", autoincrement=True),
        _big("at", nullable=False),
        *(_text(name) for name in ("policy", "asset", "partition", "old", "new", "measure")),
        _key("id"),
    )
    op.create_index("verdict_changes_by_asset", "verdict_changes", ["asset", "at"])
    op.create_table(
        "incidents",
        _text("incident"),
        _text("cause"),
        _text("reason"),
        _text("severity", nullable=True),
        _big("opened_at", nullable=False),
        _big("closed_at"),
        _number("reopened"),
        _number("members"),
        _text("merged_into"),
        _big("updated_at", nullable=False),
        _key("incident"),
    )
    op.create_index("incidents_by_opening", "incidents", ["opened_at"])
    op.create_index("incidents_by_closing", "incidents", ["closed_at"])
    op.create_table(
        "incident_members",
        *(_text(name) for name in ("incident", "policy", "asset", "partition", "state", "cause", "reason")),
        _big("joined_at", nullable=False),
        _big("left_at"),
        _key("incident", "policy", "asset", "partition"),
    )


def _make_notices_and_wishes() -> None:
    op.create_table(
        "notices",
        *(_text(name) for name in ("notice_id", "incident", "channel", "severity")),
        _big("requested_at", nullable=False),
        _number("affected"),
        _big("reported_at"),
        sa.Column("delivered", sa.Boolean(), nullable=True),
        _text("handle", nullable=True),
        _text("error", nullable=True),
        _key("notice_id"),
    )
    op.create_index("notices_by_incident", "notices", ["incident"])
    op.create_table(
        "wishes",
        _text("wish_id"),
        _text("author"),
        _big("made_at", nullable=False),
        _json("assets"),
        _number("planned"),
        _big("ended_at"),
        _text("outcome", nullable=True),
        _text("cause", nullable=True),
        _key("wish_id"),
    )
    op.create_index("wishes_by_time", "wishes", ["made_at"])


def _make_what_was_not_understood() -> None:
    op.create_table(
        "unmatched",
        _text("format"),
        _text("name"),
        _big("count", nullable=False),
        _big("first_at", nullable=False),
        _big("last_at", nullable=False),
        _json("fields"),
        _key("format", "name"),
    )
    op.create_index("unmatched_by_time", "unmatched", ["last_at"])
    op.create_table(
        "dead_letters",
        _row_number("id", autoincrement=True),
        _big("at", nullable=False),
        *(_text(name) for name in ("origin", "reason", "format", "message")),
        sa.Column("payload", sa.LargeBinary(), nullable=False),
        _big("dropped_bytes", nullable=False),
        _key("id"),
    )


def _make_views() -> None:
    bind = op.get_bind()
    on_sqlite = bind.dialect.name == "sqlite"
    for table, instants in INSTANTS.items():
        shown = []
        for column in sa.inspect(bind).get_columns(table):
            name = f'"{column["name"]}"'
            if column["name"] not in instants:
                shown.append(name)
            elif on_sqlite:
                shown.append(
                    f"strftime('%Y-%m-%dT%H:%M:%S', {name} / 1000000, 'unixepoch')"
                    f" || printf('.%06dZ', {name} % 1000000) AS {name}"
                )
            else:
                shown.append(f"to_timestamp({name} / 1000000.0) AS {name}")
        op.execute(
            sa.text(f"CREATE VIEW readable_{table} AS SELECT {', '.join(shown)} FROM {table}".replace(":", r"\:"))
        )
