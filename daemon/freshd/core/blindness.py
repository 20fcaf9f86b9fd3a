"""What cannot be seen: which topics, and which rows rest on them.

A row rests on the topic that its last event came from, and on those of every row above it. What rests on a topic that
cannot be seen is unknown, unless it is stale already: silence proves nothing then. It decides no verdict (judging
does); it keeps the set of rows true, and has those judged that enter or leave it, some in each step.
"""

from __future__ import annotations

from freshd.core.freshness import counts
from freshd.core.rows import Row, by_key, upstreams_first
from freshd.core.state import State
from freshd.core.step import Emit
from freshd.model.inputs import Blind
from freshd.model.records import Blinded, SightRegained

ALL_TOPICS = ""
"""The name for all topics at once: the broker is gone."""

BLIND = "blind"
"""The state of a pair that is unknown for this."""


def cause_of(topic: str) -> str:
    """The cause of the incident that says so."""
    return f"kafka/{topic}" if topic else "kafka"


def take(state: State, given: Blind, emit: Emit) -> None:
    """A topic cannot be seen; said again, it changes nothing."""
    if given.topic not in state.blind:
        emit(Blinded(state.now, given.topic, given.since, given.why))


def regain(state: State, topic: str, emit: Emit) -> None:
    """A topic is seen again."""
    if topic in state.blind:
        emit(SightRegained(state.now, topic))


def not_caught_up(state: State, emit: Emit) -> None:
    """Catching up has taken as long as it may, and not all has been read."""
    if ALL_TOPICS not in state.blind:
        why = "what was written before the start has not been read in time"
        emit(Blinded(state.now, ALL_TOPICS, state.started_at, why))


# applied


def lose(state: State, record: Blinded) -> None:
    """The topic cannot be seen from now on."""
    state.blind[record.topic] = record
    state.sight_moved = True


def see(state: State, topic: str) -> None:
    """The topic is seen from now on."""
    state.blind.pop(topic, None)
    state.sight_moved = True


def heard(state: State, row: Row, topic: str) -> None:
    """An event of the row came from this topic."""
    if state.blind and (_blind_by(state, topic) != _blind_by(state, row.topic)):
        state.sight_moved = True
    row.topic = topic


def spread(state: State) -> None:
    """Find the rows anew that rest on what cannot be seen, and judge those for which that is another."""
    if not state.sight_moved:
        return
    state.sight_moved = False
    before, now = state.blinded, _resting(state)
    state.blinded = now
    moved = [row for row in before if row not in now]
    moved += [row for row, topic in now.items() if before.get(row) != topic]
    state.judge_later(sorted(moved, key=by_key))


def _blind_by(state: State, topic: str) -> str | None:
    """What keeps the topic from being seen: itself, or all topics; None: it is seen."""
    if not topic:
        return None
    return ALL_TOPICS if ALL_TOPICS in state.blind else topic if topic in state.blind else None


def _shows(row: Row, up: Row) -> bool:
    """Whether `row` rests on one above it; what gathers partitions on those that are looked after."""
    return row.rare.parts is None or counts(up)


def _resting(state: State) -> dict[Row, str]:
    if not state.blind:
        return {}
    own = {row: by for row in state.rows.values() if row.topic and (by := _blind_by(state, row.topic)) is not None}
    found: dict[Row, str] = {}
    coming = upstreams_first(own)
    reached = set(coming)
    for row in coming:
        for kid in row.kids:
            if kid not in reached and _shows(kid, row):
                reached.add(kid)
                coming.append(kid)
    for row in upstreams_first(reached):
        names = [found[up] for up in row.ups if up in found and _shows(row, up)]
        if row in own:
            names.append(own[row])
        found[row] = min(names)
    return found
