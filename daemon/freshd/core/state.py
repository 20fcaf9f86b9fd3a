"""Everything the engine knows, and the queues of what a step has yet to look at again.

Rows, runs, wishes, incidents and notices live here; the modules beside this one read and change them.
`State` itself decides nothing: it links rows, keeps the timer queue and remembers what was touched.
"""

from __future__ import annotations

from collections.abc import Iterable

from freshd.core.declarations import Declarations
from freshd.core.expecting import remember
from freshd.core.freshness import Memo
from freshd.core.incident_book import IncidentBook
from freshd.core.rows import MANUAL, OwnRun, Pair, Row, is_automatic, readers, views
from freshd.core.slo import settle as settle_total
from freshd.core.timers import Timers
from freshd.core.wishes import WishBook
from freshd.model.asset import AssetKey
from freshd.model.graph import AssetGraph
from freshd.model.policy import Charter
from freshd.model.records import Blinded
from freshd.model.time import NEVER, Instant

RETIRED_KEPT = 10_000
"""How many removed assets the daemon remembers having requested runs for."""


class State:
    """The engine's memory."""

    __slots__ = (
        "blind",
        "blinded",
        "book",
        "catching_up_until",
        "ceased",
        "ceased_at",
        "charter",
        "declarations",
        "deferred",
        "dirty",
        "due",
        "generation",
        "gone",
        "hurried",
        "infeasible",
        "launcher_load",
        "memo",
        "needs",
        "now",
        "others",
        "queued",
        "retired",
        "rows",
        "runs",
        "seen",
        "seen_before",
        "seen_since",
        "sight_moved",
        "started_at",
        "timers",
        "to_judge",
        "to_plan",
        "touched",
        "wishes",
    )

    def __init__(self) -> None:
        self.charter = Charter(AssetGraph({}))
        self.rows: dict[AssetKey, Row] = {}
        self.runs: dict[str, OwnRun] = {}
        self.others: dict[str, set[AssetKey]] = {}  # assets in flight by the run id of somebody else
        self.launcher_load: dict[str, int] = {}
        self.due: dict[str, set[Row]] = {}  # due automatic rows, by launcher
        self.ceased: set[Row] = set()  # rows that ceased to be due at `ceased_at`
        self.ceased_at: Instant = NEVER
        self.queued: dict[str, set[Row]] = {}
        self.retired: dict[AssetKey, int] = {}  # runs requested for assets that are gone: run ids never repeat
        self.book = IncidentBook()
        self.wishes = WishBook()
        self.declarations = Declarations()
        self.blind: dict[str, Blinded] = {}  # topics that cannot be seen, as the record says that told of it
        self.blinded: dict[Row, str] = {}  # rows that rest on such a topic, with the first of those by name
        self.sight_moved = False  # the rows that rest on it may be others
        self.timers = Timers()
        self.memo: Memo = {}
        self.needs: dict[tuple[Row, float, bool], Instant] = {}  # found while planning: by when a row is to begin
        self.infeasible: frozenset[AssetKey] = frozenset()  # assets of which more is expected than their runs can give
        self.hurried: list[Row] = []  # rows that turn stale earlier than those above were told
        self.now: Instant = NEVER
        self.started_at: Instant = NEVER
        self.catching_up_until: Instant = NEVER
        self.seen: dict[str, None] = {}
        self.seen_before: dict[str, None] = {}
        self.seen_since: Instant = NEVER
        self.to_judge: list[Row] = []
        self.to_plan: list[Row] = []
        self.touched: list[Pair] = []
        self.deferred: set[Row] = set()
        self.dirty: list[Row] = []
        self.gone: list[AssetKey] = []
        self.generation = 0

    # what to look at again

    def mark(self, row: Row) -> None:
        """The row's facts changed: the next checkpoint writes it."""
        if not row.dirty:
            row.dirty = True
            self.dirty.append(row)

    def touch(self, row: Row) -> None:
        """Something about this row changed: look again at whoever rests on it."""
        self.mark(row)
        for pair in row.pairs:
            if pair.path or pair.bad or pair.since == NEVER or pair.warn_since != NEVER:
                self.judge(row)
                break
        if row.watchers:
            for pair in row.watchers:
                self.judge(pair.row)
        if row.waiters:
            for waiter in row.waiters:
                self.plan(waiter)
            row.waiters = None

    def judge(self, row: Row) -> None:
        """Look at the row's policies again in this step."""
        if not row.judged and row.pairs:
            row.judged = True
            self.to_judge.append(row)

    def pending_moved(self, row: Row) -> None:
        """What is pending at the row is another: look again at whoever minds."""
        for pair in row.pairs:
            if pair.minds_pending or pair.path or pair.bad:
                self.judge(row)
                break
        for pair in row.watchers or ():
            self.judge(pair.row)

    def plan(self, row: Row) -> None:
        """Look again in this step at whether to launch the row."""
        if not row.considered:
            row.considered = True
            self.to_plan.append(row)

    def arm(self, row: Row) -> None:
        """Have the row looked at when its earliest instant comes."""
        at = row.judge_at if row.judge_at < row.plan_at else row.plan_at
        if at < row.timer:
            row.timer = at
            self.timers.push(at, row)

    def note_due(self, row: Row) -> None:
        """Keep the set of due automatic rows of the row's launcher true."""
        if row.automatic:
            waiting = self.due.get(row.asset.launcher)
            if waiting is None:
                waiting = self.due[row.asset.launcher] = set()
            if row.due:
                waiting.add(row)
            else:
                waiting.discard(row)
        elif row.asset.launcher in self.due:
            self.due[row.asset.launcher].discard(row)

    def cease(self, row: Row) -> None:
        """The row is due no longer; at this instant that may yet turn out to be wrong."""
        if self.ceased_at != self.now:
            self.ceased.clear()
            self.ceased_at = self.now
        self.ceased.add(row)

    def ceased_now(self, row: Row) -> bool:
        """Whether the row was due just before this instant, and ceased to be only at it."""
        return self.ceased_at == self.now and row in self.ceased

    def due_of(self, launcher: str) -> list[Row]:
        """The due automatic rows of a launcher, upstreams first."""
        return sorted(self.due.get(launcher, ()), key=lambda row: row.order)

    @property
    def catching_up(self) -> bool:
        """Whether verdicts are held and nothing is launched or announced."""
        return self.catching_up_until != NEVER

    # remembering ids

    def knows(self, source: str, event_id: str) -> bool:
        """Whether an event with this id was taken before."""
        key = f"{source}\x00{event_id}"
        return key in self.seen or key in self.seen_before

    def remember(self, source: str, event_id: str, now: Instant) -> bool:
        """Remember an event's id; False if it was seen already. Two generations, bounded by count and age."""
        key = f"{source}\x00{event_id}"
        if key in self.seen or key in self.seen_before:
            return False
        limits = self.charter.limits
        if len(self.seen) >= limits.remembered_ids // 2 or now - self.seen_since > limits.remember_ids:
            self.seen_before, self.seen, self.seen_since = self.seen, {}, now
            self.generation += 1
        self.seen[key] = None
        return True


