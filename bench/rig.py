"""The daemon's own parts, joined as the composition root joins them, with a launcher that does nothing."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from freshd.adapters.clock import SystemClock
from freshd.adapters.formats import decoder
from freshd.adapters.kafka import KafkaIntake, KafkaSettings
from freshd.adapters.prometheus import DaemonMetrics
from freshd.adapters.slack import TerminalNotifier
from freshd.adapters.sql import SqlStore
from freshd.adapters.sql.settings import StoreSettings
from freshd.model.effects import LaunchRun
from freshd.model.errors import TransientError
from freshd.model.identify import Matcher
from freshd.model.inputs import CaughtUp, Event, Input, RunPhase, RunReport
from freshd.model.policy import Charter
from freshd.model.records import EventTaken, Record
from freshd.model.select import Selector
from freshd.runtime.inbox import LiveInbox
from freshd.runtime.loop import World, drive
from freshd.runtime.performer import LivePerformer
from freshd.runtime.recovery import recover
from freshd.runtime.translate import Translator


class NullLauncher:
    """Notes when it was called for which assets, and reports success at once."""

    def __init__(self, clock: SystemClock) -> None:
        self._clock = clock
        self.called: dict[str, list[int]] = {}
        """time.monotonic_ns() of each call, by asset."""

    def launch(self, run: LaunchRun, report: Callable[[RunReport], None]) -> None:
        """Note the call."""
        now_ns = time.monotonic_ns()
        for asset in run.assets:
            self.called.setdefault(asset, []).append(now_ns)
        for phase in (RunPhase.SUCCEEDED, RunPhase.FINISHED):
            report(RunReport(run.run_id, phase, self._clock.now()))

    def close(self) -> None:
        """Nothing to let go of."""


class Rig:
    """A running daemon without HTTP."""

    def __init__(self, store_url: str, charter: Charter, kafka: KafkaSettings | None) -> None:
        self.clock = clock = SystemClock()
        self.launcher = NullLauncher(clock)
        self.taken = 0
        """Events taken so far, each durable."""
        self.on_event: Callable[[Event], None] | None = None
        self.on_step: Callable[[int, Sequence[Record]], None] | None = None
        self.caught_up = threading.Event()
        self._stop = threading.Event()
        self._inbox = LiveInbox(clock)
        self._store = SqlStore(StoreSettings.model_validate(store_url), Path())
        self._store.open()
        engine = recover(charter, self._store).engine
        matcher = Matcher(charter.graph, (), Selector(charter.graph).select)
        translator = Translator(matcher, decoder)
        metrics = DaemonMetrics("bench", graph=lambda: engine.charter.graph)
        notifier = TerminalNotifier(lambda text: None)
        self._performer = LivePerformer(clock, {"null": self.launcher}, notifier, self._inbox.report)
        world = World(clock, self._inbox, self._store, self._performer, observers=(metrics.observe, self._count))
        self._loop = threading.Thread(target=drive, args=(engine, world, self._stop.is_set), name="engine")
        self._intake: KafkaIntake | None = None
        if kafka is not None:
            positions = self._store.positions()
            self._intake = KafkaIntake(
                kafka, positions, translator.translate, self._inbox.put, self._has_caught_up, clock.now
            )

    def start(self) -> None:
        """Begin."""
        self._loop.start()
        if self._intake is not None:
            self._intake.start()
        else:
            self._inbox.put([CaughtUp()])

    def put(self, inputs: Sequence[Input], on_durable: Callable[[], None] | None = None) -> None:
        """Hand inputs in."""
        self._inbox.put(inputs, on_durable=on_durable)

    def put_and_wait(self, inputs: Sequence[Input], timeout_s: float) -> None:
        """Hand inputs in; returns when they are durable."""
        self._inbox.put_and_wait(inputs, timeout_s)

    def close(self) -> None:
        """End."""
        self._inbox.close()
        if self._intake is not None:
            self._intake.stop()
        self._stop.set()
        self._inbox.wake()
        self._loop.join(30)
        self._inbox.fail_rest(TransientError("the bench is over"))
        self._performer.close()
        self._store.close()

    def _has_caught_up(self) -> None:
        self._inbox.put([CaughtUp()])
        self.caught_up.set()

    def _count(self, now: int, records: Sequence[Record]) -> None:
        events = [record.event for record in records if type(record) is EventTaken]
        if self.on_event is not None:
            for event in events:
                self.on_event(event)
        if self.on_step is not None:
            self.on_step(now, records)
        self.taken += len(events)


@contextmanager
def rig(store_url: str, charter: Charter, kafka: KafkaSettings | None) -> Iterator[Rig]:
    """A rig that runs inside the block."""
    running = Rig(store_url, charter, kafka)
    running.start()
    try:
        yield running
    finally:
        running.close()
