"""Which incident each bad pair belongs to: the four rules of semantics.md, applied to the pairs that changed.

1. members that are no longer bad leave, and an incident without members closes; 2. a member whose cause
is the main cause of another open incident moves there; 3. an incident emptied by this closes, a main
cause that no member has gives way to the one that most have, incidents of one main cause merge; 4. new
members join, reopen or open one. A main cause that gave way draws members in by rule 2 at once.
Only records change anything; nothing here tells anybody (notices.py does).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from freshd.core.incident_book import Incident, IncidentBook, is_worse
from freshd.core.least import PairKey
from freshd.core.rows import Pair
from freshd.core.state import State
from freshd.model.policy import Severity
from freshd.model.records import IncidentAcknowledged, IncidentChanged, Member
from freshd.model.time import NEVER, Duration, Instant
from freshd.model.values import value

Emit = Callable[[IncidentChanged | IncidentAcknowledged], None]


@value(frozen=True, slots=True)
class View:
    """What a pair is at this instant: bad or not, and by what cause."""

    bad: bool
    cause: str = ""
    reason: str = ""
    state: str = ""


def regroup(state: State, views: dict[Pair, View], emit: Emit) -> None:
    """Bring the incidents up to date with the pairs in `views`."""
    changed = sorted(views, key=lambda pair: (pair.row.asset.key, pair.policy.name, pair.row.partition))
    _leave(state, [pair for pair in changed if pair.incident and not views[pair].bad], emit)
    _move(state, [pair for pair in changed if pair.incident and views[pair].bad], views, emit)
    _settle(state, emit)
    _join(state, [pair for pair in changed if not pair.incident and views[pair].bad], views, emit)


def _leave(state: State, pairs: Iterable[Pair], emit: Emit) -> None:
    leaving: dict[str, list[Pair]] = {}
    for pair in pairs:
        leaving.setdefault(pair.incident, []).append(pair)
    for name, gone in leaving.items():
        _emit(state, state.book.incidents[name], emit, left=gone)


def _move(state: State, pairs: list[Pair], views: dict[Pair, View], emit: Emit) -> None:
    """Note changed causes; a member whose cause is another incident's main cause moves there."""
    book = state.book
    put: dict[str, list[Member]] = {}
    left_behind: set[str] = set()
    for pair in pairs:
        view = views[pair]
        home = book.incidents[pair.incident]
        target = home
        if view.cause != home.cause:
            target = book.main.get(view.cause, home)
        same = (pair.cause, pair.reason, pair.state) == (view.cause, view.reason, view.state)
        if target is home and same:
            continue
        put.setdefault(target.id, []).append(_member(pair, view))
        if target is not home:
            left_behind.add(home.id)
    for name, members in put.items():
        _emit(state, book.incidents[name], emit, put=members)
    for name in sorted(left_behind):
        home = book.incidents[name]
        if home.causes.get(home.cause):
            _emit(state, home, emit)


def _settle(state: State, emit: Emit) -> None:
    """Empty incidents close, main causes that no member has give way, incidents of one main cause merge."""
    book = state.book
    while True:
        todo = [
            book.incidents[name]
            for name in book.unsettled
            if name in book.incidents and not book.incidents[name].causes.get(book.incidents[name].cause)
        ]
        if not todo:
            _grade(state, emit)
            book.unsettled.clear()
            return
        settled: list[Incident] = []
        for incident in sorted(todo, key=Incident.sort_key):
            if incident.members:
                _emit(state, incident, emit, cause=_heaviest(incident))
                settled.append(incident)
            else:
                _emit(state, incident, emit)
        for cause in sorted({incident.cause for incident in settled}):
            same = [one for one in book.holding(cause) if one.cause == cause]
            for other in same[1:]:
                _merge(state, same[0], other, emit)
            _draw_in(state, same[0], emit)


def _grade(state: State, emit: Emit) -> None:
    """An incident's severity may be another since the charter was replaced, its reason since members went with it."""
    book = state.book
    for name in sorted(book.unsettled & book.incidents.keys()):
        incident = book.incidents[name]
        if not incident.members:
            continue
        reason = _reason(incident, incident.cause, [], [])
        if reason != incident.reason or incident.severity is not worst_severity(state, incident.by_policy):
            _emit(state, incident, emit)


def worst_severity(state: State, policies: Iterable[str]) -> Severity | None:
    """The worst of those of these policies that alert; None: none does."""
    known = state.charter.policies
    worst: Severity | None = None
    for name in policies:
        policy = known.get(name)
        if policy is not None and policy.alert is not None and is_worse(policy.alert.severity, worst):
            worst = policy.alert.severity
    return worst


def _heaviest(incident: Incident) -> str:
    """The cause that most members have; of equals the one whose earliest member joined first, then the smaller."""
    most = max(incident.causes.values())
    candidates = [cause for cause, count in incident.causes.items() if count == most]
    if len(candidates) == 1:
        return candidates[0]
    earliest = dict.fromkeys(candidates, 1 << 62)
    for pair in incident.members.values():
        if pair.cause in earliest:
            earliest[pair.cause] = min(earliest[pair.cause], pair.joined_at)
    return min(candidates, key=lambda cause: (earliest[cause], cause))