def link(state: State, charter: Charter, now: Instant) -> tuple[list[AssetKey], list[AssetKey], list[AssetKey]]:
    """Make the rows those of the charter's graph, keeping the state of assets that stay.

    Returns what was added, removed and rewired. An upstream that an existing asset gains is marked as
    joined `now`: updates that started before have not read it.
    """
    graph = charter.graph
    old = state.rows
    removed = sorted(key for key in old if key not in graph.assets)
    for key in removed:
        old[key].pairs = ()
        work = old[key].work
        retire(state, key, 0 if work is None else work.requested)
    state.charter = charter
    state.rows = rows = {key: old.get(key) or Row(asset) for key, asset in graph.assets.items()}
    added = [key for key in rows if key not in old]
    take_up(state, added)
    rewired: list[AssetKey] = []
    static = _static_keys(charter)
    kids: dict[AssetKey, list[Row]] = {}
    places = list(range(len(rows)))  # one int object per place, for both orders
    for rank, key in zip(places, sorted(rows), strict=True):
        rows[key].rank = rank
    for order, (key, asset) in zip(places, graph.assets.items(), strict=True):
        row = rows[key]
        row.order = order
        ups = _counted(asset.virtual, asset.upstreams, static)
        if key in old and tuple(up.key for up in row.ups) != ups:
            rewired.append(key)
            state.mark(row)
            gained = {up: now for up in ups if up not in {before.key for before in row.ups}}
            kept = {up: at for up, at in (row.joined or {}).items() if up in ups}
            row.joined = (kept | gained) or None
            state.mark(row)
        row.asset = asset
        row.virtual = asset.virtual
        row.source = not asset.upstreams
        row.ups = tuple(rows[up] for up in ups)
        row.all_ups = row.ups if ups == asset.upstreams else tuple(rows[up] for up in asset.upstreams)
        for up in ups:
            kids.setdefault(up, []).append(row)
        row.reaction = charter.reactions.get(key, MANUAL)
        row.automatic = is_automatic(row)
    for key, row in rows.items():
        row.kids = tuple(kids.get(key, ()))
    for row in rows.values():
        row.views = views(row)
        row.readers = readers(row)
    _pair_up(state, charter)
    return added, removed, rewired


