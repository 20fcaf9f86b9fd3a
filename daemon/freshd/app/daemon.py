"""The composition root: every part of a running daemon, made, joined, started and stopped in order.

    files -> Project -> store -> recovered engine -> performer -> HTTP, Kafka -> the loop, in a thread of its own

The main thread only waits for signals. On the way down intake stops first, what was taken in is made
durable, then the rest is closed; runs go on, and the next life finds them. What a crash leaves behind is
the same as what an orderly stop leaves behind.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from types import FrameType
from typing import Any, Final

import structlog

from freshd.adapters.kafka import KafkaIntake
from freshd.adapters.slack import make_notifier
from freshd.adapters.sql.store import SqlStore
from freshd.app.narrator import Narrator
from freshd.app.opening import open_store, wait_for_secrets
from freshd.app.parts import VERSION, Launchers, decoders, http_servers, kafka_intake, metrics_of, result_inputs
from freshd.app.project import Project
from freshd.app.reloading import Reloader
from freshd.app.replaying import marks_of_reading
from freshd.app.serving import HttpThread
from freshd.core import feasibility
from freshd.core.engine import Engine
from freshd.model.errors import FreshdError, PermanentError, TransientError
from freshd.model.graph import AssetGraph
from freshd.model.inputs import CaughtUp, CharterReplaced, Sighted
from freshd.model.records import Record
from freshd.model.time import SECOND, Duration, Instant
from freshd.ports import Clock, Position
from freshd.runtime.health import Health
from freshd.runtime.inbox import LiveInbox
from freshd.runtime.loop import Observer, World, drive
from freshd.runtime.performer import LivePerformer
from freshd.runtime.recovery import recover
from freshd.runtime.translate import Translator

DRAIN: Final[Duration] = 5 * SECOND
"""How long a stopping daemon goes on making durable what it has taken in."""

JOIN_S: Final = 30.0
"""How long a stopping daemon waits for its loop; a store that hangs is left behind."""

RESULTS_READ: Final = "catalog/results"
"""The read position that says that the catalogue's results have been taken in, and when: that the store was new."""

RELOAD_TIMEOUT_S: Final = 60.0
"""How long a request for a reload waits for its answer."""

ADOPT_TIMEOUT_S: Final = 10.0
"""How long a reading of the files waits for a place in a full inbox."""

log = structlog.get_logger("freshd.daemon")


@dataclass(frozen=True, slots=True)
class Stop:
    """The main thread is to end the daemon."""


@dataclass(frozen=True, slots=True)
class Reload:
    """The main thread is to read the files anew."""

    why: str
    answer: Future[Mapping[str, Any]] | None = None


Order = Stop | Reload


