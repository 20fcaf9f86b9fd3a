"""Connections to SQLite or PostgreSQL, set up so that what is committed is durable and nobody waits for ever.

One connection writes; readers have their own, few and read-only, so that people's queries never block the
writer. This module knows drivers and their settings, no tables.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from sqlalchemy import URL, Connection, Engine, create_engine, event
from sqlalchemy.exc import NoSuchModuleError
from sqlalchemy.pool import NullPool

from freshd.model.errors import PermanentError

LOCK_WAIT_S: Final = 5
"""How long a statement waits for a lock that another program holds."""

CONNECT_WAIT_S: Final = 10
"""How long a server may take to answer a new connection."""

STATEMENT_LIMIT_S: Final = 60
"""How long a server may work on one statement of the writer or of a reader."""

IDLE_TRANSACTION_LIMIT_S: Final = 60
"""After how long a server gives up a transaction whose daemon has gone silent, so that another can take over."""

READERS: Final = 4
"""Connections that queries of people may use at one time."""

READER_WAIT_S: Final = 10
"""How long a query waits for one of them."""

PAGE_BYTES: Final = 8_192
CACHE_BYTES: Final = 16 * 1024 * 1024
WAL_PAGES: Final = 1_000
WAL_BYTES: Final = 64 * 1024 * 1024
"""SQLite's page size (of new files), page cache of the writer, pages of the write-ahead log before it is folded, and
what is left of that log once a long query has made it longer."""


def is_sqlite(url: URL) -> bool:
    """Whether the store is a file of this machine."""
    return url.get_backend_name() == "sqlite"


def shown(url: URL) -> str:
    """The store's name for messages: no driver, no password."""
    if is_sqlite(url):
        return f"sqlite:///{url.database}"
    plain = url.set(drivername=url.get_backend_name(), query={})
    return plain.render_as_string(hide_password=True)


def writer_engine(url: URL, synchronous: str) -> Engine:
    """For the one connection that writes. Raises PermanentError if the driver is missing."""
    return _engine(url, lambda connection: _prepare(connection, url, synchronous), "BEGIN IMMEDIATE", pool=None)


def reader_engine(url: URL) -> Engine:
    """For queries of people: a few connections that cannot write."""
    return _engine(url, lambda connection: _prepare_reader(connection, url), "BEGIN", pool=READERS)


def _engine(url: URL, prepare: Callable[[Any], None], begin: str, pool: int | None) -> Engine:
    options: dict[str, Any] = {"hide_parameters": True}
    if pool is None:
        options["poolclass"] = NullPool
    else:
        options.update(pool_size=pool, max_overflow=0, pool_timeout=READER_WAIT_S)
    if is_sqlite(url):
        options["connect_args"] = {"timeout": LOCK_WAIT_S, "isolation_level": None, "check_same_thread": False}
    else:
        options["paramstyle"] = "format"
        options["pool_pre_ping"] = pool is not None
        options["connect_args"] = {
            "connect_timeout": CONNECT_WAIT_S,
            "application_name": "freshd",
            "keepalives_idle": 30,
            "keepalives_interval": 10,
            "keepalives_count": 3,
            "tcp_user_timeout": 1_000 * STATEMENT_LIMIT_S,
        }
    try:
        engine = create_engine(url, **options)
    except (ModuleNotFoundError, NoSuchModuleError) as error:
        name = getattr(error, "name", None) or "its driver"
        raise PermanentError(f"{shown(url)}: {name} is not installed: install freshd[postgres]") from None

    @event.listens_for(engine, "connect")
    def _connected(connection: Any, _: object) -> None:
        prepare(connection)

    if is_sqlite(url):

        @event.listens_for(engine, "begin")
        def _begun(connection: Connection) -> None:
            connection.exec_driver_sql(begin)

    return engine


def _prepare(connection: Any, url: URL, synchronous: str) -> None:
    if is_sqlite(url):
        _pragmas(
            connection,
            f"page_size = {PAGE_BYTES}",
            "journal_mode = WAL",
            f"synchronous = {synchronous.upper()}",
            f"cache_size = {-(CACHE_BYTES // 1024)}",
            f"wal_autocheckpoint = {WAL_PAGES}",
            f"journal_size_limit = {WAL_BYTES}",
            "secure_delete = OFF",
            "temp_store = MEMORY",
        )
        return
    _session(
        connection,
        lock_timeout=LOCK_WAIT_S,
        statement_timeout=STATEMENT_LIMIT_S,
        idle_in_transaction_session_timeout=IDLE_TRANSACTION_LIMIT_S,
    )
    with connection.cursor() as cursor:
        # A server may be set up to forget the last commits in a crash; this session is not.
        cursor.execute(
            "SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'"
        )
    connection.commit()


def _prepare_reader(connection: Any, url: URL) -> None:
    if is_sqlite(url):
        _pragmas(connection, "query_only = ON")
        return
    _session(connection, lock_timeout=LOCK_WAIT_S, statement_timeout=STATEMENT_LIMIT_S)
    connection.read_only = True


def _pragmas(connection: sqlite3.Connection, *pragmas: str) -> None:
    for pragma in pragmas:
        connection.execute(f"PRAGMA {pragma}").close()


def _session(connection: Any, **limits_s: int) -> None:
    with connection.cursor() as cursor:
        for name, seconds in limits_s.items():
            cursor.execute("SELECT set_config(%s, %s, false)", (name, f"{seconds}s"))
    connection.commit()


def make_folder(url: URL) -> None:
    """Make the folder of a new SQLite file. Raises OSError."""
    if is_sqlite(url) and url.database:
        Path(url.database).parent.mkdir(parents=True, exist_ok=True)
