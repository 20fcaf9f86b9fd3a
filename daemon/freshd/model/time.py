"""Instants and durations, and the texts that people write for them.

An instant is a whole number of microseconds since 1970 (UTC); a duration is a whole number of
microseconds. Both are plain ints, so that a row of state is a row of ints and comparing two times
costs nothing. This module reads no clock: time is an argument, everywhere.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Final

Instant = int
"""Microseconds since 1970-01-01T00:00:00Z."""

Duration = int
"""Microseconds."""

NEVER: Final[Instant] = -(1 << 62)
"""Before everything: the instant of what has not happened; as a data time, "undefined"."""

FOREVER: Final[Instant] = 1 << 62
"""After everything: the instant of what will not happen."""

SECOND: Final[Duration] = 1_000_000
MINUTE: Final[Duration] = 60 * SECOND
HOUR: Final[Duration] = 60 * MINUTE
DAY: Final[Duration] = 24 * HOUR
WEEK: Final[Duration] = 7 * DAY

_UNITS: Final = {"ms": 1_000, "s": SECOND, "m": MINUTE, "h": HOUR, "d": DAY, "w": WEEK}
_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d|w)")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST: Final[Instant] = (datetime.min.replace(tzinfo=UTC) - _EPOCH) // timedelta(microseconds=1)
_LAST: Final[Instant] = (datetime.max.replace(tzinfo=UTC) - _EPOCH) // timedelta(microseconds=1)
_RFC3339 = re.compile(r"(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d):(\d\d)(?:[.,](\d+))?\s*([Zz]|[+-]\d\d:?\d\d)?")


def parse_duration(text: str | int | float) -> Duration:
    """The duration that `45s`, `1h30m`, `2d` or a bare number of seconds names.

    Raises ValueError, with what would have been understood, for anything else.
    """
    if isinstance(text, bool):
        raise ValueError(f"{text!r} is not a duration; write one like 45s, 1h30m, 2d or 4w")
    if isinstance(text, int | float):
        if text < 0:
            raise ValueError(f"a duration cannot be negative: {text!r}")
        return round(text * SECOND)
    stripped = text.strip().replace(" ", "")
    total, end = 0, 0
    for part in _PART.finditer(stripped):
        if part.start() != end:
            break
        total += round(float(part[1]) * _UNITS[part[2]])
        end = part.end()
    if stripped == "0":
        return 0
    if not stripped or end != len(stripped):
        raise ValueError(f"{text!r} is not a duration; write one like 45s, 1h30m, 2d or 4w")
    return total


def format_duration(duration: Duration) -> str:
    """The shortest text that `parse_duration` reads back as the same duration (to the millisecond)."""
    if duration < 0:
        return "-" + format_duration(-duration)
    rest = duration // 1_000
    parts: list[str] = []
    for unit, size in (("d", DAY), ("h", HOUR), ("m", MINUTE), ("s", SECOND), ("ms", 1_000)):
        count, rest = divmod(rest, size // 1_000)
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts) or "0s"


def parse_instant(text: str) -> Instant:
    """The instant that an RFC 3339 text names; nanoseconds are cut, a missing zone means UTC.

    Raises ValueError for anything else, also for days and hours that do not exist.
    """
    match = _RFC3339.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"{text!r} is not an instant; write one like 2026-11-22T08:00:00Z")
    year, month, day, hour, minute, second, fraction, zone = match.groups()
    leap = second == "60"
    moment = datetime(int(year), int(month), int(day), int(hour), int(minute), 59 if leap else int(second), tzinfo=UTC)
    micros = int((fraction or "0")[:6].ljust(6, "0"))
    instant = (moment - _EPOCH) // timedelta(microseconds=1) + micros + (SECOND if leap else 0)
    if zone and zone not in "Zz":
        minutes = int(zone[1:3]) * 60 + int(zone[-2:])
        instant -= (minutes if zone[0] == "+" else -minutes) * MINUTE
    if not _FIRST <= instant <= _LAST:
        raise ValueError(f"{text!r} lies outside of the years 1 to 9999 in UTC")
    return instant


def format_instant(instant: Instant) -> str:
    """RFC 3339 in UTC, with 0, 3 or 6 decimals as needed; what lies beyond the years 1 to 9999 as their ends."""
    moment = _EPOCH + timedelta(microseconds=min(max(instant, _FIRST), _LAST))
    micros = instant % SECOND
    spec = "seconds" if not micros else "milliseconds" if micros % 1_000 == 0 else "microseconds"
    return moment.isoformat(timespec=spec).replace("+00:00", "Z")


def from_datetime(moment: datetime) -> Instant:
    """The instant of an aware datetime."""
    return (moment - _EPOCH) // timedelta(microseconds=1)


def to_datetime(instant: Instant) -> datetime:
    """The aware UTC datetime of an instant."""
    return _EPOCH + timedelta(microseconds=instant)
