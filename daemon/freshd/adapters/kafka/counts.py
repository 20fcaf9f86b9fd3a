"""What the intake has counted, and the snapshot of it for other threads. Written by the reading thread alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from freshd.adapters.kafka.figures import KafkaFigures
from freshd.adapters.kafka.tracks import Gap


@dataclass(slots=True)
class Counts:
    """Running totals since the process began."""

    messages: Counter[str] = field(default_factory=Counter)
    bytes: Counter[str] = field(default_factory=Counter)
    tombstones: Counter[str] = field(default_factory=Counter)
    gaps: Counter[tuple[str, str]] = field(default_factory=Counter)
    gap_messages: Counter[tuple[str, str]] = field(default_factory=Counter)
    rebuilds: int = 0
    stalls: int = 0

    def gap(self, gap: Gap) -> None:
        """Count a gap."""
        key = (gap.partition.topic, gap.reason)
        self.gaps[key] += 1
        self.gap_messages[key] += gap.size

    def figures(self, lag: Mapping[tuple[str, int], int], hangs: int, commit_failures: int) -> KafkaFigures:
        """A snapshot."""
        return KafkaFigures(
            lag=lag,
            messages=self.messages.copy(),
            bytes=self.bytes.copy(),
            tombstones=self.tombstones.copy(),
            gaps=self.gaps.copy(),
            gap_messages=self.gap_messages.copy(),
            rebuilds=self.rebuilds,
            stalls=self.stalls,
            hangs=hangs,
            commit_failures=commit_failures,
        )
