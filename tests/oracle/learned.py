"""Limits learned from the gaps between updates: buckets, percentiles by nearest rank, in whole microseconds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from itertools import pairwise
from math import ceil, floor
from zoneinfo import ZoneInfo

from freshd.model.time import DAY, Duration, Instant, to_datetime

FACTORS = {"high": Fraction(12, 10), "medium": Fraction(15, 10), "low": Fraction(2)}
SPAN = 6 * 7 * DAY
MOST, FEWEST, FEWEST_IN_BUCKET = 500, 10, 5


def learned(
    ends: Sequence[Instant], sensitivity: str, zone: str, passed: Callable[[Instant, Instant], Duration]
) -> tuple[Duration, Duration] | None:
    """How long after the last end it warns and is stale; None with too few gaps. `passed`: (open) time between."""
    distinct = sorted(set(ends))
    if not distinct:
        return None
    last = distinct[-1]
    gaps = [(a, passed(a, b)) for a, b in pairwise(distinct) if a >= last - SPAN][-MOST:]
    if len(gaps) < FEWEST:
        return None

    def when(instant: Instant) -> tuple[int, int]:
        local = to_datetime(instant).astimezone(ZoneInfo(zone))
        return local.weekday(), local.hour

    wanted = when(last)
    chosen = [gap for begun, gap in gaps if when(begun) == wanted]
    if len(chosen) < FEWEST_IN_BUCKET:
        chosen = [gap for begun, gap in gaps if when(begun)[1] == wanted[1]]
    if len(chosen) < FEWEST_IN_BUCKET:
        chosen = [gap for _, gap in gaps]
    warn, stale = (floor(_percentile(chosen, p) * FACTORS[sensitivity]) for p in (95, 99))
    return warn, stale


def _percentile(gaps: Sequence[Duration], p: int) -> Duration:
    return sorted(gaps)[ceil(Fraction(p * len(gaps), 100)) - 1]
