"""Small stand-ins for the loop's neighbours; each does the least that its port promises."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from freshd.core.step import Step
from freshd.model.effects import Effect
from freshd.model.inputs import Event, EventKind, Input
from freshd.model.records import EventTaken, Record
from freshd.model.time import Instant
from freshd.ports import Batch, StateRow


def update(asset: str = "raw", at: Instant = 0, id: str = "") -> Event:
    return Event(EventKind.UPDATE, (asset,), at, id)


class ManualClock:
    """A clock that a test moves."""

    def __init__(self, now: Instant = 0) -> None:
        self.time = now

    def now(self) -> Instant:
        return self.time


class ListEngine:
    """An engine that takes every event as one record and asks for the effects it was given for it."""

    def __init__(self, effects: Mapping[str, Effect] | None = None, unconfirmed: Sequence[Effect] = ()) -> None:
        self.inputs: list[Input] = []
        self._effects = effects or {}
        self._unconfirmed = unconfirmed
        self.rows: dict[str, StateRow] = {}
        self.wake: Instant | None = None
        self.extra: tuple[Record, ...] = ()
        self.charter = None
        self.catching_up = False

    def step(self, now: Instant, inputs: Sequence[Input]) -> Step:
        self.inputs.extend(inputs)
        records: list[Record] = []
        effects: list[Effect] = []
        for item in inputs:
            if isinstance(item, Event):
                records.append(EventTaken(now, item))
                self.rows[item.assets[0]] = ("asset", item.assets[0], {"at": item.at})
                if item.id in self._effects:
                    effects.append(self._effects[item.id])
        return Step((*records, *self.extra), tuple(effects))

    def unconfirmed(self) -> Iterator[Effect]:
        return iter(self._unconfirmed)

    def next_wake(self) -> Instant | None:
        return self.wake

    @property
    def changed(self) -> int:
        return len(self.rows)

    def changed_state(self) -> Iterator[StateRow]:
        return iter(list(self.rows.values()))

    def checkpointed(self) -> None:
        self.rows = {}


class ScriptInbox:
    """Hands out the batches it was given, then says that there is nothing more."""

    def __init__(self, batches: Iterable[Batch], on_poll: Callable[[Instant | None], None] | None = None) -> None:
        self._batches = list(batches)
        self._on_poll = on_poll

    def poll(self, until: Instant | None) -> Batch:
        if self._on_poll is not None:
            self._on_poll(until)
        return self._batches.pop(0) if self._batches else Batch()

    def exhausted(self) -> bool:
        return not self._batches


class ListJournal:
    """Keeps what was appended; the next calls fail with `failures`, one each."""

    def __init__(self, log: list[Any] | None = None) -> None:
        self.log: list[Any] = log if log is not None else []
        self.records: list[Record] = []
        self.stored: dict[str, str] = {}
        self.rows: dict[str, StateRow] = {}
        self.failures: list[Exception] = []

    def append(self, records: Sequence[Record], positions: Mapping[str, str]) -> None:
        self.log.append("append")
        if self.failures:
            raise self.failures.pop(0)
        self.records.extend(records)
        self.stored.update(positions)

    def checkpoint(self, rows: Iterable[StateRow]) -> None:
        self.log.append("checkpoint")
        if self.failures:
            raise self.failures.pop(0)
        for row in rows:
            self.rows[row[1]] = row

    def recover(self) -> tuple[Iterator[StateRow], Iterator[Record]]:
        return iter(self.rows.values()), iter(self.records)

    def positions(self) -> Mapping[str, str]:
        return self.stored


class ListPerformer:
    """Remembers what it was asked to perform."""

    def __init__(self, log: list[Any] | None = None) -> None:
        self.log: list[Any] = log if log is not None else []
        self.effects: list[Effect] = []

    def perform(self, effects: Iterable[Effect]) -> None:
        for effect in effects:
            self.log.append("perform")
            self.effects.append(effect)
