"""Mappings between partitions keep what they promise at every instant: nothing invented, nothing left out.

Windows are of hours, days, weeks and months, around changes of the clock, a leap day and a year end.
"""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.model.slices import holds, shown

from freshd.model.asset import PartitionScheme
from freshd.model.mapping import WHOLE_ASSET, Slice, reads
from freshd.model.partitions import FINER, Window, newest, window_at, window_of, windows_of
from freshd.model.time import HOUR, Instant, parse_instant

ZONES = ("UTC", "Europe/London", "America/New_York", "Australia/Lord_Howe", "Africa/Cairo")
TURNS = ("2026-03-29T01:00:00Z", "2026-10-25T01:00:00Z", "2028-02-29T12:00:00Z", "2026-12-31T23:30:00Z",
         "2026-04-23T22:00:00Z", "2026-10-03T15:30:00Z")  # fmt: skip
PAIRS = tuple((fine, coarse) for coarse, within in FINER.items() for fine in within)
instants = st.tuples(st.sampled_from(TURNS), st.integers(-5_000, 5_000)).map(
    lambda drawn: parse_instant(drawn[0]) + drawn[1] * 15 * 60 * 1_000_000
)
pairs = st.tuples(st.sampled_from(PAIRS), st.sampled_from(ZONES)).map(
    lambda drawn: (PartitionScheme(by=drawn[0][0], timezone=drawn[1]), PartitionScheme(by=drawn[0][1],
                                                                                       timezone=drawn[1]))
)  # fmt: skip


def within(scheme: PartitionScheme, begin: Instant, end: Instant) -> list[Window]:
    """Every window from one instant to another, one after the other."""
    found = []
    while begin < end:
        found.append(window_at(scheme, begin))
        begin = found[-1].end
    return found


@settings(max_examples=150, deadline=None)
@given(pairs, instants)
def test_the_windows_inside_a_window_are_all_of_it(schemes: tuple[PartitionScheme, PartitionScheme], at: int) -> None:
    """Union of the parts: they follow one another without a gap, from its first instant to its last."""
    fine, coarse = schemes
    reader = window_at(coarse, at)
    read = reads(coarse, reader.key, fine, "window")
    assert isinstance(read, Slice)
    parts = within(fine, reader.begin, reader.end)
    assert (parts[0].begin, parts[-1].end) == (reader.begin, reader.end)
    assert [one.end for one in parts[:-1]] == [two.begin for two in parts[1:]]
    assert all(holds(read, fine, part.key, at) for part in parts)
    assert not holds(read, fine, window_at(fine, reader.begin - 1).key, at), "the one before it"
    assert not holds(read, fine, window_at(fine, reader.end).key, at), "the one after it"
    assert shown(read, fine) == f"{parts[0].key}..{parts[-1].key}"


@settings(max_examples=150, deadline=None)
@given(pairs, instants)
def test_window_both_ways_is_one_relation(schemes: tuple[PartitionScheme, PartitionScheme], at: int) -> None:
    """The window that a part reads is the one that reads the part, and it is a real one that holds it."""
    fine, coarse = schemes
    part = window_at(fine, at)
    whole = reads(fine, part.key, coarse, "window")
    assert isinstance(whole, str)
    held = window_of(coarse, whole)  # raises for a key that is none
    assert held.begin <= part.begin and part.end <= held.end
    back = reads(coarse, whole, fine, "window")
    assert isinstance(back, Slice) and holds(back, fine, part.key, at)


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(list(FINER)), st.sampled_from(ZONES), instants, st.integers(1, 12))
def test_the_last_n_are_n_and_end_with_the_readers_own(by: str, zone: str, at: int, count: int) -> None:
    scheme = PartitionScheme(by=by, timezone=zone)
    own = window_at(scheme, at)
    read = reads(scheme, own.key, scheme, {"last": count})
    assert isinstance(read, Slice)
    expected, key = {own.key}, own.key
    for _ in range(count - 1):
        key = windows_of(scheme).before(key)
        expected.add(key)
    around = within(scheme, window_of(scheme, key).begin - HOUR, own.end + HOUR)
    assert {window.key for window in around if holds(read, scheme, window.key, at)} == expected
    more = reads(scheme, own.key, scheme, {"last": count + 1})
    assert isinstance(more, Slice) and all(holds(more, scheme, key, at) for key in expected), "n grows, nothing goes"


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(list(FINER)), st.sampled_from(ZONES), instants, st.integers(1, 12))
def test_a_reader_without_partitions_has_the_newest_n_that_have_begun(by: str, zone: str, at: int, n: int) -> None:
    scheme = PartitionScheme(by=by, timezone=zone)
    read = reads(None, "", scheme, {"last": n})
    assert isinstance(read, Slice)
    held = [window.key for window in newest(scheme, at, n + 3) if holds(read, scheme, window.key, at)]
    assert held == [window.key for window in newest(scheme, at, n)] and len(held) == n
    assert not holds(read, scheme, window_at(scheme, window_at(scheme, at).end).key, at), "it has not begun"


@settings(max_examples=50, deadline=None)
@given(st.sampled_from(list(FINER)), st.sampled_from(ZONES), instants)
def test_the_same_is_the_same_and_all_is_the_whole(by: str, zone: str, at: int) -> None:
    scheme = PartitionScheme(by=by, timezone=zone)
    key = window_at(scheme, at).key
    for mapping in (None, "same", "window"):
        assert reads(scheme, key, scheme, mapping) == key
    for reader in (scheme, PartitionScheme(names=(key,)), None):
        assert reads(reader, key, scheme, "all") is WHOLE_ASSET


@pytest.mark.parametrize("names", [("eu",), ("eu", "us")])
def test_fixed_names_read_themselves(names: tuple[str, ...]) -> None:
    mine, its = PartitionScheme(names=names), PartitionScheme(names=("apac", "eu", "us"))
    assert [reads(mine, name, its, "same") for name in names] == list(names)
