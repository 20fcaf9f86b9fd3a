"""Links anew what touches partitions, when windows begin or partitions come to be in use: no other row is looked at.

It finds what that concerns: the rows below, whose values rest on it, and those above, whose readers are others. It
keeps true: the links are those that linking.py makes from nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from operator import attrgetter

from freshd.core import partitions
from freshd.core.expecting import asks, remember
from freshd.core.linking import (
    find_windowed,
    forget,
    gather,
    look_at_windows,
    look_below,
    put_kids_in_order,
    react,
    rows_for,
    wire,
)
from freshd.core.rows import MANUAL, Row, upstreams_first
from freshd.core.state import State
from freshd.model.asset import AssetKey
from freshd.model.time import Instant


@dataclass(frozen=True, slots=True)
class Relinked:
    """What is other than it was."""

    added: list[str]
    removed: list[str]
    below: list[Row]
    """The rows that were linked, and all below them, upstreams first."""
    above: list[Row]
    """The others that they are made from, directly or not: they may have other readers."""


def relink(state: State, now: Instant, more: Iterable[tuple[AssetKey, str]]) -> Relinked:
    """Have rows for the partitions in use; `more`: some that come into use."""
    scope, old = state.scope, state.rows
    if scope is None:
        return Relinked([], [], [], [])
    stood = {row.key: row for key in scope.assets for row in partitions.rows_of(old[key])}
    used = partitions.in_use_already(stood.values())
    for asset, partition in more:
        used.setdefault(asset, set()).add(partition)
    wanted = list(partitions.places(state.charter.graph, scope.assets, scope.counted, used, state.windows_at))
    linked = rows_for(wanted, stood)
    gone = {row for key, row in stood.items() if key not in linked}
    near = {row for key in scope.near for row in partitions.rows_of(old[key])} - gone
    state.rows = old | linked
    for row in sorted(gone):
        del state.rows[row.key]
        _let_go(state, row)
    for row, place in zip(linked.values(), wanted, strict=True):
        wire(state, row, place, row.key in old, now)
    gather(state.rows, linked.values())
    _put_kids(near | set(linked.values()), linked, gone)
    put_kids_in_order(state, scope)
    look_at_windows(state, scope)
    below = _reached(linked.values(), attrgetter("kids"))
    _find_levels(below)
    above = _reached({*near, *linked.values()}, attrgetter("ups"))
    for row in above:
        look_below(row)
    for row in linked.values():
        react(row, state.charter.reactions.get(row.asset.key, MANUAL), now)
    ordered = upstreams_first(below)
    if any(map(asks, state.charter.policies.values())):
        for row in remember(ordered):
            state.mark(row)
    return Relinked(
        [key for key in linked if key not in stood],
        sorted(row.key for row in gone),
        ordered,
        upstreams_first(above - below),
    )


def _put_kids(near: Iterable[Row], linked: dict[str, Row], gone: set[Row]) -> None:
    """Those who were linked are below what they are made from now, and nothing else; others stay where they are."""
    mine = {*linked.values(), *gone}
    kids: dict[Row, list[Row]] = {}
    for row in linked.values():
        for up in row.ups:
            kids.setdefault(up, []).append(row)
    for row in near:
        row.kids = (*[kid for kid in row.kids if kid not in mine], *kids.get(row, ()))


def _reached(rows: Iterable[Row], beside: Callable[[Row], tuple[Row, ...]]) -> set[Row]:
    """The rows and all beyond them on one side."""
    found = set(rows)
    stack = list(found)
    while stack:
        more = [row for row in beside(stack.pop()) if row not in found]
        found.update(more)
        stack += more
    return found


def _find_levels(rows: set[Row]) -> None:
    """The levels of rows among which are all that are below any of them; and whether they rest on windows."""
    missing = {row: sum(up in rows for up in row.ups) for row in rows}
    ready = [row for row, count in missing.items() if not count]
    while ready:
        row = ready.pop()
        row.level = 1 + max([up.level for up in row.all_ups], default=-1)
        find_windowed(row)
        for kid in row.kids:
            missing[kid] -= 1
            if not missing[kid]:
                ready.append(kid)


def _let_go(state: State, row: Row) -> None:
    """Nothing is to come back to a row that is gone."""
    forget(state, row)
    for rows in (*state.due.values(), *state.queued.values(), state.ceased, state.deferred, state.to_judge):
        rows.discard(row)
    state.to_plan.discard(row)
    for waiting in state.waiters.values():
        waiting.pop(row, None)
    for keys in state.others.values():
        keys.discard(row.key)
