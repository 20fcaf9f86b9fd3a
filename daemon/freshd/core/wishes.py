"""What people asked to be materialised: which assets each wish plans, and how far it has come.

A wish plans its assets and every ancestor with a launcher that never had an update, is due, or has a
planned upstream. Each planned asset starts when its planned upstreams have succeeded, and, of a wish
with a bound (a backfill), while fewer of its runs than that go on. Nothing here launches: the planner
asks which wishes of a row are ready.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum

from freshd.core.rows import Row, upstreams_first
from freshd.core.work import OwnRun, row_key
from freshd.model.assessment import WishView
from freshd.model.asset import AssetKey
from freshd.model.inputs import Wish
from freshd.model.records import Reason, WishEnded

OVER_KEPT = 200
"""Wishes that are over of which people may still ask how they ended (until the daemon's next start)."""


class Stage(IntEnum):
    """How far one planned asset of a wish has come."""

    WAITING = 0
    RUNNING = 1
    DONE = 2


class OpenWish:
    """A wish that is not over."""

    __slots__ = ("below", "planned", "runs", "wish")

    def __init__(self, wish: Wish, planned: tuple[AssetKey, ...]) -> None:
        self.wish = wish
        self.planned = dict.fromkeys(planned, Stage.WAITING)
        self.below: dict[AssetKey, list[AssetKey]] = {}
        """The planned assets that each planned one holds up."""
        self.runs: set[str] = set()
        """Those that serve it and go on."""

    @property
    def full(self) -> bool:
        """Whether as many of its runs go on as may."""
        return 0 < self.wish.parallel <= len(self.runs)

    def view(self, over: str = "", cause: AssetKey = "") -> WishView:
        """How far it has come."""
        stages = list(self.planned.values())
        wish, done, running = self.wish, stages.count(Stage.DONE), stages.count(Stage.RUNNING)
        about = (wish.id, wish.assets, wish.author, wish.partitions, wish.parallel)
        return WishView(*about, len(stages), done, running, over, cause)

    def link(self, rows: dict[AssetKey, Row]) -> None:
        """Find out who holds up whom, in the graph as it is."""
        self.below = {}
        for key in self.planned:
            for up in wish_upstreams(self.planned, rows[key]) if key in rows else ():
                self.below.setdefault(up, []).append(key)


class WishBook:
    """All open wishes, in the order in which they were made."""

    __slots__ = ("dirty", "ended", "open", "over")

    def __init__(self) -> None:
        self.open: dict[str, OpenWish] = {}
        self.ended: list[tuple[str, Reason, AssetKey]] = []
        self.dirty: set[str] = set()
        self.over: dict[str, WishView] = {}
        """How the last ones ended, for people."""

    def make(self, wish: Wish, planned: tuple[AssetKey, ...], rows: dict[AssetKey, Row]) -> None:
        """A wish was made."""
        planned = tuple(key for key in planned if key in rows and rows[key].asset.launcher)
        self.open[wish.id] = OpenWish(wish, planned)
        self.open[wish.id].link(rows)
        self.dirty.add(wish.id)
        for key in planned:
            rows[key].own_rare.wishes = [*(rows[key].rare.wishes or []), wish.id]
        if not planned:
            self.ended.append((wish.id, Reason.DONE, ""))

    def relink(self, rows: dict[AssetKey, Row], runs: Mapping[str, OwnRun]) -> None:
        """The graph is another: what is gone, or nobody can launch any longer, is not waited for."""
        for name, known in sorted(self.open.items()):
            known.runs = {run_id for run_id, run in runs.items() if name in run.wishes}
            for key in [key for key in known.planned if key not in rows or not rows[key].asset.launcher]:
                if key in rows:
                    _forget(rows[key], name)
                del known.planned[key]
                self.dirty.add(name)
            known.link(rows)
            if all(stage is Stage.DONE for stage in known.planned.values()):
                self.ended.append((name, Reason.DONE, ""))

    def end(self, record: WishEnded, rows: dict[AssetKey, Row]) -> list[Row]:
        """A wish is over; what it had planned."""
        known = self.open.pop(record.wish_id, None)
        self.dirty.add(record.wish_id)
        if known is None:
            return []
        self.over[record.wish_id] = known.view(record.reason.value, record.cause)
        while len(self.over) > OVER_KEPT:
            del self.over[next(iter(self.over))]
        planned = [rows[key] for key in known.planned if key in rows]
        for row in planned:
            _forget(row, record.wish_id)
        return planned

    def running(self, wish: str, row: Row) -> None:
        """A run that serves the wish was requested for `row`."""
        self._set(wish, row, Stage.RUNNING)
        if wish in self.open and row.work is not None and row.work.run is not None:
            self.open[wish].runs.add(row.work.run.run_id)

    def left(self, run: str, wishes: tuple[str, ...], rows: dict[AssetKey, Row]) -> list[Row]:
        """A run is over: the rows that wishes with a bound may have launched in its place."""
        found: dict[Row, None] = {}
        for known in (self.open[name] for name in wishes if name in self.open):
            known.runs.discard(run)
            for key, stage in known.planned.items() if known.wish.parallel and not known.full else ():
                if stage is Stage.WAITING and key in rows:
                    found[rows[key]] = None
        return list(found)

    def waiting(self, wish: str, row: Row) -> None:
        """The run came to nothing, but the wish may try again."""
        self._set(wish, row, Stage.WAITING)

    def done(self, wish: str, row: Row) -> None:
        """`row` was materialised for the wish."""
        known = self.open.get(wish)
        if known is None:
            return
        self._set(wish, row, Stage.DONE)
        if all(stage is Stage.DONE for stage in known.planned.values()):
            self.ended.append((wish, Reason.DONE, ""))

    def failed(self, wish: str, row: Row) -> None:
        """`row` failed for good: so has the wish."""
        if wish in self.open:
            self.ended.append((wish, Reason.RUN_FAILED, row.key))

    def _set(self, wish: str, row: Row, stage: Stage) -> None:
        known = self.open.get(wish)
        if known is not None and row.key in known.planned:
            known.planned[row.key] = stage
            self.dirty.add(wish)

    def ready(self, row: Row) -> tuple[str, ...]:
        """The wishes that `row` can be launched for now."""
        return tuple(
            name
            for name in row.rare.wishes or ()
            if self.open[name].planned.get(row.key) is Stage.WAITING
            and not self.open[name].full
            and self._upstreams_done(self.open[name], row)
        )

    def _upstreams_done(self, wish: OpenWish, row: Row, with_rows: frozenset[AssetKey] = frozenset()) -> bool:
        return all(
            wish.planned.get(up, Stage.DONE) is Stage.DONE or up in with_rows
            for up in wish_upstreams(wish.planned, row)
        )

    def held_up(self, name: str, row: Row) -> list[AssetKey]:
        """The planned assets that were waiting for `row`."""
        known = self.open.get(name)
        return known.below.get(row.key, []) if known else []

    def unstarted(self, name: str) -> list[AssetKey]:
        """The planned assets of a wish that have not been started."""
        known = self.open.get(name)
        return [key for key, stage in known.planned.items() if stage is Stage.WAITING] if known else []

    def wanted(self, row: Row) -> bool:
        """Whether any wish plans `row` that has not got it yet."""
        return any(self.open[name].planned.get(row.key) is not Stage.DONE for name in row.rare.wishes or ())

    def joins(self, name: str, row: Row, run: frozenset[AssetKey]) -> bool:
        """Whether `row` can go in one run with `run` for this wish."""
        known = self.open[name]
        return known.planned.get(row.key) is Stage.WAITING and self._upstreams_done(known, row, run)


def _forget(row: Row, wish: str) -> None:
    row.own_rare.wishes = [name for name in row.rare.wishes or () if name != wish] or None


def wish_upstreams(planned: dict[AssetKey, Stage], row: Row) -> list[AssetKey]:
    """The planned assets directly above `row`, static ones too, virtual ones that are not planned looked through."""
    found: list[AssetKey] = []
    stack = list(row.all_ups)
    seen: set[AssetKey] = set()
    while stack:
        up = stack.pop()
        if up.key in seen:
            continue
        seen.add(up.key)
        if up.key in planned:
            found.append(up.key)
        elif up.virtual:
            stack.extend(up.all_ups)
    return found


def wished_rows(wish: Wish, rows: dict[AssetKey, Row]) -> list[tuple[AssetKey, str]]:
    """The asset partitions that a wish names: of an asset with partitions those named, else those that are fresh."""
    found: list[tuple[AssetKey, str]] = []
    for key in wish.assets:
        whole = rows.get(key)
        if whole is not None and whole.rare.parts is not None:
            named = wish.partitions or [name for name, part in whole.rare.parts.items() if part.fresh]
            found += [(key, partition) for partition in named]
        elif whole is not None:
            found.append((key, ""))
    return found


def plan_wish(wish: Wish, rows: dict[AssetKey, Row]) -> tuple[AssetKey, ...]:
    """The rows that a wish plans, upstreams first."""
    wished = [row_key(*one) for one in wished_rows(wish, rows)]
    named = {key for key in wished if key in rows and rows[key].asset.launcher}
    above: set[Row] = set()
    stack = [rows[key] for key in wished if key in rows]
    while stack:
        row = stack.pop()
        if row not in above:
            above.add(row)
            # as a whole an asset is what its partitions are that anybody makes by himself
            stack.extend(up for up in row.all_ups if row.rare.parts is None or up.fresh or up.cells)
    planned: dict[AssetKey, Stage] = {}
    for row in upstreams_first(above):
        if row.key in named:
            planned[row.key] = Stage.WAITING
        elif row.asset.launcher and not row.virtual:
            if not row.cells or row.due or wish_upstreams(planned, row):
                planned[row.key] = Stage.WAITING
    return tuple(planned)
