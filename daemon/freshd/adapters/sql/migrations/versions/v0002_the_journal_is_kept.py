"""The journal outlives its checkpoints, so that decisions can be replayed; from where, and by which files."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """What is in the journal of an older store is what no checkpoint has folded yet: `folded` is 0 there."""
    op.add_column("lease", sa.Column("folded", sa.BigInteger(), nullable=False, server_default="0"))
    step = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "kept_journal",  # made anew: what pruning looks at must stand before what is long
        sa.Column("step", step, primary_key=True, autoincrement=False, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False, server_default="0"),
        sa.Column("upto_bytes", sa.BigInteger(), nullable=False, server_default="0"),
        sa.Column("records", sa.LargeBinary(), nullable=False),
    )
    op.execute("INSERT INTO kept_journal (step, records) SELECT step, records FROM journal")
    op.drop_table("journal")
    op.rename_table("kept_journal", "journal")
    op.create_table(
        "replay_starts",
        sa.Column("step", step, primary_key=True, autoincrement=False, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.LargeBinary(), nullable=False),
    )
    op.create_table(
        "readings",
        sa.Column("step", step, primary_key=True, autoincrement=False, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("files", sa.JSON(), nullable=False),
    )
