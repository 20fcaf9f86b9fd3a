"""Ticks on the days when clocks change, as a numbered table, and that `after` and `until` agree."""

from __future__ import annotations

import random

import pytest

from freshd.adapters.calendar import CronTicks, cron_ticks, zone_named
from freshd.model.time import DAY, FOREVER, HOUR, MINUTE, NEVER, format_instant, parse_instant

# London 2026: 29 March 01:00 -> 02:00 (UTC+1 from 01:00Z), 25 October 02:00 -> 01:00 (UTC+0 from 01:00Z).
# New York 2026: 8 March 02:00 -> 03:00 (07:00Z), 1 November 02:00 -> 01:00 (06:00Z).
# Lord Howe 2026: 5 April 02:00 -> 01:30 (4 April 15:00Z), 4 October 02:00 -> 02:30 (3 October 15:30Z).
TABLE = [
    # (number, cron, zone, from, the ticks after it)
    (1, "0 9 * * 1-5", "Europe/London", "2026-03-27T12:00:00Z", ["2026-03-30T08:00:00Z", "2026-03-31T08:00:00Z"]),
    (2, "0 9 * * *", "Europe/London", "2026-03-28T12:00:00Z", ["2026-03-29T08:00:00Z", "2026-03-30T08:00:00Z"]),
    (3, "0 9 * * *", "Europe/London", "2026-10-24T12:00:00Z", ["2026-10-25T09:00:00Z", "2026-10-26T09:00:00Z"]),
    # a missing local time moves to the next valid instant
    (4, "30 1 * * *", "Europe/London", "2026-03-28T12:00:00Z", ["2026-03-29T01:00:00Z", "2026-03-30T00:30:00Z"]),
    (5, "0 1 * * *", "Europe/London", "2026-03-28T12:00:00Z", ["2026-03-29T01:00:00Z", "2026-03-30T00:00:00Z"]),
    (6, "30 2 * * *", "America/New_York", "2026-03-07T12:00:00Z", ["2026-03-08T07:00:00Z", "2026-03-09T06:30:00Z"]),
    # two missing times that move to one instant are one tick
    (7, "0,30 1 * * *", "Europe/London", "2026-03-29T00:59:00Z", ["2026-03-29T01:00:00Z", "2026-03-30T00:00:00Z"]),
    (8, "15 1,2 * * *", "Europe/London", "2026-03-28T12:00:00Z", ["2026-03-29T01:00:00Z", "2026-03-29T01:15:00Z"]),
    # a doubled local time counts once, the first
    (9, "30 1 * * *", "Europe/London", "2026-10-24T12:00:00Z", ["2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"]),
    (10, "30 1 * * *", "America/New_York", "2026-10-31T12:00:00Z", ["2026-11-01T05:30:00Z", "2026-11-02T06:30:00Z"]),
    (11, "30 1 * * *", "Europe/London", "2026-10-25T00:30:00Z", ["2026-10-26T01:30:00Z"]),
    (12, "30 1 * * *", "Europe/London", "2026-10-25T01:10:00Z", ["2026-10-26T01:30:00Z"]),
    (13, "0 1,2 * * *", "Europe/London", "2026-10-24T12:00:00Z", ["2026-10-25T00:00:00Z", "2026-10-25T02:00:00Z"]),
    # with * or a step in hour or minute, ticks follow elapsed time
    (14, "0 * * * *", "Europe/London", "2026-03-29T00:00:00Z", ["2026-03-29T01:00:00Z", "2026-03-29T02:00:00Z"]),
    (
        15,
        "30 * * * *",
        "Europe/London",
        "2026-10-25T00:00:00Z",
        ["2026-10-25T00:30:00Z", "2026-10-25T01:30:00Z", "2026-10-25T02:30:00Z"],
    ),
    (
        16,
        "*/30 1 * * *",
        "Europe/London",
        "2026-10-24T12:00:00Z",
        ["2026-10-25T00:00:00Z", "2026-10-25T00:30:00Z", "2026-10-25T01:00:00Z", "2026-10-25T01:30:00Z"],
    ),
    (17, "*/30 1 * * *", "Europe/London", "2026-03-28T12:00:00Z", ["2026-03-30T00:00:00Z", "2026-03-30T00:30:00Z"]),
    # half-hour changes
    (18, "15 2 * * *", "Australia/Lord_Howe", "2026-10-03T00:00:00Z", ["2026-10-03T15:30:00Z", "2026-10-04T15:15:00Z"]),
    (19, "45 1 * * *", "Australia/Lord_Howe", "2026-04-04T00:00:00Z", ["2026-04-04T14:45:00Z", "2026-04-05T15:15:00Z"]),
    # a whole day that never was
    (20, "0 9 * * *", "Pacific/Apia", "2011-12-29T20:00:00Z", ["2011-12-30T10:00:00Z", "2011-12-30T19:00:00Z"]),
    # rare ones
    (21, "0 0 29 2 *", "UTC", "2026-01-01T00:00:00Z", ["2028-02-29T00:00:00Z", "2032-02-29T00:00:00Z"]),
    (22, "0 6 L * *", "Europe/Berlin", "2026-02-01T00:00:00Z", ["2026-02-28T05:00:00Z", "2026-03-31T04:00:00Z"]),
    (23, "0 0 1 1 *", "Asia/Kathmandu", "2026-01-01T00:00:00Z", ["2026-12-31T18:15:00Z"]),
]


