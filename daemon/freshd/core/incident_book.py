"""The incidents that are open, those closed lately, and who is a member of which.

Changed only by `apply` (through `record`): an incident is what its last `IncidentChanged` says, and a
pair's membership what the last record that names it says.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator
from dataclasses import dataclass
from itertools import chain

from freshd.core.least import FEW, Least, PairKey, among_few, by_asset, by_policy
from freshd.core.rows import Pair
from freshd.model.declarations import Acknowledgement
from freshd.model.effects import Notice
from freshd.model.policy import Severity
from freshd.model.records import IncidentChanged
from freshd.model.time import FOREVER, Instant

SEVERITIES = list(Severity)

PairOf = Callable[[str, str, str], Pair | None]
"""The pair of an asset, a partition and a policy; None: there is none."""


class Blamed:
    """The bad pairs that lead to one source, by the reason that they have: nearly always all have the same."""

    __slots__ = ("_by_reason",)

    def __init__(self) -> None:
        self._by_reason: dict[str, dict[Pair, None]] = {}

    def __iter__(self) -> Iterator[Pair]:
        return chain.from_iterable(self._by_reason.values())

    def __bool__(self) -> bool:
        return bool(self._by_reason)

    def put(self, pair: Pair) -> None:
        """The pair leads here."""
        self._by_reason.setdefault(pair.blame_reason, {})[pair] = None

    def drop(self, pair: Pair) -> None:
        """It did; its blame is still the one with which it was put."""
        same = self._by_reason.get(pair.blame_reason, {})
        same.pop(pair, None)
        if not same:
            self._by_reason.pop(pair.blame_reason, None)

    def reason(self) -> str:
        """That of the first pair."""
        reasons = list(self._by_reason)
        return reasons[0] if len(reasons) == 1 else min(self, key=lambda pair: pair.key).blame_reason


@dataclass(slots=True)
class ChannelState:
    """What one channel has been told of an incident."""

    generation: int = 0
    asked: Notice | None = None
    """The last notice asked for."""
    in_flight: bool = False
    handle: str = ""


class Incident:
    """One incident with its members."""

    __slots__ = (
        "_by_asset",
        "_leading",
        "acknowledged",
        "announced",
        "by_policy",
        "cause",
        "causes",
        "channels",
        "closed_at",
        "id",
        "members",
        "merged_into",
        "opened_at",
        "reason",
        "reopened",
        "severity",
    )

    def __init__(self, incident: str, cause: str, opened_at: Instant) -> None:
        self.id = incident
        self.cause = cause
        self.reason = ""
        self.severity: Severity | None = None
        self.opened_at = opened_at
        self.closed_at: Instant | None = None
        self.reopened = 0
        self.members: dict[PairKey, Pair] = {}
        self.causes: dict[str, int] = {}
        """How many members have each cause."""
        self.by_policy: dict[str, int] = {}
        """How many members each policy has."""
        self._leading: Least | None = None  # of many members, those with the main cause
        self._by_asset: Least | None = None  # of many members, all
        self.merged_into = ""
        self.acknowledged: Acknowledgement | None = None
        self.announced = False
        self.channels: dict[str, ChannelState] = {}

    def add(self, key: PairKey, pair: Pair) -> None:
        """The pair is a member with its present cause."""
        self.members[key] = pair
        if self._by_asset is not None:
            self._by_asset.put(key)
        if self._leading is not None and pair.cause == self.cause:
            self._leading.put(key)

    def leading(self, cause: str, without: Container[PairKey]) -> PairKey | None:
        """The first member with this cause, its main one as a rule, by policy, then asset key."""
        members, known = self.members, self._leading
        if len(members) <= FEW or cause != self.cause:
            self._leading = None
            return next(iter(among_few(members, by_policy, cause, without)), None)
        if known is None or len(known) > 2 * len(members):
            known = self._leading = Least(members, by_policy, cause)
        return next(iter(known.first(members, cause, without)), None)

    def forget_leading(self) -> None:
        """The main cause is another."""
        self._leading = None

    def first_by_asset(self, most: int, without: Container[PairKey]) -> list[PairKey]:
        """At most so many members, by asset key, then policy, leaving some out."""
        members, known = self.members, self._by_asset
        if len(members) <= FEW:
            self._by_asset = None
            return among_few(members, by_asset, "", without, most)
        if known is None or len(known) > 2 * len(members):
            known = self._by_asset = Least(members, by_asset)
        return known.first(members, "", without, most)

    def row(self) -> tuple[object, ...]:
        """What a checkpoint has of it that a record may change: who is a member, the members' own rows say."""
        return (self.cause, self.reason, self.severity, self.closed_at, self.reopened, self.merged_into)

    def sort_key(self) -> tuple[Instant, str]:
        """Incidents in the order in which they were opened."""
        return (self.opened_at, self.id)


