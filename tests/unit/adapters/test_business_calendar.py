"""Business calendars by table: how much open time there is, and when so much of it has passed.

London's clocks go forward on 2026-03-29 at 01:00 UTC (01:00 to 02:00 there) and back on 2026-10-25 at 01:00 UTC.
"""

from __future__ import annotations

import random
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from freshd.adapters.calendar import BusinessCalendar, business_calendar, cron_ticks, open_ticks
from freshd.model.time import (
    DAY,
    FOREVER,
    HOUR,
    MINUTE,
    NEVER,
    SECOND,
    format_duration,
    format_instant,
    from_datetime,
    parse_duration,
    parse_instant,
)

LONDON = "Europe/London"
OFFICE = business_calendar(("mon-fri",), ("08:00-20:00",), LONDON)
ENGLAND = business_calendar(
    ("mon-fri",), ("08:00-20:00",), LONDON, ("GB-ENG",), ("2026-12-24", "2026-12-29..2026-12-31")
)
NIGHTS = business_calendar(("mon-fri",), ("22:00-06:00",), LONDON, ("GB-ENG",))
EVERY_NIGHT = business_calendar(hours=("22:00-06:00",), timezone=LONDON)
HALVES = business_calendar(("mon-fri",), ("13:00-17:00", "09:00-12:00"), "UTC")
SMALL_HOURS = business_calendar(hours=("01:30-02:30",), timezone=LONDON)
ALL_DAY = business_calendar(("mon-fri",), timezone=LONDON)
GAPLESS = business_calendar(hours=("00:00-08:00", "08:00-24:00"), timezone=LONDON)

ELAPSED = [
    (1, OFFICE, "2026-03-02T08:00:00Z", "2026-03-02T20:00:00Z", "12h", "a whole day"),
    (2, OFFICE, "2026-03-02T00:00:00Z", "2026-03-02T08:00:00Z", "0s", "before it opens"),
    (3, OFFICE, "2026-03-02T19:59:00Z", "2026-03-03T08:01:00Z", "2m", "over a night"),
    (4, OFFICE, "2026-03-06T19:00:00Z", "2026-03-09T09:00:00Z", "2h", "over a weekend"),
    (5, OFFICE, "2026-03-02T10:00:00Z", "2026-03-02T10:00:00Z", "0s", "no time at all"),
    (6, OFFICE, "2026-03-02T11:00:00Z", "2026-03-02T10:00:00Z", "0s", "backwards"),
    (7, OFFICE, "2026-03-27T19:00:00Z", "2026-03-30T08:00:00Z", "2h", "summer time has begun: 08:00 is 07:00Z"),
    (8, OFFICE, "2026-10-23T18:00:00Z", "2026-10-26T09:00:00Z", "2h", "and has ended: 20:00 was 19:00Z"),
    (9, ALL_DAY, "2026-03-27T00:00:00Z", "2026-03-30T23:00:00Z", "2d", "Friday and Monday; midnight is at 23:00Z"),
    (10, EVERY_NIGHT, "2026-03-28T12:00:00Z", "2026-03-29T12:00:00Z", "7h", "the night has an hour less"),
    (11, EVERY_NIGHT, "2026-10-24T12:00:00Z", "2026-10-25T12:00:00Z", "9h", "or an hour more"),
    (12, SMALL_HOURS, "2026-03-28T12:00:00Z", "2026-03-29T12:00:00Z", "30m", "01:30 is left out: from the change on"),
    (13, SMALL_HOURS, "2026-10-24T12:00:00Z", "2026-10-25T12:00:00Z", "2h", "01:30 comes twice: it opens at the first"),
    (14, GAPLESS, "2026-10-24T00:00:00Z", "2026-10-27T00:00:00Z", "3d", "hours that touch leave nothing out"),
    (15, ENGLAND, "2026-12-23T00:00:00Z", "2026-12-24T23:00:00Z", "12h", "a closed day of one's own"),
    (16, ENGLAND, "2026-12-24T00:00:00Z", "2027-01-04T08:00:00Z", "0s", "Christmas, Boxing Day, closed, New Year"),
    (17, ENGLAND, "2026-04-02T19:00:00Z", "2026-04-07T08:00:00Z", "1h", "past Good Friday and Easter Monday"),
    (18, NIGHTS, "2026-12-24T21:00:00Z", "2026-12-25T12:00:00Z", "8h", "the eve's night goes on into Christmas"),
    (19, NIGHTS, "2026-12-25T21:00:00Z", "2026-12-26T12:00:00Z", "0s", "Christmas' own night does not open"),
    (20, NIGHTS, "2026-03-06T12:00:00Z", "2026-03-07T12:00:00Z", "8h", "Friday's night ends on Saturday"),
    (21, NIGHTS, "2026-03-08T12:00:00Z", "2026-03-09T12:00:00Z", "0s", "Sunday's does not open"),
    (22, HALVES, "2026-03-02T00:00:00Z", "2026-03-03T00:00:00Z", "7h", "two times a day"),
    (23, HALVES, "2026-03-02T11:30:00Z", "2026-03-02T13:30:00Z", "1h", "over lunch"),
    (24, OFFICE, "2024-02-28T12:00:00Z", "2024-03-01T12:00:00Z", "1d", "a leap day is a working day"),
    (25, OFFICE, "2024-12-31T12:00:00Z", "2025-01-01T12:00:00Z", "12h", "over the end of a year"),
    (26, EVERY_NIGHT, "2025-12-31T23:00:00Z", "2026-01-01T01:00:00Z", "2h", "a night over the end of a year"),
    (27, OFFICE, "2020-01-01T00:00:00Z", "2026-01-01T00:00:00Z", "783d", "six years: 1,566 working days of half a day"),
]  # fmt: skip


