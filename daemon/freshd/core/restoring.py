"""A state from the rows of a checkpoint: the other half of checkpoint.py.

It takes facts over as they were written, also by an older freshd; it derives nothing and decides nothing.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Any

from freshd.core import history
from freshd.core.checkpoint import NOTICE_FIELDS, RARE_FIELDS, WORK_FIELDS, StateRow
from freshd.core.expecting import seed
from freshd.core.incident_book import ChannelState, Incident
from freshd.core.linking import link
from freshd.core.rows import Pair, Row
from freshd.core.state import State, retire, take_up
from freshd.core.wishes import OpenWish, Stage
from freshd.core.work import OwnRun, Work
from freshd.model.declarations import Acknowledgement, Declaration, DeclarationKind
from freshd.model.effects import Notice
from freshd.model.inputs import Check, Wish
from freshd.model.policy import Severity, Verdict
from freshd.model.records import Blinded, Member
from freshd.model.time import FOREVER, NEVER, Instant


def restore_rows(state: State, rows: Iterable[StateRow]) -> tuple[Instant, str] | None:
    """Take the rows of a checkpoint over into a state linked to its charter; what rebuild has yet to look at."""
    review: tuple[Instant, str] | None = None
    incidents: list[tuple[str, Any]] = []
    run_of: list[tuple[Row, str]] = []
    gone: dict[str, int] = {}
    seen: list[tuple[str, Any]] = []
    members: list[tuple[Pair, list[Any]]] = []
    rows, parts = _with_partitions(state, rows)
    for kind, key, value in chain(rows, parts):
        if value is None:
            continue
        if kind == "asset" and key in state.rows:
            row = state.rows[key]
            members += _restore_asset(row, value)
            if {pair.policy.name for pair in row.pairs} != {name for name, *_ in value["pairs"]}:
                state.described_anew.add(row)
            if value.get("run_of"):
                run_of.append((row, value["run_of"]))
        elif kind == "asset":
            gone[key] = value["work"][WORK_FIELDS.index("requested")] if value.get("work") is not None else 0
        elif kind == "runs":
            _restore_runs(state, value)
        elif kind == "declarations":
            for known, begun in declarations_in(value):
                state.declarations.put(known, begun)
        elif kind == "blind":
            state.blind = {topic: Blinded(now, topic, since, why) for now, topic, since, why in value}
        elif kind == "wish":
            _restore_wish(state, key, value)
        elif kind == "incident":
            incidents.append((key, value))
        elif kind == "seen":
            seen.append((key, value))
        elif kind == "engine":
            _restore_engine(state, value)
            review = None if value["review"] is None else (value["review"][0], value["review"][1])
    for row, run_id in run_of:
        if row.work is not None:
            row.work.run = state.runs.get(run_id)
    for key, requested in gone.items():
        retire(state, key, requested)
    take_up(state, state.rows)
    state.seen.restore(seen)
    for name, value in sorted(incidents, key=lambda item: item[1]["closed_at"] or 0):
        _restore_incident(state, name, value)
    for pair, place in sorted(members, key=lambda member: member[1][-1]):
        _restore_member(state, pair, *place)
    state.book.look_again()
    return review


def _with_partitions(state: State, rows: Iterable[StateRow]) -> tuple[Iterable[StateRow], list[StateRow]]:
    """The checkpoint's rows, and apart from them those of partitions, for which there are rows in the state then."""
    if not state.partitioned:
        return rows, []
    kept = list(rows)
    parts = [row for row in kept if row[0] == "asset" and row[1] not in state.charter.graph.assets]
    engine = next((value for kind, _, value in kept if kind == "engine"), None)
    state.windows_at = (engine or {}).get("windows_at", NEVER)
    named = (key.removesuffix("]").partition("[")[::2] for _, key, value in parts if value is not None)
    link(state, state.charter, NEVER, [(asset, partition) for asset, partition in named if asset in state.rows])
    rest = [row for row in kept if not (row[0] == "asset" and row[1] not in state.charter.graph.assets)]
    return rest, parts


def _restore_engine(state: State, value: dict[str, Any]) -> None:
    state.now = value["now"]
    state.started_at = value["started_at"]
    state.catching_up_until = value["catching_up_until"]
    state.seen.generation, state.seen.since = value["generation"], value["seen_since"]
    state.retired = dict(value["retired"])
    state.begun = dict(value["begun"])
    state.book.opened = value["opened"]
    state.book.joined = value["joined"]
    state.book.announced = value["announced"]


