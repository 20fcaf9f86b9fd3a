"""Incidents by the four-step order of semantics.md, once an instant, over all bad pairs and their causes.

Must not know how a pair became bad or how a cause was found.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from tests.oracle.causes import Cause, Pair
from tests.oracle.nodes import base

from freshd.model.asset import AssetKey
from freshd.model.time import Duration, Instant


@dataclass(frozen=True, slots=True)
class Bad:
    """A pair that is to be a member, at this instant."""

    cause: Cause
    alerts: bool
    """Its policy has an `alert`, and nobody has muted it."""
    severity: int = 0
    """Of that alert, muted or not; the louder the higher, 0 without one."""


@dataclass(slots=True)
class Joined:
    """A member as it is now, and when it first joined any incident."""

    bad: Bad
    at: Instant

    @property
    def cause(self) -> Cause:
        return self.bad.cause


@dataclass(slots=True)
class Incident:
    """Members of one cause, from the first violation to the last recovery."""

    number: int
    main: str
    opened_at: Instant
    members: dict[Pair, Joined] = field(default_factory=dict)
    closed_at: Instant | None = None
    closed_order: int = -1
    announced: bool = False
    reopened: int = 0
    merged: bool = False
    severity: int = 0
    """The loudest of its members' at the last instant."""
    known_until: Instant | None = None
    """Somebody has acknowledged it."""

    @property
    def open(self) -> bool:
        return self.closed_at is None

    @property
    def reason(self) -> str:
        """That of its first member, by policy, then asset key, with the main cause."""
        having = [(policy, asset) for (asset, policy), m in self.members.items() if m.cause.key == self.main]
        policy, asset = min(having)
        return self.members[asset, policy].cause.reason

    @property
    def affects(self) -> list[AssetKey]:
        return sorted({base(asset) for asset, _ in self.members})


class Incidents:
    """All incidents of a world."""

    def __init__(self, reopen: Duration) -> None:
        self.all: list[Incident] = []
        self._reopen = reopen
        self._closed = 0

    @property
    def open(self) -> list[Incident]:
        """The open ones, in the order of their opening."""
        return [incident for incident in self.all if incident.open]

    @property
    def announced(self) -> int:
        return sum(incident.announced for incident in self.all)

    def member(self, pair: Pair) -> bool:
        return any(pair in incident.members for incident in self.open)

    def acknowledge(self, cause: str, until: Instant, now: Instant) -> None:
        """Somebody knows of the open incident with this main cause, if there is one."""
        for incident in self.open:
            if incident.main == cause and until > now:
                incident.known_until = until

    def looks(self) -> list[Instant]:
        """When acknowledgements are over."""
        return [incident.known_until for incident in self.open if incident.known_until is not None]

    def forget_known(self, now: Instant) -> None:
        """Acknowledgements end."""
        for incident in self.open:
            if incident.known_until is not None and incident.known_until <= now:
                incident.known_until = None

    def settle(self, now: Instant, bad: Mapping[Pair, Bad], announce: bool = True) -> None:
        """Bring the incidents up to date with the pairs that are bad now (or stay, having been stale).

        "At every instant": what one round leads to, the next instant's would find; so rounds go on
        until nothing changes.
        """
        before: object = None
        while before != (before := self._picture()):
            self._leave(now, bad)
            self._move()
            self._remain(now)
            self._join(now, bad)
        for incident in self.open if announce else ():
            incident.announced = incident.announced or any(m.bad.alerts for m in incident.members.values())
        for incident in self.open:
            severity = max(m.bad.severity for m in incident.members.values())
            if severity > incident.severity:
                incident.known_until = None
            incident.severity = severity

    def _picture(self) -> list[tuple[int, str, list[tuple[Pair, str]]]]:
        return [(x.number, x.main, sorted((p, m.cause.key) for p, m in x.members.items())) for x in self.open]

    def _leave(self, now: Instant, bad: Mapping[Pair, Bad]) -> None:
        for incident in self.open:
            incident.members = {pair: m for pair, m in incident.members.items() if pair in bad}
            for pair, member in incident.members.items():
                member.bad = bad[pair]
            if not incident.members:
                self._close(incident, now)

    def _move(self) -> None:
        by_main = {incident.main: incident for incident in reversed(self.open)}
        for incident in self.open:
            for pair, member in sorted(incident.members.items()):
                target = by_main.get(member.cause.key)
                if member.cause.key != incident.main and target is not None:
                    del incident.members[pair]
                    target.members[pair] = member

    def _remain(self, now: Instant) -> None:
        for incident in self.open:
            if not incident.members:
                self._close(incident, now)
            elif all(m.cause.key != incident.main for m in incident.members.values()):
                incident.main = self._main_of(incident)
        first: dict[str, Incident] = {}
        for incident in self.open:
            into = first.setdefault(incident.main, incident)
            if into is not incident:
                into.members.update(incident.members)
                incident.members = {}
                incident.merged = True
                self._close(incident, now)

    @staticmethod
    def _main_of(incident: Incident) -> str:
        counts: dict[str, list[int]] = {}
        for member in incident.members.values():
            counts.setdefault(member.cause.key, []).append(member.at)
        return min(counts, key=lambda key: (-len(counts[key]), min(counts[key]), key))

    def _join(self, now: Instant, bad: Mapping[Pair, Bad]) -> None:
        for pair in sorted(pair for pair in bad if not self.member(pair)):
            incident = self._home(bad[pair].cause.key, now)
            incident.members[pair] = Joined(bad[pair], now)

    def _home(self, cause: str, now: Instant) -> Incident:
        for incident in self.open:
            if incident.main == cause:
                return incident
        for incident in self.open:
            if any(m.cause.key == cause for m in incident.members.values()):
                return incident
        closed = [x for x in self.all if not x.open and not x.merged and x.main == cause]
        last = max(closed, key=lambda x: x.closed_order, default=None)
        if last is not None and last.closed_at is not None and now - last.closed_at < self._reopen:
            last.closed_at = None
            last.reopened += 1
            return last
        opened = Incident(len(self.all), cause, now)
        self.all.append(opened)
        return opened

    def _close(self, incident: Incident, now: Instant) -> None:
        incident.severity, incident.known_until = 0, None
        incident.closed_at = now
        incident.closed_order = self._closed
        self._closed += 1
