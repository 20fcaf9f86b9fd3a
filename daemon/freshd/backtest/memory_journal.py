"""A journal in memory: durable as long as its process, for worlds that are thrown away and for tests.

It keeps the same contract as the one in a database (tests/contract): an append is whole or not at all, a
checkpoint folds the records before it, recovery gives rows, then the records after them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from freshd.model.records import Record
from freshd.ports import Position, StateRow


class MemoryJournal:
    """ports.Journal in a few lists."""

    def __init__(self) -> None:
        self._state: dict[tuple[str, str], Any] = {}
        self._records: list[Record] = []
        self._positions: dict[str, Position] = {}

    def append(self, records: Sequence[Record], positions: Mapping[str, Position]) -> None:
        """Kept on return."""
        self._records.extend(records)
        self._positions.update(positions)

    def checkpoint(self, rows: Iterable[StateRow]) -> None:
        """Fold the records so far into these rows."""
        for kind, key, value in rows:
            if value is None:
                self._state.pop((kind, key), None)
            else:
                self._state[kind, key] = value
        self._records.clear()

    def recover(self) -> tuple[Iterator[StateRow], Iterator[Record]]:
        """The last checkpoint, sorted by kind and key, and the records after it."""
        rows = [(kind, key, self._state[kind, key]) for kind, key in sorted(self._state)]
        return iter(rows), iter(list(self._records))

    def positions(self) -> Mapping[str, Position]:
        """The read positions of the last append."""
        return dict(self._positions)
