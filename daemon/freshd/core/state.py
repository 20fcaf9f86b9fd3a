"""Everything the engine knows, and the queues of what a step has yet to look at again.

Rows, runs, wishes, incidents and notices live here; the modules beside this one read and change them.
`State` itself decides nothing: it links rows, keeps the timer queue and remembers what was touched.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from enum import Enum

from freshd.core.declarations import Declarations
from freshd.core.freshness import Memo
from freshd.core.incident_book import IncidentBook
from freshd.core.partitions import Scope
from freshd.core.remembered import Remembered
from freshd.core.rows import Pair, Row, upstreams_first
from freshd.core.timers import Timers
from freshd.core.wishes import WishBook
from freshd.core.work import OwnRun
from freshd.model.assessment import Infeasible
from freshd.model.asset import AssetKey
from freshd.model.graph import AssetGraph
from freshd.model.policy import Charter
from freshd.model.records import Blinded
from freshd.model.time import FOREVER, NEVER, Instant

RETIRED_KEPT = 10_000
"""How many removed assets the daemon remembers having requested runs for."""


class Changed(Enum):
    """What a charter may have changed that rows keep; each with all that come after it."""

    LINKS = "links"
    REACTIONS = "reactions"
    EXPECTATIONS = "expectations"


class Watch:
    """Notes which rows moved, for somebody who looks at the assets now and then (watching.py)."""

    __slots__ = ("moved",)

    def __init__(self) -> None:
        self.moved: dict[Row, None] = {}


class State:
    """The engine's memory."""

    __slots__ = (
        "begun",
        "blind",
        "blinded",
        "book",
        "catching_up_until",
        "ceased",
        "ceased_at",
        "changed",
        "charter",
        "declarations",
        "deferred",
        "described_anew",
        "dirty",
        "due",
        "gone",
        "hurried",
        "in_vain",
        "infeasible",
        "later",
        "laters",
        "launcher_load",
        "limited",
        "memo",
        "needs",
        "now",
        "others",
        "queued",
        "rebuilt",
        "retired",
        "reviewed_at",
        "rows",
        "runs",
        "scope",
        "seen",
        "sight_moved",
        "started_at",
        "timers",
        "to_judge",
        "to_plan",
        "waiters",
        "watch",
        "windows_at",
        "windows_next",
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
        self.begun: dict[str, Instant] = {}  # runs of others that named no asset when they began, and when that was
        self.blind: dict[str, Blinded] = {}  # topics that cannot be seen, as the record says that told of it
        self.blinded: dict[Row, str] = {}  # rows that rest on such a topic, with the first of those by name
        self.sight_moved = False  # the rows that rest on it may be others
        self.timers = Timers()
        self.memo: Memo = {}
        self.needs: set[tuple[Row, float]] = set()  # whose bounds were found out while planning at this instant
        self.infeasible: dict[AssetKey, tuple[Infeasible, ...]] = {}  # of which more is expected than runs can give
        self.in_vain: set[Row] = set()  # extractors whose last run was no help
        self.hurried: list[Row] = []  # rows that turn stale earlier than those above were told
        self.now: Instant = NEVER
        self.limited = False  # some limit is set on how many runs go on at one time
        self.scope: Scope | None = None  # the assets that have partitions or read them; None: none has
        self.windows_at: Instant = NEVER  # the windows that have begun by then are in use
        self.windows_next: Instant = FOREVER  # when the next one begins
        self.started_at: Instant = NEVER
        self.catching_up_until: Instant = NEVER
        self.seen = Remembered()
        self.to_judge: set[Row] = set()
        self.later: deque[Row] = deque()  # rows to judge in the coming steps, some at a time
        self.laters: set[Row] = set()  # the same
        self.rebuilt = False  # all rows are judged in this step, however many they are
        self.to_plan: set[Row] = set()
        self.waiters: dict[Row, dict[Row, None]] = {}  # by the row that they wait for, due rows
        self.deferred: set[Row] = set()
        self.dirty: dict[Row, None] = {}
        self.gone: list[AssetKey] = []
        self.described_anew: set[Row] = set()  # rows under other policies, to be marked when they are looked at
        self.changed = Changed.LINKS  # what is other than it was under the charter before
        self.watch: Watch | None = None  # somebody looks at the assets now and then
        self.reviewed_at: Instant = NEVER  # the instant in the timers under which all rows are looked at again

    def row_of(self, asset: AssetKey, partition: str) -> Row | None:
        """The row of an asset partition; of an asset without partitions its one row, whatever is named."""
        row = self.rows.get(asset)
        if row is None or row.rare.parts is None or not partition:
            return row
        return row.rare.parts.get(partition)

    def pair_of(self, asset: AssetKey, partition: str, policy: str) -> Pair | None:
        """The policy's view of an asset partition."""
        row = self.row_of(asset, partition)
        if row is not None:
            for pair in row.pairs:
                if pair.policy.name == policy:
                    return pair
        return None

    # what to look at again

    def mark(self, row: Row) -> None:
        """The row's facts changed: the next checkpoint writes it."""
        self.dirty[row] = None
        if self.watch is not None:
            self.watch.moved[row] = None

    def touch(self, row: Row) -> None:
        """Something about this row changed: look again at whoever rests on it."""
        self.dirty[row] = None
        if self.watch is not None:
            self.watch.moved[row] = None
        if row.partition and (whole := self.rows.get(row.asset.key)) is not None:
            self.judge(whole)
            for pair in whole.watchers or ():
                self.judge(pair.row)
        for pair in row.pairs:
            if pair.path or pair.bad or pair.since == NEVER or pair.warn_since != NEVER:
                self.judge(row)
                break
        if row.watchers:
            for pair in row.watchers:
                self.judge(pair.row)
        if self.waiters:
            self.wake_waiters(row)

    def judge(self, row: Row) -> None:
        """Look at the row's policies again in this step."""
        if self.watch is not None:
            self.watch.moved[row] = None
        if row.pairs:
            self.to_judge.add(row)

    def judge_later(self, rows: Iterable[Row]) -> None:
        """Judge these rows in the coming steps, in this order; those that wait for that already keep their places."""
        for row in rows:
            if row not in self.laters:
                self.laters.add(row)
                self.later.append(row)

    def forget_later(self) -> None:
        """No row waits for a later step."""
        self.later.clear()
        self.laters = set()

    def judge_some(self, most: int) -> None:
        """Judge the next of the rows that wait for a later step, so many pairs, so that no step is long for them."""
        while most > 0 and self.later:
            row = self.later.popleft()
            most -= len(row.pairs)
            self.laters.discard(row)
            if self.rows.get(row.key) is row:
                self.judge(row)

    def pending_moved(self, row: Row) -> None:
        """What is pending at the row is another: look again at whoever minds."""
        if self.watch is not None:
            self.watch.moved[row] = None
        for pair in row.pairs:
            if pair.policy.minds_pending or pair.path or pair.bad:
                self.judge(row)
                break
        for pair in row.watchers or ():
            self.judge(pair.row)

    def plan(self, row: Row) -> None:
        """Look again in this step at whether to launch the row."""
        self.to_plan.add(row)

    def wait(self, row: Row, upstream: Row) -> None:
        """Look again at whether to launch `row` when something about `upstream` changes."""
        self.waiters.setdefault(upstream, {})[row] = None

    def wake_waiters(self, row: Row) -> None:
        """Something about the row changed: whoever waits for it is planned again."""
        for waiter in self.waiters.pop(row, ()):
            self.plan(waiter)

    def arm(self, row: Row, at: Instant) -> None:
        """Have the row looked at then, if not earlier."""
        if at < row.timer:
            row.timer = self.timers.push(at, row)

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
        self.forget_ceased()
        self.ceased_at = self.now
        self.ceased.add(row)

    def forget_ceased(self) -> None:
        """What ceased to be due at another instant is of no use any more."""
        if self.ceased and self.ceased_at != self.now:
            self.ceased = set()

    def ceased_now(self, row: Row) -> bool:
        """Whether the row was due just before this instant, and ceased to be only at it."""
        return self.ceased_at == self.now and row in self.ceased

    def due_of(self, launcher: str) -> list[Row]:
        """The due automatic rows of a launcher, upstreams first."""
        return upstreams_first(self.due.get(launcher, ()))

    def memo_at(self, at: Instant) -> Memo:
        """Data times found out already, for questions about `at`."""
        return self.memo if at == self.now else {}

    @property
    def partitioned(self) -> bool:
        """Whether some asset has partitions."""
        return self.scope is not None

    @property
    def catching_up(self) -> bool:
        """Whether verdicts are held and nothing is launched or announced."""
        return self.catching_up_until != NEVER


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


def completeness_wanted(row: Row) -> float:
    """The highest completeness that any of the row's policies asks of an update."""
    whole = next((kid for kid in row.kids if kid.rare.parts is not None), row) if row.partition else row
    return max((pair.policy.completeness or 0.0 for pair in whole.pairs), default=0.0)
