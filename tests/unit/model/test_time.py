"""Durations and instants: what is read back is what was written, and nonsense is refused with an example."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from freshd.model.time import (
    DAY,
    FOREVER,
    HOUR,
    MINUTE,
    NEVER,
    SECOND,
    WEEK,
    format_duration,
    format_instant,
    parse_duration,
    parse_instant,
)

DURATIONS = [
    ("45s", 45 * SECOND),
    ("1h30m", 90 * MINUTE),
    ("2d", 2 * DAY),
    ("4w", 4 * WEEK),
    ("0s", 0),
    ("0", 0),
    ("250ms", SECOND // 4),
    ("1.5h", 90 * MINUTE),
    (90, 90 * SECOND),
]


@pytest.mark.parametrize(("text", "duration"), DURATIONS)
def test_durations_are_read(text: str | int, duration: int) -> None:
    assert parse_duration(text) == duration


@pytest.mark.parametrize("text", ["", "5", "1 hour", "h", "-5s", "5s5", True, -1, "1h-30m"])
def test_what_is_no_duration_is_refused_with_an_example(text: str | int) -> None:
    with pytest.raises(ValueError, match="duration"):
        parse_duration(text)


@given(st.integers(0, 10**9))
def test_durations_are_read_back(seconds: int) -> None:
    assert parse_duration(format_duration(seconds * SECOND)) == seconds * SECOND


INSTANTS = [
    ("1970-01-01T00:00:00Z", 0),
    ("1970-01-01T01:00:00+01:00", 0),
    ("1970-01-01T00:00:00.5Z", SECOND // 2),
    ("1970-01-01T00:00:00.123456789Z", 123_456),
    ("1970-01-01 00:01:00", MINUTE),
    ("1969-12-31T23:00:00-0100", 0),
    ("2016-12-31T23:59:60Z", 1_483_228_800 * SECOND),
]


@pytest.mark.parametrize(("text", "instant"), INSTANTS)
def test_instants_are_read(text: str, instant: int) -> None:
    assert parse_instant(text) == instant


@pytest.mark.parametrize("text", ["", "now", "2026-02-30T00:00:00Z", "2026-11-22", "2026-11-22T25:00:00Z"])
def test_what_is_no_instant_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_instant(text)


@given(st.integers(-62_000_000_000 * SECOND, 253_000_000_000 * SECOND))
def test_instants_are_read_back(instant: int) -> None:
    assert parse_instant(format_instant(instant)) == instant


@pytest.mark.parametrize("instant", [NEVER, FOREVER, -HOUR * 10**8])
def test_what_lies_beyond_the_calendar_is_shown_at_its_end(instant: int) -> None:
    assert format_instant(instant)[:4] in ("0001", "9999")
