"""What each channel should show of each incident, and whether it has to be told anew.

Level-triggered: for every incident that changed, the notice that should stand is compared with the
last one asked for. Per incident and channel one notice is under way at a time; what changes meanwhile
is told by the next, so a storm of changes becomes a few edits. Ids derive from incident, channel and
generation, so asking twice is asking once. Muted pairs are not told of; of an incident that somebody
knows of only the message is kept up to date, and nothing is told in its thread.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256

from freshd.core.incident_book import ChannelState, Incident
from freshd.core.incidents import worst_severity
from freshd.core.rows import Pair
from freshd.core.state import State
from freshd.model.declarations import DeclarationKind
from freshd.model.effects import AFFECTED_SHOWN, Notice
from freshd.model.inputs import NoticeReport
from freshd.model.policy import OWNERS, Policy, Severity
from freshd.model.records import NoticeRequested

Emit = Callable[[NoticeRequested], None]

OWNERS_MENTIONED = 20
"""How many owners a policy mentions in one notice; a storm does not call everybody."""


def tell(state: State, emit: Emit) -> None:
    """Ask for every notice that is due now."""
    book = state.book
    for name in sorted(book.stale, key=lambda name: int(name.rpartition("-")[2])):
        incident = book.incidents.get(name) or book.closed.get(name)
        if incident is None:
            continue
        loud = _loud(state, incident)
        for channel, mentions in _channels(state, incident, loud).items():
            standing = incident.channels.get(channel)
            if standing is not None and standing.in_flight:
                continue
            notice = _notice(state, incident, channel, mentions, standing or ChannelState(), loud)
            if notice is not None:
                emit(NoticeRequested(state.now, notice))
    book.stale.clear()


def _loud(state: State, incident: Incident) -> list[Pair]:
    """The members that may be told of."""
    members = list(incident.members.values())
    if not state.declarations.any_of(DeclarationKind.MUTE):
        return members
    holding = state.declarations.holding
    return [pair for pair in members if holding(DeclarationKind.MUTE, pair.row.asset.key) is None]


def _channels(state: State, incident: Incident, loud: list[Pair]) -> dict[str, tuple[str, ...]]:
    """Every channel that is to be told, with whom to mention there."""
    found: dict[str, tuple[str, ...]] = dict.fromkeys(sorted(incident.channels), ())
    for name in sorted({pair.policy.name for pair in loud}):
        policy = state.charter.policies.get(name)
        if policy is not None and policy.alert is not None:
            known = found.get(policy.alert.channel, ())
            found[policy.alert.channel] = tuple(dict.fromkeys((*known, *_mentioned(policy, loud))))
    return found


def _mentioned(policy: Policy, loud: list[Pair]) -> tuple[str, ...]:
    """Whom a policy wants to be mentioned; `owners` are those of its assets in the incident, by key."""
    names = policy.alert.mention if policy.alert is not None else ()
    if OWNERS not in names:
        return names
    rows = {pair.row.asset.key: pair.row for pair in loud if pair.policy.name == policy.name}
    owners = dict.fromkeys(owner for key in sorted(rows) for owner in rows[key].asset.owners)
    listed = list(owners)[:OWNERS_MENTIONED]
    return tuple(dict.fromkeys(each for name in names for each in (listed if name == OWNERS else (name,))))


def _notice(
    state: State,
    incident: Incident,
    channel: str,
    mentions: tuple[str, ...],
    told: ChannelState,
    loud: list[Pair],
) -> Notice | None:
    """What the channel should show, or None if it shows that already."""
    severity = incident.severity
    muted = len(incident.members) - len(loud)
    if muted:
        severity = worst_severity(state, Counter(pair.policy.name for pair in loud))
        if severity is None and told.asked is not None:
            severity = told.asked.severity
    if told.asked is None and (incident.closed_at is not None or severity is None):
        return None
    shown = sorted((pair.row.asset.key, pair.policy.name, pair.state) for pair in loud)
    severity = severity or Severity.INFO
    known = incident.acknowledged
    generation = told.generation + 1
    notice = Notice(
        notice_id="n-" + sha256(f"{incident.id}\x00{channel}\x00{generation}".encode()).hexdigest()[:24],
        incident=incident.id,
        channel=channel,
        cause=incident.cause,
        reason=incident.reason,
        severity=severity,
        opened_at=incident.opened_at,
        closed_at=incident.closed_at,
        at=state.now,
        affected=tuple(shown[:AFFECTED_SHOWN]),
        affected_count=len(shown),
        mentions=mentions,
        thread=() if known is not None or (muted and not loud) else _thread(incident, severity, told.asked),
        handle=told.handle,
        merged_into=incident.merged_into,
        muted=muted,
        acknowledged_by=known.author if known is not None else "",
        acknowledged_reason=known.reason if known is not None else "",
        acknowledged_until=known.until if known is not None else None,
    )
    if told.asked is not None and _content(notice) == _content(told.asked):
        return None
    return notice


def _content(notice: Notice) -> Notice:
    """The notice without what does not show."""
    return replace(notice, notice_id="", at=0, thread=(), handle="", mentions=())


def _thread(incident: Incident, severity: Severity, before: Notice | None) -> tuple[str, ...]:
    """What people should notice: a rise in severity, a reopening."""
    if before is None:
        return ()
    lines: list[str] = []
    ranks = list(Severity)
    if ranks.index(severity) > ranks.index(before.severity):
        lines.append(f"severity rose from {before.severity.value} to {severity.value}")
    if before.closed_at is not None and incident.closed_at is None:
        lines.append(f"open again: {incident.cause} ({incident.reason})")
    return tuple(lines)


def asked(state: State, record: NoticeRequested) -> None:
    """A notice is under way."""
    notice = record.notice
    incident = state.book.incidents.get(notice.incident) or state.book.closed.get(notice.incident)
    if incident is None:
        return
    channel = incident.channels.setdefault(notice.channel, ChannelState())
    channel.generation += 1
    channel.asked = notice
    channel.in_flight = True
    state.book.under_way[notice.notice_id] = (incident.id, notice.channel)
    if not incident.announced:
        incident.announced = True
        state.book.announced += 1
    state.book.dirty.add(incident.id)


def reported(state: State, report: NoticeReport) -> None:
    """A notice was delivered, or never will be: whatever changed meanwhile may be told now."""
    name, channel_name = state.book.under_way.pop(report.notice_id, ("", ""))
    incident = state.book.incidents.get(name) or state.book.closed.get(name)
    if incident is None:
        return
    channel = incident.channels[channel_name]
    channel.in_flight = False
    channel.handle = report.handle or channel.handle
    state.book.stale.add(name)
    state.book.dirty.add(name)
