"""Time zones by name, and the instant that a local time names, on the days on which clocks are changed too.

It keeps true: later local times never name earlier instants, so intervals that touch on the clock touch in time.
"""

from __future__ import annotations

from datetime import datetime
from difflib import get_close_matches
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from freshd.model.time import SECOND, Instant, from_datetime, to_datetime

SHOWN: Final = "like Europe/London or UTC"


def zone_named(timezone: str) -> ZoneInfo:
    """The time zone of that IANA name. Raises ValueError that names a similar one."""
    try:
        return ZoneInfo(timezone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        wanted = timezone.rpartition("/")[2].lower().replace(" ", "_")
        known = sorted(available_timezones())
        similar = [name for name in known if wanted and wanted in name.lower()] or get_close_matches(timezone, known, 1)
        hint = f"; did you mean {similar[0]}?" if similar else f", {SHOWN}"
        raise ValueError(f"{timezone!r} is no time zone of the IANA database{hint}") from None


def instant_of(local: datetime, zone: ZoneInfo) -> Instant:
    """The instant at which a clock there shows this time: of a doubled one the first, of a missing one the next."""
    first, second = local.replace(tzinfo=zone, fold=0), local.replace(tzinfo=zone, fold=1)
    before, after = first.utcoffset(), second.utcoffset()
    assert before is not None and after is not None
    if before >= after:  # no change of the clock here, or one back: the first of two
        return from_datetime(first)
    return _change_between(from_datetime(second), from_datetime(first), zone)


def _change_between(low: Instant, high: Instant, zone: ZoneInfo) -> Instant:
    """The instant in (low, high] at which the clocks there go forward."""
    at_first = to_datetime(low).astimezone(zone).utcoffset()
    while high - low > SECOND:
        middle = low + (high - low) // (2 * SECOND) * SECOND
        middle = middle if middle > low else low + SECOND
        if to_datetime(middle).astimezone(zone).utcoffset() == at_first:
            low = middle
        else:
            high = middle
    return high
