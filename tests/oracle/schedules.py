"""The ticks of a cron line in a time zone, read from cronsim a UTC day at a time."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from zoneinfo import ZoneInfo

from cronsim import CronSim

from freshd.model.time import DAY, FOREVER, NEVER, SECOND, Instant, from_datetime, to_datetime

DAYS_SEARCHED = 370
"""How far a tick is looked for."""


@lru_cache(maxsize=4096)
def _ticks_of_day(cron: str, zone: str, day: int) -> tuple[Instant, ...]:
    """The ticks of one UTC day, from cronsim started a little before it."""
    ticks = []
    for tick in CronSim(cron, to_datetime(day * DAY - SECOND).astimezone(ZoneInfo(zone))):
        instant = from_datetime(tick)
        if instant >= (day + 1) * DAY:
            break
        if instant >= day * DAY:
            ticks.append(instant)
    return tuple(ticks)


@dataclass(frozen=True, slots=True)
class CronTicks:
    """The ticks of a cron line, day by day."""

    cron: str
    zone: str

    def after(self, instant: Instant) -> Instant:
        for day in range(instant // DAY, instant // DAY + DAYS_SEARCHED):
            found = next((tick for tick in _ticks_of_day(self.cron, self.zone, day) if tick > instant), None)
            if found is not None:
                return found
        return FOREVER

    def until(self, instant: Instant) -> Instant:
        for day in range(instant // DAY, instant // DAY - DAYS_SEARCHED, -1):
            found = [tick for tick in _ticks_of_day(self.cron, self.zone, day) if tick <= instant]
            if found:
                return found[-1]
        return NEVER
