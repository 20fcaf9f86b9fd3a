"""What the intake tells of itself: whether it reads, how far behind it is, what it met on the way.

Plain snapshots: the metrics and health pages read them from other threads.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from freshd.model.time import Instant


class KafkaState(StrEnum):
    """What the intake is doing."""

    STARTING = "starting"
    """It has not yet heard from a broker."""
    READING = "reading"
    DOWN = "down"
    """No broker answers, or none lets it read; it goes on trying."""
    HUNG = "hung"
    """A call into the client library does not come back; the process should be restarted."""
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class KafkaHealth:
    """Whether messages come, for the health page and `freshd status`."""

    state: KafkaState
    since: Instant
    message: str
    """Why it is so, for people; empty while all is well."""
    caught_up: bool
    partitions: int
    missing_topics: tuple[str, ...] = ()
    """Topics of freshd.yaml that are not there, or may not be read; they are looked for again and again."""
    unreachable_partitions: int = 0
    """Partitions without a leader that answers."""
    silent_topics: tuple[str, ...] = ()
    """Topics with a `heartbeat` that have been silent for longer than that."""

    @property
    def ok(self) -> bool:
        """Whether everything that should be read is being read."""
        lacking = self.missing_topics or self.unreachable_partitions or self.silent_topics
        return self.state is KafkaState.READING and not lacking


@dataclass(frozen=True, slots=True)
class KafkaFigures:
    """Counts since the start of the process, and the lag now."""

    lag: Mapping[tuple[str, int], int]
    """By (topic, partition): messages that are there and not yet read (at most as old as one survey)."""
    messages: Mapping[str, int]
    """By topic: messages read."""
    bytes: Mapping[str, int]
    tombstones: Mapping[str, int]
    """By topic: messages without value and headers, which say nothing."""
    gaps: Mapping[tuple[str, str], int]
    """By (topic, expired | truncated | recreated | unreadable): how often messages were gone before being read."""
    gap_messages: Mapping[tuple[str, str], int]
    """By the same: how many offsets were passed over."""
    rebuilds: int
    """Consumers closed and built anew after an error."""
    stalls: int
    """Of those, because a partition stood still although it had messages."""
    hangs: int
    """Of those, because poll did not return."""
    commit_failures: int
    """Times that offsets could not be committed to the group (for lag tools only)."""
