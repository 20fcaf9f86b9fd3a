"""Schedules: the instants of a cron expression in a time zone, told forwards and backwards.

cronsim decides what a cron expression means, daylight saving included: where hour and minute are fixed,
a missing local time moves to the next valid instant and a doubled one counts once, the first; with `*`
or a step in either, ticks follow elapsed time. Only its forward reading is trusted with that; backwards
it finds where to begin reading forwards. What was read is kept, so that the engine, which asks about
instants near now, is answered by a look into a sorted list.
It keeps true: `after` and `until` speak of the same ticks whatever was asked before.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

from freshd.adapters.calendar.zones import zone_named
from freshd.model.time import DAY, FOREVER, HOUR, NEVER, Instant, from_datetime, to_datetime

KEPT_TICKS: Final = 4096
"""Ticks of one schedule that are kept at a time."""
KEPT_SPAN: Final = 2 * DAY
"""How far past the last known tick reading goes on; a question beyond starts anew."""
_FOLD: Final = timedelta(hours=3)
"""More than any clock is ever set back."""
_FIRST: Final = from_datetime(datetime.fromisoformat("1971-01-01T00:00:00Z"))
_LAST: Final = from_datetime(datetime.fromisoformat("9900-01-01T00:00:00Z"))


@lru_cache(maxsize=1024)
def cron_ticks(cron: str, timezone: str = "UTC") -> CronTicks:
    """The ticks of a five-field cron expression in a time zone, shared by all who ask for the same.

    Raises ValueError that says what is wrong with the expression or the zone.
    """
    return CronTicks(cron, zone_named(timezone))


class CronTicks:
    """The ticks of one schedule."""

    def __init__(self, cron: str, zone: ZoneInfo) -> None:
        """Raises ValueError for an expression that cronsim does not understand."""
        if len(cron.split()) != 5:
            raise ValueError(f"{cron!r} is not a cron expression: it has five fields, minute hour day month weekday")
        try:
            CronSim(cron, to_datetime(_FIRST))
        except (CronSimError, AssertionError, ValueError) as error:
            raise ValueError(
                f"{cron!r} is not a cron expression: {str(error).lower() or 'it cannot be read'}; the fields are"
                " minute 0-59, hour 0-23, day 1-31 (one that the month has), month 1-12, weekday 0-7"
            ) from error
        self._cron = cron
        self._zone = zone
        self._known: list[Instant] = []
        self._since: Instant = FOREVER
        """All ticks later than this, up to the last known one, are known."""
        self._later: Iterator[Instant] = iter(())

    def __repr__(self) -> str:
        return f"CronTicks({self._cron!r}, {self._zone.key!r})"

    def after(self, instant: Instant) -> Instant:
        """The first tick later than `instant`, or FOREVER."""
        known = self._known
        if known and self._since <= instant < known[-1]:
            return known[bisect_right(known, instant)]
        if instant >= _LAST:
            return FOREVER
        instant = max(instant, _FIRST)
        if not (known and self._since <= instant <= known[-1] + KEPT_SPAN):
            self._read_from(instant)
        return self._read_past(instant)

    def until(self, instant: Instant) -> Instant:
        """The last tick not later than `instant`, or NEVER."""
        known = self._known
        if not (known and known[0] <= instant < known[-1]):
            instant = min(instant, _LAST)
            if instant < _FIRST or not self._read_around(instant):
                return NEVER
        index = bisect_right(self._known, instant)
        return self._known[index - 1] if index else NEVER

    def _read_around(self, instant: Instant) -> bool:
        """Know the last tick up to `instant` and the first after it; False if there is none before."""
        if self._known and self._known[0] <= instant <= self._known[-1] + KEPT_SPAN:
            self._read_past(instant)
            return True
        local = to_datetime(instant).astimezone(self._zone).replace(tzinfo=None) + _FOLD
        for earlier in CronSim(self._cron, local, reverse=True):
            start = from_datetime((earlier - _FOLD).replace(tzinfo=self._zone))
            if start < _FIRST:
                return False
            self._read_from(start)
            self._read_past(instant)
            if self._known and self._known[0] <= instant:
                return True
        return False

    def _read_from(self, instant: Instant) -> None:
        self._known = []
        self._since = instant
        self._later = self._ticks_after(instant)

    def _read_past(self, instant: Instant) -> Instant:
        """Read on until a tick later than `instant` is known, and return the first such."""
        known = self._known
        while not known or known[-1] <= instant:
            tick = next(self._later, FOREVER)
            known.append(tick)
            if len(known) > KEPT_TICKS:
                self._since = known[KEPT_TICKS // 2 - 1]
                del known[: KEPT_TICKS // 2]
        return known[bisect_right(known, instant)]

    def _ticks_after(self, instant: Instant) -> Iterator[Instant]:
        """Ticks later than `instant`, each once, in order: cronsim counts local time, which repeats and jumps."""
        local = to_datetime(instant - instant % HOUR - 4 * HOUR).astimezone(self._zone)
        last = instant
        for moment in CronSim(self._cron, local):
            tick = from_datetime(moment)
            if tick >= _LAST:
                return
            if tick > last:
                last = tick
                yield tick
