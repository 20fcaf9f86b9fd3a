"""What each channel should show of each incident, and whether it has to be told anew.

Level-triggered: for every incident that changed, the notice that should stand is compared with the
last one asked for. Per incident and channel one notice is under way at a time; what changes meanwhile
is told by the next, so a storm of changes becomes a few edits. Ids derive from incident, channel and
generation, so asking twice is asking once. Muted pairs are not told of; of an incident that somebody
knows of only the message is kept up to date, and nothing is told in its thread.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import replace
from hashlib import sha256

from freshd.core.blindness import BLIND, cause_of
from freshd.core.incident_book import ChannelState, Incident, is_worse
from freshd.core.incidents import worst_severity
from freshd.core.least import PairKey
from freshd.core.state import State
from freshd.model.declarations import DeclarationKind
from freshd.model.effects import AFFECTED_SHOWN, Notice
from freshd.model.inputs import NoticeReport
from freshd.model.policy import OWNERS, Policy, Severity
from freshd.model.records import NoticeRequested

Emit = Callable[[NoticeRequested], None]

OWNERS_MENTIONED = 20
"""How many owners a policy mentions in one notice; a storm does not call everybody."""

OWNERS_LOOKED_AT = 500
"""Among how many members of an incident, the first by asset key, owners to mention are looked for."""


def tell(state: State, emit: Emit) -> None:
    """Ask for every notice that is due now."""
    book = state.book
    for name in sorted(book.stale, key=lambda name: int(name.rpartition("-")[2])):
        incident = book.find(name)
        if incident is None or (incident.severity is None and not incident.channels):
            continue  # gone, or nobody wants to be told
        quiet = _quiet(state, incident)
        for channel in _channels(state, incident, quiet):
            standing = incident.channels.get(channel)
            if standing is not None and standing.in_flight:
                continue
            notice = _notice(state, incident, channel, standing or ChannelState(), quiet)
            if notice is not None:
                emit(NoticeRequested(state.now, notice))
    book.stale.clear()


def _quiet(state: State, incident: Incident) -> Collection[PairKey]:
    """The members that are not told of, since they are muted: found by way of the fewer, members or muted assets."""
    declarations = state.declarations
    if not declarations.any_of(DeclarationKind.MUTE):
        return ()
    muted = declarations.assets(DeclarationKind.MUTE)
    members = incident.members
    if muted is None:
        return members
    if len(members) <= len(muted):
        return {key for key in members if key[1] in muted}
    rows = [row for asset in muted if (row := state.rows.get(asset)) is not None]
    rows += [part for row in rows for part in (row.rare.parts or {}).values()]
    return {pair.key for row in rows for pair in row.pairs if pair.incident == incident.id}


def _policies(incident: Incident, quiet: Collection[PairKey]) -> list[str]:
    """The policies that have a member that may be told of, by name."""
    if not quiet:
        return sorted(incident.by_policy)
    if len(quiet) == len(incident.members):
        return []
    counts = dict(incident.by_policy)
    for policy, _, _ in quiet:
        counts[policy] -= 1
    return sorted(name for name, count in counts.items() if count)


def _channels(state: State, incident: Incident, quiet: Collection[PairKey]) -> list[str]:
    """Every channel that is to be told: those that know of it, then those of its policies."""
    known = state.charter.policies
    alerts = [known[name].alert for name in _policies(incident, quiet) if name in known]
    return list(dict.fromkeys((*sorted(incident.channels), *(alert.channel for alert in alerts if alert is not None))))


def _mentions(state: State, incident: Incident, channel: str, quiet: Collection[PairKey]) -> tuple[str, ...]:
    """Whom the policies of a channel want to be mentioned there."""
    found: dict[str, None] = {}
    for name in _policies(incident, quiet):
        policy = state.charter.policies.get(name)
        if policy is not None and policy.alert is not None and policy.alert.channel == channel:
            found.update(dict.fromkeys(_mentioned(policy, incident, quiet)))
    return tuple(found)


def _mentioned(policy: Policy, incident: Incident, quiet: Collection[PairKey]) -> tuple[str, ...]:
    """Whom a policy wants to be mentioned; `owners` are those of its assets in the incident, by key."""
    names = policy.alert.mention if policy.alert is not None else ()
    if OWNERS not in names:
        return names
    some = incident.first_by_asset(OWNERS_LOOKED_AT, quiet)
    rows = [incident.members[key].row for key in some if key[0] == policy.name]
    owners = dict.fromkeys(owner for row in rows for owner in row.asset.owners)
    listed = list(owners)[:OWNERS_MENTIONED]
    return tuple(dict.fromkeys(each for name in names for each in (listed if name == OWNERS else (name,))))


def _notice(
    state: State,
    incident: Incident,
    channel: str,
    told: ChannelState,
    quiet: Collection[PairKey],
) -> Notice | None:
    """What the channel should show, or None if it shows that already."""
    severity = incident.severity
    members, muted = incident.members, len(quiet)
    if muted:
        severity = worst_severity(state, _policies(incident, quiet))
        if severity is None and told.asked is not None:
            severity = told.asked.severity
    if told.asked is None and (incident.closed_at is not None or severity is None):
        return None
    some = incident.first_by_asset(AFFECTED_SHOWN, quiet) if muted < len(members) else ()
    shown = sorted((key[1], key[0], members[key].state) for key in some)
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
        affected=tuple(shown),
        affected_count=len(members) - muted,
        mentions=(),
        thread=()
        if known is not None or (muted and muted == len(members))
        else _thread(incident, severity, told.asked),
        handle=told.handle,
        merged_into=incident.merged_into,
        muted=muted,
        acknowledged_by=known.author if known is not None else "",
        acknowledged_reason=known.reason if known is not None else "",
        acknowledged_until=known.until if known is not None else None,
        why=_why(state, incident) or (told.asked.why if told.asked is not None and incident.reason == BLIND else ""),
    )
    if told.asked is not None and _content(notice) == _content(told.asked):
        return None
    return replace(notice, mentions=_mentions(state, incident, channel, quiet))


def _why(state: State, incident: Incident) -> str:
    """What is in the way of seeing the topic that the incident is about; empty: it is about none, or it is seen."""
    if incident.reason != BLIND:
        return ""
    return next((said.why for topic, said in sorted(state.blind.items()) if cause_of(topic) == incident.cause), "")


def _content(notice: Notice) -> Notice:
    """The notice without what does not show."""
    return replace(notice, notice_id="", at=0, thread=(), handle="", mentions=())


def _thread(incident: Incident, severity: Severity, before: Notice | None) -> tuple[str, ...]:
    """What people should notice: a rise in severity, a reopening."""
    if before is None:
        return ()
    lines: list[str] = []
    if is_worse(severity, before.severity):
        lines.append(f"severity rose from {before.severity.value} to {severity.value}")
    if before.closed_at is not None and incident.closed_at is None:
        lines.append(f"open again: {incident.cause} ({incident.reason})")
    return tuple(lines)


def asked(state: State, record: NoticeRequested) -> None:
    """A notice is under way."""
    notice = record.notice
    incident = state.book.find(notice.incident)
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
    incident = state.book.find(name)
    if incident is None:
        return
    channel = incident.channels[channel_name]
    channel.in_flight = False
    channel.handle = report.handle or channel.handle
    state.book.stale.add(name)
    state.book.dirty.add(name)
