"""Partitions: which windows a time scheme has, and what they are called.

Windows follow the calendar of the scheme's time zone: a day that the clocks are set on has 23 or 25 hours; an hour
that the clocks leave out does not exist, and one that they repeat is one window of two hours. Keys are local:

    by     | key            | window
    -------+----------------+-------------------------------------
    hour   | 2026-11-22T08  | 08:00 to 09:00
    day    | 2026-11-22     | midnight to midnight
    week   | 2026-W47       | Monday to Monday, numbered by ISO 8601
    month  | 2026-11        | the first to the first of the next

It knows neither rows nor events, and reads no clock.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

from freshd.model.asset import Asset, PartitionScheme
from freshd.model.time import NEVER, Instant, from_datetime, to_datetime

RANGE_LIMIT: Final = 10_000
"""Partitions that one range may name."""

_FIRST_YEAR, _LAST_YEAR = 1900, 9000

_EXAMPLES: Final = {"hour": "2026-11-22T08", "day": "2026-11-22", "week": "2026-W47", "month": "2026-11"}
_WEEK: Final = re.compile(r"(\d{4})-W(\d\d)")
_FORMATS: Final = {"hour": "%Y-%m-%dT%H", "day": "%Y-%m-%d", "month": "%Y-%m"}


class Windows:
    """The windows of one time scheme."""

    def __init__(self, by: str, timezone: str, start: Instant | None) -> None:
        self.by = by
        self._zone = ZoneInfo(timezone)
        self._start = NEVER if start is None else start

    def holding(self, at: Instant) -> str:
        """The key of the window that holds an instant; empty if the scheme begins later."""
        key = self._around(at)
        return key if self.begin(key) >= self._start else ""

    def begin(self, key: str) -> Instant:
        """The first instant of a window. Raises ValueError for a key that is none."""
        return self._instant(self._moment(key))

    def end(self, key: str) -> Instant:
        """The first instant after a window. Raises ValueError for a key that is none."""
        return self._instant(self._step(self._moment(key), 1))

    def after(self, key: str) -> str:
        """The next window."""
        return self._beside(key, 1)

    def before(self, key: str) -> str:
        """The window before; empty if the scheme begins with `key`."""
        earlier = self._beside(key, -1)
        return earlier if self.begin(earlier) >= self._start else ""

    def newest(self, now: Instant, count: int) -> tuple[str, ...]:
        """The newest `count` windows that have begun, oldest first."""
        return self.ending_with(self.holding(now), count)

    def ending_with(self, key: str, count: int) -> tuple[str, ...]:
        """`key` and those before it, `count` in all where there are so many; oldest first."""
        found: list[str] = []
        while key and len(found) < count:
            found.append(key)
            key = self.before(key)
        return tuple(reversed(found))

    def ended_by(self, at: Instant) -> str:
        """The newest window that ended at or before an instant; empty if none did."""
        return self.before(self._around(at))

    def next_begin(self, now: Instant) -> Instant:
        """When the next window begins."""
        return self.begin(self._first) if now < self._start else self.end(self._around(now))

    def inside(self, begin: Instant, end: Instant) -> tuple[str, ...]:
        """The windows that begin within [begin, end)."""
        key = self._around(begin)
        found: list[str] = []
        while self.begin(key) < end:
            if self.begin(key) >= max(begin, self._start):
                found.append(key)
            key = self.after(key)
        return tuple(found)

    def problem(self, key: str) -> str:
        """What is wrong with a key, or empty."""
        try:
            if self.begin(key) < self._start:
                return f"{key} lies before the first partition, {self._first}"
            return "" if self._key(self._moment(key)) == key and self.begin(key) < self.end(key) else _no(key, self.by)
        except ValueError as error:
            return str(error)

    @property
    def _first(self) -> str:
        """The first window of a scheme that has a start."""
        return self.holding(self._start) or self.after(self._around(self._start))

    def _around(self, at: Instant) -> str:
        """The key of the window that holds an instant, whether the scheme has begun by then or not."""
        return self._key(self._floor(to_datetime(at).astimezone(self._zone).replace(tzinfo=None)))

    def _instant(self, local: datetime) -> Instant:
        return from_datetime(local.replace(tzinfo=self._zone))

    def _floor(self, local: datetime) -> datetime:
        if self.by == "hour":
            return local.replace(minute=0, second=0, microsecond=0)
        day = local.replace(hour=0, minute=0, second=0, microsecond=0)
        if self.by == "week":
            return day - timedelta(days=day.weekday())
        return day.replace(day=1) if self.by == "month" else day

    def _step(self, local: datetime, count: int) -> datetime:
        if self.by == "month":
            months = local.year * 12 + local.month - 1 + count
            return local.replace(year=months // 12, month=months % 12 + 1)
        return (
            local + count * {"hour": timedelta(hours=1), "day": timedelta(days=1), "week": timedelta(weeks=1)}[self.by]
        )

    def _beside(self, key: str, count: int) -> str:
        local = self._step(self._moment(key), count)
        while self._instant(local) == self._instant(self._step(local, 1)):  # an hour that the clocks leave out
            local = self._step(local, 1 if count > 0 else -1)
        return self._key(local)

    def _key(self, local: datetime) -> str:
        if self.by == "week":
            year, week, _ = local.isocalendar()
            return f"{year:04d}-W{week:02d}"
        return local.strftime(_FORMATS[self.by]).zfill(len(_EXAMPLES[self.by]))

    def _moment(self, key: str) -> datetime:
        return _moment(self.by, key)


@lru_cache(maxsize=65_536)
def _moment(by: str, key: str) -> datetime:
    """The local time at which a window begins."""
    try:
        if by == "week":
            match = _WEEK.fullmatch(key)
            if match is None or not _FIRST_YEAR <= int(match[1]) <= _LAST_YEAR:
                raise ValueError(key)
            return datetime.fromisocalendar(int(match[1]), int(match[2]), 1)
        if len(key) != len(_EXAMPLES[by]) or not _FIRST_YEAR <= int(key[:4]) <= _LAST_YEAR:
            raise ValueError(key)
        return datetime.strptime(key, _FORMATS[by])
    except ValueError:
        raise ValueError(_no(key, by)) from None


def _no(key: str, by: str) -> str:
    return f"{key!r} is no partition by {by}; write one like {_EXAMPLES[by]}"


@lru_cache(maxsize=1_024)
def _windows(by: str, timezone: str, start: Instant | None) -> Windows:
    return Windows(by, timezone, start)


def windows_of(scheme: PartitionScheme) -> Windows:
    """The windows of a time scheme, shared by all who ask for the same."""
    return _windows(scheme.by, scheme.timezone, scheme.start)


def key_problem(asset: Asset, partition: str) -> str:
    """Why the asset has no such partition, with what to write instead; empty if it has."""
    scheme = asset.partitions
    if scheme is None:
        return f"{asset.key} has no partitions" if partition else ""
    if not partition:
        return f"{asset.key} has partitions, and none is named"
    if scheme.by:
        return windows_of(scheme).problem(partition)
    if partition in scheme.names:
        return ""
    return f"{asset.key} has no partition {partition!r}; it has {', '.join(scheme.names[:10])}"


def partitions_between(asset: Asset, text: str) -> tuple[str, ...]:
    """The partitions that `a`, `a..b` or a list of them between commas names, each once.

    Raises ValueError for what the asset does not have, and for more than RANGE_LIMIT.
    """
    found: dict[str, None] = {}
    for part in text.split(","):
        first, dots, last = (piece.strip() for piece in part.partition(".."))
        for named in (first, last) if dots else (first,):
            problem = key_problem(asset, named)
            if problem:
                raise ValueError(problem)
        if not dots:
            found[first] = None
            continue
        for key in _from_to(asset, first, last):
            found[key] = None
            if len(found) > RANGE_LIMIT:
                raise ValueError(f"{text} names more than {RANGE_LIMIT:,} partitions; name fewer at a time")
    return tuple(found)


def _from_to(asset: Asset, first: str, last: str) -> Iterator[str]:
    scheme = asset.partitions
    if scheme is None or not scheme.by:
        raise ValueError(f"{asset.key} has no partitions by time; name them one by one, between commas")
    windows = windows_of(scheme)
    end = windows.begin(last)
    if end < windows.begin(first):
        raise ValueError(f"{first}..{last} ends before it begins; write {last}..{first}")
    while windows.begin(first) <= end:
        yield first
        first = windows.after(first)


# windows as values


@dataclass(frozen=True, slots=True)
class Window:
    """One window of a time scheme: [begin, end)."""

    key: str
    begin: Instant
    end: Instant


FINER: Final = {"hour": (), "day": ("hour",), "week": ("hour", "day"), "month": ("hour", "day")}
"""The windows that lie inside each."""


def is_timed(scheme: PartitionScheme) -> bool:
    """Whether its partitions are windows of time."""
    return bool(scheme.by)


def same_slicing(one: PartitionScheme, other: PartitionScheme) -> bool:
    """Whether a key names the same partition of both."""
    if one.by or other.by:
        return (one.by, one.timezone) == (other.by, other.timezone)
    return set(one.names) == set(other.names)


@lru_cache(maxsize=65_536)
def window_of(scheme: PartitionScheme, key: str) -> Window:
    """The window of that key. Raises ValueError, with what to write, for a key that the scheme has not."""
    windows = windows_of(scheme)
    problem = windows.problem(key)
    if problem:
        raise ValueError(problem)
    return Window(key, windows.begin(key), windows.end(key))


def window_at(scheme: PartitionScheme, at: Instant) -> Window:
    """The window that holds an instant, whether the scheme has begun by then or not."""
    windows = _windows(scheme.by, scheme.timezone, None)
    key = windows.holding(at)
    return Window(key, windows.begin(key), windows.end(key))


@lru_cache(maxsize=1_024)  # many assets have few schemes, and ask at one instant
def newest(scheme: PartitionScheme, now: Instant, count: int) -> tuple[Window, ...]:
    """The newest windows that have begun, at most `count`, oldest first."""
    return tuple(window_of(scheme, key) for key in windows_of(scheme).newest(now, count))


def back_from(scheme: PartitionScheme, at: Instant, count: int) -> Window:
    """The first of the `count` windows that end with the one just before an instant."""
    windows = _windows(scheme.by, scheme.timezone, None)
    return window_at(scheme, windows.begin(windows.ending_with(windows.holding(at - 1), count)[0]))