def _restore_asset(row: Row, value: dict[str, Any]) -> list[tuple[Pair, list[Any]]]:
    """Take over what the row was; the places of its pairs in incidents, which are restored later."""
    row.known_since = value["known"]
    row.cells = history.packed(value["cells"]) if value["cells"] else row.cells
    row.base, row.floor = value.get("base", NEVER), value.get("floor", NEVER)
    row.updated_at, row.start, row.last_changed = value["updated"], value["start"], value["changed"]
    if value.get("first") is not None and row.source:
        row.first = value["first"]
    _restore_rare(row, value)
    before = set(value["ups"])
    gained = [up.key for up in row.ups if up.asset.key not in before] if row.rare.parts is None else []
    if gained:
        # until the daemon's next start says when
        row.own_rare.joined = {**(row.rare.joined or {}), **dict.fromkeys(gained, FOREVER)}
    row.outcome_at, row.outcome_failed = value["outcome"]
    row.due, row.due_at = value["due"]
    row.ended_runs = array("I", value.get("ended_runs", ())).tobytes()
    row.topic = value.get("topic", "")
    if value.get("work") is not None:
        row.work = Work()
        for field, known in zip(WORK_FIELDS, value["work"], strict=True):
            setattr(row.work, field, known)
        durations = value.get("durations")
        row.work.durations = array("q", durations) if durations else None
    verdicts = {name: rest for name, *rest in value["pairs"]}
    members: list[tuple[Pair, list[Any]]] = []
    for pair in row.pairs:
        if pair.policy.name in verdicts:
            verdict, pair.measure, pair.since, pair.warn_since, pair.stale_since, *place = verdicts[pair.policy.name]
            pair.verdict = Verdict(verdict)
            pair.follow(pair.policy)
            if place:
                members.append((pair, place))
    return members


def _restore_rare(row: Row, value: dict[str, Any]) -> None:
    """What few rows have; whatever its policies remember is there already, made when the row was linked."""
    there = {name: value[name] for name in RARE_FIELDS if value.get(name)}
    ended, checked_by, checks = value.get("ended", NEVER), value.get("checked_by", NEVER), value.get("checks")
    told = value.get("in_metadata")
    if there or checks or told or ended != NEVER or checked_by != NEVER:
        rare = row.own_rare
        for name, known in there.items():
            setattr(rare, name, known)
        rare.ended_at, rare.checked_by = ended, checked_by
        rare.checks = {
            name: (at, Check(name, passed, known, blocking))
            for name, (at, passed, known, blocking) in (checks or {}).items()
        } or None
        rare.in_metadata = {
            name: (at, Check(name, passed, known)) for name, (at, passed, known) in (told or {}).items()
        } or None
    if row.rare.recall is not None:
        row.rare.recall.restore(value.get("recall", {}))
        seed(row)


def declarations_in(value: Iterable[Any]) -> Iterator[tuple[Declaration, bool]]:
    """The declarations of a checkpoint's row of them, each with whether it held."""
    for name, kind, assets, begins, until, author, reason, select, begun in value:
        yield Declaration(name, DeclarationKind(kind), tuple(assets), begins, until, author, reason, select), begun


def _restore_runs(state: State, value: list[Any]) -> None:
    for run_id, launcher, assets, requested_at, attempt, reason, wishes, still_open, partition in value:
        run = OwnRun(run_id, launcher, tuple(assets), requested_at, attempt, reason, tuple(wishes), partition)
        run.open = set(still_open)
        state.runs[run_id] = run
        state.launcher_load[launcher] = state.launcher_load.get(launcher, 0) + 1


def _restore_wish(state: State, name: str, value: Any) -> None:
    assets, author, planned, partitions, parallel = value
    known = OpenWish(Wish(name, tuple(assets), author, tuple(partitions), parallel), tuple(planned))
    known.planned = {key: Stage(stage) for key, stage in planned.items()}
    known.link(state.rows)
    state.wishes.open[name] = known
    for key in planned:
        row = state.rows.get(key)
        if row is not None:
            row.own_rare.wishes = [*(row.rare.wishes or []), name]


def _restore_incident(state: State, name: str, value: dict[str, Any]) -> None:
    incident = Incident(name, value["cause"], value["opened_at"])
    incident.reason = value["reason"]
    incident.severity = None if value["severity"] is None else Severity(value["severity"])
    incident.closed_at = value["closed_at"]
    incident.reopened = value["reopened"]
    incident.merged_into = value["merged_into"]
    incident.announced = value["announced"]
    book = state.book
    if value.get("acknowledged") is not None:
        incident.acknowledged = Acknowledgement(*value["acknowledged"])
        book.acknowledged.add(name)
    for channel, (generation, in_flight, handle, asked) in value["channels"].items():
        notice = None if asked is None else _notice(asked)
        incident.channels[channel] = ChannelState(generation, notice, in_flight, handle)
        if in_flight and notice is not None:
            book.under_way[notice.notice_id] = (name, channel)
    if incident.closed_at is None:
        book.incidents[name] = incident
        book.main.setdefault(incident.cause, incident)
    else:
        book.close(incident)


def _restore_member(
    state: State, pair: Pair, name: str, bad: str, cause: str, reason: str, joined_at: int, joined: int
) -> None:
    incident = state.book.incidents.get(name)
    if incident is not None:
        pair.incident, pair.member = name, Member(*pair.key, bad, cause, reason, joined_at, joined)
        state.book.put(incident, pair.key, pair)


def _notice(values: list[Any]) -> Notice:
    known = dict(zip(NOTICE_FIELDS, values, strict=False))  # an older checkpoint knows fewer fields
    known["severity"] = Severity(known["severity"])
    known["affected"] = tuple((asset, policy, bad) for asset, policy, bad in known["affected"])
    known["mentions"] = tuple(known["mentions"])
    known["thread"] = tuple(known["thread"])
    return Notice(**known)
