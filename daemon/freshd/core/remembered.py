"""Ids of events that were taken: an event that comes again counts once.

Two generations, bounded by count and by age: the older one goes when the younger is full. A checkpoint writes what
came since the last one, in pieces: what it costs must not grow with how many ids are known. It knows nothing of events.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any, Final

from freshd.model.time import NEVER, Duration, Instant

PIECE: Final = 500
"""Ids in one row of a checkpoint."""


class Remembered:
    """The ids known, by the source that gave them."""

    __slots__ = ("_before", "_gone", "_ids", "_written", "_written_before", "generation", "since")

    def __init__(self) -> None:
        self.generation = 0
        self.since: Instant = NEVER
        """When the younger generation began."""
        self._ids: dict[str, None] = {}
        self._before: dict[str, None] = {}
        self._written = self._written_before = 0  # how many of each generation the last checkpoint has
        self._gone: list[str] = []  # pieces that the next checkpoint drops

    def knows(self, source: str, event_id: str) -> bool:
        """Whether an event with this id was taken before."""
        key = f"{source}\x00{event_id}"
        return key in self._ids or key in self._before

    def remember(self, source: str, event_id: str, now: Instant, most: int, longest: Duration) -> bool:
        """Remember an event's id; False if it is known. At most `most` ids are kept, `longest` at least."""
        key = f"{source}\x00{event_id}"
        if key in self._ids or key in self._before:
            return False
        if len(self._ids) >= most // 2 or now - self.since > longest:
            self._begin_generation(now)
        self._ids[key] = None
        return True

    def _begin_generation(self, now: Instant) -> None:
        self._gone += [_name(self.generation - 1, number) for number in range(_pieces(self._written_before))]
        self._before, self._written_before = self._ids, self._written
        self._ids, self._written, self.since = {}, 0, now
        self.generation += 1

    # checkpoints

    def changed(self) -> Iterator[tuple[str, Any]]:
        """(name, value) of the pieces that changed since the last checkpoint; None as value: gone."""
        for name in self._gone:
            yield name, None
        yield from _changed(self.generation - 1, self._before, self._written_before)
        yield from _changed(self.generation, self._ids, self._written)

    def all_written(self) -> None:
        """The checkpoint has all that `changed` said."""
        self._gone = []
        self._written, self._written_before = len(self._ids), len(self._before)

    def restore(self, pieces: Iterable[tuple[str, Any]]) -> None:
        """Know what the pieces of a checkpoint say; `generation` and `since` have been set."""
        for name, ids in sorted(pieces):
            generation = int(name.partition("/")[0])
            if generation == self.generation:
                self._ids.update(dict.fromkeys(ids))
            elif generation == self.generation - 1:
                self._before.update(dict.fromkeys(ids))
        self.all_written()


def _changed(generation: int, ids: dict[str, None], written: int) -> Iterator[tuple[str, Any]]:
    if written == len(ids):
        return
    first = written // PIECE
    some = islice(ids, first * PIECE, None)
    for number in range(first, _pieces(len(ids))):
        yield _name(generation, number), list(islice(some, PIECE))


def _pieces(ids: int) -> int:
    return -(-ids // PIECE)


def _name(generation: int, number: int) -> str:
    return f"{generation}/{number:06d}"
