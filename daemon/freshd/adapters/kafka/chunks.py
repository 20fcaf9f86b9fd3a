"""From what a poll brought to one chunk: the inputs in order, and the positions after them.

It asks `translate` what each message says, and lets no message stop the stream: one that `translate` fails on becomes a
dead letter. What every message costs here is paid a hundred thousand times a second, so the loop is kept bare.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final

import structlog
from kafka import TopicPartition

from freshd.adapters.kafka.counts import Counts
from freshd.adapters.kafka.tracks import Gap, Track
from freshd.model.inputs import DeadLetter, Input
from freshd.model.sighting import Message
from freshd.model.time import Instant
from freshd.ports import Position

Translate = Callable[[Message, str], Sequence[Input]]
"""What a message in a format says: inputs, or a DeadLetter among them. Should not raise."""

LETTER_BYTES: Final = 64 * 1024
"""What is kept of a message that `translate` itself failed on."""

NO_HEADERS: Final[Mapping[str, str]] = MappingProxyType({})

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Chunk:
    """What is put at once."""

    inputs: list[Input] = field(default_factory=list)
    positions: dict[str, Position] = field(default_factory=dict)
    reached: list[tuple[Track, int]] = field(default_factory=list)
    """The tracks that move once it is put, with their next offsets."""


def chunk_of(
    records: Mapping[TopicPartition, Sequence[Any]],
    tracks: Mapping[TopicPartition, Track],
    now: Instant,
    translate: Translate,
    counts: Counts,
) -> Chunk:
    """The chunk that the records of one poll make; they arrived `now`."""
    chunk = Chunk()
    for partition, batch in records.items():
        track = tracks[partition]
        _interpret(track, batch, now, translate, counts, chunk.inputs)
        offset = batch[-1].offset + 1
        chunk.reached.append((track, offset))
        chunk.positions[track.source] = f"{offset}{track.suffix}"
    return chunk


def letter_of(gap: Gap, form: str) -> DeadLetter:
    """A gap as people find it among the dead letters."""
    name = f"{gap.partition.topic}/{gap.partition.partition}"
    return DeadLetter(f"{name}/{gap.wanted}", f"gap_{gap.reason}", str(gap), b"", form)


def _interpret(
    track: Track, batch: Sequence[Any], now: Instant, translate: Translate, counts: Counts, inputs: list[Input]
) -> None:
    topic, origin, suffix, form = track.partition.topic, track.origin, track.suffix, track.format
    size = tombstones = 0
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
    counts.messages[topic] += len(batch)
    counts.bytes[topic] += size
    if tombstones:
        counts.tombstones[topic] += tombstones


def _headers(pairs: Sequence[tuple[str, bytes | None]]) -> dict[str, str]:
    return {name.lower(): (value or b"").decode("utf-8", "replace") for name, value in pairs}
