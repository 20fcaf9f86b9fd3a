"""The one connection that writes: transactions that are whole or never were, on SQLite and PostgreSQL.

It knows how each database takes many rows quickly, and hands every error on as one of freshd's. After an
error the connection is thrown away: the next transaction opens another one, so that a disk with space again, a
server that is back or rights that were mended are simply found working.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cache
from itertools import groupby
from operator import itemgetter
from typing import Any, Final

from sqlalchemy import URL, Connection, Engine

from freshd.adapters.sql import statements as sql
from freshd.adapters.sql.connect import make_folder, shown, writer_engine
from freshd.adapters.sql.errors import is_bad_value, translated
from freshd.adapters.sql.projection import HistoryRows
from freshd.adapters.sql.scrub import scrub_value
from freshd.model.errors import FreshdError

COPY_FROM: Final = 16
"""Rows from which PostgreSQL's COPY is quicker than single inserts."""

ARRAY_ROWS: Final = 5_000
"""Rows of state that go to PostgreSQL in one statement."""

Values = Sequence[Any]


class BadValueError(Exception):
    """A value in the transaction was refused: with `scrub` it will be taken."""


class Transaction:
    """What can be done inside one transaction."""

    def __init__(self, connection: Connection, scrub: bool) -> None:
        self.connection = connection
        self._scrub = scrub
        self.dialect: str = connection.dialect.name

    def may_be_lost(self) -> None:
        """It need not be durable before a later one is: if power fails until then it has not happened."""
        if self.dialect == "postgresql":
            self.run("SET LOCAL synchronous_commit = off")

    def run(self, statement: str, *values: Any) -> int:
        """Run a statement; returns how many rows it changed."""
        given = tuple(map(scrub_value, values)) if self._scrub else values
        return self.connection.exec_driver_sql(self._adapted(statement), given).rowcount

    def rows(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        """The rows that a query finds."""
        found = self.connection.exec_driver_sql(self._adapted(statement), values)
        return [tuple(row) for row in found]

    def run_many(self, statement: str, rows: Sequence[Values]) -> None:
        """Run a statement once for each row of values."""
        if rows:
            given = self._given(rows)
            self.connection.exec_driver_sql(self._adapted(statement), given)

    def insert(self, table: str, columns: tuple[str, ...], rows: Sequence[Values]) -> None:
        """Add rows the quickest way there is."""
        if self.dialect == "postgresql" and len(rows) >= COPY_FROM:
            driver: Any = self.connection.connection.driver_connection
            with driver.cursor() as cursor, cursor.copy(f"COPY {table} ({', '.join(columns)}) FROM STDIN") as copy:
                for row in self._given(rows):
                    copy.write_row(row)
        else:
            self.run_many(sql.insert_into(table, columns), rows)

    def write_history(self, rows: HistoryRows) -> None:
        """Add and change rows of history."""
        self.insert("materialisations", sql.MATERIALISATION_COLUMNS, rows.materialisations)
        self.insert("verdict_changes", sql.VERDICT_COLUMNS, rows.verdict_changes)
        self.insert("dead_letters", sql.DEAD_LETTER_COLUMNS, rows.dead_letters)
        changes = sorted(rows.changes, key=_of_members)  # many incidents of one step: one call for each statement
        for statement, group in groupby(changes, key=itemgetter(0)):
            self.run_many(statement, [values for _, values in group])

    def put_state(self, rows: Sequence[tuple[str, str, bytes]]) -> None:
        """Add or replace rows of the checkpoint; each key once."""
        if self.dialect != "postgresql":
            self.run_many(sql.PUT_STATE, rows)
            return
        for at in range(0, len(rows), ARRAY_ROWS):
            kinds, keys, values = zip(*self._given(rows[at : at + ARRAY_ROWS]), strict=True)
            self.connection.exec_driver_sql(
                self._adapted(sql.PUT_STATE_ARRAYS), (list(kinds), list(keys), list(values))
            )

    def _given(self, rows: Sequence[Values]) -> list[Any]:
        if self._scrub:
            return [tuple(map(scrub_value, row)) for row in rows]
        return rows if isinstance(rows, list) else list(rows)

    def _adapted(self, statement: str) -> str:
        return _adapted(statement, self.dialect)


def _of_members(change: tuple[str, Values]) -> bool:
    """Whether it is about members of incidents: nothing else rests on those, so they come last, in their order."""
    return change[0] in sql.OF_MEMBERS


@cache
def _adapted(statement: str, dialect: str) -> str:
    """The statement as this database's driver takes it."""
    text = statement.replace("{json}", sql.JSON_VALUE[dialect])
    return text if dialect == "sqlite" else text.replace("?", "%s")


class Writer:
    """Opens the connection when it is needed, and throws it away when it failed."""

    def __init__(self, url: URL, synchronous: str) -> None:
        self.url = url
        self.where = shown(url)
        self._synchronous = synchronous
        self._engine: Engine | None = None
        self._connection: Connection | None = None

    @contextmanager
    def transaction(
        self, doing: str, opening: bool = False, scrub: bool = False, durable: bool = True
    ) -> Iterator[Transaction]:
        """A transaction: committed and durable if the block ends well, else as if it had never been.

        One that need not be `durable` waits for no disk: it becomes so with the next that is, and may be lost with
        its machine until then. One thing is left open when this raises: whether a server had committed before it
        was lost.
        Raises TransientError, PermanentError, or BadValueError if `scrub` would help.
        """
        try:
            connection = self._connected()
            with self._synchronously(connection, durable), connection.begin():
                transaction = Transaction(connection, scrub)
                if not durable:
                    transaction.may_be_lost()
                yield transaction
        except Exception as error:
            self.disconnect()
            if not scrub and not isinstance(error, FreshdError) and is_bad_value(error):
                raise BadValueError(str(error)) from error
            raise translated(error, self.where, doing, opening) from error

    @contextmanager
    def _synchronously(self, connection: Connection, durable: bool) -> Iterator[None]:
        """SQLite is told before a transaction begins whether its end is to wait for the disk."""
        if durable or connection.dialect.name != "sqlite" or self._synchronous == "normal":
            yield
            return
        driver: Any = connection.connection.driver_connection
        driver.execute("PRAGMA synchronous = NORMAL").close()
        yield  # after an error the connection is thrown away
        driver.execute(f"PRAGMA synchronous = {self._synchronous.upper()}").close()

    def disconnect(self) -> None:
        """Throw the connection away."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(Exception):  # it is lost anyhow, and what made us do this is told already
                connection.invalidate()
                connection.close()

    def close(self) -> None:
        """Close the connection; the writer can be used again."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()
        if self._engine is not None:
            self._engine.dispose()

    def _connected(self) -> Connection:
        if self._engine is None:
            make_folder(self.url)
            self._engine = writer_engine(self.url, self._synchronous)
        if self._connection is None:
            self._connection = self._engine.connect()
        return self._connection
