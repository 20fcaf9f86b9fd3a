"""Run by Alembic: migrates over the connection it is handed, in the transaction that is open there."""

from __future__ import annotations

from alembic import context

from freshd.adapters.sql.schema import VERSION_TABLE, metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    version_table=VERSION_TABLE,
    transactional_ddl=False,  # the caller's transaction holds it all
)
context.run_migrations()
