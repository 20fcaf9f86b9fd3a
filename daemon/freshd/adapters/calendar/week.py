"""The words of a calendar: weekdays, hours and dates, as people write them. Every error says what to write instead."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date, timedelta
from typing import Final

WEEKDAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
MINUTES_A_DAY: Final = 24 * 60
LONGEST_CLOSED: Final = 3660
"""Days that a range of closed days may have."""

_LONG: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_HOURS = re.compile(r"(\d{1,2}):(\d\d)\s*-\s*(\d{1,2}):(\d\d)")

Hours = tuple[int, int]
"""Open from the first up to the second, in minutes since midnight; the second is on the next day if it is not later."""


def parse_days(text: str | Sequence[str]) -> frozenset[int]:
    """The weekdays (Monday is 0) that `mon-fri`, `mon,wed` or `fri-mon` names. Raises ValueError."""
    named: set[int] = set()
    for part in _parts(text):
        first, dash, last = (word.strip() for word in part.partition("-"))
        begin = _weekday(first, part)
        end = _weekday(last, part) if dash else begin
        named.update((begin + step) % 7 for step in range((end - begin) % 7 + 1))
    if not named:
        raise ValueError("names no weekday; write days like mon-fri, or leave days out for every day")
    return frozenset(named)


def _weekday(word: str, part: str) -> int:
    lowered = word.lower()
    for names in (WEEKDAYS, _LONG):
        if lowered in names:
            return names.index(lowered)
    raise ValueError(f"{part!r} names no weekdays; write them like mon-fri or mon,wed,sat ({', '.join(WEEKDAYS)})")


def parse_hours(text: str | Sequence[str]) -> tuple[Hours, ...]:
    """The hours that `08:00-20:00`, or several such, name; `22:00-06:00` ends on the next day. Raises ValueError."""
    found: list[Hours] = []
    for part in _parts(text):
        match = _HOURS.fullmatch(part)
        if match is None:
            raise ValueError(f"{part!r} are no hours; write them like 08:00-20:00, or 22:00-06:00 across midnight")
        opens, closes = (_minutes(match[hour], match[hour + 1], part) for hour in (1, 3))
        if opens == MINUTES_A_DAY:
            raise ValueError(f"{part!r} opens at 24:00; write 00:00")
        if opens == closes:
            raise ValueError(f"{part!r} opens and closes at once; write 00:00-24:00 for the whole day")
        found.append((opens, closes))
    if not found:
        raise ValueError("names no hours; write them like 08:00-20:00, or leave hours out for the whole day")
    return tuple(sorted(found))


def _minutes(hour: str, minute: str, part: str) -> int:
    minutes = int(hour) * 60 + int(minute)
    if int(minute) > 59 or minutes > MINUTES_A_DAY:
        raise ValueError(f"{part!r}: there is no {hour}:{minute}; hours go from 00:00 to 24:00")
    return minutes


def parse_closed(text: str | Sequence[str]) -> frozenset[date]:
    """The days that `2026-12-24` or `2026-12-24..2027-01-01` name. Raises ValueError."""
    found: set[date] = set()
    for part in _parts(text):
        first, dots, last = (word.strip() for word in part.partition(".."))
        begin = _date(first)
        end = _date(last) if dots else begin
        if end < begin:
            raise ValueError(f"{part!r} ends before it begins; turn it round")
        if (end - begin).days >= LONGEST_CLOSED:
            raise ValueError(f"{part!r} is longer than {LONGEST_CLOSED} days")
        found.update(begin + timedelta(days=step) for step in range((end - begin).days + 1))
    return frozenset(found)


def _date(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{text!r} is no date; write one like 2026-12-24, or a range 2026-12-24..2027-01-01") from None


def _parts(text: str | Sequence[str]) -> list[str]:
    texts = [text] if isinstance(text, str) else text
    return [part.strip() for one in texts for part in one.split(",") if part.strip()]
