"""The only loop: poll, step, persist, perform. Live, in scenarios, in backtests and in simulation.

It decides nothing about freshness; it keeps the contract between the engine and the world. An effect
is performed only once the records that ask for it are durable. `Engine.step` changes the engine, so a
step that could not be appended is ahead of the store: the same append is tried again, with back-off and
nothing read meanwhile, until it works or the loop ends by raising. An engine whose loop raised must be
thrown away with its process; a new one recovers from the store. Time and waiting are the world's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from freshd.model.effects import Effect, LaunchRun
from freshd.model.errors import TransientError
from freshd.model.inputs import Started
from freshd.model.records import DaemonStarted, GraphReplaced, QuietSteps, Record
from freshd.model.time import FOREVER, MINUTE, SECOND, Duration, Instant
from freshd.ports import Batch, Clock, Inbox, Journal, Performer, StateRow

if TYPE_CHECKING:
    from freshd.core.engine import Engine

CHECKPOINT_RECORDS: Final = 50_000
"""Records after which a checkpoint is taken even under load: what bounds the time to recover."""

CHECKPOINT_QUIET: Final[Duration] = 2 * SECOND
"""How long nothing must have come before an idle loop takes a checkpoint."""

FIRST_RETRY: Final[Duration] = 50_000
"""The wait before an append is first tried again; doubled each time."""

LONGEST_RETRY: Final[Duration] = 10 * SECOND
"""The longest wait between two tries of an append."""

QUIET_KEPT: Final = 10_000
"""Steps that decided nothing, though timers had come, before they are written by themselves."""

RETRY_AFTER_BOUND: Final[Duration] = MINUTE
"""The longest wait that a store may ask for by `retry_after`."""

WITH_CHECKPOINT: Final = (DaemonStarted, GraphReplaced)
"""After these the graph is written at once: whoever starts with another one has to know what had been read of it."""

Observer = Callable[[Instant, Sequence[Record]], None]
"""Called after each durable step, on the thread that owns the engine; must be quick and not raise."""


def _ignore(*_: object) -> None:
    return None


@dataclass(frozen=True, slots=True)
class World:
    """Everything around the engine that the loop needs."""

    clock: Clock
    inbox: Inbox
    journal: Journal
    performer: Performer
    observers: tuple[Observer, ...] = ()
    pause: Callable[[Duration], None] = _ignore
    """Waits between tries of an append; returns early when the daemon is to stop. Virtual worlds move their clock."""
    on_trouble: Callable[[str, TransientError], None] = _ignore
    """Told of every append or checkpoint that failed and will be tried again."""
    on_beat: Callable[[Instant], None] = _ignore
    """Told the time at the end of every turn: the sign of life."""
    started: Started = field(default_factory=Started)
    """The first thing said to the engine."""
    checkpoint_records: int = CHECKPOINT_RECORDS
    checkpoint_quiet: Duration = CHECKPOINT_QUIET


def drive(engine: Engine, world: World, stop: Callable[[], bool]) -> None:
    """Run the daemon until `stop()`; a last checkpoint is taken on the way out.

    What had been requested and not confirmed when the engine was recovered is performed again first.
    Raises FencedError when another daemon owns the store, TransientError when told to stop while the
    store cannot be written, and whatever else the journal raises: then the engine is not to be used again.
    """
    loop = _Loop(engine, world, stop)
    world.performer.perform(_again(engine.unconfirmed()))
    loop.turn(Batch(inputs=(world.started,)))
    while not stop():
        wake = engine.next_wake()
        loop.turn(world.inbox.poll(None if wake is None or wake >= FOREVER else wake), wake)
    loop.checkpoint()


def _again(effects: Iterable[Effect]) -> Iterator[Effect]:
    """The effects of an earlier life: a launcher is to find its run before it starts one."""
    for effect in list(effects):
        yield replace(effect, resumed=True) if isinstance(effect, LaunchRun) else effect


class _Changed:
    """What changed since the last checkpoint, made anew, row by row, whenever it is read."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def __iter__(self) -> Iterator[StateRow]:
        return self._engine.changed_state()


class _Loop:
    """One life of the loop: counts what the next checkpoint will fold."""

    def __init__(self, engine: Engine, world: World, stop: Callable[[], bool]) -> None:
        self._engine = engine
        self._world = world
        self._stop = stop
        self._since_checkpoint = 0
        self._last_input: Instant | None = None
        self._quiet: list[Instant] = []

    def turn(self, batch: Batch, wake: Instant | None = None) -> None:
        """One step with this batch, made durable, performed, told; `wake`: when a timer wanted one."""
        world, now = self._world, self._world.clock.now()
        try:
            step = self._engine.step(now, batch.inputs)
            records = self._with_quiet(now, step.records, wake is not None and wake <= now)
            if records or batch.positions:
                self._until_done("append", lambda: world.journal.append(records, batch.positions))
        except Exception as error:
            for failed in batch.on_failed:
                failed(error)
            raise
        if step.effects:
            world.performer.perform(step.effects)
        if step.records:
            for observe in world.observers:
                observe(now, step.records)
        for durable in batch.on_durable:
            durable()
        for question in batch.questions:
            question(self._engine, now)
        self._since_checkpoint += len(step.records)
        if batch.inputs or self._last_input is None:
            self._last_input = now
        if self._checkpoint_is_due(now, step.records):
            self.checkpoint()
        world.on_beat(now)

    def _with_quiet(self, now: Instant, records: tuple[Record, ...], was_due: bool) -> tuple[Record, ...]:
        """The step's records, behind the steps before it that came to nothing: what a replay has to know of."""
        if was_due and not records:
            self._quiet.append(now)
        if not self._quiet or (not records and len(self._quiet) < QUIET_KEPT):
            return records
        quiet, self._quiet = self._quiet, []
        return QuietSteps(now, tuple(quiet)), *records

    def _checkpoint_is_due(self, now: Instant, records: Sequence[Record]) -> bool:
        if not self._since_checkpoint:
            return False
        if self._since_checkpoint >= self._world.checkpoint_records:
            return True
        if self._last_input is not None and now - self._last_input >= self._world.checkpoint_quiet:
            return True
        return any(type(record) in WITH_CHECKPOINT for record in records)

    def checkpoint(self) -> None:
        """Fold the records so far into the stored rows."""
        if not self._since_checkpoint:
            return
        self._until_done("checkpoint", lambda: self._world.journal.checkpoint(_Changed(self._engine)))
        self._engine.checkpointed()
        self._since_checkpoint = 0

    def _until_done(self, what: str, attempt: Callable[[], None]) -> None:
        """Try until it works; TransientError leaves only when the daemon is to stop."""
        wait = FIRST_RETRY
        while True:
            try:
                return attempt()
            except TransientError as error:
                self._world.on_trouble(what, error)
                if self._stop():
                    raise
                self._world.pause(min(max(wait, error.retry_after or 0), RETRY_AFTER_BOUND))
                wait = min(wait * 2, LONGEST_RETRY)
