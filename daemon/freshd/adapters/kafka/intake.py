"""The Kafka intake as the rest of the daemon sees it: started, stopped, asked for its health and figures.

Four threads work for it: one reads (reading.py), one asks what stands on the brokers (survey.py), one watches that
calls into the client library come back (watchdog.py), one says which topics cannot be seen (sight.py). Messages are
bytes here; what they mean is decided by `translate`. It knows neither engine nor store: positions come in at the start
and go out with each chunk that is put.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

import structlog

from freshd.adapters.kafka.chunks import Translate
from freshd.adapters.kafka.connect import open_consumer
from freshd.adapters.kafka.counts import Counts
from freshd.adapters.kafka.figures import KafkaFigures, KafkaHealth, KafkaState
from freshd.adapters.kafka.follow import Assignment
from freshd.adapters.kafka.reading import Put, Reader
from freshd.adapters.kafka.settings import KafkaSettings
from freshd.adapters.kafka.sight import Say, Seen, Sight
from freshd.adapters.kafka.survey import SURVEY_EVERY_S, Surveyor
from freshd.adapters.kafka.tracks import Stored
from freshd.adapters.kafka.watchdog import HANG_AFTER, Watchdog
from freshd.model.errors import TransientError
from freshd.model.time import SECOND, Duration, Instant
from freshd.ports import Position

STALL_AFTER: Final[Duration] = 60 * SECOND
"""A partition with messages to read from which none came for this long: the consumer is built anew."""

STOP_LIMIT_S: Final = 10.0

LOOK_EVERY_S: Final = 1.0
"""How often it is asked whether topics can be seen."""

log = structlog.get_logger(__name__)


class KafkaIntake:
    """Reads until told to stop. All its methods may be called from any thread."""

    def __init__(
        self,
        settings: KafkaSettings,
        positions: Mapping[str, Position],
        translate: Translate,
        put: Put,
        on_caught_up: Callable[[], None],
        now: Callable[[], Instant],
        *,
        on_hang: Callable[[str], None] | None = None,
        on_sight: Say | None = None,
        survey_every_s: float = SURVEY_EVERY_S,
        stall_after: Duration = STALL_AFTER,
        hang_after: Duration = HANG_AFTER,
        client: Mapping[str, Any] = MappingProxyType({}),
    ) -> None:
        """`on_caught_up` is called once, when all that stood in the topics at the start was put.

        `on_hang` is told, from another thread, when the client library can no longer be brought to return: the
        daemon should then end, since all that counts is durable and only a new process helps. `on_sight` is told,
        from a thread of its own, which topics cannot be seen, and when they can be again. `client` are more
        options for kafka-python's clients. Raises PermanentError when a stored position is not one.
        """
        self._settings = settings
        self._now = now
        self._assignment = Assignment(settings, Stored(positions))
        self._watchdog = Watchdog(now, on_hang or _tell, hang_after)
        self._surveyor = Surveyor(settings, now, self._watchdog, survey_every_s, **client)
        self._counts = Counts()
        self._reader = Reader(
            self._assignment,
            self._surveyor,
            self._watchdog,
            self._counts,
            translate,
            put,
            on_caught_up,
            now,
            stall_after,
            lambda: open_consumer(settings, **client),
        )
        self._stopping = threading.Event()
        self._state = (KafkaState.STARTING, now())
        self._thread = threading.Thread(target=self._run, name="kafka-intake", daemon=True)
        self._sight = Sight(settings, on_sight) if on_sight is not None else None
        self._looker = threading.Thread(target=self._look, name="kafka-sight", daemon=True)

    def start(self) -> None:
        """Begin to read; returns at once, also when no broker answers."""
        self._surveyor.start()
        self._watchdog.start()
        self._thread.start()
        if self._sight is not None:
            self._looker.start()

    def stop(self, timeout_s: float = STOP_LIMIT_S) -> None:
        """Stop reading. Whoever takes the chunks must take, or refuse by raising, the one that is being put."""
        self._stopping.set()
        self._surveyor.hurry()
        if self._thread.is_alive():
            self._thread.join(timeout_s)
        if self._looker.is_alive():
            self._looker.join(timeout_s)
        self._surveyor.stop(timeout_s)
        self._watchdog.stop()

    def figures(self) -> KafkaFigures:
        """Lag and counts."""
        return self._counts.figures(self._lag(), self._watchdog.hangs, self._surveyor.commit_failures)

    def health(self) -> KafkaHealth:
        """Whether messages come."""
        state, message = self._judge()
        if state is not self._state[0]:
            self._state = (state, self._now())
        survey = self._surveyor.latest
        return KafkaHealth(
            state=state,
            since=self._state[1],
            message=message,
            caught_up=self._reader.catch_up.said,
            partitions=len(self._assignment.current),
            unreachable_partitions=len(survey.unreachable) if survey else 0,
            missing_topics=tuple(sorted(survey.missing)) if survey else (),
            silent_topics=self._silent(),
        )

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self._reader.run(self._stopping)
            except BaseException:  # a Hung that came a moment too late, or a bug: reading must go on
                log.exception("kafka.reader_failed")
                self._stopping.wait(1.0)

    def _look(self) -> None:
        """Say again and again what can be seen; what could not be said is said with the next look."""
        while self._sight is not None and not self._stopping.wait(LOOK_EVERY_S):
            state, message = self._judge()
            if state is KafkaState.STOPPED:
                return
            down = "" if state is KafkaState.READING else message
            offsets = {
                (part.topic, part.partition): track.offset for part, track in self._assignment.tracks.copy().items()
            }
            seen = Seen(down, self._surveyor.latest, self._reader.catch_up.said, self._reader.heard.copy(), offsets)
            try:
                self._sight.look(self._now(), seen)
            except TransientError as error:
                log.debug("kafka.sight_unsaid", error=str(error))
            except Exception:
                log.exception("kafka.sight_failed")

    def _judge(self) -> tuple[KafkaState, str]:
        if self._stopping.is_set():
            return KafkaState.STOPPED, ""
        if self._watchdog.stuck:
            return KafkaState.HUNG, self._watchdog.stuck
        down = self._reader.trouble or self._surveyor.error
        if down:
            servers = ", ".join(self._settings.bootstrap_servers)
            return KafkaState.DOWN, f"cannot read from Kafka at {servers}: {down}"
        survey = self._surveyor.latest
        if survey is None or not self._reader.catch_up.aimed:
            return KafkaState.STARTING, "has not heard from a broker yet"
        remarks = [f"topic {topic}: {why}" for topic, why in sorted(survey.missing.items())]
        if survey.unreachable:
            first = survey.unreachable[0]
            remarks.append(
                f"{len(survey.unreachable)} partitions have no leader now, such as {first.topic}/{first.partition}"
            )
        return KafkaState.READING, "; ".join(remarks)

    def _silent(self) -> tuple[str, ...]:
        now = self._now()
        silent = []
        for topic, options in self._settings.topics.items():
            heard = self._reader.heard.get(topic)
            if options.heartbeat is not None and heard is not None and now - heard > options.heartbeat:
                silent.append(topic)
        return tuple(sorted(silent))

    def _lag(self) -> dict[tuple[str, int], int]:
        survey = self._surveyor.latest
        lags: dict[tuple[str, int], int] = {}
        for partition in self._assignment.current:
            track, extent = self._assignment.tracks.get(partition), survey.extents.get(partition) if survey else None
            if track is not None and extent is not None:
                lags[partition.topic, partition.partition] = max(0, extent.end - track.offset)
        return lags


def _tell(what: str) -> None:
    log.critical("kafka.hung", what=what)
