"""Where reading stands in each partition, where it begins, and what is done about messages that are gone.

Pure bookkeeping: it is given what stands in the store and on the brokers, and decides on offsets; it calls nobody.
A position is the next offset as text. Should a log have been cut or made anew, so that an offset now names another
message, the text gets a suffix `~1`, `~2`, …, and so do the origins of its messages: an id made from an origin is never
given twice.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from kafka import TopicPartition

from freshd.adapters.kafka.survey import Extent
from freshd.model.errors import PermanentError
from freshd.model.time import NEVER, Instant
from freshd.ports import Position


@dataclass(slots=True)
class Track:
    """Reading of one partition."""

    partition: TopicPartition
    format: str
    offset: int
    """The next to be read."""
    generation: int = 0
    """How often its log was cut or made anew under us."""
    source: str = field(init=False)
    origin: str = field(init=False)
    """What precedes the offset in a message's origin."""
    moved_at: Instant = NEVER
    """When reading last went on, by our clock."""

    def __post_init__(self) -> None:
        self.source = source_of(self.partition)
        self.origin = f"{self.partition.topic}/{self.partition.partition}/"

    @property
    def position(self) -> Position:
        """What the store keeps."""
        return f"{self.offset}{self.suffix}"

    @property
    def suffix(self) -> str:
        """What follows the offset in positions and origins."""
        return f"~{self.generation}" if self.generation else ""


@dataclass(frozen=True, slots=True)
class Gap:
    """Messages that were gone before they were read."""

    partition: TopicPartition
    reason: str
    """expired: below the log's start; truncated: the log is shorter than what was read; recreated: another topic of
    that name; unreadable: a batch that cannot be unpacked."""
    wanted: int
    """The offset that was to be read next."""
    goes_on: int
    """The offset that is read next instead."""

    @property
    def size(self) -> int:
        """Offsets passed over; 0 if the log begins again."""
        return max(0, self.goes_on - self.wanted)

    def __str__(self) -> str:
        name = f"{self.partition.topic}/{self.partition.partition}"
        match self.reason:
            case "expired":
                why = f"messages {self.wanted} to {self.goes_on - 1} of {name} were deleted before they were read"
                mend = "lengthen the topic's retention, or keep the daemon running"
            case "truncated":
                why = (
                    f"the log of {name} ends before offset {self.wanted}, which had been reached: brokers lost messages"
                )
                mend = "forbid unclean leader elections"
            case "recreated":
                why = f"topic {self.partition.topic} was made anew after {self.wanted} messages of {name} had been read"
                mend = ""
            case _:
                why = f"messages {self.wanted} to {self.goes_on - 1} of {name} cannot be unpacked"
                mend = "see the log for the error"
        return f"{why}; reading goes on at offset {self.goes_on}" + (f" ({mend})" if mend else "")


def source_of(partition: TopicPartition) -> str:
    """The name of a partition's position in the store."""
    return f"kafka/{partition.topic}/{partition.partition}"


def topic_source(topic: str) -> str:
    """The name under which the store keeps a topic's id."""
    return f"kafka/{topic}"


def read_position(text: Position) -> tuple[int, int]:
    """(offset, generation) of a stored position; raises ValueError for anything else."""
    offset, _, generation = text.partition("~")
    return int(offset), int(generation or 0)


def _check(name: str, text: Position) -> None:
    try:
        read_position(text)
    except ValueError:
        mend = "delete that row to begin where `kafka.start` says"
        raise PermanentError(f"the store's read position of {name} is {text!r}, which is no offset; {mend}") from None


def out_of_range(track: Track, extent: Extent) -> Gap | None:
    """The gap, if the log does not hold the offset that is to be read next; the track is set to where reading goes on.

    Messages are never skipped that could be read: of a log that was cut it reads all again, since nobody can
    tell which of its messages are new, and a repeated update does no harm.
    """
    wanted = track.offset
    if wanted < extent.start:
        track.offset = extent.start
        return Gap(track.partition, "expired", wanted, track.offset)
    if wanted > extent.end:
        return start_again(track, extent.start, "truncated")
    return None


def start_again(track: Track, offset: int, reason: str) -> Gap:
    """Begin a new generation of the track at `offset`."""
    wanted, track.offset = track.offset, offset
    track.generation += 1
    return Gap(track.partition, reason, wanted, offset)


class Stored:
    """The positions that the store held when the daemon started."""

    def __init__(self, positions: Mapping[str, Position]) -> None:
        self._positions = {name: text for name, text in positions.items() if name.startswith("kafka/")}
        for name, text in self._positions.items():
            if name.count("/") == 2:
                _check(name, text)
        self._topics = {name.split("/")[1] for name in self._positions}

    def of(self, partition: TopicPartition) -> tuple[int, int] | None:
        """(offset, generation), if this partition was read before."""
        text = self._positions.get(source_of(partition))
        return None if text is None else read_position(text)

    def knows(self, topic: str) -> bool:
        """Whether the topic was ever read."""
        return topic in self._topics

    def topic_id(self, topic: str) -> str:
        """The topic's id when it was last read, or empty."""
        return self._positions.get(topic_source(topic), "")
