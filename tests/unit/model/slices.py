"""What a slice of an upstream means, said once more: which partitions it holds, and how a table names it."""

from __future__ import annotations

from freshd.model.asset import PartitionScheme
from freshd.model.mapping import WHOLE_ASSET, Slice
from freshd.model.partitions import newest, window_at, window_of
from freshd.model.time import Instant


def holds(read: Slice, scheme: PartitionScheme, key: str, now: Instant) -> bool:
    """Whether a partition is one of those that are read."""
    if read.last:
        return any(window.key == key for window in newest(scheme, now, read.last))
    window = window_of(scheme, key)
    return read.begin <= window.begin and window.end <= read.end


def shown(read: str | Slice, scheme: PartitionScheme) -> str:
    """`FIRST..LAST`, `last N`, the one partition, or nothing for the whole."""
    if isinstance(read, str) or read is WHOLE_ASSET:
        return read if isinstance(read, str) else ""
    if read.last:
        return f"last {read.last}"
    return f"{window_at(scheme, read.begin).key}..{window_at(scheme, read.end - 1).key}"
