"""Windows of time and fixed names: which there are, what they are called, where they begin and end.

# | by, zone              | key            | begins                | ends
1 | hour, London          | 2026-10-25T01  | 2026-10-25T00:00:00Z  | 02:00Z: the doubled hour is one window
2 | hour, London          | 2026-03-29T01  | does not exist: clocks skip it
3 | day, London           | 2026-10-25     | 2026-10-24T23:00:00Z  | 25 hours
4 | day, London           | 2026-03-29     | 2026-03-29T00:00:00Z  | 23 hours
5 | day, UTC              | 2028-02-29     | a leap day
6 | week, UTC             | 2026-W53       | Monday 2026-12-28     | 2027-01-04, after the year's end
7 | month, UTC            | 2026-12        | 2026-12-01            | 2027-01-01
8 | hour, Lord Howe       | 2026-10-04T02  | half an hour: clocks skip the other half
9 | day, Cairo            | 2026-04-24     | begins at 01:00: clocks skip midnight
"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from freshd.model.asset import Asset, PartitionScheme
from freshd.model.partitions import RANGE_LIMIT, key_problem, partitions_between, windows_of
from freshd.model.time import DAY, HOUR, format_instant, parse_instant

LONDON = "Europe/London"

WINDOWS = [
    (1, "hour", LONDON, "2026-10-25T01", "2026-10-25T00:00:00Z", "2026-10-25T02:00:00Z"),
    (3, "day", LONDON, "2026-10-25", "2026-10-24T23:00:00Z", "2026-10-26T00:00:00Z"),
    (4, "day", LONDON, "2026-03-29", "2026-03-29T00:00:00Z", "2026-03-29T23:00:00Z"),
    (5, "day", "UTC", "2028-02-29", "2028-02-29T00:00:00Z", "2028-03-01T00:00:00Z"),
    (6, "week", "UTC", "2026-W53", "2026-12-28T00:00:00Z", "2027-01-04T00:00:00Z"),
    (6, "week", "UTC", "2026-W47", "2026-11-16T00:00:00Z", "2026-11-23T00:00:00Z"),
    (7, "month", "UTC", "2026-12", "2026-12-01T00:00:00Z", "2027-01-01T00:00:00Z"),
    (8, "hour", "Australia/Lord_Howe", "2026-10-04T02", "2026-10-03T15:30:00Z", "2026-10-03T16:00:00Z"),
    (9, "day", "Africa/Cairo", "2026-04-24", "2026-04-23T22:00:00Z", "2026-04-24T21:00:00Z"),
]


def scheme(by: str, zone: str = "UTC", start: str | None = None, latest: int = 1) -> PartitionScheme:
    return PartitionScheme(by=by, timezone=zone, start=None if start is None else parse_instant(start), latest=latest)


@pytest.mark.parametrize(("number", "by", "zone", "key", "begins", "ends"), WINDOWS)
def test_a_window_begins_and_ends_by_the_clocks_of_its_zone(
    number: int, by: str, zone: str, key: str, begins: str, ends: str
) -> None:
    windows = windows_of(scheme(by, zone))
    begin, end = windows.begin(key), windows.end(key)
    assert (format_instant(begin), format_instant(end)) == (begins, ends), f"row {number}"
    assert windows.holding(begin) == windows.holding(end - 1) == key
    assert windows.after(key) == windows.holding(end)
    assert windows.before(key) == windows.holding(begin - 1)
    assert windows.next_begin(begin) == windows.next_begin(end - 1) == end
    assert windows.problem(key) == ""


WRONG = [
    ("hour", LONDON, "2026-03-29T01", "2026-11-22T08"),
    ("day", "UTC", "2026-02-29", "2026-11-22"),
    ("day", "UTC", "2026-11", "2026-11-22"),
    ("day", "UTC", "22/11/2026", "2026-11-22"),
    ("day", "UTC", "9999-12-31", "2026-11-22"),
    ("week", "UTC", "2027-W53", "2026-W47"),
    ("week", "UTC", "9999-W52", "2026-W47"),
    ("month", "UTC", "2026-13", "2026-11"),
    ("hour", "UTC", "", "2026-11-22T08"),
]


@pytest.mark.parametrize(("by", "zone", "key", "example"), WRONG)
def test_what_is_no_window_is_told_with_an_example(by: str, zone: str, key: str, example: str) -> None:
    assert example in windows_of(scheme(by, zone)).problem(key)


def test_nothing_lies_before_the_start() -> None:
    windows = windows_of(scheme("day", start="2026-11-20T00:00:00Z"))
    now = parse_instant("2026-11-21T12:00:00Z")
    assert windows.newest(now, 5) == ("2026-11-20", "2026-11-21")
    assert windows.problem("2026-11-19") == "2026-11-19 lies before the first partition, 2026-11-20"
    assert windows.ended_by(parse_instant("2026-11-20T23:59:59Z")) == ""
    assert windows.ended_by(parse_instant("2026-11-21T00:00:00Z")) == "2026-11-20"
    assert format_instant(windows.next_begin(parse_instant("2026-11-01T00:00:00Z"))) == "2026-11-20T00:00:00Z"


def test_a_start_within_a_window_leaves_that_one_out() -> None:
    windows = windows_of(scheme("week", start="2026-11-18T00:00:00Z"))  # a Wednesday
    wednesday = parse_instant("2026-11-18T00:00:00Z")
    assert windows.newest(wednesday, 3) == ()
    assert format_instant(windows.next_begin(wednesday)) == "2026-11-23T00:00:00Z"
    assert windows.newest(parse_instant("2026-11-23T00:00:00Z"), 3) == ("2026-W48",)
    assert "the first partition, 2026-W48" in windows.problem("2026-W47")


def test_the_newest_window_that_ended() -> None:
    windows = windows_of(scheme("day", LONDON))
    midnight = parse_instant("2026-11-22T00:00:00Z")
    assert windows.ended_by(midnight) == "2026-11-21"
    assert windows.ended_by(midnight - 1) == "2026-11-20"


@given(st.sampled_from(["hour", "day", "week", "month"]), st.integers(0, 4_000_000_000), st.data())
def test_every_instant_lies_in_exactly_one_window(by: str, second: int, data: st.DataObject) -> None:
    zone = data.draw(st.sampled_from(["UTC", LONDON, "America/New_York", "Australia/Lord_Howe", "Africa/Cairo"]))
    windows = windows_of(scheme(by, zone))
    at = second * 1_000_000
    key = windows.holding(at)
    assert windows.begin(key) <= at < windows.end(key)
    assert windows.end(key) == windows.begin(windows.after(key))
    assert windows.before(windows.after(key)) == key
    assert windows.end(key) - windows.begin(key) <= 32 * DAY
    assert by != "hour" or windows.end(key) - windows.begin(key) <= 2 * HOUR


DAILY = Asset("daily", partitions=scheme("day", start="2026-11-01T00:00:00Z"))
FIXED = Asset("by_region", partitions=PartitionScheme(names=("eu", "us", "apac")))

RANGES = [
    (DAILY, "2026-11-03", ("2026-11-03",)),
    (DAILY, "2026-11-29..2026-12-01", ("2026-11-29", "2026-11-30", "2026-12-01")),
    (DAILY, "2026-11-05, 2026-11-05..2026-11-06", ("2026-11-05", "2026-11-06")),
    (FIXED, "us,eu", ("us", "eu")),
]


@pytest.mark.parametrize(("asset", "text", "keys"), RANGES)
def test_ranges_and_lists_of_partitions(asset: Asset, text: str, keys: tuple[str, ...]) -> None:
    assert partitions_between(asset, text) == keys


BAD_RANGES = [
    (DAILY, "2026-11-05..2026-11-03", "write 2026-11-03..2026-11-05"),
    (DAILY, "2026-10-31..2026-11-03", "before the first partition, 2026-11-01"),
    (DAILY, "2026-11-01..2099-01-01", f"more than {RANGE_LIMIT:,}"),
    (DAILY, "yesterday", "write one like 2026-11-22"),
    (FIXED, "mars", "it has eu, us, apac"),
    (FIXED, "eu..us", "name them one by one"),
    (Asset("plain"), "2026-11-22", "has no partitions"),
]


@pytest.mark.parametrize(("asset", "text", "said"), BAD_RANGES)
def test_a_range_that_is_none_says_what_to_write(asset: Asset, text: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        partitions_between(asset, text)


def test_what_is_wrong_with_a_partition_of_an_asset() -> None:
    assert key_problem(DAILY, "2026-11-22") == key_problem(FIXED, "eu") == key_problem(Asset("plain"), "") == ""
    assert "none is named" in key_problem(DAILY, "")
    assert "has no partitions" in key_problem(Asset("plain"), "x")
