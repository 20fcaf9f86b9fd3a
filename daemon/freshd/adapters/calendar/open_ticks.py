"""The ticks of a schedule that fall in open time: the others do not exist.

Closed time is skipped, not walked through tick by tick, and the pair of ticks around the last question is
kept: many assets ask about one instant. A schedule and a calendar that never meet are refused when made.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from freshd.adapters.calendar.business import BusinessCalendar
from freshd.adapters.calendar.ticks import CronTicks
from freshd.model.policy import Ticks
from freshd.model.time import FOREVER, NEVER, Instant, parse_instant

SKIPS: Final = 4_000
"""Ticks in closed time that are passed over in a search: daily ones for ten years."""
_FROM: Final = parse_instant("2026-01-01T00:00:00Z")


@lru_cache(maxsize=1024)
def open_ticks(ticks: CronTicks, calendar: BusinessCalendar) -> OpenTicks:
    """The ticks in open time. Raises ValueError if there are none."""
    made = OpenTicks(ticks, calendar)
    if made.after(_FROM) == FOREVER:
        raise ValueError("no tick falls into the calendar's open time; change the cron or the calendar's hours")
    return made


class OpenTicks:
    """The ticks of a schedule in a calendar's open time."""

    def __init__(self, ticks: Ticks, calendar: BusinessCalendar) -> None:
        self._ticks = ticks
        self._calendar = calendar
        self._around: tuple[Instant, Instant] = (FOREVER, NEVER)
        """Two ticks with none between; what was asked last lies in [first, second)."""

    def after(self, instant: Instant) -> Instant:
        """The first tick later than `instant`, or FOREVER."""
        before, following = self._around
        if before <= instant < following:
            return following
        following = self._after(instant)
        self._around = (instant, following)
        return following

    def until(self, instant: Instant) -> Instant:
        """The last tick not later than `instant`, or NEVER."""
        before, following = self._around
        if before <= instant < following and self._exists(before):
            return before
        before = self._until(instant)
        if before != NEVER:
            self._around = (before, self._after(instant))
        return before

    def _exists(self, tick: Instant) -> bool:
        return self._calendar.is_open(tick) and self._ticks.until(tick) == tick

    def _after(self, instant: Instant) -> Instant:
        tick = self._ticks.after(instant)
        for _ in range(SKIPS):
            if tick >= FOREVER or self._calendar.is_open(tick):
                return tick
            opens = self._calendar.opens_after(tick)
            tick = self._ticks.after(opens - 1) if opens < FOREVER else FOREVER
        return FOREVER

    def _until(self, instant: Instant) -> Instant:
        tick = self._ticks.until(instant)
        for _ in range(SKIPS):
            if tick <= 0 or self._calendar.is_open(tick):
                return tick if tick > 0 else NEVER
            tick = self._ticks.until(self._calendar.open_before(tick))
        return NEVER
