"""Which partitions are read, and from where: what a new survey changes about that.

A partition in the store goes on from there. A topic never seen before begins where freshd.yaml says; a partition that
came to a topic already read, and a topic that appeared while the daemon watched for it, begin at their first message,
whatever it says: all in them is newer than the watching. What cannot be read any more becomes gaps.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from kafka import TopicPartition

from freshd.adapters.kafka.settings import KafkaSettings
from freshd.adapters.kafka.survey import Extent, Survey
from freshd.adapters.kafka.tracks import Gap, Stored, Track, out_of_range, start_again, topic_source
from freshd.model.time import Instant
from freshd.ports import Position

OffsetsAt = Callable[[list[TopicPartition], Instant], Mapping[TopicPartition, int | None]]
"""The offset of the first message from an instant on, or None where there is none yet."""


@dataclass(slots=True)
class Change:
    """What a survey changed."""

    gaps: list[Gap] = field(default_factory=list)
    positions: dict[str, Position] = field(default_factory=dict)
    """To be kept in the store from now on."""
    again: bool = False
    """Tracks were set to other offsets than a consumer stands at."""


class Assignment:
    """The tracks of all partitions that were ever read in this life."""

    def __init__(self, settings: KafkaSettings, stored: Stored) -> None:
        self._settings = settings
        self._stored = stored
        self._known: dict[str, str] = {}
        """Topics met in this life, with their ids; empty while one is missing."""
        self.tracks: dict[TopicPartition, Track] = {}
        self.current: list[TopicPartition] = []
        """The partitions that can be read now, sorted."""

    def follow(self, survey: Survey, offsets_at: OffsetsAt) -> Change:
        """Take in what stands on the brokers now; may ask for offsets by time, and raise what that raises."""
        current, change = sorted(survey.reachable), Change()
        fresh = [partition for partition in current if partition not in self.tracks]
        begins = self._begins(fresh, survey, offsets_at)
        for partition in fresh:
            self._begin(partition, begins[partition], survey.extents[partition], change)
        self.recognise(survey, change)
        self.current = current
        return change

    def recognise(self, survey: Survey, change: Change) -> None:
        """Notice topics that are others of the same name: their tracks begin again."""
        for topic, topic_id in survey.topic_ids.items():
            self._recognise(topic, topic_id, survey, change)
        for topic in survey.missing:
            self._known.setdefault(topic, "")

    def _begin(self, partition: TopicPartition, at: tuple[int, int], extent: Extent, change: Change) -> None:
        offset, generation = at
        track = Track(partition, self._settings.topics[partition.topic].format, offset, generation)
        self.tracks[partition] = track
        gap = out_of_range(track, extent)
        if gap is not None:
            change.gaps.append(gap)
        change.positions[track.source] = track.position

    def _begins(
        self, fresh: list[TopicPartition], survey: Survey, offsets_at: OffsetsAt
    ) -> dict[TopicPartition, tuple[int, int]]:
        """(offset, generation) of each partition not yet read in this life."""
        begins: dict[TopicPartition, tuple[int, int]] = {}
        by_time: dict[Instant, list[TopicPartition]] = {}
        for partition in fresh:
            stored, extent = self._stored.of(partition), survey.extents[partition]
            start = self._settings.begins(partition.topic)
            if stored is not None:
                begins[partition] = stored
            elif start == "earliest" or partition.topic in self._known or self._stored.knows(partition.topic):
                begins[partition] = (extent.start, 0)
            elif start == "latest":
                begins[partition] = (extent.end, 0)
            else:
                by_time.setdefault(start, []).append(partition)
        for instant, partitions in by_time.items():
            found = offsets_at(partitions, instant)
            for partition in partitions:
                offset = found.get(partition)
                begins[partition] = (survey.extents[partition].end if offset is None else offset, 0)
        return begins

    def _recognise(self, topic: str, topic_id: str, survey: Survey, change: Change) -> None:
        before = self._known.get(topic) or self._stored.topic_id(topic)
        self._known[topic] = topic_id or before
        if not topic_id or topic_id == before:
            return
        change.positions[topic_source(topic)] = topic_id
        if not before:
            return
        for partition, track in self.tracks.items():
            if partition.topic == topic and partition in survey.extents:
                change.gaps = [gap for gap in change.gaps if gap.partition != partition]
                change.gaps.append(start_again(track, survey.extents[partition].start, "recreated"))
                change.positions[track.source] = track.position
                change.again = True
