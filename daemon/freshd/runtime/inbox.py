"""Everything said to the daemon, merged into batches: events, run reports, wishes, questions.

Any thread puts in; the one that owns the engine polls. What comes from outside is bounded: `put` blocks
while `capacity` inputs wait, which is the back-pressure that pauses reading. What the daemon's own
performers report is bounded by the effects in flight, so `report` never blocks and goes first: an
outcome does not queue behind a backlog of events. It keeps true: inputs of one source stay in order, and
a read position is handed out no sooner than the inputs before it.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeVar

from freshd.model.errors import TransientError
from freshd.model.inputs import Input
from freshd.model.time import SECOND, Duration, Instant
from freshd.ports import Batch, Clock, Position

if TYPE_CHECKING:
    from freshd.core.engine import Engine

CAPACITY: Final = 10_000
"""Inputs from outside that may wait; more block their sender."""

BATCH_LIMIT: Final = 1_000
"""Inputs that one step takes at most."""

LONGEST_SLEEP: Final[Duration] = 2 * SECOND
"""A poll returns empty after this long, so that the loop gives a sign of life and sees a clock that was set."""

ASK_TIMEOUT_S: Final = 10.0
"""How long a question waits for its answer by default."""

T = TypeVar("T")
Question = Callable[["Engine", Instant], T]


@dataclass(slots=True)
class _Entry:
    """One `put`, or a part of it that fits into a batch."""

    inputs: Sequence[Input]
    positions: Mapping[str, Position]
    on_durable: Callable[[], None] | None
    on_failed: Callable[[Exception], None] | None


_NO_POSITIONS: Final[Mapping[str, Position]] = {}


class LiveInbox:
    """ports.Inbox between threads."""

    def __init__(self, clock: Clock, capacity: int = CAPACITY, batch_limit: int = BATCH_LIMIT) -> None:
        self._clock = clock
        self._capacity = capacity
        self._batch_limit = batch_limit
        self._lock = threading.Lock()
        self._news = threading.Condition(self._lock)
        self._room = threading.Condition(self._lock)
        self._entries: deque[_Entry] = deque()
        self._waiting = 0
        self._reports: deque[Input] = deque()
        self._questions: deque[tuple[Callable[[Any, Instant], None], Future[Any]]] = deque()
        self._awake = False
        self._closed = False

    # -- any thread ------------------------------------------------------------------------------

    def put(
        self,
        inputs: Sequence[Input],
        positions: Mapping[str, Position] = _NO_POSITIONS,
        on_durable: Callable[[], None] | None = None,
        on_failed: Callable[[Exception], None] | None = None,
        timeout: float | None = None,
    ) -> None:
        """Hand in inputs in order, with where to read on after them; blocks while the inbox is full.

        All of them go in, or none: one put larger than the inbox waits until it is empty.
        `on_durable` is called once all of them are durable, `on_failed` if the loop died first; both from
        the loop's thread, so they must be quick. `timeout` is in seconds. Raises TransientError when there
        is no room in time, or when the daemon is stopping.
        """
        entries = self._cut(inputs, positions, on_durable, on_failed)
        with self._lock:
            self._await_room(len(inputs), timeout)
            self._entries.extend(entries)
            self._waiting += len(inputs)
            self._news.notify()

    def put_and_wait(self, inputs: Sequence[Input], timeout: float = ASK_TIMEOUT_S) -> None:
        """As `put`, returning only when the inputs are durable. Raises TransientError if not in time."""
        done: Future[None] = Future()
        self.put(inputs, on_durable=lambda: done.set_result(None), on_failed=lambda e: _fail(done, e), timeout=timeout)
        try:
            done.result(timeout)
        except TimeoutError:
            raise TransientError(f"not durable within {timeout:g} s; it may become so later") from None

    def report(self, *reports: Input) -> None:
        """Hand in what became of the daemon's own doings, or what it must not wait to hear. Never blocks."""
        with self._lock:
            self._reports.extend(reports)
            self._news.notify()

    def ask(self, question: Question[T], timeout: float = ASK_TIMEOUT_S) -> T:
        """The answer of `question(engine, now)`, asked between two steps on the engine's thread.

        It must only read, and be quick. Raises what the question raises, and TransientError when there is
        no answer within `timeout` seconds.
        """
        future = self.ask_later(question)
        try:
            return future.result(timeout)
        except TimeoutError:
            future.cancel()
            raise TransientError(f"the engine did not answer within {timeout:g} s") from None

    def ask_later(self, question: Question[T]) -> Future[T]:
        """As `ask`, without waiting: for asyncio (`asyncio.wrap_future`)."""
        future: Future[T] = Future()

        def answer(engine: Any, now: Instant) -> None:
            if not future.set_running_or_notify_cancel():
                return
            try:
                future.set_result(question(engine, now))
            except Exception as error:
                future.set_exception(error)

        with self._lock:
            if self._closed:
                raise TransientError("the daemon is stopping")
            self._questions.append((answer, future))
            self._news.notify()
        return future

    def wake(self) -> None:
        """Let the poll at hand return: something it cannot see has changed."""
        with self._lock:
            self._awake = True
            self._news.notify()

    def close(self) -> None:
        """Take nothing more from outside and free those who wait; what was taken is still handed out."""
        with self._lock:
            self._closed = True
            self._awake = True
            self._room.notify_all()
            self._news.notify()

    def fail_rest(self, error: Exception) -> None:
        """Tell everybody whose inputs or questions will not be served any more."""
        with self._lock:
            self._closed = True
            entries, self._entries = self._entries, deque()
            questions, self._questions = self._questions, deque()
            self._waiting = 0
            self._room.notify_all()
        for entry in entries:
            if entry.on_failed is not None:
                entry.on_failed(error)
        stopping = TransientError("the daemon is stopping")
        for _, future in questions:
            _fail(future, stopping)

    @property
    def depth(self) -> int:
        """Inputs from outside that wait."""
        return self._waiting

    @property
    def empty(self) -> bool:
        """Nothing waits: no inputs, no reports, no questions."""
        return not (self._entries or self._reports or self._questions)

    # -- the engine's thread ---------------------------------------------------------------------

    def poll(self, until: Instant | None) -> Batch:
        """The next inputs as soon as there are any, at most a batch; empty at `until`, or a little sooner."""
        with self._lock:
            if not self._has_news():
                now = self._clock.now()
                wait = LONGEST_SLEEP if until is None else min(LONGEST_SLEEP, until - now)
                if wait > 0:
                    self._news.wait(wait / SECOND)
            self._awake = False
            return self._take()

    def _has_news(self) -> bool:
        return bool(self._entries or self._reports or self._questions or self._awake)

    def _take(self) -> Batch:
        inputs: list[Input] = []
        positions: dict[str, Position] = {}
        durable: list[Callable[[], None]] = []
        failed: list[Callable[[Exception], None]] = []
        while self._reports and len(inputs) < self._batch_limit:
            inputs.append(self._reports.popleft())
        taken = 0
        while self._entries and (not inputs or len(inputs) + len(self._entries[0].inputs) <= self._batch_limit):
            entry = self._entries.popleft()
            inputs.extend(entry.inputs)
            taken += len(entry.inputs)
            positions.update(entry.positions)
            if entry.on_durable is not None:
                durable.append(entry.on_durable)
            if entry.on_failed is not None:
                failed.append(entry.on_failed)
        self._waiting -= taken
        if taken:
            self._room.notify_all()
        questions = tuple(answer for answer, _ in self._questions)
        self._questions.clear()
        return Batch(tuple(inputs), positions, tuple(durable), tuple(failed), questions)

    # -- inside ----------------------------------------------------------------------------------

    def _cut(
        self,
        inputs: Sequence[Input],
        positions: Mapping[str, Position],
        on_durable: Callable[[], None] | None,
        on_failed: Callable[[Exception], None] | None,
    ) -> list[_Entry]:
        """Parts that fit a batch each; position and answer go with the last."""
        size = self._batch_limit
        if len(inputs) <= size:
            return [_Entry(inputs, positions, on_durable, on_failed)]
        parts = [_Entry(inputs[at : at + size], _NO_POSITIONS, None, None) for at in range(0, len(inputs), size)]
        parts[-1] = _Entry(parts[-1].inputs, positions, on_durable, on_failed)
        return parts

    def _await_room(self, count: int, timeout: float | None) -> None:
        most = max(self._capacity - count, 0)

        def room() -> bool:
            return self._closed or self._waiting <= most

        if not self._room.wait_for(room, timeout):
            raise TransientError(f"the inbox is full ({self._waiting} inputs wait)", retry_after=SECOND)
        if self._closed:
            raise TransientError("the daemon is stopping", retry_after=5 * SECOND)


def _fail(future: Future[Any], error: Exception) -> None:
    if future.set_running_or_notify_cancel():
        future.set_exception(error)
