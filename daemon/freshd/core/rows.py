"""The state: one row per asset partition, linked to the rows it is made from and to those made from it.

A row holds facts (history, failures, runs) and a few values kept from them (pending, due, counters of
busy and stuck upstreams) so that an event costs what it changes. `Work` is what only assets with runs
need; `Pair` is one policy's view of one row. Nothing here decides anything.
"""

from __future__ import annotations

from collections.abc import Iterable
from operator import attrgetter
from typing import TYPE_CHECKING

from freshd.core import history
from freshd.core.history import Cells
from freshd.core.rare import NOTHING_RARE, Rare
from freshd.core.work import Work, row_key
from freshd.model.asset import WHOLE, Asset, AssetKey
from freshd.model.policy import Policy, Reaction, ReactionKind, Verdict
from freshd.model.records import Member
from freshd.model.time import FOREVER, NEVER, Instant

if TYPE_CHECKING:
    from freshd.core.causes import Cause

MANUAL = Reaction()


class Pair:
    """One policy's view of one row, and its place in an incident."""

    __slots__ = (
        "bad",
        "blame",
        "incident",
        "measure",
        "member",
        "path",
        "policy",
        "row",
        "since",
        "stale_since",
        "verdict",
        "warn_since",
    )

    def __init__(self, policy: Policy, row: Row) -> None:
        self.row = row
        self.verdict = Verdict.UNKNOWN
        self.measure = ""
        self.since: Instant = NEVER
        self.warn_since: Instant = NEVER  # with `sustain`: since when it is warn or worse, whether shown or not
        self.stale_since: Instant = NEVER
        self.follow(policy)
        self.bad = False
        self.path: tuple[Row, ...] = ()  # the rows on which its cause rests
        self.blame: Cause | None = None  # where the walk to its cause ended, and why
        self.incident = ""
        self.member: Member | None = None  # what it is, or was last, to an incident

    def follow(self, policy: Policy) -> None:
        """From now on it is this policy's view; where nothing is expected there is no verdict."""
        self.policy = policy
        if not policy.has_expectations:
            self.verdict, self.measure, self.since = Verdict.UNKNOWN, "", NEVER
        if not (policy.has_expectations and policy.sustain):
            self.warn_since = self.stale_since = NEVER

    @property
    def state(self) -> str:
        """Its verdict, or `failed`, as its incident has it."""
        return "" if self.member is None else self.member.state

    @property
    def cause(self) -> str:
        """What its incident has as the cause."""
        return "" if self.member is None else self.member.cause

    @property
    def reason(self) -> str:
        """Why that is the cause."""
        return "" if self.member is None else self.member.reason

    @property
    def joined_at(self) -> Instant:
        """When it joined its incident."""
        return NEVER if self.member is None else self.member.joined_at

    @property
    def joined(self) -> int:
        """Its number among all that ever joined one."""
        return 0 if self.member is None else self.member.joined

    @property
    def root(self) -> Row | None:
        """The asset at which the walk to its cause ended."""
        return None if self.blame is None else self.blame.row

    @property
    def blame_reason(self) -> str:
        """Why that asset is the cause."""
        return "" if self.blame is None else self.blame.reason.value

    @property
    def key(self) -> tuple[str, AssetKey, str]:
        """(policy, asset, partition)."""
        return (self.policy.name, self.row.asset.key, self.row.partition)