class IncidentBook:
    """All incidents that still matter."""

    __slots__ = (
        "acknowledged",
        "announced",
        "by_cause",
        "closed",
        "closed_by_cause",
        "dirty",
        "feeds",
        "incidents",
        "joined",
        "main",
        "opened",
        "stale",
        "under_way",
        "unsettled",
    )

    def __init__(self) -> None:
        self.incidents: dict[str, Incident] = {}
        """Open ones."""
        self.closed: dict[str, Incident] = {}
        """Closed ones, in the order of closing, while they may reopen or owe a notice."""
        self.closed_by_cause: dict[str, dict[str, None]] = {}
        """Of those, by main cause, the ones that may reopen, in the order of closing."""
        self.main: dict[str, Incident] = {}
        """Open incidents by main cause."""
        self.by_cause: dict[str, set[str]] = {}
        """Open incidents by any cause that one of their members has."""
        self.opened = 0
        self.joined = 0
        self.announced = 0
        self.feeds: dict[str, dict[str, Blamed]] = {}
        """Of each feed, the sources that are root causes now, each with the bad pairs that lead to it."""
        self.acknowledged: set[str] = set()
        """Open incidents that somebody said to know of."""
        self.dirty: set[str] = set()
        """Those of which a checkpoint says something else by now; what it says of members is in their own rows."""
        self.under_way: dict[str, tuple[str, str]] = {}
        """Notices asked for and not yet reported: (incident, channel) by notice id."""
        self.unsettled: set[str] = set()
        """Incidents whose members or causes changed since the rules were last applied."""
        self.stale: set[str] = set()
        """Incidents whose channels may have to be told something new."""

    def record(self, told: IncidentChanged, pair_of: PairOf) -> list[Pair]:
        """Make the incident what the record says; the pairs that are in another incident now, or in one otherwise."""
        incident = self.incidents.get(told.incident)
        before = None if incident is None else incident.row()
        if incident is None:
            incident = self.reopen(told.incident) or Incident(told.incident, told.cause, told.opened_at)
            self.incidents[told.incident] = incident
        self.opened = max(self.opened, int(told.incident.rpartition("-")[2]))
        if self.main.get(incident.cause) is incident:
            del self.main[incident.cause]
        if told.cause != incident.cause:
            incident.forget_leading()
        incident.cause, incident.reason, incident.severity = told.cause, told.reason, told.severity
        incident.opened_at, incident.closed_at = told.opened_at, told.closed_at
        incident.reopened, incident.merged_into = told.reopened, told.merged_into
        if before != incident.row():
            self.dirty.add(incident.id)
        moved = [pair for key in told.left if (pair := self._take_out(incident, key)) is not None]
        for member in told.put:
            pair = pair_of(member.asset, member.partition, member.policy)
            if pair is None:
                continue
            key = member.key
            if pair.incident == incident.id and key in incident.members:
                self._uncount(incident, pair)
            elif pair.incident and pair.incident in self.incidents:
                self._take_out(self.incidents[pair.incident], key)
            pair.incident, pair.member = incident.id, member
            self.joined = max(self.joined, member.joined)
            self.put(incident, key, pair)
            moved.append(pair)
        self.stale.add(incident.id)
        self.unsettled.add(incident.id)
        if told.closed_at is None:
            self.main.setdefault(incident.cause, incident)
        else:
            moved += [pair for key in list(incident.members) if (pair := self._take_out(incident, key)) is not None]
            del self.incidents[incident.id]
            self.close(incident)
        return moved

    def find(self, name: str) -> Incident | None:
        """The incident of this name, open or closed lately."""
        return self.incidents.get(name) or self.closed.get(name)

    def close(self, incident: Incident) -> None:
        """The incident is over; it may reopen, unless it went into another one."""
        self.closed[incident.id] = incident
        if not incident.merged_into:
            self.closed_by_cause.setdefault(incident.cause, {})[incident.id] = None

    def reopen(self, name: str) -> Incident | None:
        """Take an incident out of the closed ones, if it is one of them."""
        incident = self.closed.pop(name, None)
        if incident is not None and incident.cause in self.closed_by_cause:
            same = self.closed_by_cause[incident.cause]
            same.pop(name, None)
            if not same:
                del self.closed_by_cause[incident.cause]
        return incident

    def closed_last(self, cause: str) -> Incident | None:
        """The incident of this main cause that closed last and may reopen."""
        same = self.closed_by_cause.get(cause)
        return self.closed[next(reversed(same))] if same else None

    def acknowledge(self, name: str, acknowledgement: Acknowledgement | None) -> None:
        """Somebody knows of an open incident, or (None) the time for that is over."""
        incident = self.incidents.get(name)
        if incident is not None:
            incident.acknowledged = acknowledgement
            if acknowledgement is None:
                self.acknowledged.discard(name)
            else:
                self.acknowledged.add(name)
            self.dirty.add(name)
            self.stale.add(name)

    @property
    def acknowledged_until(self) -> Instant:
        """The earliest instant at which an acknowledgement is over, or FOREVER."""
        if not self.acknowledged:
            return FOREVER
        known = (self.incidents[name].acknowledged for name in self.acknowledged if name in self.incidents)
        return min((one.until for one in known if one is not None), default=FOREVER)

    def look_again(self) -> None:
        """The charter may be another: every incident's members, severity and channels are looked at again.

        Closed ones too, after a restart: what closed while nothing could be told is told now.
        """
        self.unsettled.update(self.incidents)
        self.stale.update(self.incidents)
        self.stale.update(self.closed)

    def _take_out(self, incident: Incident, key: PairKey) -> Pair | None:
        pair = incident.members.pop(key, None)
        if pair is not None:
            self.unsettled.add(incident.id)
            self._uncount(incident, pair)
            if pair.incident == incident.id:
                pair.incident = ""
        return pair

    def put(self, incident: Incident, key: PairKey, pair: Pair) -> None:
        """The pair is a member with its present cause."""
        incident.add(key, pair)
        incident.causes[pair.cause] = incident.causes.get(pair.cause, 0) + 1
        incident.by_policy[key[0]] = incident.by_policy.get(key[0], 0) + 1
        holders = self.by_cause.get(pair.cause)
        if holders is None:
            self.by_cause[pair.cause] = {incident.id}
        else:
            holders.add(incident.id)

    def _uncount(self, incident: Incident, pair: Pair) -> None:
        _one_less(incident.by_policy, pair.policy.name)
        _one_less(incident.causes, pair.cause)
        if pair.cause not in incident.causes:
            holders = self.by_cause.get(pair.cause, set())
            holders.discard(incident.id)
            if not holders:
                self.by_cause.pop(pair.cause, None)

    def holding(self, cause: str) -> list[Incident]:
        """The open incidents with a member of this cause, in the order of opening."""
        holders = self.by_cause.get(cause)
        if not holders:
            return []
        return sorted([self.incidents[name] for name in holders if name in self.incidents], key=Incident.sort_key)


def _one_less(counts: dict[str, int], name: str) -> None:
    left = counts.get(name, 0) - 1
    if left > 0:
        counts[name] = left
    else:
        counts.pop(name, None)


def is_worse(severity: Severity | None, than: Severity | None) -> bool:
    """Whether a severity is louder than another; None is the quietest."""
    return severity is not None and (than is None or SEVERITIES.index(severity) > SEVERITIES.index(than))
