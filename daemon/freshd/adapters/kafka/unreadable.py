"""Messages that the client library cannot unpack: which they are, and where the stream goes on behind them.

A batch that is damaged makes poll raise, without saying of which partition, and raise again for every offset within
the batch. So partitions are tried one by one, and in the bad one the first offset is sought from which reading works.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final

from kafka import TopicPartition
from kafka.errors import CorruptRecordError, KafkaError, UnsupportedCodecError

SUSPECT_AFTER: Final = 2
"""Failures to unpack, with consumers of their own, after which partitions are tried one by one."""

PROBE_MS: Final = 3_000
"""How long a probe waits for messages; none in that time is no failure to unpack."""


class Unpackable(Exception):
    """Poll raised something that is no message from a broker."""


def is_damage(error: BaseException) -> bool:
    """Whether an error from poll can come from what the messages hold."""
    return isinstance(error, CorruptRecordError | UnsupportedCodecError) or not isinstance(error, KafkaError)


def is_readable(open_consumer: Callable[[], Any], partition: TopicPartition, offset: int) -> bool:
    """Whether a consumer that has only this to read can. Raises what has nothing to do with the messages."""
    consumer = open_consumer()
    try:
        consumer.assign([partition])
        consumer.seek(partition, offset)
        consumer.poll(PROBE_MS, max_records=1)
    except Exception as error:
        if is_damage(error):
            return False
        raise
    finally:
        consumer.close(autocommit=False, timeout_ms=1_000)
    return True


def first_readable(readable: Callable[[int], bool], offset: int, end: int) -> int:
    """The first offset behind `offset`, itself unreadable, that can be read; `end` if none before it can.

    It asks about as often as twice the logarithm of the distance.
    """
    bad, step = offset, 1
    while bad + step < end and not readable(bad + step):
        bad += step
        step *= 2
    good = min(bad + step, end)
    while good - bad > 1:
        middle = (bad + good) // 2
        if readable(middle):
            good = middle
        else:
            bad = middle
    return good


def suspects(offsets: Iterable[tuple[TopicPartition, int, int]]) -> list[tuple[TopicPartition, int, int]]:
    """Of (partition, offset, end), those that have anything to read, the shortest way first."""
    return sorted((each for each in offsets if each[1] < each[2]), key=lambda each: (each[2] - each[1], each[0]))