@pytest.mark.parametrize(("number", "calendar", "start", "end", "open_time", "why"), ELAPSED)
def test_elapsed(number: int, calendar: BusinessCalendar, start: str, end: str, open_time: str, why: str) -> None:
    assert format_duration(calendar.elapsed(parse_instant(start), parse_instant(end))) == open_time, why


REACHED = [
    (1, OFFICE, "2026-03-02T09:00:00Z", "2h", "2026-03-02T11:00:00Z", "within a day"),
    (2, OFFICE, "2026-03-02T19:00:00Z", "1h", "2026-03-02T20:00:00Z", "to the moment it closes"),
    (3, OFFICE, "2026-03-02T19:00:00Z", "60m1s", "2026-03-03T08:00:01Z", "a second more: the next morning"),
    (4, OFFICE, "2026-03-06T19:30:00Z", "1h", "2026-03-09T08:30:00Z", "over a weekend"),
    (5, OFFICE, "2026-03-07T10:00:00Z", "0s", "2026-03-07T10:00:00Z", "nothing is reached at once, closed or not"),
    (6, OFFICE, "2026-03-07T10:00:00Z", "1ms", "2026-03-09T08:00:00.001Z", "from closed time on"),
    (7, OFFICE, "2026-03-27T19:00:00Z", "2h", "2026-03-30T08:00:00Z", "summer time"),
    (8, ENGLAND, "2026-12-23T19:00:00Z", "2h", "2027-01-04T09:00:00Z", "holidays, closed days and the end of a year"),
    (9, OFFICE, "2026-01-01T00:00:00Z", "783d", "2032-01-01T20:00:00Z", "1,566 days of work"),
    (10, OFFICE, "2026-01-01T00:00:00Z", "52000w", "never", "more than there is"),
]


@pytest.mark.parametrize(("number", "calendar", "start", "open_time", "at", "why"), REACHED)
def test_reach(number: int, calendar: BusinessCalendar, start: str, open_time: str, at: str, why: str) -> None:
    reached = calendar.reach(parse_instant(start), parse_duration(open_time))
    assert ("never" if reached == FOREVER else format_instant(reached)) == at, why