class Daemon:
    """One life of the daemon."""

    def __init__(self, project: Project, clock: Clock, tell: Callable[[str], None] = print) -> None:
        """`tell` takes alerts as text when no Slack token is set."""
        self.project = project
        self._clock = clock
        self._tell = tell
        self._orders: SimpleQueue[Order] = SimpleQueue()
        self._stopping = threading.Event()
        self._drained_by: Instant = 0
        self._error: BaseException | None = None
        self._reloader = Reloader(project, clock, self.replace, self._files_changed)
        self._narrator = Narrator()
        self.health = Health(clock)
        self.inbox = LiveInbox(clock)
        self._store: SqlStore | None = None
        self._launchers: Launchers | None = None
        self._performer: LivePerformer | None = None
        self._translator: Translator | None = None
        self._kafka: KafkaIntake | None = None
        self._http: list[HttpThread] = []
        self._loop: threading.Thread | None = None
        self._engine: Engine | None = None
        self._described: AssetGraph | None = None  # what the store says the assets are

    # -- from outside ----------------------------------------------------------------------------

    def run(self) -> None:
        """Run until a signal or `stop`. Raises what ended the loop, if that was not asked for."""
        with self._signals():
            try:
                self.start()
                self._obey()
            finally:
                self.close()
        if self._error is not None:
            raise self._error

    def stop(self) -> None:
        """Ask the daemon to stop; returns at once. May be called from a signal handler."""
        self._orders.put(Stop())

    @property
    def address(self) -> str:
        """Where it listens, `HOST:PORT`."""
        return self._http[0].address

    def reload(self) -> Mapping[str, Any]:
        """Have the files read anew, and gone by without losing state; from any thread but the main one.

        Raises ConfigError with what is wrong with them, and TransientError; then nothing has changed.
        """
        answer: Future[Mapping[str, Any]] = Future()
        self._orders.put(Reload("request", answer))
        try:
            return answer.result(RELOAD_TIMEOUT_S)
        except TimeoutError:
            raise TransientError(f"the files were not taken over within {RELOAD_TIMEOUT_S:g} s; see the log") from None

    def replace(
        self,
        project: Project,
        on_durable: Callable[[], None] = lambda: None,
        on_failed: Callable[[Exception], None] | None = None,
    ) -> None:
        """Go by another reading of the files: assets, policies, rules and launchers; sockets and store stay."""
        if self._launchers is None or self._translator is None or self._store is None:
            raise PermanentError("the daemon does not run")
        translator, store = self._translator, self._store
        project = project.after(self.project)
        self._launchers.replace(project)

        def adopt() -> None:
            self.project = project
            translator.matcher = project.matcher
            try:
                self._describe(store, project)
                store.read_from(marks_of_reading(project), VERSION, self._clock.now())
            except TransientError as error:
                log.warning("assets.not_described", error=str(error))
            self._tell_infeasible()
            on_durable()

        self.inbox.put([CharterReplaced(project.charter)], {}, adopt, on_failed, ADOPT_TIMEOUT_S)

    # -- coming up -------------------------------------------------------------------------------

    def start(self) -> None:
        """Recover and begin. Raises ConfigError, PermanentError or FencedError; then `close` cleans up."""
        project, clock = self.project, self._clock
        settings = project.settings
        wait_for_secrets(settings, self._stop_within)
        self._store = store = SqlStore(settings.store, project.base)
        open_store(store, settings, self._stop_within)
        self._describe(store, project)
        store.read_from(marks_of_reading(project), VERSION, clock.now())
        recovered = recover(project.charter, store)
        self._engine = engine = recovered.engine
        self._translator = translator = Translator(project.matcher, decoders(lambda: self.project), self._narrator.bug)
        positions = store.positions()
        born = _born(positions, clock.now())
        self._launchers = launchers = Launchers(project, lambda key: engine.charter.graph.assets[key], clock, born)
        self._performer = performer = LivePerformer(
            clock, launchers.by_name, make_notifier(settings.slack, self._tell), self.inbox.report, self._narrator
        )
        if settings.kafka is not None:
            self._kafka = kafka_intake(
                settings.kafka, positions, translator, self.inbox, clock, self._hung, self._caught_up
            )
            self.health.add_part("kafka", lambda: _plain(self._kafka))
        metrics = metrics_of(engine, self._kafka, self.health, lambda: self._reloader.last, lambda: self.project)
        self._http = http_servers(
            lambda: self.project, self.inbox, store, metrics, self.health, translator, clock, self.reload
        )
        world = World(
            clock,
            self.inbox,
            store,
            performer,
            observers=(_guarded(metrics.observe), _guarded(self._narrator.observe)),
            pause=self._pause,
            on_trouble=self._trouble,
            on_beat=self.health.beat,
            on_bug=self._narrator.engine_bug,
        )
        self._tell_infeasible()
        self._forget_blindness(engine)
        if RESULTS_READ not in positions:
            self.inbox.put(result_inputs(project, translator, clock), {RESULTS_READ: str(born)})
        self._loop = threading.Thread(target=self._drive, args=(engine, world), name="engine")
        self._loop.start()
        for server in self._http:
            server.start()
        if self._kafka is not None:
            self._kafka.start()
        else:
            self._caught_up()
        log.info(
            "started",
            listen=self.address,
            mode=settings.mode,
            assets=len(project.graph),
            policies=len(project.charter.policies),
            records_folded=recovered.records,
        )

    def _describe(self, store: SqlStore, project: Project) -> None:
        """Have the store say what the catalogue says, unless it does: events wait meanwhile."""
        if project.graph is not self._described:
            store.describe(project.graph.assets.values())
            self._described = project.graph

    def _tell_infeasible(self) -> None:
        """Which expectations are shorter than the runs on their path; on the engine's thread, or before it runs."""
        if self._engine is not None:
            for note in feasibility.notes(self._engine.charter, self._engine.infeasible()):
                log.warning("policy.infeasible", where=note.where, note=note.message)

    def _forget_blindness(self, engine: Engine) -> None:
        """Topics that an earlier life could not see, and that are read no longer, keep nobody blind."""
        kafka = self.project.settings.kafka
        read = kafka.topics if kafka is not None else ()
        gone = [Sighted(topic) for topic, _, _ in engine.blind() if topic and topic not in read]
        if gone:
            self.inbox.put(gone)

    def _stop_within(self, wait: Duration) -> bool:
        try:
            order = self._orders.get(timeout=wait / SECOND)
        except Empty:
            return False
        return isinstance(order, Stop)

    def _drive(self, engine: Any, world: World) -> None:
        try:
            drive(engine, world, self._may_end)
        except BaseException as error:
            # The engine is ahead of the store now and must not be used again.
            self._error = error
            self.health.fatal(error)
            log.critical("loop.ended", error=str(error) or type(error).__name__, exc_info=not _expected(error))
            self.inbox.fail_rest(TransientError(f"the daemon is stopping: {error}"))
        finally:
            self._orders.put(Stop())

    # -- while it runs ---------------------------------------------------------------------------

    def _obey(self) -> None:
        self._reloader.watcher.start()
        while not isinstance(order := self._orders.get(), Stop):
            self._reloader.reload(order.why, order.answer)

    def _files_changed(self, names: tuple[str, ...]) -> None:
        log.info("files.changed", names=", ".join(names))
        self._orders.put(Reload("files changed"))

    def _may_end(self) -> bool:
        return self._stopping.is_set() and (self.inbox.empty or self._clock.now() >= self._drained_by)

    def _pause(self, wait: Duration) -> None:
        if not self._stopping.wait(wait / SECOND):
            return
        threading.Event().wait(min(wait / SECOND, 0.2))

    def _caught_up(self) -> None:
        # Behind the events that were read before, so not by `report`, which would overtake them.
        self.inbox.put([CaughtUp()])

    def _trouble(self, what: str, error: TransientError) -> None:
        self.health.trouble(what, error)
        self._narrator.store_trouble(what, error)

    def _hung(self, what: str) -> None:
        """The Kafka client no longer returns: only a new process helps, and nothing is lost by it."""
        self._error = PermanentError(f"the Kafka client hangs in {what}; the daemon ends to be started again")
        self._orders.put(Stop())

    # -- going down ------------------------------------------------------------------------------

    def close(self) -> None:
        """Stop intake, make durable what was taken in, close everything. May be called at any stage."""
        log.info("stopping")
        self._drained_by = self._clock.now() + DRAIN
        self._stopping.set()
        self._reloader.watcher.stop()
        self.inbox.close()
        if self._kafka is not None:
            self._kafka.stop()
        if self._loop is not None:
            self._loop.join(JOIN_S)
        self.inbox.fail_rest(TransientError("the daemon is stopping"))
        for server in self._http:
            server.stop()
        if self._performer is not None:
            self._performer.close()
        if self._launchers is not None:
            self._launchers.close()
        if self._store is not None:
            self._store.close()
        log.info("stopped")

    @contextmanager
    def _signals(self) -> Iterator[None]:
        """SIGINT and SIGTERM stop, a second one ends at once; SIGHUP reloads."""

        def stop(number: int, frame: FrameType | None) -> None:
            signal.signal(number, signal.SIG_DFL)
            self._orders.put(Stop())

        def reload(number: int, frame: FrameType | None) -> None:
            self._orders.put(Reload("signal"))

        handlers = {signal.SIGINT: stop, signal.SIGTERM: stop, signal.SIGHUP: reload}
        before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def _born(positions: Mapping[str, Position], now: Instant) -> Instant:
    """When the store was new: now, if nothing has been recorded in it; 0 if it does not tell."""
    told = positions.get(RESULTS_READ)
    return now if told is None else int(told) if told.isdigit() else 0


def _guarded(observe: Observer) -> Observer:
    """Observers only tell: one that fails is told of, and stops nothing."""

    def guarded(now: Instant, records: Sequence[Record]) -> None:
        try:
            observe(now, records)
        except Exception:
            log.exception("observer.failed")

    return guarded


def _expected(error: BaseException) -> bool:
    return isinstance(error, FreshdError)


def _plain(kafka: KafkaIntake | None) -> dict[str, Any]:
    if kafka is None:
        return {}
    health = kafka.health()
    return {
        "state": health.state.value,
        "message": health.message,
        "caught_up": health.caught_up,
        "partitions": health.partitions,
        "missing_topics": list(health.missing_topics),
        "silent_topics": list(health.silent_topics),
    }
