"""How much of the time policies with an objective held: running totals, one row per pair and hour of change."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the table; it is empty until something is counted."""
    columns = [sa.Column(name, sa.Text(), nullable=False) for name in ("policy", "asset", "partition")]
    counts = [sa.Column(name, sa.BigInteger(), nullable=False) for name in ("active", "stale", "ticks", "met")]
    op.create_table(
        "objective_hours",
        *columns,
        sa.Column("hour", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("mode", sa.Text(), nullable=False),
        *counts,
        sa.PrimaryKeyConstraint("policy", "asset", "partition", "hour"),
        sqlite_with_rowid=False,
    )
    op.create_index("objective_hours_by_time", "objective_hours", ["hour"])
