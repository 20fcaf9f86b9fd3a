"""The seams between the daemon and the world: what an adapter must offer, in the model's words.

Each protocol has one real implementation under adapters/, and a virtual one for scenarios, backtests
and simulations; a contract suite under tests/contract runs on both.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from freshd.model.effects import Effect, LaunchRun, Notice
from freshd.model.inputs import Input, RunReport
from freshd.model.records import Record
from freshd.model.time import Instant

Position = str
"""Where reading goes on: opaque to all but the source that made it (Kafka: the next offset)."""


class Clock(Protocol):
    """The only place that time comes from."""

    def now(self) -> Instant:
        """The time; never earlier than what it said before."""
        ...


@dataclass(frozen=True, slots=True)
class Batch:
    """What one poll brought: inputs in order, and where to read on once they are durable."""

    inputs: tuple[Input, ...] = ()
    positions: Mapping[str, Position] = field(default_factory=dict)
    """By source, e.g. `kafka/orders/3` -> `1042`."""
    on_durable: tuple[Callable[[], None], ...] = ()
    """Called once the batch is durable (answers to those who wait for that)."""
    on_failed: tuple[Callable[[Exception], None], ...] = ()
    """Called instead if it cannot be made durable."""
    questions: tuple[Callable[[Any, Instant], None], ...] = ()
    """Called with (engine, now) between steps, on the thread that owns the engine: how others read its state."""


class Inbox(Protocol):
    """Everything said to the daemon, merged and bounded."""

    def poll(self, until: Instant | None) -> Batch:
        """The next inputs, as soon as there are any; an empty batch at `until`."""
        ...


StateRow = tuple[str, str, Any]
"""(kind, key, JSON-able state or None for gone): one row of the engine's checkpoint."""


class Journal(Protocol):
    """Where facts become durable. One writer, fenced by its epoch."""

    def append(self, records: Sequence[Record], positions: Mapping[str, Position]) -> None:
        """Records and read positions, in one transaction; durable on return.

        Raises TransientError if it may work later, FencedError if another daemon owns the store.
        """
        ...

    def checkpoint(self, rows: Iterable[StateRow]) -> None:
        """Upsert the state rows that changed since the last checkpoint; the records so far are folded into them.

        `rows` is read in slices, and from the start again where that is needed; of one key the last row counts.
        """
        ...

    def recover(self) -> tuple[Iterator[StateRow], Iterator[Record]]:
        """The last checkpoint, and the records after it."""
        ...

    def positions(self) -> Mapping[str, Position]:
        """The read positions of the last append."""
        ...


class Launcher(Protocol):
    """Starts runs, each once per run id, also when asked twice or across a restart of the daemon."""

    def launch(self, run: LaunchRun, report: Callable[[RunReport], None]) -> None:
        """Return at once; report STARTED, one outcome per asset and FINISHED as they come, from any thread.

        For a run with `resumed` set it finds what became of it; if nobody can tell, it reports LOST.
        """
        ...

    def close(self) -> None:
        """Let go of workers; runs that can outlive the daemon go on."""
        ...


class Notifier(Protocol):
    """Shows notices to people."""

    def send(self, notice: Notice) -> str:
        """Post or edit; returns the handle by which to edit later.

        Raises TransientError (try again, after retry_after) or PermanentError.
        """
        ...


class Performer(Protocol):
    """Carries out effects; what becomes of them comes back as inputs."""

    def perform(self, effects: Iterable[Effect]) -> None:
        """Start each effect, without waiting for it."""
        ...


class History(Protocol):
    """What stands in the store, for people: rows as plain mappings, newest first."""

    def materialisations(self, asset: str, limit: int = 50, partition: str = "") -> list[Mapping[str, Any]]: ...

    def runs(self, asset: str = "", limit: int = 50, partition: str = "") -> list[Mapping[str, Any]]: ...

    def incidents(self, open_only: bool = False, limit: int = 50) -> list[Mapping[str, Any]]: ...

    def verdicts(self, asset: str, limit: int = 50, partition: str = "") -> list[Mapping[str, Any]]: ...

    def wishes(self, limit: int = 50, wish: str = "") -> list[Mapping[str, Any]]: ...

    def declarations(self, limit: int = 50) -> list[Mapping[str, Any]]: ...

    def objective_before(
        self, policy: str, asset: str, partition: str, instant: Instant
    ) -> Mapping[str, Any] | None: ...

    def unmatched(self, limit: int = 200) -> list[Mapping[str, Any]]: ...

    def dead_letters(self, limit: int = 50) -> list[Mapping[str, Any]]: ...