def _draw_in(state: State, incident: Incident, emit: Emit) -> None:
    """Members of other incidents whose cause is now this incident's main cause move here, as rule 2 would have it."""
    for other in state.book.holding(incident.cause):
        members = [_as_is(pair) for pair in other.members.values() if pair.cause == incident.cause]
        if other is not incident and members:
            _emit(state, incident, emit, put=members)
            if other.members and other.causes.get(other.cause):
                _emit(state, other, emit)


def _merge(state: State, keeper: Incident, other: Incident, emit: Emit) -> None:
    members = [_as_is(pair) for pair in other.members.values()]
    _emit(state, keeper, emit, put=members)
    _emit(state, other, emit, merged_into=keeper.id)
    state.book.main[keeper.cause] = keeper


def _join(state: State, pairs: list[Pair], views: dict[Pair, View], emit: Emit) -> None:
    joining: dict[str, list[Pair]] = {}
    homes: dict[str, Incident] = {}
    for pair in pairs:
        cause = views[pair].cause
        joining.setdefault(cause, []).append(pair)
        if cause not in homes:
            homes[cause] = _home(state, cause)
    for cause, news in joining.items():
        incident = homes[cause]
        _emit(state, incident, emit, put=[_newcomer(state, pair, views[pair]) for pair in news])


def _home(state: State, cause: str) -> Incident:
    """The incident that a new member with this cause joins, reopens or opens."""
    book = state.book
    standing = book.main.get(cause)
    if standing is not None:
        return standing
    holding = book.holding(cause)
    if holding:
        return holding[0]
    last = book.closed_last(cause)
    if last is not None and last.closed_at is not None and state.now - last.closed_at < state.charter.limits.reopen:
        last.reopened += 1
        return last
    book.opened += 1
    return Incident(f"inc-{book.opened}", cause, state.now)


def _newcomer(state: State, pair: Pair, view: View) -> Member:
    state.book.joined += 1
    return Member(*pair.key, view.state, view.cause, view.reason, state.now, state.book.joined)


def _member(pair: Pair, view: View) -> Member:
    return Member(*pair.key, view.state, view.cause, view.reason, pair.joined_at, pair.joined)


def _as_is(pair: Pair) -> Member:
    return _member(pair, View(True, pair.cause, pair.reason, pair.state))


def _emit(
    state: State,
    incident: Incident,
    emit: Emit,
    *,
    put: list[Member] | None = None,
    left: list[Pair] | None = None,
    cause: str = "",
    merged_into: str = "",
) -> None:
    """One record that says what the incident is from now on: closed, if it has no members."""
    main = cause or incident.cause
    gone = [pair.key for pair in left or ()]
    came = put or []
    news = [member for member in came if member.key not in incident.members]
    count = len(incident.members) - len(gone) + len(news)
    severity = worst_severity(state, _policies(incident, gone, news)) if count else incident.severity
    if incident.acknowledged is not None and (not count or is_worse(severity, incident.severity)):
        emit(IncidentAcknowledged(state.now, incident.id, None))
    emit(
        IncidentChanged(
            now=state.now,
            incident=incident.id,
            cause=main,
            reason=_reason(incident, main, gone, came),
            severity=severity,
            opened_at=incident.opened_at,
            closed_at=None if count else state.now,
            reopened=incident.reopened,
            members=count,
            put=tuple(came),
            left=tuple(gone),
            merged_into=merged_into,
        )
    )


def _policies(incident: Incident, gone: list[PairKey], news: list[Member]) -> Iterable[str]:
    """The policies that have members once these have gone and come."""
    if not gone:
        return {**incident.by_policy, **dict.fromkeys([m.policy for m in news])}
    counts = dict(incident.by_policy)
    for policy, _, _ in gone:
        counts[policy] -= 1
    for member in news:
        counts[member.policy] = counts.get(member.policy, 0) + 1
    return [policy for policy, count in counts.items() if count]


def _reason(incident: Incident, main: str, gone: list[PairKey], came: list[Member]) -> str:
    """That of the first member with the main cause, by policy, then asset key; the old one if there is none."""
    found = [(member.key, member.reason) for member in came if member.cause == main]
    touched = {*gone, *(member.key for member in came)} if incident.members else ()
    first = incident.leading(main, touched) if incident.members else None
    if first is not None:
        found.append((first, incident.members[first].reason))
    return min(found)[1] if found else incident.reason


def forget_closed(book: IncidentBook, now: Instant, reopen: Duration, most: int) -> None:
    """Drop closed incidents that can no longer reopen and owe nobody a notice."""
    while book.closed:
        name, incident = next(iter(book.closed.items()))
        settled = not any(channel.in_flight for channel in incident.channels.values()) and name not in book.stale
        old = now - (incident.closed_at if incident.closed_at is not None else NEVER) >= reopen
        if not (settled and (old or len(book.closed) > most)):
            break
        book.reopen(name)
        book.dirty.add(name)
