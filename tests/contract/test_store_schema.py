"""The tables that the migrations make are those that the code means, on both databases."""

from __future__ import annotations

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from freshd.adapters.sql import SqlStore, StoreSettings
from freshd.adapters.sql.connect import writer_engine
from freshd.adapters.sql.migrate import SCRIPTS, migrate
from freshd.adapters.sql.schema import REVISION, VERSION_TABLE, metadata


def test_the_newest_migration_is_the_schema_of_the_code() -> None:
    config = Config()
    config.set_main_option("script_location", SCRIPTS)
    assert ScriptDirectory.from_config(config).get_heads() == [REVISION]


def test_migrating_gives_the_tables_of_the_code(url: str) -> None:
    engine = writer_engine(StoreSettings.model_validate(url).target(), "full")
    with engine.begin() as connection:
        migrate(connection, "here")
    with engine.begin() as connection:
        context = MigrationContext.configure(
            connection, opts={"version_table": VERSION_TABLE, "compare_type": True, "target_metadata": metadata}
        )
        assert compare_metadata(context, metadata) == []
    engine.dispose()


def test_a_migration_that_fails_leaves_nothing(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from freshd.adapters.sql import migrate as module

    def fail_after(connection: object, where: str) -> None:
        migrate(connection, where)  # type: ignore[arg-type]
        raise RuntimeError("the power fails")

    store = SqlStore(StoreSettings.model_validate(url))
    monkeypatch.setattr("freshd.adapters.sql.store.migrate", fail_after)
    with pytest.raises(Exception, match="the power fails"):
        store.open()
    monkeypatch.undo()
    engine = writer_engine(StoreSettings.model_validate(url).target(), "full")
    with engine.begin() as connection:
        assert module._revision(connection) == ""
    engine.dispose()
    store.open()
    assert store.epoch == 1
    store.close()
