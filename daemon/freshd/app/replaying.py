"""`freshd replay`: a store's recorded steps, told to an engine made of the files as they are now.

It finds the earliest place from which on the daemon went by just these files, and says which of them are others if
there is none. A daemon may be running meanwhile: nothing is written.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Final

from freshd.adapters.sql.recording import Reading, Recording, Start
from freshd.app.parts import VERSION
from freshd.app.project import Project, load_project
from freshd.backtest.replay import Difference, Replay, Tally
from freshd.model.errors import ConfigError, PermanentError, Problem
from freshd.model.time import Instant, format_instant

ENVIRONMENT: Final = "settings of mode and launchers"
"""What a reading calls that which the environment may say instead of a file."""

Progress = Callable[[int, int], None]
"""(steps told, of how many)."""


@dataclass(frozen=True, slots=True)
class Replayed:
    """How a replay came out."""

    since: Instant
    """When the first of its steps was taken."""
    until: Instant
    tally: Tally
    difference: Difference | None
    notes: tuple[str, ...]


def marks_of_reading(project: Project) -> dict[str, str]:
    """What tells this reading of the files from another."""
    charter = project.charter
    told = repr((charter.observe, sorted(charter.launchers.items()), charter.limits))
    return {**project.files, ENVIRONMENT: blake2b(told.encode(), digest_size=16).hexdigest()}


def replay(path: Path, progress: Progress = lambda told, of: None) -> Replayed:
    """Replay what the store of these settings recorded.

    Raises ConfigError if files are others than those that the daemon went by, PermanentError if nothing is recorded.
    """
    project = load_project(path)
    recording = Recording(project.settings.store.target(project.base))
    try:
        reading = _reading_in_force(recording, project)
        start = _start(recording, reading)
        return _replayed(project, recording, start, reading, progress)
    finally:
        recording.close()


def _reading_in_force(recording: Recording, project: Project) -> Reading:
    """The reading that the daemon goes by, if it is of the files as they are now."""
    readings = recording.readings()
    if not readings:
        raise PermanentError("this store has recorded nothing yet: a daemon that runs on it does")
    newest = readings[-1]
    now, then = marks_of_reading(project), newest.files
    others = sorted(name for name in now.keys() | then.keys() if now.get(name) != then.get(name))
    if others:
        since = format_instant(newest.at)
        raise ConfigError([Problem(name, _changed(name, now, then, since)) for name in others])
    return newest


def _changed(name: str, now: Mapping[str, str], then: Mapping[str, str], since: str) -> str:
    what = "is new" if name not in then else "is gone" if name not in now else "is another"
    return (
        f"{what} since {since}, when the daemon last read its files; a replay needs the files of then: "
        "check them out beside, and name their freshd.yaml with --config, or have the daemon reload"
    )


def _start(recording: Recording, reading: Reading) -> Start | None:
    """The earliest place to begin at; None: at the beginning of everything, with nothing."""
    if reading.step == 0 and next(recording.steps(0), None) is not None and recording.oldest_step() == 1:
        return None
    for start in recording.starts():
        if start.step >= reading.step:
            return start
    raise PermanentError(
        "there is no place yet from which to replay: one is kept when the daemon has been quiet for a moment after "
        "its start or a reload, and every day"
    )


def _replayed(
    project: Project, recording: Recording, start: Start | None, reading: Reading, progress: Progress
) -> Replayed:
    again = Replay(project.charter, recording.state(start) if start is not None else ())
    after = start.step if start is not None else 0
    last = recording.last_step()
    since: Instant | None = None
    until: Instant = start.at if start is not None else 0
    difference: Difference | None = None
    for recorded in recording.steps(after):
        if recorded.records:
            until = recorded.records[-1].now
            since = until if since is None else since
        difference = again.take(recorded.step, recorded.records)
        progress(recorded.step - after, last - after)
        if difference is not None:
            break
    notes = []
    if reading.version != VERSION:
        notes.append(f"recorded by freshd {reading.version}, replayed by {VERSION}")
    since = until if since is None else since
    notes += _left_out(recording.readings(), since)
    return Replayed(since, until, again.tally, difference, tuple(notes))


def _left_out(readings: Sequence[Reading], since: Instant) -> list[str]:
    """What came before an edit, and is not replayed, since the daemon went by other files then."""
    if len(readings) < 2:
        return []
    before, after = readings[-2].files, readings[-1].files
    others = sorted(name for name in before.keys() | after.keys() if before.get(name) != after.get(name))
    what = f"other files ({', '.join(others)})" if others else f"freshd {readings[-2].version}"
    return [f"what was recorded before {format_instant(since)} is left out: the daemon went by {what} then"]
