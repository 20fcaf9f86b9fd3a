"""What a scenario's policies demand beyond plain limits, read from its document by means of the oracle's own.

`Laws` is a charter with these demands beside it: calendars, complete deadlines, checks, learned limits,
windows, just-in-time. The daemon reads the same document by its own code; nothing here knows that code.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from tests.oracle.nodes import Sliced
from tests.oracle.open_time import OpenTime
from tests.oracle.schedules import CronTicks

from freshd.model.asset import AssetKey
from freshd.model.policy import Charter
from freshd.model.time import DAY, FOREVER, NEVER, Duration, Instant, parse_duration


class Ticking(Protocol):
    """The instants of a schedule."""

    def after(self, instant: Instant) -> Instant: ...

    def until(self, instant: Instant) -> Instant: ...


SEARCHED = 30 * DAY
"""How far an open tick is looked for."""


@dataclass(frozen=True, slots=True)
class OpenTicks:
    """The ticks in open time; those in closed time do not exist."""

    ticks: CronTicks
    calendar: OpenTime

    def after(self, instant: Instant) -> Instant:
        found = self.ticks.after(instant)
        while found < instant + SEARCHED and not self.calendar.is_open(found):
            found = self.ticks.after(found)
        return found if found < instant + SEARCHED else FOREVER

    def until(self, instant: Instant) -> Instant:
        found = self.ticks.until(instant)
        while found > instant - SEARCHED and not self.calendar.is_open(found):
            found = self.ticks.until(found - 1)
        return found if found > instant - SEARCHED else NEVER


@dataclass(frozen=True, slots=True)
class DueBy:
    """A deadline, complete."""

    ticks: Ticking
    max_lag: Duration
    grace: Duration = 0
    warn_before: Duration = 0
    offset: Duration = 0
    """Of a time-partitioned asset: the window must have ended this long before the tick."""
    per_partition: bool = False


@dataclass(frozen=True, slots=True)
class CheckRule:
    """What a check's results must be like."""

    name: str
    min: float | None = None
    max: float | None = None
    equals: float | str | bool | None = None
    last: int = 0
    """Relative to so many results before; 0: the bounds are values."""
    warns: bool = False
    """`level: warn`."""
    blocking: bool = False


@dataclass(frozen=True, slots=True)
class Demands:
    """What one policy demands beyond plain limits."""

    calendar: OpenTime | None = None
    deadlines: tuple[DueBy, ...] = ()
    checks: tuple[CheckRule, ...] = ()
    learned: str = ""
    """The sensitivity; empty: nothing is learned."""
    zone: str = "UTC"
    """Whose weekdays and hours are learned."""
    promises: bool = False
    """It has an objective (`slo`)."""

    def passed(self, start: Instant, end: Instant) -> Duration:
        """The open time in [start, end)."""
        return end - start if self.calendar is None else self.calendar.elapsed(start, end)

    def reached(self, reference: Instant, limit: Duration) -> Instant:
        """The first t at which the open time in [reference, t) is `limit`."""
        return reference + limit if self.calendar is None else self.calendar.reach(reference, limit)


@dataclass(frozen=True, slots=True)
class Window:
    """When launches are allowed: from each tick on, for so long."""

    ticks: CronTicks
    length: Duration

    def opened_at(self, t: Instant, floor: Instant = FOREVER) -> Instant | None:
        """Since when it has been open at t without a break, looked at as far back as `floor`; None: it is closed."""
        tick = self.ticks.until(t)
        if tick == NEVER or t >= tick + self.length:
            return None
        while tick > floor and (before := self.ticks.until(tick - 1)) + self.length >= tick:
            tick = before
        return tick

    def opens(self, t: Instant) -> Instant:
        """The first instant from t on at which it is open."""
        return t if self.opened_at(t) is not None else self.ticks.after(t)


@dataclass(frozen=True, slots=True)
class Bounds:
    """What a reaction is bound to beyond the plain bounds."""

    window: Window | None = None
    margin: float = 0.2
    """Of just_in_time."""


@dataclass(frozen=True)
class Laws(Charter):
    """A charter, and what it demands beyond plain limits."""

    demands: Mapping[str, Demands] = field(default_factory=dict)
    """By policy."""
    bounds: Mapping[AssetKey, Bounds] = field(default_factory=dict)
    slicings: Mapping[AssetKey, Sliced] = field(default_factory=dict)
    """Of the assets that have partitions."""


def read_demands(entry: Mapping[str, Any]) -> Demands:
    """What one policy of a document demands."""
    expect = entry.get("expect", {})
    calendar = OpenTime(entry["calendar"]) if "calendar" in entry else None
    written = expect.get("deadline", [])
    listed = [written] if isinstance(written, Mapping) else written
    learned = expect.get("learned", "")
    return Demands(
        calendar,
        tuple(_deadline(one, calendar) for one in listed),
        tuple(_check(one) for one in expect.get("checks", ())),
        learned if isinstance(learned, str) else learned.get("sensitivity", "medium"),
        entry.get("calendar", {}).get("timezone", "UTC"),
        "slo" in entry,
    )


def _deadline(entry: Mapping[str, Any], calendar: OpenTime | None) -> DueBy:
    ticks: Ticking = CronTicks(entry["cron"], entry.get("timezone", "UTC"))
    if calendar is not None:
        assert isinstance(ticks, CronTicks)
        ticks = OpenTicks(ticks, calendar)
    return DueBy(
        ticks,
        parse_duration(entry["max_lag"]) if "max_lag" in entry else 0,
        *(parse_duration(entry.get(word, 0)) for word in ("grace", "warn_before", "offset")),
        per_partition=entry.get("per") == "partition",
    )


def _check(entry: Mapping[str, Any]) -> CheckRule:
    low, high = (_figure(entry.get(word)) for word in ("min", "max"))
    warns, blocking = entry.get("level") == "warn", bool(entry.get("blocking", False))
    return CheckRule(entry["name"], low, high, entry.get("equals"), entry.get("last", 0), warns, blocking)


def _figure(written: Any) -> float | None:
    """A number, or a share as in `50%`."""
    if isinstance(written, str):
        return float(written.rstrip("%")) / 100
    return None if written is None else float(written)


def read_bounds(entry: Mapping[str, Any]) -> Bounds:
    """What the reaction of one policy of a document is bound to."""
    react = entry["react"]
    options = {} if isinstance(react, str) else next(iter(react.values()))
    window = options.get("window")
    margin = float(str(options.get("margin", "20%")).rstrip("%")) / 100
    if window is None:
        return Bounds(None, margin)
    ticks = CronTicks(window["cron"], window.get("timezone", "UTC"))
    return Bounds(Window(ticks, parse_duration(window["for"])), margin)


def every(entries: Sequence[Mapping[str, Any]]) -> dict[str, Demands]:
    """The demands of all policies, by name."""
    return {entry["name"]: read_demands(entry) for entry in entries}