@pytest.mark.parametrize(("number", "cron", "zone", "start", "ticks"), TABLE, ids=[str(row[0]) for row in TABLE])
def test_ticks(number: int, cron: str, zone: str, start: str, ticks: list[str]) -> None:
    schedule = CronTicks(cron, zone_named(zone))
    found, at = [], parse_instant(start)
    for _ in ticks:
        at = schedule.after(at)
        found.append(format_instant(at))
    assert found == ticks
    # backwards it is the same ticks, also when nothing has been read before
    for index, tick in enumerate(ticks):
        here = parse_instant(tick)
        for backwards in (schedule, CronTicks(cron, zone_named(zone))):
            assert backwards.until(here) == here
            assert backwards.until(here + 1) == here
            assert backwards.until(here - 1) < here
            if index:
                assert format_instant(backwards.until(here - 1)) == ticks[index - 1]


@pytest.mark.parametrize(
    "cron", ["30 1 * * *", "0,30 1-3 * * *", "*/20 * * * *", "7 */5 * * 0", "0 2 1 * *", "* * 1 1 *"]
)
@pytest.mark.parametrize("zone", ["Europe/London", "America/New_York", "Australia/Lord_Howe", "UTC"])
def test_answers_do_not_depend_on_what_was_asked_before(cron: str, zone: str) -> None:
    shared, rng = CronTicks(cron, zone_named(zone)), random.Random(cron + zone)
    anchors = [parse_instant(f"2026-{month}T01:00:00Z") for month in ("03-29", "10-25", "03-08", "11-01", "06-15")]
    for _ in range(60):
        at = rng.choice(anchors) + rng.randrange(-2 * DAY, 2 * DAY)
        alone = CronTicks(cron, zone_named(zone))
        after, until = shared.after(at), shared.until(at)
        assert (after, until) == (alone.after(at), CronTicks(cron, zone_named(zone)).until(at))
        assert until <= at < after
        assert shared.until(after) == after and shared.until(after - 1) == until and shared.after(until) == after


def test_many_ticks_are_read_in_bounded_memory_and_can_be_asked_again() -> None:
    schedule = CronTicks("* * * * *", zone_named("UTC"))
    at = start = parse_instant("2026-01-01T00:00:00Z")
    for _ in range(10_000):
        at = schedule.after(at)
    assert at == start + 10_000 * MINUTE
    assert len(schedule._known) <= 4096
    assert schedule.after(start) == start + MINUTE
    assert schedule.until(start + 90 * DAY + 1) == start + 90 * DAY


def test_the_ends_of_time() -> None:
    schedule = CronTicks("0 0 * * *", zone_named("UTC"))
    assert schedule.until(NEVER) == NEVER
    assert schedule.after(FOREVER) == FOREVER
    assert schedule.after(NEVER) == parse_instant("1971-01-02T00:00:00Z")
    assert schedule.until(FOREVER) > parse_instant("9000-01-01T00:00:00Z")
    assert schedule.after(0) - HOUR < schedule.after(0)


def test_one_schedule_is_shared() -> None:
    assert cron_ticks("0 9 * * *", "Europe/London") is cron_ticks("0 9 * * *", "Europe/London")


@pytest.mark.parametrize(
    ("cron", "zone", "said"),
    [
        ("0 9 * *", "UTC", "five fields"),
        ("0 0 9 * * *", "UTC", "five fields"),
        ("0 25 * * *", "UTC", "bad hour"),
        ("x 9 * * *", "UTC", "bad minute"),
        ("0 0 31 2 *", "UTC", "bad day-of-month"),
        ("0 9 * * *", "Europe/Londn", "no time zone"),
        ("0 9 * * *", "london", "did you mean Europe/London?"),
        ("0 9 * * *", "../../etc/passwd", "no time zone"),
    ],
)
def test_what_is_no_schedule(cron: str, zone: str, said: str) -> None:
    with pytest.raises(ValueError, match=said.replace("?", r"\?")):
        cron_ticks(cron, zone)
