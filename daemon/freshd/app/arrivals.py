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
from freshd.model.declarations import Declaration
from freshd.model.errors import ConfigError, DecodeError, Problem
from freshd.model.identify import Matcher
from freshd.model.inputs import Blind, Event, Input, Sighted, Unmatched, Withdraw
from freshd.model.records import Blinded, DeclarationEnded, Declared, EventTaken, Record, SightRegained, WishMade
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


def from_recording(
    recording: Recording,
    progress: Progress = lambda done: None,
    after: int = 0,
    standing: Iterable[Declaration] = (),
) -> Iterator[Arrival]:
    """What a store's journal holds that was told, when it was taken: events, wishes, declarations, lost sight.

    `after` a step at which these declarations stood.
    """
    latest: Instant = NEVER
    known = {said.id: said for said in standing}
    for recorded in recording.steps(after):
        if not recorded.step % TOLD_EVERY:
            progress(recorded.step)
        for record in recorded.records:
            latest = max(latest, record.now)
            given = _told(record, known)
            if given is not None:
                yield latest, given


def _told(record: Record, known: dict[str, Declaration]) -> Input | None:
    """What was told that came to this record; None: it is a decision, or something that comes by itself.

    `known`: the declarations that stood before it, kept up to date.
    """
    match record:
        case EventTaken():
            return record.event
        case WishMade():
            return record.wish
        case Declared(declaration=said):
            before = known.get(said.id)
            known[said.id] = said
            if before is None:
                return said
            return Withdraw((said.kind,), tuple(sorted(set(before.assets) - set(said.assets))))
        case DeclarationEnded():
            ended = known.pop(record.declaration, None)
            return Withdraw((ended.kind,), ended.assets) if ended is not None and record.withdrawn else None
        case Blinded():
            return Blind(record.topic, record.since, record.why)
        case SightRegained():
            return Sighted(record.topic)
        case _:
            return None