def test_it_opens_and_closes_at_the_second() -> None:
    opens, closes = parse_instant("2026-03-02T08:00:00Z"), parse_instant("2026-03-02T20:00:00Z")
    assert [OFFICE.is_open(at) for at in (opens - 1, opens, closes - 1, closes)] == [False, True, True, False]
    assert OFFICE.opens_after(opens - DAY) == opens and OFFICE.opens_after(opens + 1) == opens + 1
    assert OFFICE.open_before(closes) == closes - 1 and OFFICE.open_before(opens - 1) == opens - 2 * DAY - 12 * HOUR - 1
    assert OFFICE.opens_after(closes) == opens + DAY
    assert OFFICE.opens_after(FOREVER) == FOREVER and not OFFICE.is_open(NEVER) and OFFICE.elapsed(NEVER, 0) == 0


@pytest.mark.parametrize("zone", [LONDON, "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata", "Pacific/Apia"])
def test_against_minutes_looked_at_one_by_one(zone: str) -> None:
    """Weekdays from 08:30 to 17:15 by the local clock, over a year of changes of it."""
    calendar = business_calendar(("mon-fri",), ("08:30-17:15",), zone)
    local = ZoneInfo(zone)
    rng = random.Random(zone)
    for _ in range(12):
        start = from_datetime(datetime.fromisoformat("2025-12-25T00:00:00Z")) + rng.randrange(380 * 24 * 60) * MINUTE
        count = rng.randrange(4 * 24 * 60)
        open_minutes = 0
        for minute in range(count):
            moment = datetime.fromisoformat(format_instant(start + minute * MINUTE)).astimezone(local)
            clock = moment.hour * 60 + moment.minute
            open_minutes += moment.weekday() < 5 and 510 <= clock < 1035
        end = start + count * MINUTE
        assert calendar.elapsed(start, end) == open_minutes * MINUTE
        if open_minutes:
            reached = calendar.reach(start, open_minutes * MINUTE)
            assert calendar.elapsed(start, reached) == open_minutes * MINUTE
            assert calendar.elapsed(start, reached - SECOND) < open_minutes * MINUTE


def test_ticks_in_closed_time_do_not_exist() -> None:
    for cron in ("0 9 * * *", "*/30 * * * *", "59 19 * * 1-5", "0 8,20 * * *"):
        every, some = cron_ticks(cron, LONDON), open_ticks(cron_ticks(cron, LONDON), ENGLAND)
        at, end = parse_instant("2026-12-18T00:00:00Z"), parse_instant("2027-01-08T00:00:00Z")
        wanted = []
        while (at := every.after(at)) < end:
            if ENGLAND.is_open(at):
                wanted.append(at)
        asked = [parse_instant("2026-12-18T00:00:00Z") + step * 97 * MINUTE for step in range(300)]
        random.Random(cron).shuffle(asked)
        for moment in (*asked, *wanted, *(tick - 1 for tick in wanted)):
            if wanted[0] <= moment < wanted[-1]:
                assert some.after(moment) == min(tick for tick in wanted if tick > moment)
                assert some.until(moment) == max(tick for tick in wanted if tick <= moment)


def test_a_schedule_that_never_meets_the_calendar_is_refused() -> None:
    with pytest.raises(ValueError, match="no tick falls into the calendar's open time; change the cron or"):
        open_ticks(cron_ticks("0 7 * * *", LONDON), ENGLAND)
    assert open_ticks(cron_ticks("0 8 * * *", LONDON), ENGLAND).after(0) > 0


def test_calendars_of_the_same_words_are_shared() -> None:
    assert business_calendar(("mon-fri",), ("08:00-20:00",), LONDON) is OFFICE


def test_a_skipped_day_and_a_long_limit_are_found_fast() -> None:
    """Samoa had no 30 December 2011; a look into a year is a look into a list."""
    calendar = business_calendar(timezone="Pacific/Apia")
    start = from_datetime(datetime(2011, 12, 29, tzinfo=ZoneInfo("Pacific/Apia")))
    end = from_datetime(datetime(2012, 1, 1, tzinfo=ZoneInfo("Pacific/Apia")))
    assert calendar.elapsed(start, end) == end - start == 2 * DAY
    assert timedelta(microseconds=calendar.reach(start, DAY) - start) == timedelta(days=1)
