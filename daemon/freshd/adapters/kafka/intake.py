"""Reads the topics of freshd.yaml, in one thread, and hands over what they say in chunks.

Partitions are assigned by hand, positions come from the store and go back to it together with what was read: the put
of a chunk carries both, and blocks when the daemon has enough to do. A consumer that raised is never asked again: it is
closed, and a new one goes on where the last chunk ended. Messages are bytes here; what they mean is decided by
`translate`. It knows neither engine nor store, and loses no message silently: what is gone becomes a `Gap`.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from types import MappingProxyType
from typing import Any, Final

import structlog
from kafka import KafkaConsumer, TopicPartition
from kafka.errors import LogTruncationError, OffsetOutOfRangeError

from freshd.adapters.kafka.connect import open_consumer
from freshd.adapters.kafka.counts import Counts
from freshd.adapters.kafka.figures import KafkaFigures, KafkaHealth, KafkaState
from freshd.adapters.kafka.follow import Assignment, Change
from freshd.adapters.kafka.settings import KafkaSettings
from freshd.adapters.kafka.survey import SURVEY_EVERY_S, Survey, Surveyor
from freshd.adapters.kafka.tracks import Gap, Stored, Track, out_of_range, start_again
from freshd.adapters.kafka.unreadable import (
    SUSPECT_AFTER,
    Unpackable,
    first_readable,
    is_damage,
    is_readable,
    suspects,
)
from freshd.adapters.kafka.watchdog import HANG_AFTER, Hung, Watchdog
from freshd.model.inputs import DeadLetter, Input
from freshd.model.sighting import Message
from freshd.model.time import SECOND, Duration, Instant
from freshd.ports import Position

Translate = Callable[[Message, str], Sequence[Input]]
"""What a message in a format says: inputs, or a DeadLetter among them. Should not raise."""

Put = Callable[[Sequence[Input], Mapping[str, Position]], None]
"""Takes a chunk with the positions after it; blocks while there is no room."""

POLL_MS: Final = 500
"""How long a poll waits for the first message: how soon stop() is heard."""

STALL_AFTER: Final[Duration] = 60 * SECOND
"""A partition with messages to read from which none came for this long: the consumer is built anew."""

FIRST_BACKOFF_S: Final = 0.1
LONGEST_BACKOFF_S: Final = 5.0
STOP_LIMIT_S: Final = 10.0
LETTER_BYTES: Final = 64 * 1024
"""What is kept of a message that `translate` itself failed on."""

NO_HEADERS: Final[Mapping[str, str]] = MappingProxyType({})

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
        survey_every_s: float = SURVEY_EVERY_S,
        stall_after: Duration = STALL_AFTER,
        hang_after: Duration = HANG_AFTER,
        client: Mapping[str, Any] = MappingProxyType({}),
    ) -> None:
        """`on_caught_up` is called once, when all that stood in the topics at the start was put.

        `on_hang` is told, from another thread, when the client library can no longer be brought to return: the
        daemon should then end, since all that counts is durable and only a new process helps. `client` are more
        options for kafka-python's clients. Raises PermanentError when a stored position is not one.
        """
        self._settings = settings
        self._translate = translate
        self._put = put
        self._on_caught_up = on_caught_up
        self._now = now
        self._stall_after = stall_after
        self._client = dict(client)
        self._surveyor = Surveyor(settings, now, survey_every_s, **self._client)
        self._assignment = Assignment(settings, Stored(positions))
        self._watchdog = Watchdog(now, on_hang or _tell, hang_after)
        self._counts = Counts()
        self._targets: dict[TopicPartition, int] | None = None
        """What stood there at the start and is not yet read: the offsets to reach."""
        self._followed = 0
        self._caught_up = False
        self._trouble = ""
        self._failures = 0
        self._damages = 0
        self._resumed_at = now()
        self._heard: dict[str, Instant] = {}
        self._stopping = threading.Event()
        self._state = (KafkaState.STARTING, now())
        self._thread = threading.Thread(target=self._run, name="kafka-intake", daemon=True)

    # -- what others call ------------------------------------------------

    def start(self) -> None:
        """Begin to read; returns at once, also when no broker answers."""
        self._surveyor.start()
        self._watchdog.start()
        self._thread.start()

    def stop(self, timeout_s: float = STOP_LIMIT_S) -> None:
        """Stop reading. Whoever takes the chunks must take, or refuse by raising, the one that is being put."""
        self._stopping.set()
        self._surveyor.hurry()
        if self._thread.is_alive():
            self._thread.join(timeout_s)
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
            caught_up=self._caught_up,
            partitions=len(self._assignment.current),
            missing_topics=tuple(sorted(survey.missing)) if survey else (),
            silent_topics=self._silent(),
        )

    def _judge(self) -> tuple[KafkaState, str]:
        if self._stopping.is_set():
            return KafkaState.STOPPED, ""
        if self._watchdog.stuck:
            return KafkaState.HUNG, self._watchdog.stuck
        down = self._trouble or self._surveyor.error
        if down:
            servers = ", ".join(self._settings.bootstrap_servers)
            return KafkaState.DOWN, f"cannot read from Kafka at {servers}: {down}"
        survey = self._surveyor.latest
        if survey is None or self._targets is None:
            return KafkaState.STARTING, "has not heard from a broker yet"
        return KafkaState.READING, "; ".join(f"topic {topic}: {why}" for topic, why in sorted(survey.missing.items()))

    def _silent(self) -> tuple[str, ...]:
        now = self._now()
        silent = []
        for topic, options in self._settings.topics.items():
            heard = self._heard.get(topic)
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

    # -- the thread ------------------------------------------------------

    def _run(self) -> None:
        backoff = FIRST_BACKOFF_S
        while not self._stopping.is_set():
            before = self._counts.messages.total()
            try:
                self._read()
            except (Exception, Hung) as error:
                if self._stopping.is_set():
                    return
                self._counts.rebuilds += 1
                if self._counts.messages.total() > before:
                    backoff = FIRST_BACKOFF_S
                self._recover(error)
                self._stopping.wait(backoff)
                backoff = min(2 * backoff, LONGEST_BACKOFF_S)

    def _read(self) -> None:
        """Read with one consumer until it raises, or stop() is called."""
        survey = self._surveyor.latest
        while survey is None:
            if self._stopping.is_set():
                return
            survey = self._surveyor.wait(0, 1.0)
        with self._watching("connecting to Kafka"):
            consumer = open_consumer(self._settings, **self._client)
        try:
            self._follow(consumer, survey, fresh=True)
            while not self._stopping.is_set():
                latest = self._surveyor.latest
                if latest is not None and latest is not survey:
                    survey = latest
                    self._follow(consumer, survey, fresh=False)
                self._poll(consumer)
        finally:
            with self._watching("closing a Kafka consumer"):
                consumer.close(autocommit=False, timeout_ms=1_000)

    def _follow(self, consumer: KafkaConsumer, survey: Survey, fresh: bool) -> None:
        """Read what the survey says is there; `fresh`: the consumer stands nowhere yet."""
        passed = {} if fresh else self._pass_markers(consumer, survey)
        change = self._assignment.follow(survey, lambda partitions, at: self._offsets_at(consumer, partitions, at))
        now, self._followed = self._now(), survey.number
        if change.positions or change.gaps or passed:
            self._note(change.gaps, passed | change.positions)
        with self._watching("assigning partitions"):
            consumer.assign(self._assignment.current)
            moved = self._assignment.current if fresh or change.again else [track.partition for track in change.begun]
            for partition in moved:
                consumer.seek(partition, self._assignment.tracks[partition].offset)
                self._assignment.tracks[partition].moved_at = now
        for topic in survey.topic_ids:
            self._heard.setdefault(topic, now)
        if self._targets is None:
            self._targets = {partition: survey.extents[partition].end for partition in self._assignment.current}
        self._aim_again(change.gaps, survey)
        self._look_for_stalls(survey, now)
        self._surveyor.commit(
            {partition: self._assignment.tracks[partition].offset for partition in self._assignment.current}
        )

    def _offsets_at(
        self, consumer: KafkaConsumer, partitions: list[TopicPartition], at: Instant
    ) -> dict[TopicPartition, int | None]:
        with self._watching("asking for offsets by time"):
            found = consumer.offsets_for_times(dict.fromkeys(partitions, at // 1_000))
        return {partition: answer.offset if answer else None for partition, answer in found.items()}

    def _pass_markers(self, consumer: KafkaConsumer, survey: Survey) -> dict[str, Position]:
        """Positions behind what is no message: transaction markers, aborted messages, what compaction took."""
        passed: dict[str, Position] = {}
        for partition in self._assignment.current:
            track, extent = self._assignment.tracks[partition], survey.extents.get(partition)
            if extent is None or extent.end <= track.offset or partition not in consumer.assignment():
                continue
            stands = self._standing(consumer, partition)
            if stands is not None and stands > track.offset:
                track.offset, track.moved_at = stands, self._now()
                passed[track.source] = track.position
        return passed

    def _standing(self, consumer: KafkaConsumer, partition: TopicPartition) -> int | None:
        with self._watching("asking for a position"):
            position: int | None = consumer.position(partition, timeout_ms=0)
        return position

    def _look_for_stalls(self, survey: Survey, now: Instant) -> None:
        for partition in self._assignment.current:
            track = self._assignment.tracks[partition]
            since = max(track.moved_at, self._resumed_at)
            if survey.extents[partition].end > track.offset and now - since > self._stall_after:
                self._counts.stalls += 1
                raise _Stalled(
                    f"{partition.topic}/{partition.partition} stands at offset {track.offset} of "
                    f"{survey.extents[partition].end} for {(now - since) // SECOND} s"
                )

    def _poll(self, consumer: KafkaConsumer) -> None:
        records: Mapping[TopicPartition, Sequence[Any]] = {}
        if self._assignment.current:
            records = self._ask_for_more(consumer)
        else:
            self._surveyor.wait(self._followed, POLL_MS / 1_000)
        self._trouble, self._failures = "", 0
        if records:
            self._hand_over(records)
        if not self._caught_up:
            self._settle(consumer, records)

    def _ask_for_more(self, consumer: KafkaConsumer) -> Mapping[TopicPartition, Sequence[Any]]:
        try:
            with self._watching("poll"):
                records: Mapping[TopicPartition, Sequence[Any]] = consumer.poll(POLL_MS)
        except (Exception, Hung) as error:
            if is_damage(error):
                raise Unpackable(f"{type(error).__name__}: {error}") from error
            raise
        return records

    def _hand_over(self, records: Mapping[TopicPartition, Sequence[Any]]) -> None:
        """One chunk: all inputs of one poll, with the positions after it."""
        now = self._now()
        inputs: list[Input] = []
        positions: dict[str, Position] = {}
        reached: list[tuple[Track, int]] = []
        for partition, batch in records.items():
            track = self._assignment.tracks[partition]
            self._interpret(track, batch, now, inputs)
            offset = batch[-1].offset + 1
            reached.append((track, offset))
            positions[track.source] = f"{offset}{track.suffix}"
        self._put(inputs, positions)
        after = self._now()
        if after - now > SECOND:
            self._resumed_at = after
        for track, offset in reached:
            track.offset, track.moved_at = offset, after
            self._heard[track.partition.topic] = now

    def _interpret(self, track: Track, batch: Sequence[Any], now: Instant, inputs: list[Input]) -> None:
        topic, origin, suffix, form = track.partition.topic, track.origin, track.suffix, track.format
        translate, size, tombstones = self._translate, 0, 0
        for record in batch:
            value = record.value
            if value is None:
                if not record.headers:
                    tombstones += 1
                    continue
                value = b""
            size += len(value)
            message = Message(
                value,
                now,
                f"{origin}{record.offset}{suffix}",
                _headers(record.headers) if record.headers else NO_HEADERS,
                topic,
                record.timestamp * 1_000 if record.timestamp >= 0 else None,
            )
            try:
                inputs += translate(message, form)
            except Exception as error:
                log.exception("kafka.translate_failed", origin=message.origin, format=form)
                reason = f"{type(error).__name__}: {error}"
                inputs.append(DeadLetter(message.origin, "internal_error", reason, value[:LETTER_BYTES], form))
        self._counts.messages[topic] += len(batch)
        self._counts.bytes[topic] += size
        if tombstones:
            self._counts.tombstones[topic] += tombstones

    def _settle(self, consumer: KafkaConsumer, records: Mapping[TopicPartition, Any]) -> None:
        """Say so, once, when everything that stood there at the start has been put."""
        targets = self._targets or {}
        for partition in list(targets):
            stands: int | None = self._assignment.tracks[partition].offset
            if not records and partition in self._assignment.current:
                stands = self._standing(consumer, partition)
            if stands is not None and stands >= targets[partition]:
                del targets[partition]
        if not targets:
            self._caught_up = True
            self._on_caught_up()

    def _note(self, gaps: Sequence[Gap], positions: Mapping[str, Position]) -> None:
        """Put gaps, as dead letters that people find, with the positions behind them."""
        letters: list[Input] = []
        for gap in gaps:
            self._counts.gap(gap)
            name = f"{gap.partition.topic}/{gap.partition.partition}"
            log.warning(
                "kafka.gap", partition=name, reason=gap.reason, wanted=gap.wanted, goes_on=gap.goes_on, size=gap.size
            )
            form = self._assignment.tracks[gap.partition].format
            letters.append(DeadLetter(f"{name}/{gap.wanted}", f"gap_{gap.reason}", str(gap), b"", form))
        self._put(letters, positions)

    # -- after an error --------------------------------------------------

    def _recover(self, error: BaseException) -> None:
        """Make good what can be, before the next consumer is opened."""
        self._failures += 1
        match error:
            case OffsetOutOfRangeError():
                self._mend(dict.fromkeys(error.args[0]))
            case LogTruncationError():
                kept = error.divergent_offsets
                self._mend({partition: at.offset if at else None for partition, at in kept.items()})
            case Unpackable():
                self._damages += 1
                log.warning("kafka.unpacking_failed", error=str(error), failures=self._damages)
                if self._damages >= SUSPECT_AFTER:
                    self._pass_damage(str(error))
            case _:
                self._trouble = f"{type(error).__name__}: {error}"
                log.warning("kafka.reading_failed", error=self._trouble, failures=self._failures)

    def _mend(self, partitions: Mapping[TopicPartition, int | None]) -> None:
        """Set tracks to where reading can go on: of a log that was cut, to where it was cut, if a broker could tell."""
        latest = self._surveyor.latest
        self._surveyor.hurry()
        survey = self._surveyor.wait(latest.number if latest else 0, LONGEST_BACKOFF_S)
        if survey is None:
            return
        change = Change()
        self._assignment.recognise(survey, change)
        begun_again = {gap.partition for gap in change.gaps}
        for partition, cut_at in partitions.items():
            track, extent = self._assignment.tracks.get(partition), survey.extents.get(partition)
            if track is None or extent is None or partition in begun_again:
                continue
            gap = out_of_range(track, extent) if cut_at is None else start_again(track, cut_at, "truncated")
            if gap is not None:
                change.gaps.append(gap)
                change.positions[track.source] = track.position
        if change.gaps:
            self._note(change.gaps, change.positions)
            self._aim_again(change.gaps, survey)

    def _pass_damage(self, error: str) -> None:
        """Find the partition whose next messages cannot be unpacked, and pass them over as a gap."""
        survey = self._surveyor.latest
        if survey is None:
            return
        tracks = self._assignment.tracks
        standing = [(each, tracks[each].offset, survey.extents[each].end) for each in self._assignment.current]
        for partition, offset, end in suspects(standing):
            if self._stopping.is_set():
                return
            if self._is_readable(partition, offset):
                continue
            track = tracks[partition]
            track.offset = first_readable(partial(self._is_readable, partition), offset, end)
            gap = Gap(partition, "unreadable", offset, track.offset)
            log.error("kafka.unreadable", error=error)
            self._note([gap], {track.source: track.position})
        self._damages = 0

    def _is_readable(self, partition: TopicPartition, offset: int) -> bool:
        try:
            with self._watching("trying to read"):
                return is_readable(lambda: open_consumer(self._settings, **self._client), partition, offset)
        except Hung:
            return False

    def _aim_again(self, gaps: Sequence[Gap], survey: Survey) -> None:
        """What had been aimed at in a log that is now another is no longer there to be reached."""
        for gap in gaps:
            if self._targets and gap.partition in self._targets:
                self._targets[gap.partition] = survey.extents[gap.partition].end

    def _watching(self, call: str) -> Any:
        return self._watchdog.watching(call)


class _Stalled(Exception):
    """A partition stands still although it has messages."""


def _headers(pairs: Sequence[tuple[str, bytes | None]]) -> dict[str, str]:
    return {name.lower(): (value or b"").decode("utf-8", "replace") for name, value in pairs}


def _tell(what: str) -> None:
    log.critical("kafka.hung", what=what)
