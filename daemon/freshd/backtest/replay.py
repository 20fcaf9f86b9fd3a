"""Recorded steps told to the engine once more: it must come to every decision again, bit for bit.

A replay begins with the state of a checkpoint (or with nothing) and takes the steps in order. What was said is said
again at the same instants; what is decided is compared with what was recorded. The first difference ends it, since
everything after would rest on another past. It must not know of stores or files.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

import orjson

from freshd.core.engine import Engine
from freshd.core.retelling import is_decision, told_by
from freshd.model.inputs import Event
from freshd.model.policy import Charter
from freshd.model.records import DaemonStarted, QuietSteps, Record
from freshd.model.time import Instant
from freshd.ports import StateRow


@dataclass(frozen=True, slots=True)
class Difference:
    """Where a replay came to something else."""

    step: int
    at: Instant
    recorded: Record | None
    """What the daemon came to; None: nothing more."""
    replayed: Record | None
    """What the replay came to instead; None: nothing more."""


@dataclass(slots=True)
class Tally:
    """How far a replay came."""

    steps: int = 0
    events: int = 0
    decisions: int = 0
    lives: int = 0
    """Starts of the daemon on the way."""


class Replay:
    """One engine that is told what was recorded."""

    def __init__(self, charter: Charter, rows: Iterable[StateRow] = ()) -> None:
        """`rows`: the checkpoint that it begins with."""
        self._charter = charter
        self._rows: dict[tuple[str, str], Any] = {(kind, key): value for kind, key, value in rows}
        self._engine = self._restored()
        self._settled = not self._rows
        self.tally = Tally()

    def take(self, step: int, recorded: Sequence[Record]) -> Difference | None:
        """Tell one step; what differs, if anything does."""
        if not recorded:
            return None
        records = [record for record in recorded if not isinstance(record, QuietSteps)]
        if any(isinstance(record, DaemonStarted) for record in records):
            self._restart()
        elif not self._settled:
            self._settle()
        for quiet in (record for record in recorded if isinstance(record, QuietSteps)):
            for at in quiet.at:
                found = self._engine.step(at, ()).records
                if found:
                    return Difference(step, at, None, found[0])
        now = recorded[-1].now
        told = list(told_by(records, self._charter))
        replayed = self._engine.retell(now, told).records if records else ()
        self.tally.steps += 1
        self.tally.events += sum(isinstance(said, Event) for said in told)
        self.tally.decisions += sum(map(is_decision, records))
        for was, came in zip_longest(records, replayed):
            if was != came:
                return Difference(step, now, was, came)
        return None

    def _settle(self) -> None:
        """A restored engine looks at everything once; the one that wrote the checkpoint had done so already."""
        self._settled = True
        now = self._rows["engine", ""]["now"]
        while (wake := self._engine.next_wake()) is not None and wake <= now:
            self._engine.step(now, ())

    def _restart(self) -> None:
        """The process ended, and another began with what was kept."""
        self._settled = True
        self.tally.lives += 1
        for kind, key, value in self._engine.changed_state():
            if value is None:
                self._rows.pop((kind, key), None)
            else:
                self._rows[kind, key] = orjson.loads(orjson.dumps(value))
        self._engine.checkpointed()
        if self.tally.steps:
            self._engine = self._restored()

    def _restored(self) -> Engine:
        engine = Engine(self._charter)
        if self._rows:
            engine.restore((kind, key, value) for (kind, key), value in self._rows.items())
        return engine
