"""Open time: weekdays, hours, public holidays and own closed days in a time zone, added up fast.

Hours belong to the day on which they open: those across midnight of a holiday's eve are open, those that
would open on the holiday are not. What opens or closes at a local time that a change of the clock leaves
out does so at that change; at one that it repeats, the first time. Open time is kept per year as sorted
instants with running sums, so that an answer is a look into a list. Outside of the years 1970 to 2199
nothing is open.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

from freshd.adapters.calendar.holiday import check_holidays, holidays_of
from freshd.adapters.calendar.week import MINUTES_A_DAY, Hours, parse_closed, parse_days, parse_hours
from freshd.adapters.calendar.zones import instant_of, zone_named
from freshd.model.time import FOREVER, Duration, Instant, from_datetime, to_datetime

FIRST_YEAR: Final = 1970
LAST_YEAR: Final = 2199


@lru_cache(maxsize=1024)
def business_calendar(
    days: tuple[str, ...] = ("mon-sun",),
    hours: tuple[str, ...] = ("00:00-24:00",),
    timezone: str = "UTC",
    holidays: tuple[str, ...] = (),
    closed: tuple[str, ...] = (),
) -> BusinessCalendar:
    """The calendar that these words describe, shared by all who ask for the same.

    Raises ValueError for words that mean nothing, with what to write instead.
    """
    check_holidays(holidays)
    return BusinessCalendar(parse_days(days), parse_hours(hours), zone_named(timezone), holidays, parse_closed(closed))


class _Year:
    """The open time of one year (by UTC): when it opens, when it closes, and how much there was before each opening."""

    __slots__ = ("before", "closes", "opens", "total")

    def __init__(self, intervals: list[tuple[Instant, Instant]]) -> None:
        self.opens = [opens for opens, _ in intervals]
        self.closes = [closes for _, closes in intervals]
        self.before: list[Duration] = []
        self.total = 0
        for opens, closes in intervals:
            self.before.append(self.total)
            self.total += closes - opens

    def up_to(self, instant: Instant) -> Duration:
        """The open time of the year before `instant`."""
        place = bisect_right(self.opens, instant) - 1
        if place < 0:
            return 0
        return self.before[place] + min(instant, self.closes[place]) - self.opens[place]

    def reach(self, duration: Duration) -> Instant:
        """The first instant before which the year has this much open time; it is more than none, and not too much."""
        place = bisect_left(self.before, duration) - 1
        return self.opens[place] + duration - self.before[place]


class BusinessCalendar:
    """Which time is open."""

    def __init__(
        self,
        days: frozenset[int],
        hours: tuple[Hours, ...],
        zone: ZoneInfo,
        holidays: tuple[str, ...] = (),
        closed: frozenset[date] = frozenset(),
    ) -> None:
        self._days = days
        self._hours = hours
        self._zone = zone
        self._holidays = holidays
        self._closed = closed
        self._years: dict[int, _Year] = {}

    def is_open(self, instant: Instant) -> bool:
        """Whether `instant` is open time."""
        if not _START <= instant < _END:
            return False
        year = self._year(_year_of(instant))
        place = bisect_right(year.opens, instant) - 1
        return place >= 0 and instant < year.closes[place]

    def opens_after(self, instant: Instant) -> Instant:
        """The first open instant not before `instant`, or FOREVER."""
        if instant >= _END:
            return FOREVER
        instant = max(instant, _START)
        for number in range(_year_of(instant), LAST_YEAR + 1):
            year = self._year(number)
            place = bisect_right(year.closes, instant)
            if place < len(year.opens):
                return max(instant, year.opens[place])
        return FOREVER

    def open_before(self, instant: Instant) -> Instant:
        """The last open instant not after `instant`; -1 if there is none."""
        if instant < _START:
            return -1
        instant = min(instant, _END - 1)
        for number in range(_year_of(instant), FIRST_YEAR - 1, -1):
            year = self._year(number)
            place = bisect_right(year.opens, instant) - 1
            if place >= 0:
                return min(instant, year.closes[place] - 1)
        return -1

    def elapsed(self, start: Instant, end: Instant) -> Duration:
        """How much open time there is in [start, end)."""
        start, end = max(start, _START), min(end, _END)
        if end <= start:
            return 0
        first, last = _year_of(start), _year_of(end - 1)
        between = sum(self._year(number).total for number in range(first, last))
        return between + self._year(last).up_to(end) - self._year(first).up_to(start)

    def reach(self, start: Instant, duration: Duration) -> Instant:
        """The first instant t, not before `start`, with elapsed(start, t) >= duration; FOREVER if never."""
        if duration <= 0 or start >= _END:
            return start if duration <= 0 else FOREVER
        start = max(start, _START)
        number = _year_of(start)
        wanted = duration + self._year(number).up_to(start)
        while wanted > self._year(number).total:
            wanted -= self._year(number).total
            number += 1
            if number > LAST_YEAR:
                return FOREVER
        return self._year(number).reach(wanted)

    def _year(self, number: int) -> _Year:
        year = self._years.get(number)
        if year is None:
            year = self._years[number] = _Year(list(self._intervals(number)))
        return year

    def _intervals(self, number: int) -> Iterator[tuple[Instant, Instant]]:
        """The open intervals of a year, in order; those that touch or overlap are one."""
        begin, end = _start_of(number), _start_of(number + 1)
        last: tuple[Instant, Instant] | None = None
        for opens, closes in self._opened(number):
            opens, closes = max(opens, begin), min(closes, end)
            if opens >= closes:
                continue
            if last is not None and opens <= last[1]:
                last = (last[0], max(last[1], closes))
                continue
            if last is not None:
                yield last
            last = (opens, closes)
        if last is not None:
            yield last

    def _opened(self, number: int) -> Iterator[tuple[Instant, Instant]]:
        """What opens on the days of a year, and on those around it whose hours may reach into it, in order."""
        day, last = date(number, 1, 1) - timedelta(days=2), date(number, 12, 31) + timedelta(days=2)
        while day <= last:
            if self._opens_on(day):
                for opens, closes in self._hours:
                    later = closes if closes > opens else closes + MINUTES_A_DAY
                    yield self._at(day, opens), self._at(day, later)
            day += timedelta(days=1)

    def _opens_on(self, day: date) -> bool:
        if day.weekday() not in self._days or day in self._closed:
            return False
        return not any(day in holidays_of(name, day.year) for name in self._holidays)

    def _at(self, day: date, minutes: int) -> Instant:
        return instant_of(datetime.combine(day, time()) + timedelta(minutes=minutes), self._zone)


def _year_of(instant: Instant) -> int:
    return to_datetime(instant).year


def _start_of(year: int) -> Instant:
    return from_datetime(datetime(year, 1, 1, tzinfo=UTC))


_START: Final = _start_of(FIRST_YEAR)
_END: Final = _start_of(LAST_YEAR + 1)
