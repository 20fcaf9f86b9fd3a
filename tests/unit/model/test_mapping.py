"""Which partitions of an upstream a partition reads.

#  | reader            | upstream | mapping    | reads
1  | day 11-22         | day      | (none)     | 11-22
2  | day 11-22         | week     | window     | W47, which holds it
3  | week W47          | day      | window     | 11-16..11-22, which lie inside
4  | month 11          | day      | window     | 11-01..11-30
5  | day 11-22         | hour     | window     | T00..T23
6  | day 11-22         | day      | last 7     | 11-16..11-22
7  | day 11-22         | hour     | last 2     | T22..T23
8  | week W01 of 2027  | day      | last 2     | 01-09..01-10
9  | none              | day      | (none)     | the whole
10 | none              | day      | last 3     | the newest 3 that have begun
11 | eu                | eu, us   | same       | eu
12 | eu                | day      | all        | the whole
13 | day 10-25 London  | hour     | window     | T00..T23, T01 of two hours
"""

from __future__ import annotations

from typing import Any

import pytest
from tests.unit.model.slices import holds, shown

from freshd.model.asset import Asset, PartitionScheme
from freshd.model.mapping import WHOLE_ASSET, Slice, mapping_problems, reads
from freshd.model.time import parse_instant

HOUR, DAY, WEEK, MONTH = (PartitionScheme(by=by) for by in ("hour", "day", "week", "month"))
FIXED, EU = PartitionScheme(names=("eu", "us")), PartitionScheme(names=("eu",))
LONDON_DAY, LONDON_HOUR = (PartitionScheme(by=by, timezone="Europe/London") for by in ("day", "hour"))

READS: list[tuple[int, PartitionScheme | None, str, PartitionScheme, Any, str]] = [
    (1, DAY, "2026-11-22", DAY, None, "2026-11-22"),
    (2, DAY, "2026-11-22", WEEK, "window", "2026-W47"),
    (3, WEEK, "2026-W47", DAY, "window", "2026-11-16..2026-11-22"),
    (4, MONTH, "2026-11", DAY, "window", "2026-11-01..2026-11-30"),
    (5, DAY, "2026-11-22", HOUR, "window", "2026-11-22T00..2026-11-22T23"),
    (6, DAY, "2026-11-22", DAY, {"last": 7}, "2026-11-16..2026-11-22"),
    (7, DAY, "2026-11-22", HOUR, {"last": 2}, "2026-11-22T22..2026-11-22T23"),
    (8, WEEK, "2027-W01", DAY, {"last": 2}, "2027-01-09..2027-01-10"),
    (9, None, "", DAY, None, ""),
    (10, None, "", DAY, {"last": 3}, "last 3"),
    (11, EU, "eu", FIXED, "same", "eu"),
    (12, EU, "eu", DAY, "all", ""),
    (13, LONDON_DAY, "2026-10-25", LONDON_HOUR, "window", "2026-10-25T00..2026-10-25T23"),
]


@pytest.mark.parametrize(("number", "reader", "key", "up", "mapping", "expected"), READS)
def test_what_a_partition_reads(
    number: int, reader: PartitionScheme | None, key: str, up: PartitionScheme, mapping: Any, expected: str
) -> None:
    found = reads(reader, key, up, mapping)
    assert shown(found, up) == expected, f"row {number}"
    assert (found is WHOLE_ASSET) == (expected == "")


@pytest.mark.parametrize(
    ("key", "held"), [("2026-11-15", False), ("2026-11-16", True), ("2026-11-22", True), ("2026-11-23", False)]
)
def test_which_days_a_week_holds(key: str, held: bool) -> None:
    week = reads(WEEK, "2026-W47", DAY, "window")
    assert isinstance(week, Slice) and holds(week, DAY, key, 0) is held


def test_the_newest_three_move_on() -> None:
    newest = reads(None, "", DAY, {"last": 3})
    assert isinstance(newest, Slice)
    at = parse_instant("2026-11-22T00:00:00Z")
    assert [holds(newest, DAY, f"2026-11-{day}", at) for day in (19, 20, 22, 23)] == [False, True, True, False]
    assert [holds(newest, DAY, f"2026-11-{day}", at - 1) for day in (19, 20, 22, 23)] == [True, True, False, False]


WEEKLY_UP, DAILY_UP, PLAIN_UP, FIXED_UP = (
    Asset("up", partitions=WEEK),
    Asset("up", partitions=DAY),
    Asset("up"),
    Asset("up", partitions=FIXED),
)

PAIRS: list[tuple[PartitionScheme | None, Asset, Any, str]] = [
    (DAY, DAILY_UP, None, ""),
    (DAY, PLAIN_UP, None, ""),
    (None, DAILY_UP, None, ""),
    (None, DAILY_UP, {"last": 3}, ""),
    (WEEK, DAILY_UP, "window", ""),
    (EU, FIXED_UP, None, ""),
    (EU, DAILY_UP, {"last": 3}, ""),
    (WEEK, DAILY_UP, None, r"write {key: up, mapping: window} for it"),
    (WEEK, DAILY_UP, "same", r"write mapping: window"),
    (EU, DAILY_UP, None, r"write {key: up, mapping: {last: 7}, or all}"),
    (DAY, FIXED_UP, None, r"write {key: up, mapping: all}"),
    (DAY, FIXED_UP, {"last": 2}, r"write mapping: all"),
    (MONTH, WEEKLY_UP, "window", r"a month and a week do not lie inside one another"),
    (LONDON_DAY, DAILY_UP, "window", r"write one time zone for both"),
    (None, DAILY_UP, "same", r"cannot read same; write all"),
    (DAY, PLAIN_UP, "same", r"leave mapping out"),
    (FIXED, Asset("up", partitions=EU), None, r"needs a mapping"),
]


@pytest.mark.parametrize(("reader", "up", "mapping", "said"), PAIRS)
def test_a_pair_without_a_rule_is_told_with_what_to_write(
    reader: PartitionScheme | None, up: Asset, mapping: Any, said: str
) -> None:
    mappings = {} if mapping is None else {"up": mapping}
    asset = Asset("reader", ("up",), partitions=reader, mappings=mappings, origin="assets.yaml:3")
    problems = mapping_problems({"up": up, "reader": asset})
    assert [problem.where for problem in problems] == (["assets.yaml:3"] if said else [])
    assert not said or said in problems[0].message
