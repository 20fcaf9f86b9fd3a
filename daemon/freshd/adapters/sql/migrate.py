"""Bring the tables to what this code reads and writes, or refuse with words.

A store that is already so is left alone, without loading Alembic. One made by a newer freshd is refused: its
tables may mean something else. All migrations run in one transaction, one daemon at a time.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import Connection, inspect

from freshd.adapters.sql.schema import REVISION, VERSION_TABLE
from freshd.model.errors import PermanentError

SCRIPTS: Final = "freshd.adapters.sql:migrations"

_ADVISORY_LOCK: Final = 0x6672_6573_6864  # "freshd"


def migrate(connection: Connection, where: str) -> None:
    """Migrate within the open transaction. Raises PermanentError if the store was made by a newer freshd."""
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_ADVISORY_LOCK})")
    found = _revision(connection)
    if found == REVISION:
        return
    from alembic import command
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", SCRIPTS)
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    if found and found not in known:
        raise PermanentError(
            f"{where}: its tables are of revision {found}, made by a newer freshd; this one knows {REVISION}: "
            "start the newer freshd, or name another store"
        )
    command.upgrade(config, REVISION)


def _revision(connection: Connection) -> str:
    """The revision of the tables that are there; empty if there are none."""
    if not inspect(connection).has_table(VERSION_TABLE):
        return ""
    row = connection.exec_driver_sql(f"SELECT version_num FROM {VERSION_TABLE}").first()
    return "" if row is None else str(row[0])
