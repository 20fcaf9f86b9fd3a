"""What a row remembers for its policies' sake beyond its history: ends of updates, values of checks, totals.

Only rows whose policies ask for it have one. It decides nothing: `checks`, `learned` and `slo` read it.
All of it is made of facts, bounded, and written with the row's checkpoint.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, insort
from collections.abc import Sequence
from typing import Any

from freshd.model.policy import CheckRule, Policy
from freshd.model.time import NEVER, WEEK, Duration, Instant

GAPS_KEPT = 500
"""Gaps between updates that are learned from at most."""

GAPS_SPAN: Duration = 6 * WEEK
"""How far back before the last end they go."""


class Total:
    """How much of a pair's time counted, and how much of that it was stale; for deadlines how many ticks, and met."""

    __slots__ = ("active", "counted", "met", "mode", "stale", "ticked", "ticks")

    def __init__(self) -> None:
        self.counted: Instant = NEVER  # up to when active and stale are counted
        self.mode = ""  # what has counted since: active, stale; empty: nothing
        self.active: Duration = 0
        self.stale: Duration = 0
        self.ticked: Instant = NEVER  # up to when ticks are counted
        self.ticks = 0
        self.met = 0


TOTAL_FIELDS = ("counted", "mode", "active", "stale", "ticked", "ticks", "met")


class Recall:
    """What one row remembers."""

    __slots__ = ("blocking", "ends", "learns", "limits", "longest", "rules", "shares", "totals", "values")

    def __init__(self) -> None:
        self.rules: tuple[CheckRule, ...] = ()
        self.blocking: tuple[str, ...] = ()  # names of checks that a rule says are blocking
        self.longest: dict[str, int] = {}  # how many earlier values the rules of a name look at
        self.learns = False
        self.ends: array[int] = array("q")  # distinct ends of updates, ascending
        self.limits: dict[object, tuple[Instant, Instant]] = {}  # learned ones, until the ends change
        self.values: dict[str, list[tuple[Instant, float]]] = {}  # numbers told under a name, by `at`
        self.shares = False  # the values are those of the asset as a whole, which keeps them
        self.totals: dict[str, Total] = {}  # by policy

    def follow(self, policies: Sequence[Policy], learns: bool, whole: Recall | None = None) -> None:
        """From now on it is for these policies, of a partition also for the checks of the asset as a `whole`."""
        self.rules = tuple(rule for policy in policies for rule in policy.checks) if whole is None else whole.rules
        self.blocking = tuple(dict.fromkeys(rule.name for rule in self.rules if rule.blocking))
        self.longest = {}
        for rule in self.rules:
            if rule.last:
                self.longest[rule.name] = max(rule.last, self.longest.get(rule.name, 0))
        self.shares = whole is not None
        if whole is None:
            self.values = {name: values for name, values in self.values.items() if name in self.longest}
        else:
            self.values = whole.values
        self.limits.clear()
        self.learns = learns
        if not learns:
            self.ends = array("q")
        wanted = {policy.name for policy in policies if policy.slo is not None}
        self.totals = {name: self.totals.get(name) or Total() for name in sorted(wanted)}

    def note_end(self, end: Instant) -> bool:
        """An update ended then; whether there is something to learn from it."""
        if not self.learns:
            return False
        ends = self.ends
        place = bisect_left(ends, end)
        if place < len(ends) and ends[place] == end:
            return False
        ends.insert(place, end)
        self.limits.clear()
        self._bound()
        return True

    def forget_end(self, end: Instant) -> None:
        """No update ended then after all."""
        place = bisect_left(self.ends, end)
        if place < len(self.ends) and self.ends[place] == end:
            del self.ends[place]
            self.limits.clear()

    def _bound(self) -> None:
        ends = self.ends
        oldest = bisect_left(ends, ends[-1] - GAPS_SPAN)
        del ends[: max(oldest, len(ends) - GAPS_KEPT - 1)]

    def note_value(self, name: str, at: Instant, value: float) -> None:
        """A number was told under this name."""
        most = self.longest.get(name)
        if most is None:
            return
        values = self.values.setdefault(name, [])
        values[:] = [known for known in values if known[0] != at]
        insort(values, (at, value))
        del values[: max(0, len(values) - most - 1)]

    def before(self, name: str, at: Instant, count: int) -> list[float]:
        """At most so many numbers told under this name before `at`, the last ones."""
        return [value for told, value in self.values.get(name, ()) if told < at][-count:]

    def rows(self) -> dict[str, Any]:
        """What a checkpoint keeps of it."""
        kept: dict[str, Any] = {}
        if self.ends:
            kept["ends"] = list(self.ends)
        if self.values and not self.shares:
            kept["values"] = {name: [list(known) for known in values] for name, values in self.values.items()}
        if self.totals:
            kept["totals"] = {
                name: [getattr(total, field) for field in TOTAL_FIELDS] for name, total in self.totals.items()
            }
        return kept

    def restore(self, kept: dict[str, Any]) -> None:
        """Take over what a checkpoint kept, of what it is still for."""
        if self.learns and kept.get("ends"):
            self.ends = array("q", kept["ends"])
        for name, values in kept.get("values", {}).items():
            if name in self.longest and not self.shares:
                self.values[name] = [(at, value) for at, value in values]
        for name, values in kept.get("totals", {}).items():
            total = self.totals.get(name)
            if total is not None:
                for field, value in zip(TOTAL_FIELDS, values, strict=True):
                    setattr(total, field, value)
