"""What people declared: mutes, maintenance, pauses and acknowledgements, with who, why and until when."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

INSTANTS = ("made_at", "begins_at", "until_at", "ended_at")


def upgrade() -> None:
    """Add the table and its readable view; it is empty until somebody declares something."""
    texts = [sa.Column(name, sa.Text(), nullable=False) for name in ("id", "kind", "subject", "author", "reason")]
    op.create_table(
        "declarations",
        *texts,
        sa.Column("assets", sa.JSON(), nullable=False),
        *(sa.Column(name, sa.BigInteger(), nullable=name in ("until_at", "ended_at")) for name in INSTANTS),
        sa.Column("ended_by", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("declarations_by_time", "declarations", ["made_at"])
    shown = [f'"{name}"' for name in ("id", "kind", "subject", "author", "reason", "assets", "ended_by")]
    if op.get_bind().dialect.name == "sqlite":
        shown += [
            f"strftime('%Y-%m-%dT%H:%M:%S', {name} / 1000000, 'unixepoch')"
            f" || printf('.%06dZ', {name} % 1000000) AS {name}"
            for name in INSTANTS
        ]
    else:
        shown += [f"to_timestamp({name} / 1000000.0) AS {name}" for name in INSTANTS]
    view = f"CREATE VIEW readable_declarations AS SELECT {', '.join(shown)} FROM declarations"
    op.execute(sa.text(view.replace(":", r"\:")))
