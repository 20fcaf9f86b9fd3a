"""The journal in a database: facts, read positions and history in one transaction, fenced by an epoch.

Every append is a step with a number. The lease row holds the newest step and the epoch of the daemon that may
write; each transaction moves that row on with "where epoch is mine", so that of two daemons the older one
learns at once that it has been replaced. When a commit's fate is unknown, the step number tells it: what
was committed is not written again.

History rows go with the append, except in a flood: then indexes would cost more than everything else, so the
rows of several large appends are written together. They are never lost: the journal has them, `history_step`
says up to where history stands, and opening the store writes the rest. One thread at a time may write.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any, Final

import orjson
import structlog

from freshd.adapters.sql import statements as sql
from freshd.adapters.sql.catalogue import write_assets
from freshd.adapters.sql.codec import RecordCodec
from freshd.adapters.sql.history import SqlHistory
from freshd.adapters.sql.migrate import migrate
from freshd.adapters.sql.projection import PAYLOAD_BYTES, HistoryRows, Projector, json_text
from freshd.adapters.sql.recording import StartKeeper
from freshd.adapters.sql.retention import Pruner
from freshd.adapters.sql.settings import StoreSettings
from freshd.adapters.sql.writer import BadValueError, Transaction, Writer
from freshd.model.asset import Asset
from freshd.model.errors import FencedError, PermanentError, TransientError
from freshd.model.records import DeadLettered, Record
from freshd.model.time import NEVER, SECOND, Duration, Instant
from freshd.ports import Position, StateRow

FLOOD_ROWS: Final = 200
"""An append with at least this many materialisations, after another such, may leave its history for later."""

LATER_ROWS: Final = 10_000
"""History rows that wait at most before they are written together."""

LATER_AFTER: Final[Duration] = SECOND
"""How long history waits at most while appends go on."""

SLICE: Final = 5_000
"""Rows of state read at a time."""

CHECKPOINT_SLICE: Final = 2_000
"""Rows of state made and written at a time."""

JOURNAL_SLICE: Final = 50
"""Appends read back from the journal at a time."""

_log = structlog.get_logger("freshd.store")


@dataclass(slots=True)
class _Append:
    """One append, made ready: kept until its fate is known."""

    step: int
    records: Sequence[Record]
    positions: Mapping[str, Position]
    now: Instant
    blob: bytes
    rows: HistoryRows
    committed: bool = False

    def is_for(self, records: Sequence[Record], positions: Mapping[str, Position]) -> bool:
        """Whether it is of these records and positions."""
        return self.positions == positions and (self.records is records or self.records == records)


class SqlStore(SqlHistory):
    """ports.Journal and ports.History on SQLite or PostgreSQL."""

    def __init__(self, settings: StoreSettings, base: Path = Path(), holder: str = "") -> None:
        """`base` is where relative paths begin; `holder` names this daemon to one that it replaces.

        Raises ConfigError if the password file cannot be read, PermanentError if the driver is missing.
        """
        url = settings.target(base)
        super().__init__(url)
        self._holder = holder or f"{socket.gethostname()}, process {os.getpid()}"
        self._writer = Writer(url, settings.synchronous)
        self._codec = RecordCodec()
        self._projector = Projector()
        self._epoch = 0
        self._step = 0
        self._history_step = 0
        self._folded = 0
        self._bytes = 0
        self._starts = StartKeeper(self)
        self._ready: _Append | None = None
        self._in_doubt = False
        self._now: Instant = NEVER
        self._later = HistoryRows()
        self._later_since: Instant = NEVER
        self._flood = False
        self._pruner = Pruner(settings.keep)

    @property
    def epoch(self) -> int:
        """How many times a daemon has taken this store over; 0 before `open`."""
        return self._epoch

    def open(self) -> None:
        """Migrate the tables, take over from whoever had the store, and bring history up to the journal.

        Raises PermanentError for what a person must mend, also if a newer freshd made the tables;
        TransientError if the store cannot be reached now.
        """
        with self._writer.transaction("open it", opening=True) as transaction:
            migrate(transaction.connection, self._writer.where)
            transaction.run(sql.TAKE_LEASE, self._holder)
            epoch, step, history_step, _, folded = transaction.rows(sql.READ_LEASE)[0]
            newest = transaction.rows(sql.NEWEST_BYTES)
        self._epoch, self._step, self._history_step, self._folded = epoch, step, history_step, folded
        self._bytes = newest[0][0] if newest else 0
        self._ready, self._later, self._in_doubt = None, HistoryRows(), False
        for _, records in self._journal(history_step):
            self._later.add(self._projector.project(records))
        self._write_later()

    def close(self) -> None:
        """Write what waits and let go of the store; it can be opened again."""
        try:
            if self._epoch:
                self._write_later()
        finally:
            self._writer.close()
            super().close()

    # -- ports.Journal -----------------------------------------------------------------------------

    def append(self, records: Sequence[Record], positions: Mapping[str, Position]) -> None:
        """Records, read positions and history in one transaction; durable on return.

        After TransientError the same append may be tried again, whatever became of this one: it counts once.
        Raises FencedError when another daemon has taken over.
        """
        self._settle()
        ready = self._ready
        if ready is not None and ready.committed and ready.is_for(records, positions):
            self._ready = None
            return
        if ready is None or ready.committed or not ready.is_for(records, positions):
            ready = self._ready = self._made_ready(records, positions)
        this = ready
        wait = self._may_wait(this)

        def write(transaction: Transaction) -> None:
            transaction.run(sql.WRITE_JOURNAL, this.step, this.blob, this.now, self._bytes + len(this.blob))
            places = [(source, position, this.now) for source, position in this.positions.items()]
            transaction.run_many(sql.PUT_POSITION, places)
            if not wait:
                transaction.write_history(self._later)
                transaction.write_history(this.rows)

        self._write("write facts", write, this.step, self._history_step if wait else this.step)
        self._ready = None

    def checkpoint(self, rows: Iterable[StateRow]) -> None:
        """Put the changed state, which folds the journal so far; then prune what is old, some at a time.

        It is durable no later than the next append: what it folds is. A server that crashes in between loses it;
        that is noticed before the next write (`_check_lease`).
        """
        encode = self._codec.encode_state
        again = list(rows) if isinstance(rows, Iterator) else rows
        hurried = self._pruner.hurried(self._now)

        def fold(transaction: Transaction) -> None:
            transaction.write_history(self._later)
            read_on = iter(again)
            while some := list(islice(read_on, CHECKPOINT_SLICE)):
                newest = {(kind, key): value for kind, key, value in some}
                transaction.put_state(
                    [(*key, encode(newest[key])) for key in sorted(newest) if newest[key] is not None]
                )
                transaction.run_many(sql.DROP_STATE, [key for key in newest if newest[key] is None])
            transaction.run(sql.FOLD_JOURNAL, self._step)
            self._starts.write(transaction)
            if hurried:
                for work in self._pruner.some_pieces(self._now, self._folded):
                    work(transaction)

        self._settle()
        self._write("write a checkpoint", fold, self._step, self._step, durable=False)
        self._folded = self._step
        if not hurried:
            self._prune()
        self._pruner.checkpointed(self._now)
        self._starts.look(self._now)

    def recover(self) -> tuple[Iterator[StateRow], Iterator[Record]]:
        """The last checkpoint, and the records after it; both are read in slices, as they are asked for."""
        return self._state(), (record for _, records in self._journal(self._folded) for record in records)

    def positions(self) -> Mapping[str, Position]:
        """The read positions of the last append."""
        return {str(source): str(position) for source, position in self._query("read positions", sql.READ_POSITIONS)}

    # -- for people --------------------------------------------------------------------------------

    def describe(self, assets: Iterable[Asset]) -> None:
        """Make the table `assets` say what the catalogue says now; on the thread that appends."""
        wanted = list(assets)
        self._settle()
        self._write("write assets", lambda transaction: write_assets(transaction, wanted))

    def read_from(self, files: Mapping[str, str], version: str, now: Instant) -> None:
        """Remember that the daemon goes by these files from here on; on the thread that appends."""
        self._settle()
        self._starts.want()

        def put(transaction: Transaction) -> None:
            newest = transaction.rows(sql.NEWEST_READING)
            told = json_text(dict(sorted(files.items())))
            if not newest or (newest[0][0], json_text(_parsed(newest[0][1]))) != (version, told):
                transaction.run(sql.PUT_READING, self._step, now, version, told)

        self._write("write which files are in force", put)

    # -- writing -----------------------------------------------------------------------------------

    def _write(
        self,
        doing: str,
        work: Callable[[Transaction], None],
        step: int | None = None,
        history_step: int | None = None,
        durable: bool = True,
    ) -> None:
        """One transaction of this daemon's that moves the lease on to these steps; not to be called in doubt."""
        step = self._step if step is None else step
        history_step = self._history_step if history_step is None else history_step
        self._in_doubt = True
        try:
            self._write_once(doing, work, step, history_step, scrub=False, durable=durable)
        except BadValueError:
            self._write_once(doing, work, step, history_step, scrub=True, durable=durable)
        self._in_doubt = False
        self._moved(step, history_step)

    def _write_once(
        self, doing: str, work: Callable[[Transaction], None], step: int, history_step: int, scrub: bool, durable: bool
    ) -> None:
        with self._writer.transaction(doing, scrub=scrub, durable=durable) as transaction:
            if transaction.run(sql.MOVE_ON, step, history_step, self._epoch, self._step) != 1:
                self._check_lease(transaction)
                raise TransientError(f"{self._writer.where}: an earlier commit has come through late; trying again")
            work(transaction)

    def _settle(self) -> None:
        """After a failure: find out how far the store really is. Raises as a write does."""
        if not self._epoch:
            raise RuntimeError("the store is not open")
        if not self._in_doubt:
            return
        with self._writer.transaction("find out what it has") as transaction:
            step, history_step = self._check_lease(transaction)
        self._in_doubt = False
        self._moved(step, history_step)

    def _check_lease(self, transaction: Transaction) -> tuple[int, int]:
        """The steps that the store has. Raises FencedError if it is another daemon's, PermanentError if it went back.

        It goes back if a server crashes before a commit has reached its disk, or a standby takes over that has not
        heard of it. The next life begins with what is there; this one's next checkpoint would leave out what is not.
        """
        epoch, step, history_step, holder, folded = transaction.rows(sql.READ_LEASE)[0]
        if epoch != self._epoch:
            raise FencedError(
                f"{self._writer.where}: another freshd ({holder}) has taken over this store; this one stops. "
                "Run one daemon for each store"
            )
        if step < self._step or folded < self._folded:
            raise PermanentError(
                f"{self._writer.where}: the store has lost what it had confirmed (it has step {step} and a checkpoint "
                f"of {folded}, it had {self._step} and {self._folded}); start freshd again, to go on from there"
            )
        return step, history_step

    def _moved(self, step: int, history_step: int) -> None:
        """The store is known to be this far."""
        ready = self._ready
        if history_step > self._history_step:
            self._later = HistoryRows()
        if ready is not None and not ready.committed and step >= ready.step:
            ready.committed = True
            self._bytes += len(ready.blob)
            self._now = ready.now
            self._flood = len(ready.rows.materialisations) >= FLOOD_ROWS
            self._pruner.note(len(ready.rows))
            if history_step < ready.step:
                self._later_since = self._later_since if len(self._later) else ready.now
                self._later.add(ready.rows)
        self._step, self._history_step = step, history_step

    def _made_ready(self, records: Sequence[Record], positions: Mapping[str, Position]) -> _Append:
        rows = self._projector.project(records)
        kept = _with_short_payloads(records) if rows.dead_letters else records
        now = records[-1].now if records else self._now
        return _Append(self._step + 1, records, dict(positions), now, self._codec.encode(kept), rows)

    def _may_wait(self, ready: _Append) -> bool:
        """Whether its history may be written together with that of later appends."""
        return (
            self._flood
            and len(ready.rows.materialisations) >= FLOOD_ROWS
            and len(self._later) + len(ready.rows) < LATER_ROWS
            and (not len(self._later) or ready.now - self._later_since < LATER_AFTER)
        )

    def _write_later(self) -> None:
        """Write the history that waits."""
        self._settle()
        if self._history_step < self._step:
            later = self._later
            self._write("write history", lambda transaction: transaction.write_history(later), history_step=self._step)

    def _prune(self) -> None:
        """Drop all that is old, each piece in a transaction of its own."""
        try:
            for work in self._pruner.pieces(self._now, self._folded):
                self._write("prune history", work, durable=False)
        except TransientError as error:
            _log.warning("history was not pruned", error=str(error))
            self._pruner.give_up()

    # -- reading -----------------------------------------------------------------------------------

    def _state(self) -> Iterator[StateRow]:
        kind, key = "", ""
        while True:
            rows = self._query("read the state", sql.READ_STATE, kind, key, SLICE)
            for kind, key, value in rows:
                yield kind, key, self._codec.decode_state(value, f"{self._writer.where}: the state of {kind} {key}")
            if len(rows) < SLICE:
                return

    def _journal(self, after: int) -> Iterator[tuple[int, list[Record]]]:
        while True:
            rows = self._query("read the journal", sql.READ_JOURNAL, after, JOURNAL_SLICE)
            for after, blob in rows:
                yield after, self._codec.decode(blob, f"{self._writer.where}: step {after} of the journal")
            if len(rows) < JOURNAL_SLICE:
                return


def _parsed(kept: Any) -> Any:
    return orjson.loads(kept) if isinstance(kept, str | bytes) else kept


def _with_short_payloads(records: Sequence[Record]) -> list[Record]:
    """The records, with dead letters cut to what history keeps: the engine does not need them."""
    return [
        replace(record, letter=replace(record.letter, payload=record.letter.payload[:PAYLOAD_BYTES]))
        if isinstance(record, DeadLettered)
        else record
        for record in records
    ]
