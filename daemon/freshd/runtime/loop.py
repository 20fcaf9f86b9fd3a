"""The only loop: poll, step, persist, perform. Live, in scenarios, in backtests and in simulation.

It decides nothing about freshness; it keeps the contract between the engine and the world. An effect
is performed only once the records that ask for it are durable. `Engine.step` changes the engine, so a
step that could not be appended is ahead of the store: the same append is tried again, with back-off and
nothing read meanwhile, until it works or the loop ends by raising. An engine that raised is made anew from
the store, and the input on which it did is set aside, if the world wants that; one whose loop raised must be
thrown away with its process. Time and waiting are the world's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from freshd.core.step import Step
from freshd.model.effects import Effect, LaunchRun
from freshd.model.errors import TransientError
from freshd.model.inputs import CharterReplaced, Input, Started
from freshd.model.policy import Charter
from freshd.model.records import DaemonStarted, GraphReplaced, QuietSteps, Record
from freshd.model.time import FOREVER, MINUTE, SECOND, Duration, Instant
from freshd.ports import Batch, Clock, Inbox, Journal, Performer, Position, StateRow
from freshd.runtime.isolation import OnBug, steps_apart
from freshd.runtime.recovery import bring_up

if TYPE_CHECKING:
    from freshd.core.engine import Engine

CHECKPOINT_RECORDS: Final = 50_000
"""Records after which a checkpoint is taken even under load: what bounds the time to recover."""

CHECKPOINT_ROWS: Final = 750
"""Changed rows and incidents after which a checkpoint is taken while little comes in: what bounds its own time."""

FLOOD_INPUTS: Final = 100
"""So large a batch shows that more comes than is taken: then rows are written once for many changes."""

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
    on_bug: OnBug | None = None
    """Told of inputs that were set aside since the engine fails on them; without it such a failure is raised."""
    started: Started = field(default_factory=Started)
    """The first thing said to the engine."""
    checkpoint_records: int = CHECKPOINT_RECORDS
    checkpoint_rows: int = CHECKPOINT_ROWS
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
        now = self._world.clock.now()
        try:
            records, refused = self._taken(now, batch, wake is not None and wake <= now)
        except Exception as error:
            for failed in batch.on_failed:
                failed(error)
            raise
        if refused is None:
            for durable in batch.on_durable:
                durable()
        else:
            for failed in batch.on_failed:
                failed(refused)
        for question in batch.questions:
            question(self._engine, now)
        if batch.inputs or self._last_input is None:
            self._last_input = now
        if self._checkpoint_is_due(now, records, len(batch.inputs) >= FLOOD_INPUTS):
            self.checkpoint()
        self._world.on_beat(now)

    def _taken(self, now: Instant, batch: Batch, was_due: bool) -> tuple[Sequence[Record], Exception | None]:
        """The records of a batch, durable and with what they ask for done; why it was refused, if it was."""
        charter, held = self._engine.charter, self._engine.catching_up
        try:
            step = self._engine.step(now, batch.inputs)
        except Exception:
            if self._world.on_bug is None or not batch.inputs:
                raise
            return self._apart(charter, held, batch, self._world.on_bug)
        self._keep(now, step, batch.positions, was_due)
        return step.records, None

    def _apart(
        self, charter: Charter, held: bool, batch: Batch, on_bug: OnBug
    ) -> tuple[Sequence[Record], Exception | None]:
        """As `_taken`, of a batch on which the engine failed, without the input that it failed on.

        A batch is refused if that input is a charter: whoever gave it must not take it for the one in force.
        """
        records: list[Record] = []
        refused: Exception | None = None

        def told(given: Input, error: Exception) -> None:
            nonlocal refused
            refused = error if isinstance(given, CharterReplaced) else refused
            on_bug(given, error)

        self._renew(charter)
        for now, step in steps_apart(self._engine, self._renew, held, self._world.clock.now, batch.inputs, told):
            self._keep(now, step, {}, was_due=False)
            records += step.records
        if batch.positions:
            self._until_done("append", lambda: self._world.journal.append((), batch.positions))
        return records, refused

    def _renew(self, charter: Charter) -> None:
        """Make the engine what the store says: it failed in the middle of a step."""

        def anew() -> None:
            self._engine.begin(charter)
            bring_up(self._engine, self._world.journal)

        self._until_done("recover", anew)
        self._quiet.clear()

    def _keep(self, now: Instant, step: Step, positions: Mapping[str, Position], was_due: bool) -> None:
        """Make a step durable, then perform and tell it."""
        world = self._world
        records = self._with_quiet(now, step.records, was_due)
        if records or positions:
            self._until_done("append", lambda: world.journal.append(records, positions))
        if step.effects:
            world.performer.perform(step.effects)
        if step.records:
            for observe in world.observers:
                observe(now, step.records)
        self._since_checkpoint += len(step.records)

    def _with_quiet(self, now: Instant, records: tuple[Record, ...], was_due: bool) -> tuple[Record, ...]:
        """The step's records, behind the steps before it that came to nothing: what a replay has to know of."""
        if was_due and not records:
            self._quiet.append(now)
        if not self._quiet or (not records and len(self._quiet) < QUIET_KEPT):
            return records
        quiet, self._quiet = self._quiet, []
        return QuietSteps(now, tuple(quiet)), *records

    def _checkpoint_is_due(self, now: Instant, records: Sequence[Record], flood: bool) -> bool:
        if not self._since_checkpoint:
            return False
        if self._since_checkpoint >= self._world.checkpoint_records:
            return True
        if not flood and self._engine.changed >= self._world.checkpoint_rows:
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
