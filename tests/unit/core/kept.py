"""One check for everything the core keeps instead of working it out: is it what it would come to now?

`kept_values_hold` derives every kept value of every row, pair, incident and index anew, from facts and the
graph alone, the slow and obvious way, and says where the engine's differ.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from freshd.core.blindness import ALL_TOPICS
from freshd.core.busy import is_busy, is_root_stuck, lets_through
from freshd.core.engine import Engine
from freshd.core.freshness import floor_of, is_due, missed_by, pending_since
from freshd.core.history import CHANGED, FLAGS, MISSED, WIDTH, latest_start, started
from freshd.core.just_in_time import needed_by
from freshd.core.lineage import through_virtual
from freshd.core.rows import Row, is_automatic
from freshd.core.state import State
from freshd.core.verdicts import judge
from freshd.model.declarations import DeclarationKind
from freshd.model.policy import Charter, ReactionKind
from freshd.model.time import FOREVER, NEVER


def kept_values_hold(engine: Engine) -> list[str]:
    """Where a kept value is not what follows from the facts; empty: everywhere it is."""
    state = engine._state
    found = [*_books(state), *_incidents(state)]
    if not state.partitioned:  # these derivations know one row an asset
        found += [*_links(state), *_words_of_people(state)]
    above: dict[str, bool] = {}
    stuck: dict[str, bool] = {}
    for row in sorted(state.rows.values(), key=lambda row: row.level):
        key = row.key
        problems = (*_history(row), *_flags(row, above, stuck), *_waking(state, row), *_held(state, row))
        found += [f"{key}: {problem}" for problem in problems]
    return found


def _held(state: State, row: Row) -> Iterator[str]:
    """Nobody waits for what its window or just-in-time holds: asked anew, without what was found out before."""
    if not (row.automatic and row.due) or state.catching_up or row.in_flight or row.stopped:
        return
    reaction, now = row.reaction, state.now
    held = reaction.window is not None and reaction.window.opened(now) == NEVER
    if reaction.kind is ReactionKind.JUST_IN_TIME and (row.work is None or row.work.retry_at == NEVER):
        state.needs.clear()
        at = needed_by(state, row, 1 + reaction.margin)
        again = row.source and row.work is not None and at <= row.work.last_start
        held = held or (max(at, row.work.last_end + reaction.retry.max_delay) if again and row.work else at) > now
    yield from _differs("held", row.rare.timing is not None and row.rare.timing.held, held)


def _differs(what: str, kept: object, true: object) -> Iterator[str]:
    if kept != true:
        yield f"{what} is kept as {kept}, and comes to {true}"


def _links(state: State) -> Iterator[str]:
    charter: Charter = state.charter
    graph = charter.graph
    yield from _differs("rows", list(state.rows), list(graph.assets))
    kids: dict[str, list[str]] = {}
    for key, asset in graph.assets.items():
        row = state.rows[key]
        ups = tuple(dict.fromkeys(graph.counted_upstreams(key)))
        yield from _differs(f"{key} ups", tuple(up.key for up in row.ups), ups)
        yield from _differs(f"{key} asset", row.asset, asset)
        yield from _differs(f"{key} automatic", row.automatic, is_automatic(row))
        for up in ups:
            kids.setdefault(up, []).append(key)
            if state.rows[up] is not next(known for known in row.ups if known.key == up):
                yield f"{key} reads a row of {up} that is gone"
        for pair in row.pairs:
            if pair.row is not row or pair.policy is not charter.policies.get(pair.policy.name):
                yield f"{key}: a pair of {pair.policy.name} that is gone"
    for key, row in state.rows.items():
        yield from _differs(f"{key} kids", [kid.key for kid in row.kids], kids.get(key, []))
        reads = {reader.key for reader in state.rows.values() if not reader.virtual and row in _read(reader)}
        yield from _differs(
            f"{key} readers", {r.key for r in row.readers}, reads if not row.virtual else {r.key for r in row.readers}
        )


def _words_of_people(state: State) -> Iterator[str]:
    """Who is paused, and what rests on a topic that cannot be seen."""
    now = [known for known in state.declarations.standing.values() if known.begins <= state.now < known.until]
    yield from _differs("what has begun", state.declarations.begun, {known.id for known in now})
    paused = {key for known in now if known.kind is DeclarationKind.PAUSE for key in known.assets or state.rows}
    blind: dict[str, set[str]] = {}
    for key in state.charter.graph.assets:
        row = state.rows[key]
        if key in paused and row.automatic:
            yield f"{key} is paused, and automatic"
        whole = ALL_TOPICS in state.blind
        own = {ALL_TOPICS if whole else row.topic} if row.topic and (whole or row.topic in state.blind) else set()
        blind[key] = own.union(*(blind[up.key] for up in row.ups))
        yield from _differs(f"{key} rests on", state.blinded.get(row), min(blind[key], default=None))


def _read(reader: Row) -> set[Row]:
    return {read for up in reader.ups for read in through_virtual(up)}


def _history(row: Row) -> Iterator[str]:
    cells = row.cells
    ends = [cells[at] for at in range(0, len(cells), WIDTH)]
    yield from _differs("the order of its ends", ends, sorted(ends))
    if row.source:
        changed = [cells[at] for at in range(0, len(cells), WIDTH) if cells[at + FLAGS] & CHANGED]
        if row.floor == NEVER:
            yield from _differs("first", row.first, min(changed, default=FOREVER))
    else:
        yield from _differs("first", row.first, min((up.first for up in row.ups), default=FOREVER))
        for at in range(0, 0 if row.virtual else len(cells), WIDTH):
            if not any(latest_start(cells, at) < floor_of(up) for up in row.ups):
                yield from _differs(
                    f"missed by the update ended {ends[at // WIDTH]}",
                    cells[at + MISSED],
                    missed_by(row, latest_start(cells, at)),
                )
    if cells:
        yield from _differs("start", row.start, latest_start(cells, len(cells) - WIDTH))
        yield from _differs("updated_at", row.updated_at, ends[-1])
    if not row.virtual:
        yield from _differs("pending", row.pending, pending_since(row))
    starts = [started(reader.cells, at) for reader in row.readers for at in range(0, len(reader.cells), WIDTH)]
    if not row.virtual and row.read_at < max(starts, default=NEVER):
        yield f"read_at is kept as {row.read_at}, and comes to {max(starts)}"


def _flags(row: Row, above: dict[str, bool], stuck: dict[str, bool]) -> Iterator[str]:
    busy_ups = sum(above[up.key] for up in row.ups)
    stuck_ups = sum(stuck[up.key] for up in row.ups)
    yield from _differs("due", row.due, is_due(row))
    yield from _differs("busy_ups", row.busy_ups, busy_ups)
    yield from _differs("stuck_ups", row.stuck_ups, stuck_ups)
    above[row.key] = is_busy(row) or (busy_ups > 0 and lets_through(row))
    stuck[row.key] = is_root_stuck(row) or (stuck_ups > 0 and (row.automatic or row.virtual))
    yield from _differs("above", row.above, above[row.key])
    yield from _differs("stuck", row.stuck, stuck[row.key])


def _waking(state: State, row: Row) -> Iterator[str]:
    if any(row in known for known in (state.to_judge, state.laters, state.blinded, state.deferred)):
        return  # is judged again without a timer
    seen = [pair.policy for pair in row.pairs if pair.policy.has_expectations and not pair.policy.sustain]
    turns = [judge(policy, row, state.now, {}).until for policy in seen]
    earliest = min([row.plan_at, *turns])
    if row.timer > earliest:
        yield f"is to be looked at at {earliest}, and is in the queue for {row.timer}"


def _books(state: State) -> Iterator[str]:
    rows = state.rows
    due: dict[str, set[str]] = {}
    others: dict[str, set[str]] = {}
    queued: dict[str, set[str]] = {}
    for key, row in rows.items():
        if row.automatic and row.due:
            due.setdefault(row.asset.launcher, set()).add(key)
        if row.work is not None and row.work.queued:
            queued.setdefault(row.asset.launcher, set()).add(key)
        if row.work is not None and row.work.run is not None and row.work.run.run_id not in state.runs:
            yield f"{key} is in a run that is over"
        for name in row.rare.others or ():
            if name:
                others.setdefault(name, set()).add(key)
    yield from _differs("due by launcher", _names(state.due), due)
    yield from _differs("queued by launcher", _names(state.queued), queued)
    yield from _differs("in flight by run id of others", {k: v for k, v in state.others.items() if v}, others)
    load = Counter(run.launcher for run in state.runs.values())
    yield from _differs("runs by launcher", {k: n for k, n in state.launcher_load.items() if n}, dict(load))
    for run in state.runs.values():
        for key in run.open:
            row_of = rows.get(key)
            if row_of is not None and (row_of.work is None or row_of.work.run is not run):
                yield f"{run.run_id} is open for {key}, which is not in it"
    wished = {key: [name for name, wish in state.wishes.open.items() if key in wish.planned] for key in rows}
    for key, row in rows.items():
        yield from _differs(f"{key} wishes", sorted(row.rare.wishes or []), sorted(wished[key]))


def _names(kept: dict[str, set[Row]]) -> dict[str, set[str]]:
    return {name: {row.key for row in rows} for name, rows in kept.items() if rows}


def _incidents(state: State) -> Iterator[str]:
    book = state.book
    pairs = {pair.key: pair for row in state.rows.values() for pair in row.pairs}
    by_cause: dict[str, set[str]] = {}
    mains = [incident.cause for incident in book.incidents.values()]
    yield from _differs("main causes", sorted(book.main), sorted(set(mains)))
    if len(mains) != len(set(mains)):
        yield f"two incidents of one main cause: {sorted(mains)}"
    for name, incident in book.incidents.items():
        if not incident.members:
            yield f"{name} is open without members"
        for key, pair in incident.members.items():
            if pairs.get(key) is not pair:
                yield f"{name} has a member that is gone: {key}"
            yield from _differs(f"{name} incident of {key}", pair.incident, name)
            by_cause.setdefault(pair.cause, set()).add(name)
        yield from _differs(
            f"{name} causes", dict(incident.causes), dict(Counter(p.cause for p in incident.members.values()))
        )
        policies = Counter(p.policy.name for p in incident.members.values())
        yield from _differs(f"{name} policies", {k: n for k, n in incident.by_policy.items() if n}, dict(policies))
        if incident.members and not incident.causes.get(incident.cause):
            yield f"{name} has a main cause that no member has: {incident.cause}"
    yield from _differs("incidents by cause", {c: n for c, n in book.by_cause.items() if n}, by_cause)
    for key, pair in pairs.items():
        if pair.incident and pair.incident not in book.incidents:
            yield f"{key} is in {pair.incident}, which is not open"
        if pair.incident and key not in book.incidents[pair.incident].members:
            yield f"{key} thinks it is in {pair.incident}"
    watched = {(key, row.key) for key, pair in pairs.items() for row in pair.path}
    watching = {(pair.key, row.key) for row in state.rows.values() for pair in (row.watchers or {})}
    yield from _differs("who watches whom", sorted(watching), sorted(watched))
    feeds: dict[str, dict[str, set[tuple[str, str, str]]]] = {}
    for key, pair in pairs.items():
        root = pair.root
        if root is not None and not root.asset.upstreams and root.asset.feed:
            feeds.setdefault(root.asset.feed, {}).setdefault(root.asset.key, set()).add(key)
    kept = {f: {s: {p.key for p in ps} for s, ps in sources.items() if ps} for f, sources in book.feeds.items()}
    yield from _differs("feeds", {f: s for f, s in kept.items() if s}, feeds)