class Row:
    """One asset partition, or an asset with partitions as a whole."""

    __slots__ = (
        "above",
        "asset",
        "automatic",
        "base",
        "busy_ups",
        "cells",
        "due",
        "due_at",
        "ended_runs",
        "first",
        "floor",
        "key",
        "kids",
        "known_since",
        "last_changed",
        "level",
        "outcome_at",
        "outcome_failed",
        "pairs",
        "pending",
        "plan_at",
        "rare",
        "reaction",
        "read_at",
        "readers",
        "source",
        "start",
        "stuck",
        "stuck_ups",
        "timer",
        "topic",
        "updated_at",
        "ups",
        "virtual",
        "watchers",
        "work",
    )

    partition = ""
    whole: Row | None = None
    fresh = True
    window_end: Instant = FOREVER

    def __init__(self, asset: Asset, partition: str = "") -> None:
        self.asset = asset
        self.rare: Rare = NOTHING_RARE  # for reading; written through `own_rare`
        self.key = row_key(asset.key, partition)
        self.virtual = asset.virtual  # shows its upstreams as they are; so does a row that gathers partitions
        self.level = 0  # above that of every row that it is made from
        self.ups: tuple[Row, ...] = ()
        self.kids: tuple[Row, ...] = ()
        self.readers: tuple[Row, ...] = ()  # the rows that read this one, virtual ones looked through
        self.source = not asset.upstreams
        self.reaction: Reaction = MANUAL
        self.automatic = False
        self.pairs: tuple[Pair, ...] = ()
        self.known_since: Instant = FOREVER
        # history and what is kept from it
        self.cells: Cells = EMPTY
        self.base: Instant = NEVER  # a source's latest data time among entries that are gone
        self.floor: Instant = NEVER  # readers that started before this have their reading folded into their own entries
        self.updated_at: Instant = NEVER
        self.start: Instant = NEVER  # latest start of any update
        self.last_changed: Instant = NEVER
        self.first: Instant = FOREVER  # end of the first changed update of any source above (or of this source)
        self.pending: Instant = FOREVER
        self.read_at: Instant = NEVER  # latest start of any reader's update
        self.outcome_at: Instant = NEVER  # latest outcome by time, ours or others', updates and failures
        self.outcome_failed = False
        self.ended_runs = b""  # short forms of the ids of others' last ended runs, one after the other
        # reacting
        self.due = False
        self.due_at: Instant = NEVER
        self.work: Work | None = None
        self.busy_ups = 0
        self.above = False  # counts in its readers' busy_ups
        self.stuck_ups = 0
        self.stuck = False
        self.watchers: dict[Pair, None] | None = None  # pairs whose cause rests on this one
        self.topic = ""  # the Kafka topic of its last event
        self.plan_at: Instant = FOREVER  # when to look again at whether to launch it
        self.timer: Instant = FOREVER  # when to look at it again for any reason: a lower bound

    def __lt__(self, other: Row) -> bool:
        return self.key < other.key

    @property
    def all_ups(self) -> tuple[Row, ...]:
        """What it is made from, with the static ones."""
        with_static = self.rare.with_static
        return self.ups if with_static is None else with_static

    @property
    def own_rare(self) -> Rare:
        """Its rare part, made on first use; whatever is written there is written through this."""
        rare = self.rare
        if rare is NOTHING_RARE:
            rare = self.rare = Rare()
        return rare

    @property
    def moving_work(self) -> Work:
        """Its work, made on first use."""
        work = self.work
        if work is None:
            work = self.work = Work()
        return work

    @property
    def stopped(self) -> bool:
        """Failed for good, until newer data comes or somebody mends it; gathered partitions: any of them."""
        if self.rare.parts is not None:
            return any(part.stopped for part in self.rare.parts.values())
        return self.work is not None and self.work.stopped

    @property
    def in_flight(self) -> bool:
        """A run of it, ours or others', is in flight; of gathered partitions: of any."""
        if self.rare.parts is not None:
            return any(part.in_flight for part in self.rare.parts.values())
        if self.work is not None and self.work.run is not None:
            return True
        return self.rare.others is not None

    def flight_start(self) -> Instant:
        """The earliest start of its runs in flight, or FOREVER."""
        start = FOREVER
        if self.work is not None and self.work.run is not None:
            start = self.work.run_start
        if self.rare.others:
            start = min(start, *self.rare.others.values())
        return start

    @property
    def last_failed(self) -> bool:
        """Whether the latest outcome by time was a failure; of gathered partitions: that of any, of equals one."""
        if self.rare.parts:
            return max((part.outcome_at, part.outcome_failed) for part in self.rare.parts.values())[1]
        return self.outcome_failed

    def note_outcome(self, at: Instant, failed: bool) -> None:
        """An update, a failure or an end without new data: the latest by time counts, of equals the one told last."""
        if at >= self.outcome_at:
            self.outcome_at = at
            self.outcome_failed = failed

    def check_failed(self, blocking_only: bool = False) -> bool:
        """Whether the latest result of any of its (blocking) checks is a failure; gathered: of any partition's."""
        if self.rare.parts is not None:
            return any(part.check_failed(blocking_only) for part in self.rare.parts.values())
        results = self.rare.results().values()
        return any(not check.passed and (check.blocking or not blocking_only) for _, check in results)


class PartitionRow(Row):
    """One partition of an asset that has several."""

    __slots__ = ("fresh", "partition", "whole", "window_end")

    def __init__(self, asset: Asset, partition: str) -> None:
        super().__init__(asset, partition)
        self.partition = partition
        self.whole: Row | None = None  # the row that gathers it with the others of its asset
        self.fresh = True  # it counts though it was never materialised: it is one of the newest
        self.window_end: Instant = FOREVER  # its data reaches no further


by_key = attrgetter("key")
"""The order of decisions at one instant."""

_by_level = attrgetter("level")


def upstreams_first(rows: Iterable[Row]) -> list[Row]:
    """The same for decisions of which one may rest on another: by level, then key."""
    ordered = sorted(rows, key=by_key)
    ordered.sort(key=_by_level)
    return ordered


def make_row(asset: Asset, partition: str = WHOLE) -> Row:
    """A row to which nothing has happened yet."""
    return PartitionRow(asset, partition) if partition else Row(asset)


EMPTY: Cells = history.empty()
"""Shared by all rows without updates; never written to."""


def is_automatic(row: Row) -> bool:
    """Eager or just-in-time, with a launcher, not virtual; a source only just-in-time; a partition if it counts."""
    kind = row.reaction.kind
    if kind is ReactionKind.MANUAL or not row.asset.launcher or row.virtual:
        return False
    if not (row.fresh or row.cells):
        return False
    return not row.source or kind is ReactionKind.JUST_IN_TIME
