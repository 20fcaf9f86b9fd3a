"""What a replay needs of the store: where it may begin, by which files the daemon went, and every step since.

The journal is kept for a while after its checkpoints. A *start* is a whole checkpoint in one piece, copied by a
thread of its own from one snapshot of the database, so that the daemon waits for nothing. A *reading* says which
files were in force from a step on. All of it can be read while a daemon runs, and nothing here writes but through
the store's own transactions.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path
from typing import Final, TypeVar

import orjson
import structlog
import zstandard
from sqlalchemy import URL, Connection

from freshd.adapters.sql import statements as sql
from freshd.adapters.sql.codec import RecordCodec
from freshd.adapters.sql.connect import is_sqlite
from freshd.adapters.sql.history import SqlHistory
from freshd.adapters.sql.writer import Transaction
from freshd.model.errors import FreshdError, PermanentError
from freshd.model.records import Record
from freshd.model.time import DAY, Duration, Instant
from freshd.ports import StateRow

START_EVERY: Final[Duration] = DAY
"""How often a place is kept at which a replay may begin; each life of the daemon and each reload keeps one as well."""

STARTS_KEPT: Final = 12
"""Such places that are kept; of more, the oldest go."""

LARGEST_START: Final = 128 << 20
"""Bytes that such a place may take; a larger one is not kept."""

PAST_RUNS: Final = 200_000
"""Runs of all assets from which a backtest draws: the latest."""

STEPS_AT_ONCE: Final = 200
"""Steps that are read at a time."""

T = TypeVar("T")

_log = structlog.get_logger("freshd.store")


@dataclass(frozen=True, slots=True)
class Start:
    """A place at which a replay may begin: right after this step."""

    step: int
    at: Instant


@dataclass(frozen=True, slots=True)
class Reading:
    """From this step on the daemon went by these files."""

    step: int
    at: Instant
    version: str
    files: Mapping[str, str]
    """Digests by name."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """One step as the journal has it."""

    step: int
    records: tuple[Record, ...]


class Recording(SqlHistory):
    """What was recorded in a store; a daemon may be writing to it."""

    def __init__(self, url: URL) -> None:
        """Connects to nothing yet. Raises PermanentError if the driver is missing."""
        super().__init__(url)
        self._file = Path(url.database) if is_sqlite(url) and url.database else None

    def _reading(self, doing: str, read: Callable[[Connection], T]) -> T:
        if self._file is not None and not self._file.exists():  # SQLite would make an empty one
            raise PermanentError(f"{self._where}: there is no store yet; a daemon makes it")
        return super()._reading(doing, read)

    def starts(self) -> list[Start]:
        """From the oldest; those that the journal still reaches back to."""
        oldest = self._query("read the journal", "SELECT MIN(step) FROM journal")[0][0]
        rows = self._query("read where replays may begin", sql.READ_STARTS)
        return [Start(step, at) for step, at in rows if oldest is None or step + 1 >= oldest]

    def readings(self) -> list[Reading]:
        """From the oldest."""
        rows = self._query("read which files were in force", sql.READ_READINGS)
        return [
            Reading(step, at, version, files if isinstance(files, dict) else orjson.loads(files))
            for step, at, version, files in rows
        ]

    def state(self, start: Start) -> Iterator[StateRow]:
        """The state as of a start. Raises PermanentError if it cannot be understood."""
        rows = self._query("read where a replay begins", "SELECT state FROM replay_starts WHERE step = ?", start.step)
        try:
            with zstandard.ZstdDecompressor().stream_reader(rows[0][0]) as reader:
                for line in BufferedReader(reader):
                    kind, key, value = orjson.loads(line)
                    yield kind, key, value
        except (IndexError, ValueError, zstandard.ZstdError) as error:
            raise PermanentError(f"{self._where}: the state of step {start.step} is damaged ({error})") from error

    def past_runs(self) -> dict[str, list[tuple[Duration, bool]]]:
        """(duration, whether it failed) of the runs of each asset, the latest last; of the latest PAST_RUNS at all."""
        found: dict[str, list[tuple[Duration, bool]]] = {}
        rows = self._query("read past runs", sql.READ_PAST_RUNS, PAST_RUNS)
        for asset, started_at, ended_at, outcome in reversed(rows):
            found.setdefault(asset, []).append((max(ended_at - started_at, 0), outcome != "succeeded"))
        return found

    def oldest_step(self) -> int:
        """The number of the oldest step that is kept; 0: none is."""
        return int(self._query("read the journal", "SELECT COALESCE(MIN(step), 0) FROM journal")[0][0])

    def last_step(self) -> int:
        """The number of the newest step."""
        return int(self._query("read the journal", "SELECT COALESCE(MAX(step), 0) FROM journal")[0][0])

    def steps(self, after: int = 0) -> Iterator[Recorded]:
        """The recorded steps after a step, from the oldest."""
        codec = RecordCodec()
        while True:
            rows = self._query("read the journal", sql.READ_JOURNAL, after, STEPS_AT_ONCE)
            for after, blob in rows:
                yield Recorded(after, tuple(codec.decode(blob, f"{self._where}: step {after} of the journal")))
            if len(rows) < STEPS_AT_ONCE:
                return


class StartKeeper:
    """Copies the checkpoint into one piece now and then, beside the daemon's work."""

    def __init__(self, history: SqlHistory) -> None:
        self._history = history
        self._kept_at: Instant | None = None
        self._made: tuple[int, Instant, bytes] | None = None
        self._thread: threading.Thread | None = None
        self._wanted = True

    def want(self) -> None:
        """Keep one at the next checkpoint, however long ago the last was."""
        self._wanted = True

    def look(self, now: Instant) -> None:
        """A checkpoint was written: begin to copy it, if it is time to."""
        old = self._kept_at is not None and now - self._kept_at >= START_EVERY
        if not (self._wanted or old) or (self._thread is not None and self._thread.is_alive()):
            return
        self._wanted, self._kept_at = False, now
        self._thread = threading.Thread(target=self._copy, args=(now,), name="replay-start", daemon=True)
        self._thread.start()

    def write(self, transaction: Transaction) -> None:
        """Write what was copied meanwhile, if anything was."""
        made, self._made = self._made, None
        if made is None:
            return
        step, at, blob = made
        transaction.run("DELETE FROM replay_starts WHERE step = ?", step)
        transaction.run("INSERT INTO replay_starts (step, at, state) VALUES (?, ?, ?)", step, at, blob)
        kept = transaction.rows("SELECT step FROM replay_starts ORDER BY step DESC LIMIT ?", STARTS_KEPT)
        transaction.run("DELETE FROM replay_starts WHERE step < ?", kept[-1][0])

    @property
    def ready(self) -> bool:
        """Whether something waits to be written."""
        return self._made is not None

    def finish(self) -> None:
        """Wait for a copy that is being made."""
        if self._thread is not None:
            self._thread.join()

    def _copy(self, now: Instant) -> None:
        try:
            step, blob = self._history.whole_state()
        except FreshdError as error:
            _log.warning("no place for a replay to begin was kept", error=str(error))
            return
        if len(blob) > LARGEST_START:
            _log.warning("no place for a replay to begin was kept", bytes=len(blob), limit=LARGEST_START)
        elif step:
            self._made = step, now, blob
        else:
            self.want()
