"""What a database complains about, as one of freshd's errors, with words on how to mend it.

It decides whether trying again may help. While the daemon starts, whatever a person must mend is permanent,
so that the start fails with these words; once it runs, only what waiting can never mend is, so that a full
disk, a lost server or a password changed under way stop nothing.
"""

from __future__ import annotations

import sqlite3
from typing import Final

from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from freshd.model.errors import FreshdError, PermanentError, TransientError

_TRANSIENT, _MENDABLE, _HOPELESS = "transient", "mendable", "hopeless"
"""Passes by itself; somebody must mend it, then trying again helps; trying again never helps."""

_SQLITE: Final = (
    ("SQLITE_FULL", _MENDABLE, "the disk is full: free some space, freshd goes on by itself"),
    ("SQLITE_BUSY", _TRANSIENT, "another program holds it locked: end that program's transaction"),
    ("SQLITE_LOCKED", _TRANSIENT, "another connection holds it locked"),
    ("SQLITE_READONLY_DBMOVED", _HOPELESS, "the file was moved or deleted under the daemon: put it back and restart"),
    ("SQLITE_READONLY", _MENDABLE, "it is read-only: let freshd's user write the file and its folder"),
    ("SQLITE_CANTOPEN", _MENDABLE, "it cannot be opened: make its folder, and let freshd's user write there"),
    ("SQLITE_PERM", _MENDABLE, "access is denied: let freshd's user write the file and its folder"),
    ("SQLITE_IOERR", _MENDABLE, "the disk cannot be read or written: look for a full or failing disk, or a quota"),
    ("SQLITE_CORRUPT", _HOPELESS, "the file is damaged: restore it from a backup, or try sqlite3's .recover"),
    ("SQLITE_NOTADB", _HOPELESS, "the file is no SQLite database: name another one in `store`"),
    ("SQLITE_TOOBIG", _HOPELESS, "a value is larger than SQLite allows"),
)

_POSTGRES: Final = (
    ("53100", _MENDABLE, "the server's disk is full: free some space, freshd goes on by itself"),
    ("53", _TRANSIENT, "the server lacks resources"),
    ("57P0", _TRANSIENT, "the server is stopping or starting"),
    ("57014", _TRANSIENT, "the statement took too long and was cancelled"),
    ("55P03", _TRANSIENT, "another session holds what is needed locked: see pg_stat_activity"),
    ("40", _TRANSIENT, "the transaction met another one"),
    ("25006", _MENDABLE, "the server is read-only (a standby?): point `store` at the primary"),
    ("25P03", _TRANSIENT, "the server ended a transaction that had stood still"),
    ("08", _TRANSIENT, "the connection was lost"),
    ("58", _MENDABLE, "the server has trouble with its disk: see its log"),
    ("28", _MENDABLE, "the server refuses the user or password: see `store` and password_file"),
    ("3D000", _MENDABLE, "the server has no such database: create it, or name another one in `store`"),
    ("42501", _MENDABLE, "permission denied: grant the user CREATE on the schema, and its tables"),
    ("XX", _HOPELESS, "the server reports damage: see its log"),
)


def translated(error: Exception, where: str, doing: str, opening: bool = False) -> FreshdError:
    """The error to raise instead; `where` names the store without its password, `doing` what was tried."""
    if isinstance(error, FreshdError):
        return error
    fate, words = _judged(error)
    origin = getattr(error, "orig", None) or error
    said = " ".join(str(origin).split())
    message = f"{where}: cannot {doing}: {words} ({said})"
    if fate is _HOPELESS or (opening and fate is _MENDABLE):
        return PermanentError(message)
    return TransientError(message)


def is_bad_value(error: Exception) -> bool:
    """Whether a value was refused, not the write as a whole: with what is scrubbed it may be taken."""
    origin = error.orig if isinstance(error, DBAPIError) else error
    if isinstance(origin, UnicodeError | OverflowError | sqlite3.DataError | sqlite3.InterfaceError):
        return True
    if isinstance(origin, sqlite3.ProgrammingError):
        return "binding parameter" in str(origin)
    return _is_postgres_data_error(origin)


def _is_postgres_data_error(origin: object) -> bool:
    state = getattr(origin, "sqlstate", None)
    names = {kind.__name__ for kind in type(origin).__mro__}
    return "DataError" in names or (isinstance(state, str) and state.startswith("22"))


def _judged(error: Exception) -> tuple[str, str]:
    if isinstance(error, PoolTimeout):
        return _TRANSIENT, "all connections are busy"
    origin = error.orig if isinstance(error, DBAPIError) else error
    name = getattr(origin, "sqlite_errorname", None)
    if isinstance(name, str):
        for prefix, fate, words in _SQLITE:
            if name.startswith(prefix):
                return fate, words
        return _HOPELESS, f"SQLite says {name}"
    if isinstance(origin, sqlite3.Error):
        return _HOPELESS, "SQLite refuses it"
    state = getattr(origin, "sqlstate", None)
    if isinstance(state, str):
        for prefix, fate, words in _POSTGRES:
            if state.startswith(prefix):
                return fate, words
        return _HOPELESS, f"the server says {state}"
    return _unnamed(error, origin)


def _unnamed(error: Exception, origin: object) -> tuple[str, str]:
    """Errors without a code: mostly of a server that cannot be reached."""
    said = str(origin)
    if "password authentication failed" in said or "no password supplied" in said or "pg_hba.conf" in said:
        return _MENDABLE, "the server refuses the user or password: see `store` and password_file"
    if 'database "' in said and "does not exist" in said:
        return _MENDABLE, "the server has no such database: create it, or name another one in `store`"
    if "too many clients" in said or "connection slots" in said:
        return _TRANSIENT, "the server takes no more connections: raise its max_connections"
    if isinstance(error, DBAPIError) and (error.connection_invalidated or type(origin).__name__ == "OperationalError"):
        return _TRANSIENT, "the server cannot be reached: is it running, and is the address in `store` right?"
    if isinstance(error, OSError):
        return _MENDABLE, "the system refuses it"
    if isinstance(error, SQLAlchemyError):
        return _HOPELESS, "the database refuses it"
    return _HOPELESS, f"an unexpected {type(error).__name__}"
