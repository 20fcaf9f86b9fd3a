"""Which errors of a database pass by themselves, which a person must mend, and which nothing mends: a table."""

from __future__ import annotations

import sqlite3

import psycopg
import pytest
from psycopg import errors as pg
from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from freshd.adapters.sql.errors import is_bad_value, translated
from freshd.model.errors import FencedError, PermanentError, TransientError


def sqlite_error(name: str) -> Exception:
    error = sqlite3.OperationalError(f"this is {name}")
    error.sqlite_errorname = name
    return error


def lost(message: str) -> Exception:
    return OperationalError("SELECT 1", {}, psycopg.OperationalError(message))


PASSES, MENDABLE, HOPELESS = "passes", "mendable", "hopeless"

TABLE = [
    (sqlite_error("SQLITE_FULL"), MENDABLE, "the disk is full"),
    (sqlite_error("SQLITE_IOERR_WRITE"), MENDABLE, "full or failing disk"),
    (sqlite_error("SQLITE_BUSY"), PASSES, "locked"),
    (sqlite_error("SQLITE_BUSY_SNAPSHOT"), PASSES, "locked"),
    (sqlite_error("SQLITE_READONLY"), MENDABLE, "read-only"),
    (sqlite_error("SQLITE_READONLY_DBMOVED"), HOPELESS, "moved or deleted"),
    (sqlite_error("SQLITE_CANTOPEN"), MENDABLE, "cannot be opened"),
    (sqlite_error("SQLITE_CORRUPT"), HOPELESS, "damaged"),
    (sqlite_error("SQLITE_NOTADB"), HOPELESS, "no SQLite database"),
    (sqlite_error("SQLITE_SCHEMA_NEW_TO_US"), HOPELESS, "SQLITE_SCHEMA_NEW_TO_US"),
    (pg.DiskFull("x"), MENDABLE, "the server's disk is full"),
    (pg.OutOfMemory("x"), PASSES, "lacks resources"),
    (pg.AdminShutdown("x"), PASSES, "stopping or starting"),
    (pg.CannotConnectNow("x"), PASSES, "stopping or starting"),
    (pg.QueryCanceled("x"), PASSES, "took too long"),
    (pg.LockNotAvailable("x"), PASSES, "locked"),
    (pg.DeadlockDetected("x"), PASSES, "met another one"),
    (pg.SerializationFailure("x"), PASSES, "met another one"),
    (pg.ReadOnlySqlTransaction("x"), MENDABLE, "standby"),
    (pg.ConnectionFailure("x"), PASSES, "connection was lost"),
    (pg.InvalidPassword("x"), MENDABLE, "user or password"),
    (pg.InvalidCatalogName("x"), MENDABLE, "no such database"),
    (pg.InsufficientPrivilege("x"), MENDABLE, "permission denied"),
    (pg.DataCorrupted("x"), HOPELESS, "damage"),
    (pg.UndefinedTable("x"), HOPELESS, "42P01"),
    (lost("connection to server failed: Connection refused"), PASSES, "is it running"),
    (lost('FATAL: password authentication failed for user "u"'), MENDABLE, "user or password"),
    (lost('FATAL: database "d" does not exist'), MENDABLE, "no such database"),
    (lost("FATAL: sorry, too many clients already"), PASSES, "max_connections"),
    (PoolTimeout("x"), PASSES, "connections are busy"),
    (OSError(28, "No space left on device"), MENDABLE, "No space left"),
    (RuntimeError("surprise"), HOPELESS, "surprise"),
]


@pytest.mark.parametrize(("error", "fate", "words"), TABLE, ids=lambda value: str(value)[:40])
def test_each_error_says_what_to_do(error: Exception, fate: str, words: str) -> None:
    running = translated(error, "sqlite:///f.db", "write facts")
    starting = translated(error, "sqlite:///f.db", "open it", opening=True)
    assert type(running) is (PermanentError if fate is HOPELESS else TransientError)
    assert type(starting) is (TransientError if fate is PASSES else PermanentError)
    assert str(running).startswith("sqlite:///f.db: cannot write facts: ")
    assert words in str(running)


def test_what_is_freshds_own_stays_as_it_is() -> None:
    error = FencedError("another daemon")
    assert translated(error, "x", "y") is error


@pytest.mark.parametrize(
    ("error", "bad"),
    [
        (psycopg.DataError("PostgreSQL text fields cannot contain NUL (0x00) bytes"), True),
        (pg.NumericValueOutOfRange("x"), True),
        (pg.UntranslatableCharacter("x"), True),
        (UnicodeEncodeError("utf-8", "\ud800", 0, 1, "surrogates not allowed"), True),
        (OverflowError("Python int too large to convert to SQLite INTEGER"), True),
        (sqlite3.InterfaceError("Error binding parameter 1"), True),
        (sqlite3.ProgrammingError("Error binding parameter 1: type 'object' is not supported"), True),
        (sqlite3.ProgrammingError("Cannot operate on a closed database."), False),
        (pg.DiskFull("x"), False),
        (sqlite_error("SQLITE_FULL"), False),
    ],
)
def test_values_that_scrubbing_mends_are_told_from_the_rest(error: Exception, bad: bool) -> None:
    assert is_bad_value(error) is bad
