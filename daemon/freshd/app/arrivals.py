"""What a backtest hears, and when: the lines of a file of freshd's own events, or what a store has recorded.

A file tells no arrivals: an event arrives at its time, or where it stands behind a later one, with that; so a file in
the order in which events came gives late events late. It keeps true: arrivals never go back.
"""

from __future__ import annotations

import gzip
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Final

from freshd.adapters.formats.own import decode
from freshd.adapters.sql.recording import Recording
from freshd.backtest.trial import Arrival
from freshd.model.errors import ConfigError, DecodeError, Problem
from freshd.model.identify import Matcher
from freshd.model.inputs import Event, Unmatched
from freshd.model.records import EventTaken, WishMade
from freshd.model.sighting import Message
from freshd.model.time import NEVER, Instant

TOLD_EVERY: Final = 1_000
"""Lines, or recorded steps, after which progress is told."""

Progress = Callable[[int], None]
"""How far reading is: bytes of a file, steps of a store."""


def from_lines(
    lines: Iterable[bytes],
    name: str,
    matcher: Matcher,
    progress: Progress = lambda done: None,
    unmatched: Callable[[Unmatched], None] = lambda event: None,
) -> Iterator[Arrival]:
    """One event (or an array of them) a line. Raises ConfigError, with the line, for what is none."""
    latest: Instant = NEVER
    read = 0
    for number, line in enumerate(lines, 1):
        read += len(line)
        if not number % TOLD_EVERY:
            progress(read)
        if line.isspace():
            continue
        where = f"{name}:{number}"
        try:
            sightings = decode(Message(line, NEVER, where))
        except DecodeError as error:
            raise ConfigError([Problem(where, str(error).removeprefix(f"{where}: "))]) from None
        for sighting in sightings:
            if sighting.at is None:
                raise ConfigError([Problem(where, "an event of a file needs `at`: a file does not tell when it came")])
            if sighting.at > latest:
                latest = sighting.at
            for found in matcher.match(sighting, latest):
                if isinstance(found, Event):
                    yield latest, found
                else:
                    unmatched(found)


def lines_of(path: Path) -> Iterator[bytes]:
    """The lines of a file, also of one compressed with gzip. Raises ConfigError if it cannot be read."""
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            yield from file
    except (OSError, EOFError) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise ConfigError([Problem(str(path), f"cannot be read: {why}")]) from None


def from_recording(recording: Recording, progress: Progress = lambda done: None) -> Iterator[Arrival]:
    """The events and wishes that a store's journal holds, when they were taken."""
    latest: Instant = NEVER
    for recorded in recording.steps():
        if not recorded.step % TOLD_EVERY:
            progress(recorded.step)
        for record in recorded.records:
            latest = max(latest, record.now)
            if isinstance(record, EventTaken):
                yield latest, record.event
            elif isinstance(record, WishMade):
                yield latest, record.wish