def retire(state: State, key: AssetKey, requested: int) -> None:
    """An asset is gone for which so many runs were requested."""
    if requested:
        state.retired[key] = requested
        while len(state.retired) > RETIRED_KEPT:
            del state.retired[next(iter(state.retired))]


def take_up(state: State, added: Iterable[AssetKey]) -> None:
    """Assets that were here before go on counting their runs, and have the one that is still in flight."""
    came = {key: state.rows[key] for key in added if key in state.rows}
    for key in [key for key in state.retired if key in came]:
        work = came[key].moving_work
        work.requested = max(work.requested, state.retired.pop(key))
    for run in state.runs.values():
        for row in (came[key] for key in run.open if key in came):
            work = row.moving_work
            if work.run is None:
                work.run = run
                work.run_start = work.last_start = run.requested_at


def _static_keys(charter: Charter) -> set[AssetKey]:
    static: set[AssetKey] = set()
    for key, asset in charter.graph.assets.items():
        if asset.static or (asset.virtual and asset.upstreams and all(up in static for up in asset.upstreams)):
            static.add(key)
    return static


def _counted(virtual: bool, upstreams: tuple[AssetKey, ...], static: set[AssetKey]) -> tuple[AssetKey, ...]:
    unique = tuple(dict.fromkeys(upstreams))
    moving = tuple(up for up in unique if up not in static)
    return unique if virtual and not moving else moving


def _pair_up(state: State, charter: Charter) -> None:
    """Give every row one pair per policy that selects it, keeping those that stand."""
    wanted: dict[AssetKey, list[str]] = {}
    for name, policy in charter.policies.items():
        if policy.has_expectations or policy.alert is not None:
            for key in charter.selected.get(name, ()):
                wanted.setdefault(key, []).append(name)
    for key, row in state.rows.items():
        names = wanted.get(key)
        if names is None and not row.pairs:
            continue
        standing = {pair.policy.name: pair for pair in row.pairs}
        if standing.keys() != set(names or ()):
            state.mark(row)
        pairs: list[Pair] = []
        for name in names or ():
            pair = standing.get(name)
            if pair is None:
                pair = Pair(charter.policies[name], row)
            settle_total(pair, state.now)
            pair.follow(charter.policies[name])
            pairs.append(pair)
        row.pairs = tuple(pairs)
    for row in remember(state.rows.values()):
        state.mark(row)


def completeness_wanted(row: Row) -> float:
    """The highest completeness that any of the row's policies asks of an update."""
    return max((pair.policy.completeness or 0.0 for pair in row.pairs), default=0.0)
