"""The reading thread: opens consumers one after another, follows the surveys, polls, and hands over chunks.

A consumer that raised is never asked again: it is closed, what can be made good is, and a new one goes on where the
last chunk ended. A track moves only once its chunk was put. Gaps are put before anything that comes after them.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Final

import structlog
from kafka import KafkaConsumer, TopicPartition
from kafka.errors import LogTruncationError, OffsetOutOfRangeError

from freshd.adapters.kafka.catchup import CatchUp
from freshd.adapters.kafka.chunks import Translate, chunk_of, letter_of
from freshd.adapters.kafka.counts import Counts
from freshd.adapters.kafka.follow import Assignment, Change
from freshd.adapters.kafka.survey import Survey, Surveyor
from freshd.adapters.kafka.tracks import Gap, out_of_range, start_again
from freshd.adapters.kafka.unreadable import (
    SUSPECT_AFTER,
    Unpackable,
    first_readable,
    is_damage,
    is_readable,
    suspects,
)
from freshd.adapters.kafka.vendor import told
from freshd.adapters.kafka.watchdog import Hung, Watchdog
from freshd.model.inputs import Input
from freshd.model.time import SECOND, Duration, Instant
from freshd.ports import Position

Put = Callable[[Sequence[Input], Mapping[str, Position]], None]
"""Takes a chunk with the positions after it; blocks while there is no room."""

POLL_MS: Final = 500
"""How long a poll waits for the first message: how soon stop() is heard."""

FIRST_BACKOFF_S: Final = 0.1
LONGEST_BACKOFF_S: Final = 5.0
CLOSE_MS: Final = 1_000

log = structlog.get_logger(__name__)


class Stalled(Exception):
    """A partition stands still although it has messages."""


class Reader:
    """Reads what an assignment says; all but `trouble`, `heard` and `catch_up.said` belongs to its thread."""

    def __init__(
        self,
        assignment: Assignment,
        surveyor: Surveyor,
        watchdog: Watchdog,
        counts: Counts,
        translate: Translate,
        put: Put,
        on_caught_up: Callable[[], None],
        now: Callable[[], Instant],
        stall_after: Duration,
        open_consumer: Callable[[], KafkaConsumer],
    ) -> None:
        self._assignment = assignment
        self._surveyor = surveyor
        self._watching = watchdog.watching
        self._forget_call = watchdog.forget
        self._counts = counts
        self._translate = translate
        self._put = put
        self._on_caught_up = on_caught_up
        self._now = now
        self._stall_after = stall_after
        self._open = open_consumer
        self._followed = 0
        self._placed: frozenset[TopicPartition] = frozenset()
        self._damages = 0
        self._resumed_at = now()
        self._unsaid: list[Gap] = []
        self._unstored: dict[str, Position] = {}
        self.catch_up = CatchUp()
        self.heard: dict[str, Instant] = {}
        """When each topic last had a message, or was first there to be read."""
        self.trouble = ""
        """Why nothing can be read; empty while something can."""

    def run(self, stopping: threading.Event) -> None:
        """Read until told to stop."""
        error: BaseException | None = None
        backoff, before = FIRST_BACKOFF_S, 0
        while not stopping.is_set():
            try:
                if error is not None:
                    met, error = error, None
                    self._recover(met, stopping)
                    stopping.wait(backoff)
                before = self._counts.messages.total()
                self._read(stopping)
            except (Exception, Hung) as raised:
                error = raised
                self._forget_call()
                self._counts.rebuilds += 1
                progressed = self._counts.messages.total() > before
                backoff = FIRST_BACKOFF_S if progressed else min(2 * backoff, LONGEST_BACKOFF_S)

    # -- with one consumer -------------------------------------------------------------------------

    def _read(self, stopping: threading.Event) -> None:
        """Read until something raises, or there is something for which a new consumer is wanted, or the end."""
        survey = self._surveyor.latest
        while survey is None:
            if stopping.is_set():
                return
            survey = self._surveyor.wait(0, 1.0)
        with self._watching("connecting to Kafka"):
            consumer = self._open()
        try:
            self._place(consumer, survey)
            while not stopping.is_set():
                latest = self._surveyor.latest
                if latest is not None and latest is not survey:
                    survey = latest
                    self._pass_markers(consumer, survey)
                    if self._follow(consumer, survey):
                        return
                    self._look_for_stalls(survey)
                self._turn(consumer)
        finally:
            self._close(consumer)

    def _close(self, consumer: KafkaConsumer) -> None:
        try:
            with self._watching("closing a Kafka consumer"):
                consumer.close(autocommit=False, timeout_ms=CLOSE_MS)
        except (Exception, Hung) as error:  # must not hide why it is closed
            log.debug("kafka.close_failed", error=str(error))

    def _place(self, consumer: KafkaConsumer, survey: Survey) -> None:
        """Let a new consumer read all that can be read, each partition from where its track stands."""
        self._follow(consumer, survey)
        now = self._now()
        with self._watching("assigning partitions"):
            self._placed = frozenset(self._assignment.current)
            consumer.assign(self._assignment.current)
            for partition in self._assignment.current:
                track = self._assignment.tracks[partition]
                consumer.seek(partition, track.offset)
                track.moved_at = now

    def _follow(self, consumer: KafkaConsumer, survey: Survey) -> bool:
        """Take in a survey; whether partitions came, went or were set to other offsets.

        A consumer whose partitions change is replaced: what it knows of leaders can be a minute old.
        """
        before = self._assignment.current
        change = self._assignment.follow(survey, partial(self._offsets_at, consumer))
        self._followed = survey.number
        self._note(change.gaps, change.positions, survey)
        self._say()
        now, current, tracks = self._now(), self._assignment.current, self._assignment.tracks
        for topic in survey.topic_ids:
            self.heard.setdefault(topic, now)
        self._surveyor.commit({partition: tracks[partition].offset for partition in current})
        return change.again or current != before

    def _offsets_at(
        self, consumer: KafkaConsumer, partitions: list[TopicPartition], at: Instant
    ) -> dict[TopicPartition, int | None]:
        with self._watching("asking for offsets by time"):
            found = consumer.offsets_for_times(dict.fromkeys(partitions, at // 1_000))
        return {partition: answer.offset if answer else None for partition, answer in found.items()}

    def _pass_markers(self, consumer: KafkaConsumer, survey: Survey) -> None:
        """Go behind what is no message: transaction markers, aborted messages, what compaction took."""
        for partition in self._assignment.current:
            track, extent = self._assignment.tracks[partition], survey.extents.get(partition)
            if extent is None or extent.end <= track.offset:
                continue
            stands = self._standing(consumer, partition)
            if stands is not None and stands > track.offset:
                track.offset, track.moved_at = stands, self._now()
                self._unstored[track.source] = track.position

    def _standing(self, consumer: KafkaConsumer, partition: TopicPartition) -> int | None:
        """Where the consumer stands, if it reads that partition."""
        if partition not in self._placed:
            return None
        with self._watching("asking for a position"):
            position: int | None = consumer.position(partition, timeout_ms=0)
        return position

    def _look_for_stalls(self, survey: Survey) -> None:
        now = self._now()
        for partition in self._assignment.current:
            track = self._assignment.tracks[partition]
            since = max(track.moved_at, self._resumed_at)
            if survey.extents[partition].end > track.offset and now - since > self._stall_after:
                self._counts.stalls += 1
                raise Stalled(
                    f"{partition.topic}/{partition.partition} stands at offset {track.offset} of "
                    f"{survey.extents[partition].end} for {(now - since) // SECOND} s"
                )

    def _turn(self, consumer: KafkaConsumer) -> None:
        records: Mapping[TopicPartition, Sequence[Any]] = {}
        if self._assignment.current:
            records = self._poll(consumer)
        else:
            self._surveyor.wait(self._followed, POLL_MS / 1_000)
        self.trouble = ""
        if records:
            self._hand_over(records)
        if not self.catch_up.said:
            standing = None if records else partial(self._standing, consumer)
            if self.catch_up.is_done(self._assignment.tracks, standing):
                self._on_caught_up()
                self.catch_up.said = True

    def _poll(self, consumer: KafkaConsumer) -> Mapping[TopicPartition, Sequence[Any]]:
        try:
            with self._watching("poll"):
                records: Mapping[TopicPartition, Sequence[Any]] = consumer.poll(POLL_MS)
        except (Exception, Hung) as error:
            if is_damage(error):
                raise Unpackable(f"{type(error).__name__}: {error}") from error
            raise
        return records

    def _hand_over(self, records: Mapping[TopicPartition, Sequence[Any]]) -> None:
        now = self._now()
        chunk = chunk_of(records, self._assignment.tracks, now, self._translate, self._counts)
        self._put(chunk.inputs, chunk.positions)
        after = self._now()
        if after - now > SECOND:
            self._resumed_at = after  # held up by back-pressure: nobody stood still of his own
        for track, offset in chunk.reached:
            track.offset, track.moved_at = offset, after
            self.heard[track.partition.topic] = now

    # -- gaps --------------------------------------------------------------------------------------

    def _note(self, gaps: Sequence[Gap], positions: Mapping[str, Position], survey: Survey) -> None:
        """Remember to say and to store, until both have been done."""
        self.catch_up.aim(survey, gaps)
        self._unstored.update(positions)
        for gap in gaps:
            self._unsaid.append(gap)
            self._counts.gap(gap)
            name = f"{gap.partition.topic}/{gap.partition.partition}"
            log.warning("kafka.gap", partition=name, reason=gap.reason, passed_over=gap.size, message=str(gap))

    def _say(self) -> None:
        if self._unsaid or self._unstored:
            tracks = self._assignment.tracks
            self._put([letter_of(gap, tracks[gap.partition].format) for gap in self._unsaid], self._unstored)
            self._unsaid, self._unstored = [], {}

    # -- after an error ----------------------------------------------------------------------------

    def _recover(self, error: BaseException, stopping: threading.Event) -> None:
        """Make good what can be, before the next consumer is opened."""
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
                    self._pass_damage(str(error), stopping)
            case _:
                trouble = told(error)
                level = log.debug if trouble == self.trouble else log.warning
                level("kafka.reading_failed", error=trouble)
                self.trouble = trouble

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
            track = self._assignment.tracks.get(partition)
            if track is None or partition not in survey.reachable or partition in begun_again:
                continue
            extent = survey.extents[partition]
            gap = out_of_range(track, extent) if cut_at is None else start_again(track, cut_at, "truncated")
            if gap is not None:
                change.gaps.append(gap)
                change.positions[track.source] = track.position
        self._note(change.gaps, change.positions, survey)

    def _pass_damage(self, error: str, stopping: threading.Event) -> None:
        """Find the partition whose next messages cannot be unpacked, and pass them over as a gap."""
        survey = self._surveyor.latest
        if survey is None:
            return
        tracks = self._assignment.tracks
        standing = [(each, tracks[each].offset, survey.extents[each].end) for each in self._assignment.current]
        for partition, offset, end in suspects(standing):
            if stopping.is_set():
                return
            if self._is_readable(partition, offset):
                continue
            track = tracks[partition]
            track.offset = first_readable(partial(self._is_readable, partition), offset, end)
            log.error("kafka.unreadable", partition=track.source, offset=offset, error=error)
            self._note([Gap(partition, "unreadable", offset, track.offset)], {track.source: track.position}, survey)
        self._damages = 0

    def _is_readable(self, partition: TopicPartition, offset: int) -> bool:
        try:
            with self._watching("trying to read"):
                return is_readable(self._open, partition, offset)
        except Hung:
            return False
