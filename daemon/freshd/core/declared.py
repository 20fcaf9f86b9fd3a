"""What people have declared of assets: which declarations stand, which hold now, and for whom.

A declaration that begins later stands until its instant comes; both its ends are found by their instants, and are
records. It decides what a declaration touches when it begins and ends: who is judged, told of or planned again.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from freshd.core.busy import settle
from freshd.core.propagation import refresh_due
from freshd.core.rows import MANUAL, Row, is_automatic
from freshd.core.state import State
from freshd.core.step import Emit
from freshd.model.asset import AssetKey
from freshd.model.declarations import Acknowledgement, Declaration, DeclarationKind
from freshd.model.inputs import Acknowledge, Withdraw
from freshd.model.records import DeclarationBegan, DeclarationEnded, Declared, IncidentAcknowledged


def take(state: State, given: Declaration, emit: Emit) -> None:
    """A person declares something; what is over already, or was said before, changes nothing."""
    if given.id not in state.declarations.standing and given.until > max(state.now, given.begins):
        emit(Declared(state.now, replace(given, begins=max(state.now, given.begins))))


def withdraw(state: State, given: Withdraw, emit: Emit) -> None:
    """Take assets out of the declarations of these kinds; those about all assets end only as a whole."""
    leaving = frozenset(given.assets)
    for known in list(state.declarations.standing.values()):
        if known.kind not in given.kinds:
            continue
        left = tuple(key for key in known.assets if key not in leaving)
        if not leaving or (known.assets and not left):
            emit(DeclarationEnded(state.now, known.id, given.author, given.reason, withdrawn=True))
        elif left != known.assets:
            emit(Declared(state.now, replace(known, assets=left)))


def acknowledge(state: State, given: Acknowledge, emit: Emit) -> None:
    """A person knows of an incident; one that is not open needs nobody to."""
    book = state.book
    incident = book.incidents.get(given.incident) or book.main.get(given.incident)
    if incident is not None and given.until > state.now:
        known = Acknowledgement(given.author, given.reason, state.now, given.until)
        emit(IncidentAcknowledged(state.now, incident.id, known))


def turn(state: State, emit: Emit) -> None:
    """Begin and end what has its instant now."""
    now = state.now
    if state.declarations.next <= now:
        for known in list(state.declarations.standing.values()):
            if known.until <= now:
                emit(DeclarationEnded(now, known.id))
            elif known.begins <= now and known.id not in state.declarations.begun:
                emit(DeclarationBegan(now, known.id))
    if state.book.acknowledged_until <= now:
        for incident in sorted(state.book.incidents.values(), key=lambda one: one.sort_key()):
            acknowledged = incident.acknowledged
            if acknowledged is not None and acknowledged.until <= now:
                emit(IncidentAcknowledged(now, incident.id, None))


# applied


def stand(state: State, record: Declared) -> None:
    """The declaration stands; it holds if its instant has come."""
    declaration = record.declaration
    before = state.declarations.standing.get(declaration.id)
    state.declarations.put(declaration, declaration.begins <= record.now)
    _look_again(state, declaration)
    if before is not None:
        _look_again(state, before)


def begin(state: State, name: str) -> None:
    """The declaration holds from now on."""
    known = state.declarations.standing.get(name)
    if known is not None:
        state.declarations.put(known, True)
        _look_again(state, known)


def end(state: State, name: str) -> None:
    """The declaration is gone."""
    known = state.declarations.drop(name)
    if known is not None:
        _look_again(state, known)


def _look_again(state: State, declaration: Declaration) -> None:
    """Whoever minds what is declared of these assets."""
    for row in _rows(state, declaration.assets):
        if state.watch is not None:
            state.watch.moved[row] = None
        match declaration.kind:
            case DeclarationKind.MUTE:
                state.book.stale.update(pair.incident for pair in row.pairs if pair.incident)
            case DeclarationKind.MAINTENANCE:
                state.judge_later((row,))
            case DeclarationKind.PAUSE:
                _react_anew(state, row)


def react(state: State, row: Row) -> bool:
    """Have the row react as the charter and pauses say; whether that is another reaction than before."""
    reaction = state.declarations.reaction(row.asset.key, state.charter.reactions.get(row.asset.key, MANUAL))
    if reaction is row.reaction:
        return False
    row.reaction = reaction
    row.automatic = is_automatic(row)
    return True


def _react_anew(state: State, row: Row) -> None:
    """The row is paused from now on, or no longer: then it could have been launched from now on only."""
    if not react(state, row):
        return
    if row.automatic and row.due:
        row.moving_work.unqueued_at = state.now
        state.mark(row)
    if row.source:
        refresh_due(state, row)
    state.note_due(row)
    settle(state, row)
    state.plan(row)


def _rows(state: State, keys: tuple[AssetKey, ...]) -> Iterable[Row]:
    if not keys:
        return state.rows.values()
    assets = state.charter.graph.assets
    if any(key in assets and assets[key].partitions is not None for key in keys):
        named = frozenset(keys)
        return [row for row in state.rows.values() if row.asset.key in named]
    return [state.rows[key] for key in keys if key in state.rows]
