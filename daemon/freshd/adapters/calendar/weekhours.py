"""Weekday and hour of instants in a time zone, the offset from UTC kept from hour to hour."""

from __future__ import annotations

from functools import lru_cache
from zoneinfo import ZoneInfo

from freshd.adapters.calendar.zones import zone_named
from freshd.model.policy import Weekhours
from freshd.model.time import HOUR, Instant, to_datetime

KEPT_QUARTERS = 4_096
"""Quarters of hours whose answer is kept."""


@lru_cache(maxsize=256)
def weekhours_in(timezone: str = "UTC") -> Weekhours:
    """The weekdays and hours of a time zone. Raises ValueError for a zone that is not known."""
    return LocalWeekhours(zone_named(timezone))


class LocalWeekhours:
    """Weekdays and hours in one zone."""

    def __init__(self, zone: ZoneInfo) -> None:
        self._zone = zone
        self._known: dict[int, int] = {}

    def of(self, instant: Instant) -> int:
        """24 times the weekday (Monday is 0) plus the hour."""
        quarter = instant // (HOUR // 4)  # no zone is off by less
        found = self._known.get(quarter)
        if found is None:
            local = to_datetime(instant).astimezone(self._zone)
            found = local.weekday() * 24 + local.hour
            if len(self._known) >= KEPT_QUARTERS:
                self._known.clear()
            self._known[quarter] = found
        return found
