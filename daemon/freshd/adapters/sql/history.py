"""What stands in the store, for people: rows as plain mappings, newest first, from connections of their own.

Instants are whole microseconds, columns of JSON are decoded. A query never holds up the daemon; it sees what
was committed when it began.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, TypeVar

import orjson
import zstandard
from sqlalchemy import URL, Connection, Select, Table, select

from freshd.adapters.sql import schema
from freshd.adapters.sql import statements as sql
from freshd.adapters.sql.codec import RecordCodec
from freshd.adapters.sql.connect import reader_engine, shown
from freshd.adapters.sql.errors import translated

MOST_ROWS: Final = 10_000
"""Rows that one question is answered with at most."""

KEYS_AT_ONCE: Final = 500
"""Keys that one query looks for."""

T = TypeVar("T")
Row = Mapping[str, Any]


class SqlHistory:
    """ports.History on SQLite or PostgreSQL; from any thread."""

    def __init__(self, url: URL) -> None:
        """Connects to nothing yet. Raises PermanentError if the driver is missing."""
        self._readers = reader_engine(url)
        self._where = shown(url)
        self._on_sqlite = self._readers.dialect.name == "sqlite"

    def close(self) -> None:
        """Close the readers' connections."""
        self._readers.dispose()

    def materialisations(self, asset: str, limit: int = 50, partition: str = "") -> list[Row]:
        """Updates of an asset and the failures of its runs, the latest end first; of all assets if empty.

        `partition`: of that one only.
        """
        table = schema.materialisations
        if not asset:
            return self._rows(select(table).order_by(table.c.id.desc()), limit)
        query = select(table).where(table.c.asset == asset)
        if partition:
            query = query.where(table.c.partition == partition)
        return self._rows(query.order_by(table.c.ended_at.desc(), table.c.id.desc()), limit)

    def runs(self, asset: str = "", limit: int = 50, partition: str = "") -> list[Row]:
        """The daemon's own runs, of one asset or all, the latest request first; `members` tells of each asset."""
        runs, members = schema.runs, schema.run_assets
        query = select(runs).order_by(runs.c.requested_at.desc(), runs.c.run_id)
        if asset:
            query = query.join(members, members.c.run_id == runs.c.run_id).where(members.c.asset == asset)
            query = query.order_by(None).order_by(members.c.requested_at.desc(), runs.c.run_id)
        if partition:
            query = query.where(runs.c.partition == partition)
        found = self._rows(query, limit)
        return self._with_members(found, members, "run_id")

    def incidents(self, open_only: bool = False, limit: int = 50) -> list[Row]:
        """Incidents, the latest opened first; `affected` tells of every pair that is or was a member."""
        table = schema.incidents
        query = select(table).order_by(table.c.opened_at.desc(), table.c.incident)
        if open_only:
            query = query.where(table.c.closed_at.is_(None))
        return self._with_members(self._rows(query, limit), schema.incident_members, "incident", "affected")

    def verdicts(self, asset: str, limit: int = 50, partition: str = "") -> list[Row]:
        """Changes of an asset's verdicts, the latest first; of all assets if empty."""
        table = schema.verdict_changes
        if not asset:
            return self._rows(select(table).order_by(table.c.id.desc()), limit)
        query = select(table).where(table.c.asset == asset)
        if partition:
            query = query.where(table.c.partition == partition)
        return self._rows(query.order_by(table.c.at.desc(), table.c.id.desc()), limit)

    def objective_before(self, policy: str, asset: str, partition: str, instant: int) -> Row | None:
        """The totals of a pair as they stood before an instant, which is a full hour; None: nothing was counted."""
        table = schema.objective_hours
        query = (
            select(table)
            .where(table.c.policy == policy, table.c.asset == asset, table.c.partition == partition)
            .where(table.c.hour < instant)
            .order_by(table.c.hour.desc())
        )
        return next(iter(self._rows(query, 1)), None)

    def unmatched(self, limit: int = 200) -> list[Row]:
        """Names that matched no asset, each with how often and its latest fields; the latest seen first."""
        table = schema.unmatched
        return self._rows(select(table).order_by(table.c.last_at.desc(), table.c.format, table.c.name), limit)

    def dead_letters(self, limit: int = 50) -> list[Row]:
        """Messages that could not be understood, the latest first."""
        table = schema.dead_letters
        return self._rows(select(table).order_by(table.c.id.desc()), limit)

    def wishes(self, limit: int = 50, wish: str = "") -> list[Row]:
        """What people asked to be built, the latest first; or the one of that id."""
        table = schema.wishes
        query = select(table).order_by(table.c.made_at.desc(), table.c.wish_id)
        return self._rows(query.where(table.c.wish_id == wish) if wish else query, limit)

    def declarations(self, limit: int = 50) -> list[Row]:
        """Mutes, maintenance, pauses and acknowledgements, the latest said first."""
        table = schema.declarations
        return self._rows(select(table).order_by(table.c.made_at.desc(), table.c.id), limit)

    def notices(self, incident: str, limit: int = 50) -> list[Row]:
        """What was told of an incident, the latest first."""
        table = schema.notices
        query = select(table).where(table.c.incident == incident)
        return self._rows(query.order_by(table.c.requested_at.desc(), table.c.notice_id), limit)

    def whole_state(self) -> tuple[int, bytes]:
        """The checkpoint in one piece, one row of JSON a line, compressed; with the step up to which it folds.

        Nothing (step 0) while rows wait for the engine's next step: nobody could begin with it and decide the same.
        """

        def read(connection: Connection) -> tuple[int, bytes]:
            if not self._on_sqlite:
                connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            codec = RecordCodec()
            engine = connection.exec_driver_sql(sql.READ_STATE_OF_ENGINE).scalar_one_or_none()
            if engine is not None and orjson.loads(codec.state_json(engine)).get("waiting"):
                return 0, b""
            folded = connection.exec_driver_sql("SELECT folded FROM lease WHERE id = 1").scalar_one()
            squeeze = zstandard.ZstdCompressor(level=1).compressobj()
            parts: list[bytes] = []
            rows = connection.execution_options(stream_results=True).exec_driver_sql(sql.READ_WHOLE_STATE)
            for kind, key, value in rows:
                line = orjson.dumps([kind, key, orjson.Fragment(codec.state_json(value))])
                parts.append(squeeze.compress(line + b"\n"))
            parts.append(squeeze.flush())
            return int(folded), b"".join(parts)

        return self._reading("copy the state", read)

    # -- inside --------------------------------------------------------------------------------------

    def _rows(self, query: Select[Any], limit: int) -> list[Row]:
        bounded = query.limit(max(0, min(limit, MOST_ROWS)))
        return self._reading(
            "read history", lambda connection: [dict(row) for row in connection.execute(bounded).mappings()]
        )

    def _with_members(self, rows: list[Row], members: Table, key: str, under: str = "members") -> list[Row]:
        found: dict[str, list[Row]] = {}
        for keys in _slices([row[key] for row in rows], KEYS_AT_ONCE):
            query = select(members).where(members.c[key].in_(keys)).order_by(*members.primary_key.columns)
            for member in self._rows(query, MOST_ROWS):
                found.setdefault(member[key], []).append(member)
        return [{**row, under: found.get(row[key], [])} for row in rows]

    def _query(self, doing: str, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        """The rows of a statement of statements.py."""
        text = statement if self._on_sqlite else statement.replace("?", "%s")
        return self._reading(doing, lambda connection: [tuple(row) for row in connection.exec_driver_sql(text, values)])

    def _reading(self, doing: str, read: Callable[[Connection], T]) -> T:
        """Raises TransientError or PermanentError."""
        try:
            with self._readers.connect() as connection:
                return read(connection)
        except Exception as error:
            raise translated(error, self._where, doing) from error


def _slices(keys: list[str], size: int) -> Iterable[list[str]]:
    return (keys[at : at + size] for at in range(0, len(keys), size))
