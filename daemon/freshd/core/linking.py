"""Links the rows: makes them those of a charter and of the partitions in use, keeping the state of what stays.

One pass over the graph, in topological order, for a new charter; where only other partitions come to be in use,
relinking.py passes over what touches them. Whatever follows from the links is made true again by rebuild.py.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from freshd.core import partitions
from freshd.core.busy import is_blocked
from freshd.core.lineage import readers, views
from freshd.core.pairing import pair_up
from freshd.core.partitions import Place, Scope
from freshd.core.rows import MANUAL, PartitionRow, Row, by_key, is_automatic, make_row
from freshd.core.state import Changed, State, retire, take_up
from freshd.core.work import row_key
from freshd.model.asset import AssetKey
from freshd.model.policy import Charter, Reaction, ReactionKind
from freshd.model.time import FOREVER, Instant


def link(
    state: State, charter: Charter, now: Instant, more: Iterable[tuple[AssetKey, str]] = ()
) -> tuple[list[str], list[str], list[str]]:
    """Make the rows those of the charter's graph; `more`: partitions that come into use.

    Returns the keys of the rows that were added, removed and rewired. An upstream that an asset gains is marked as
    joined `now`: updates that started before have not read it.
    """
    if _same_graph(state, charter):
        return _follow(state, charter, now)
    graph, old = charter.graph, state.rows
    used = partitions.in_use_already(old.values())
    for asset, partition in more:
        used.setdefault(asset, set()).add(partition)
    counted = {key: graph.counted_upstreams(key) for key in graph.assets}
    wanted = list(partitions.places(graph, graph.assets, counted, used, state.windows_at))
    rows = rows_for(wanted, old)
    removed = sorted(key for key in old if key not in rows)
    for key in removed:
        forget(state, old[key])
    before, state.charter, state.rows = state.charter, charter, rows
    added = [key for key in rows if key not in old]
    take_up(state, added)
    rewired = _link_up(state, wanted, old, now)
    state.limited = _is_limited(charter)
    state.scope = partitions.scope_of(graph, counted)
    if state.scope is not None:
        put_kids_in_order(state, state.scope)
        look_at_windows(state, state.scope)
    for row in rows.values():
        react(row, charter.reactions.get(row.asset.key, MANUAL), now)
        look_below(row)
    pair_up(state, charter, before)
    return added, removed, rewired


def rows_for(wanted: Iterable[Place], old: Mapping[str, Row]) -> dict[str, Row]:
    """A row for each place, the one that stands if there is one."""
    keys = ((row_key(place.asset.key, place.partition), place) for place in wanted)
    return {key: old.get(key) or make_row(place.asset, place.partition) for key, place in keys}


def put_kids_in_order(state: State, scope: Scope) -> None:
    """Where partitions come and go, in that of their keys: it rests on nothing that came before."""
    for key in scope.near:
        for row in partitions.rows_of(state.rows[key]):
            row.kids = tuple(sorted(row.kids, key=by_key))


def look_at_windows(state: State, scope: Scope) -> None:
    """Which partitions are fresh and where their data ends, as of the windows that have begun; when the next begins."""
    state.windows_next = partitions.next_begin(scope.assets, state.windows_at)
    for key in scope.assets:
        for row in partitions.rows_of(state.rows[key]):
            if isinstance(row, PartitionRow):
                row.fresh = partitions.is_fresh(row, state.windows_at)
                row.window_end = partitions.window_end(row)


def look_below(row: Row) -> None:
    """Who reads the row, and what shows it, by those below it."""
    shown_by = views(row)
    if shown_by != row.rare.views:
        row.own_rare.views = shown_by
    row.readers = readers(row)


def _same_graph(state: State, charter: Charter) -> bool:
    """Whether only policies may be others; where there are partitions, windows may have begun as well."""
    known, told = state.charter.graph, charter.graph
    if state.partitioned or not known.assets:
        return False
    return known.same_as(told)


def _follow(state: State, charter: Charter, now: Instant) -> tuple[list[str], list[str], list[str]]:
    """Go by other policies over the graph that is linked already."""
    before, state.charter = state.charter, replace(charter, graph=state.charter.graph)
    state.limited = _is_limited(charter)
    reacts_anew = _react_anew(state, before, charter, now)
    remembers = pair_up(state, charter, before)
    state.changed = Changed.REACTIONS if reacts_anew or remembers else Changed.EXPECTATIONS
    return [], [], []


def react(row: Row, reaction: Reaction, now: Instant) -> None:
    """The row reacts as that says from now on; if it goes on without what is stuck, it is blocked no longer."""
    if reaction.go_on and is_blocked(row):
        row.moving_work.unblocked_at = now
    row.reaction = reaction
    row.automatic = is_automatic(row)


def _react_anew(state: State, before: Charter, charter: Charter, now: Instant) -> bool:
    """Have the rows react as the charter says; whether what is due or held back may be other than it was."""
    alike: dict[tuple[int, int], bool] = {}
    moved = bool(state.declarations.begun)
    for key in dict.fromkeys((*before.reactions, *charter.reactions)):
        row, reaction = state.rows.get(key), charter.reactions.get(key, MANUAL)
        if row is None or row.reaction is reaction:
            continue
        pair = (id(row.reaction), id(reaction))  # both live on in their charters
        if pair not in alike:
            alike[pair] = row.reaction == reaction
        moved = moved or not alike[pair]
        react(row, reaction, now)
    return moved or any(
        reaction.window is not None or reaction.kind is ReactionKind.JUST_IN_TIME
        for reaction in {id(reaction): reaction for reaction in charter.reactions.values()}.values()
    )


def _is_limited(charter: Charter) -> bool:
    """Whether some limit is set on how many runs go on at one time."""
    places = charter.places
    return bool(places.runs or places.tags or any(traits.limit for traits in charter.launchers.values()))


def forget(state: State, row: Row) -> None:
    """The row is gone; runs requested for it stay known."""
    row.pairs = ()
    row.timer = FOREVER
    state.waiters.pop(row, None)
    retire(state, row.key, 0 if row.work is None else row.work.requested)


def _link_up(state: State, wanted: list[Place], old: dict[str, Row], now: Instant) -> list[str]:
    """Link every row to those it is made from; the keys of those whose assets have other upstreams now."""
    rows = state.rows
    rewired: list[str] = []
    kids: dict[str, list[Row]] = {}
    cut = any(place.gathers for place in wanted)
    for key, place in zip(rows, wanted, strict=True):
        row = rows[key]
        if wire(state, row, place, key in old, now):
            rewired.append(key)
        if not cut and row.rare.windowed:
            row.own_rare.windowed = False
        elif cut:
            find_windowed(row)
        row.level = 1 + max([up.level for up in row.all_ups], default=-1)
        for up in place.ups:
            kids.setdefault(up, []).append(row)
    for key, row in rows.items():
        row.kids = tuple(kids.get(key, ()))
    gather(rows, rows.values())
    return rewired


def wire(state: State, row: Row, place: Place, stood: bool, now: Instant) -> bool:
    """Link the row to those it is made from; whether its asset has other upstreams now."""
    rows = state.rows
    rewired = stood and not place.gathers and _made_from_others(row, place, rows)
    if rewired:
        _join(row, place, rows, now)
        state.mark(row)
    row.asset = place.asset
    row.virtual = place.asset.virtual or place.gathers
    row.source = not place.asset.upstreams and not place.gathers
    if place.gathers:
        row.own_rare.parts = {}
    elif row.rare.parts is not None:
        row.own_rare.parts = None
    row.ups = tuple([rows[up] for up in place.ups])
    with_static = None if place.all_ups == place.ups else tuple([rows[up] for up in place.all_ups])
    if with_static != row.rare.with_static:
        row.own_rare.with_static = with_static
    return rewired


def find_windowed(row: Row) -> None:
    """Whether something above it gathers windows."""
    windowed = any(up.rare.windowed or partitions.gathers_windows(up) for up in row.ups)
    if windowed is not row.rare.windowed:
        row.own_rare.windowed = windowed


def _made_from_others(row: Row, place: Place, rows: dict[str, Row]) -> bool:
    """Whether the upstream assets are others; that windows move on is none of that."""
    if tuple(up.key for up in row.ups) == place.ups:
        return False
    return {up.asset.key for up in row.ups} != {rows[up].asset.key for up in place.ups}


def _join(row: Row, place: Place, rows: dict[str, Row], now: Instant) -> None:
    before = set(row.asset.upstreams)  # static ones too: what was made then had read them
    gained = {up: now for up in place.ups if rows[up].asset.key not in before}
    kept = {up: at for up, at in (row.rare.joined or {}).items() if up in place.ups}
    row.own_rare.joined = (kept | gained) or None


def not_joined_yet(state: State) -> tuple[str, ...]:
    """The keys of rows whose assets gained upstreams while the daemon was down, and nobody has said when."""
    joins = ((row.key, row.rare.joined) for row in state.rows.values())
    return tuple(sorted(key for key, joined in joins if joined is not None and FOREVER in joined.values()))


def gather(rows: Mapping[str, Row], linked: Iterable[Row]) -> None:
    """Put the partitions among these in the rows that gather them; `rows`: all there are."""
    for row in linked:
        if isinstance(row, PartitionRow):
            whole = rows[row.asset.key]
            if whole.rare.parts is not None:
                whole.rare.parts[row.partition] = row
                row.whole = whole
