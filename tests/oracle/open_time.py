"""Open time by counting minutes: every minute of a day is looked at, one after the other.

Knows nothing of the adapter that the daemon uses. A local minute is open if some hours of an open day hold
it; hours that reach past midnight belong to the day on which they open. All zones here are off by whole
minutes, so a minute is open or closed as a whole.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

import holidays as public

from freshd.model.time import FOREVER, MINUTE, Duration, Instant, to_datetime

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
DAY_MINUTES = 24 * 60
SEARCHED = 3 * 366 * DAY_MINUTES
"""Minutes that are looked at before time counts as closed for ever."""


class OpenTime:
    """Which minutes are open."""

    def __init__(self, written: Mapping[str, Any]) -> None:
        self._zone = ZoneInfo(written.get("timezone", "UTC"))
        self._days = _days(written.get("days", "mon-sun"))
        self._hours = [_hours(text) for text in _listed(written.get("hours", "00:00-24:00"))]
        self._countries = _listed(written.get("holidays", []))
        self._closed = {date.fromisoformat(text) for text in _listed(written.get("closed", []))}
        self._known: dict[int, bool] = {}

    def is_open(self, instant: Instant) -> bool:
        """Whether the minute that holds this instant is open."""
        minute = instant // MINUTE
        if minute not in self._known:
            self._known[minute] = self._is_open(to_datetime(minute * MINUTE).astimezone(self._zone))
        return self._known[minute]

    def _is_open(self, local: datetime) -> bool:
        now = local.hour * 60 + local.minute
        today = local.date()
        for opens, closes in self._hours:
            if closes > opens and opens <= now < closes and self._day_is_open(today):
                return True
            if closes <= opens and now >= opens and self._day_is_open(today):
                return True
            if closes <= opens and now < closes and self._day_is_open(today - timedelta(days=1)):
                return True
        return False

    def _day_is_open(self, day: date) -> bool:
        if day.weekday() not in self._days or day in self._closed:
            return False
        return not any(day in _holidays(country, day.year) for country in self._countries)

    def elapsed(self, start: Instant, end: Instant) -> Duration:
        """The open time in [start, end), minute by minute."""
        open_time, at = 0, start
        while at < end:
            following = min(end, (at // MINUTE + 1) * MINUTE)
            open_time += following - at if self.is_open(at) else 0
            at = following
        return open_time

    def reach(self, start: Instant, duration: Duration) -> Instant:
        """The first t at which the open time in [start, t) is this much."""
        left, at = duration, start
        for _ in range(SEARCHED):
            if left <= 0:
                return at
            following = (at // MINUTE + 1) * MINUTE
            if self.is_open(at):
                if following - at >= left:
                    return at + left
                left -= following - at
            at = following
        return FOREVER


@lru_cache(maxsize=64)
def _holidays(country: str, year: int) -> frozenset[date]:
    name, _, part = country.partition("-")
    return frozenset(public.country_holidays(name, subdiv=part or None, years=year, expand=False))


def _listed(written: Any) -> list[str]:
    return [written] if isinstance(written, str) else list(written)


def _days(text: Any) -> set[int]:
    found: set[int] = set()
    for part in ",".join(_listed(text)).split(","):
        first, _, last = part.strip().partition("-")
        day, end = DAYS.index(first), DAYS.index(last or first)
        found.add(day)
        while day != end:
            day = (day + 1) % 7
            found.add(day)
    return found


def _hours(text: str) -> tuple[int, int]:
    opens, closes = (int(at[:2]) * 60 + int(at[3:]) for at in text.split("-"))
    return opens, closes
