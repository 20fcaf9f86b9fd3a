"""Open time: numbered cases worked out by hand, and the daemon's calendar against minutes counted one by one."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.oracle.open_time import OpenTime

from freshd.adapters.calendar import business_calendar
from freshd.model.policy import Calendar
from freshd.model.time import HOUR, MINUTE, format_duration, format_instant, parse_duration, parse_instant

OFFICE = {"days": "mon-fri", "hours": "08:00-20:00", "timezone": "Europe/London", "holidays": "GB-ENG"}
NIGHTS = {"days": "mon-fri", "hours": "22:00-06:00", "timezone": "Europe/Berlin"}
SHORT_NIGHT = {"hours": "01:00-04:00", "timezone": "Europe/Berlin"}
TWICE = {"days": "mon,wed", "hours": ["09:00-12:00", "13:00-17:00"], "timezone": "UTC"}
NEW_YORK = {"days": "mon-sun", "hours": "00:00-24:00", "timezone": "America/New_York", "closed": ["2024-02-29"]}

# (why, calendar, reference, limit, the first instant at which the open time since the reference is the limit)
REACHED = (
    ("01 within one day", OFFICE, "2026-03-02T09:00:00Z", "2h", "2026-03-02T11:00:00Z"),
    ("02 over night: 1 h on Monday, the rest from 08:00", OFFICE, "2026-03-02T19:00:00Z", "2h", "2026-03-03T09:00:00Z"),
    ("03 reached at closing time itself", OFFICE, "2026-03-02T19:00:00Z", "1h", "2026-03-02T20:00:00Z"),
    ("04 from closed time on: as from the opening", OFFICE, "2026-03-01T12:00:00Z", "30m", "2026-03-02T08:30:00Z"),
    ("05 over a weekend", OFFICE, "2026-03-06T19:30:00Z", "1h", "2026-03-09T08:30:00Z"),
    ("06 over Good Friday and Easter Monday, and the clocks go forward between", OFFICE,
     "2024-03-28T19:30:00Z", "1h", "2024-04-02T07:30:00Z"),
    ("07 Christmas and its bank holidays", OFFICE, "2026-12-24T19:00:00Z", "2h", "2026-12-29T09:00:00Z"),
    ("08 over the year's end: New Year's Day is closed", OFFICE, "2026-12-31T19:00:00Z", "2h", "2027-01-04T09:00:00Z"),
    ("09 hours across midnight belong to the day they open on: Friday night is open", NIGHTS,
     "2026-03-06T21:00:00Z", "8h", "2026-03-06T21:00:00Z + 8h"),
    ("10 and Sunday night is not", NIGHTS, "2026-03-07T05:00:00Z", "1h", "2026-03-09T22:00:00Z"),
    ("11 a night with a missing hour has two of three", SHORT_NIGHT, "2026-03-29T00:00:00Z", "3h",
     "2026-03-30T00:00:00Z"),
    ("12 a night with a doubled hour has four", SHORT_NIGHT, "2026-10-24T23:00:00Z", "4h", "2026-10-25T03:00:00Z"),
    ("13 twice a day, twice a week", TWICE, "2026-03-02T11:00:00Z", "6h", "2026-03-04T10:00:00Z"),
    ("14 a leap day that is closed", NEW_YORK, "2024-02-29T04:00:00Z", "2h", "2024-03-01T06:00:00Z"),
    ("15 a day of 23 hours", NEW_YORK, "2026-03-08T05:00:00Z", "23h", "2026-03-09T04:00:00Z"),
    ("16 a day of 25 hours", NEW_YORK, "2026-11-01T04:00:00Z", "25h", "2026-11-02T05:00:00Z"),
    ("17 no time at all is reached at once, open or closed", OFFICE, "2026-03-01T12:00:00Z", "0s",
     "2026-03-01T12:00:00Z"),
)  # fmt: skip


def _adapter(written: dict[str, Any]) -> Calendar:
    def words(name: str, default: str) -> tuple[str, ...]:
        found = written.get(name, default)
        return (found,) if isinstance(found, str) and found else tuple(found)

    return business_calendar(
        words("days", "mon-sun"), words("hours", "00:00-24:00"), written.get("timezone", "UTC"),
        words("holidays", ""), words("closed", ""),
    )  # fmt: skip


def _at(text: str) -> int:
    instant, _, more = text.partition(" + ")
    return parse_instant(instant) + (parse_duration(more) if more else 0)


@pytest.mark.parametrize("case", REACHED, ids=lambda case: case[0])
def test_limits_are_reached_in_open_time(case: tuple[str, dict[str, Any], str, str, str]) -> None:
    _, written, reference, limit, reached = case
    start, duration = _at(reference), parse_duration(limit)
    for calendar in (OpenTime(written), _adapter(written)):
        assert format_instant(calendar.reach(start, duration)) == format_instant(_at(reached))
        assert format_duration(calendar.elapsed(start, _at(reached))) == format_duration(duration)


ZONES = ("UTC", "Europe/London", "America/New_York", "Asia/Kathmandu", "Australia/Lord_Howe", "Pacific/Apia")
TURNS = (
    "2026-03-08T06:00:00Z", "2026-03-29T00:00:00Z", "2026-10-25T00:00:00Z", "2026-11-01T05:00:00Z",
    "2024-02-28T20:00:00Z", "2026-12-31T18:00:00Z", "2026-04-04T14:00:00Z", "2026-10-03T15:00:00Z",
)  # fmt: skip
"""Around changes of the clock here and there, a leap day, the end of a year."""

clock = st.integers(0, 23).flatmap(lambda h: st.sampled_from(["00", "15", "30"]).map(lambda m: f"{h:02}:{m}"))
hours = st.tuples(clock, clock).filter(lambda pair: pair[0] != pair[1]).map("-".join)
calendars = st.fixed_dictionaries(
    {
        "days": st.sampled_from(["mon-fri", "mon-sun", "sat,sun", "fri-mon", "tue"]),
        "hours": st.lists(hours, min_size=1, max_size=2),
        "timezone": st.sampled_from(ZONES),
    },
    optional={
        "holidays": st.sampled_from(["GB-ENG", "US", "DE-BY"]),
        "closed": st.just(["2026-03-30", "2024-02-29", "2026-12-31"]),
    },
)
instants = st.tuples(st.sampled_from(TURNS), st.integers(-2 * 86_400, 2 * 86_400)).map(
    lambda drawn: parse_instant(drawn[0]) + drawn[1] * 1_000_000
)


@given(calendars, instants, st.integers(0, 60 * 3600))
@settings(max_examples=150, derandomize=True, deadline=None)
def test_the_calendar_counts_as_minutes_do(written: dict[str, Any], start: int, seconds: int) -> None:
    """Open, elapsed and reach, around every change of the clock."""
    counted, calendar = OpenTime(written), _adapter(written)
    end = start + seconds * 1_000_000
    assert calendar.is_open(start) == counted.is_open(start)
    assert calendar.elapsed(start, end) == counted.elapsed(start, end)
    duration = seconds * 1_000_000 // 4
    assert calendar.reach(start, duration) == counted.reach(start, duration)


@given(calendars, instants, st.integers(1, 40), st.integers(1, 40))
@settings(max_examples=100, derandomize=True, deadline=None)
def test_reach_is_the_first_instant(written: dict[str, Any], start: int, quarters: int, more: int) -> None:
    """Reached then and not a microsecond before; open time adds up; longer is later."""
    calendar, duration = _adapter(written), quarters * 15 * MINUTE
    reached = calendar.reach(start, duration)
    assert calendar.elapsed(start, reached) == duration
    assert calendar.elapsed(start, reached - 1) < duration
    middle = start + (reached - start) // 3
    assert calendar.elapsed(start, middle) + calendar.elapsed(middle, reached) == duration
    assert calendar.reach(start, duration + more * HOUR) > reached
