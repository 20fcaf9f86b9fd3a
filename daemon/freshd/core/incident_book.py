"""The incidents that are open, those closed lately, and who is a member of which.

Changed only by `apply` (through `record`): an incident is what its last `IncidentChanged` says, and a
pair's membership what the last record that names it says.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from freshd.core.rows import Pair
from freshd.model.declarations import Acknowledgement
from freshd.model.effects import Notice
from freshd.model.policy import Severity
from freshd.model.records import IncidentChanged
from freshd.model.time import FOREVER, Instant

SEVERITIES = list(Severity)


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
        "acknowledged",
        "announced",
        "by_policy",
        "cause",
        "causes",
        "channels",
        "closed_at",
        "first",
        "id",
        "members",
        "merged_into",
        "opened_at",
        "reason",
        "reopened",
        "severity",
        "thread",
    )

    def __init__(self, incident: str, cause: str, opened_at: Instant) -> None:
        self.id = incident
        self.cause = cause
        self.reason = ""
        self.severity: Severity | None = None
        self.opened_at = opened_at
        self.closed_at: Instant | None = None
        self.reopened = 0
        self.members: dict[tuple[str, str, str], Pair] = {}
        self.causes: Counter[str] = Counter()
        self.by_policy: Counter[str] = Counter()
        self.first: tuple[str, str, str, str] | None = None
        """(policy, asset, partition, reason) of the first member with the main cause, while that is known."""
        self.merged_into = ""
        self.acknowledged: Acknowledgement | None = None
        self.announced = False
        self.channels: dict[str, ChannelState] = {}
        self.thread: list[str] = []

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
        self.main: dict[str, Incident] = {}
        """Open incidents by main cause."""
        self.by_cause: dict[str, set[str]] = {}
        """Open incidents by any cause that one of their members has."""
        self.opened = 0
        self.joined = 0
        self.announced = 0
        self.feeds: dict[str, dict[str, dict[Pair, None]]] = {}
        """Of each feed, the sources that are root causes now, each with the bad pairs that lead to it."""
        self.acknowledged: set[str] = set()
        """Open incidents that somebody said to know of."""
        self.dirty: set[str] = set()
        self.under_way: dict[str, tuple[str, str]] = {}
        """Notices asked for and not yet reported: (incident, channel) by notice id."""
        self.unsettled: set[str] = set()
        """Incidents whose members or causes changed since the rules were last applied."""
        self.stale: set[str] = set()
        """Incidents whose channels may have to be told something new."""

    def record(self, told: IncidentChanged, pair_of: dict[tuple[str, str, str], Pair]) -> Incident:
        """Make the incident what the record says."""
        incident = self.incidents.get(told.incident)
        if incident is None:
            incident = self.closed.pop(told.incident, None) or Incident(told.incident, told.cause, told.opened_at)
            self.incidents[told.incident] = incident
        self.opened = max(self.opened, int(told.incident.rpartition("-")[2]))
        if self.main.get(incident.cause) is incident:
            del self.main[incident.cause]
        incident.cause, incident.reason, incident.severity = told.cause, told.reason, told.severity
        incident.opened_at, incident.closed_at = told.opened_at, told.closed_at
        incident.reopened, incident.merged_into = told.reopened, told.merged_into
        for key in told.left:
            self._take_out(incident, key)
        for member in told.put:
            key = (member.policy, member.asset, member.partition)
            pair = pair_of.get(key)
            if pair is None:
                continue
            if pair.incident == incident.id and key in incident.members:
                self._uncount(incident, pair)
            elif pair.incident and pair.incident in self.incidents:
                self._take_out(self.incidents[pair.incident], key)
            pair.incident, pair.cause, pair.reason, pair.state = incident.id, member.cause, member.reason, member.state
            pair.joined_at, pair.joined = member.joined_at, member.joined
            self.joined = max(self.joined, member.joined)
            incident.members[key] = pair
            self.count(incident, pair)
        self.dirty.add(incident.id)
        self.stale.add(incident.id)
        self.unsettled.add(incident.id)
        if told.closed_at is None:
            self.main.setdefault(incident.cause, incident)
        else:
            for key in list(incident.members):
                self._take_out(incident, key)
            del self.incidents[incident.id]
            self.closed[incident.id] = incident
        return incident

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

    def _take_out(self, incident: Incident, key: tuple[str, str, str]) -> None:
        pair = incident.members.pop(key, None)
        if pair is not None:
            self.unsettled.add(incident.id)
            self.dirty.add(incident.id)
            self._uncount(incident, pair)
            if pair.incident == incident.id:
                pair.incident = ""

    def count(self, incident: Incident, pair: Pair) -> None:
        """The pair is a member with its present cause."""
        incident.causes[pair.cause] += 1
        incident.by_policy[pair.policy.name] += 1
        self.by_cause.setdefault(pair.cause, set()).add(incident.id)

    def _uncount(self, incident: Incident, pair: Pair) -> None:
        if incident.first is not None and incident.first[:3] == pair.key:
            incident.first = None
        incident.by_policy[pair.policy.name] -= 1
        incident.causes[pair.cause] -= 1
        if incident.causes[pair.cause] <= 0:
            del incident.causes[pair.cause]
            holders = self.by_cause.get(pair.cause, set())
            holders.discard(incident.id)
            if not holders:
                self.by_cause.pop(pair.cause, None)

    def holding(self, cause: str) -> list[Incident]:
        """The open incidents with a member of this cause, in the order of opening."""
        found = [self.incidents[name] for name in self.by_cause.get(cause, ()) if name in self.incidents]
        return sorted(found, key=Incident.sort_key)


def is_worse(severity: Severity | None, than: Severity | None) -> bool:
    """Whether a severity is louder than another; None is the quietest."""
    return severity is not None and (than is None or SEVERITIES.index(severity) > SEVERITIES.index(than))
