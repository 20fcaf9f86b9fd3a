"""The lifecycle of runs of others, that events tell of: they begin, and an update, an end or silence ends them.

What is told late, twice or out of order must come to the same. So a row remembers a little of runs that are over, and
a start that comes after its update still counts for it. Runs may be named or not: an outcome without a name ends all
that began before it.
"""

from __future__ import annotations

from typing import Any
from zlib import crc32

from freshd.core.busy import settle
from freshd.core.history import FLAGS, NAMED, OBSERVED, WIDTH
from freshd.core.rows import Row
from freshd.core.state import State
from freshd.core.updates import later_start
from freshd.model.time import Instant

SHORT = 4
"""Bytes of the short form of a run id."""

ENDED_RUNS_KEPT = 4
"""How many ended runs of others a row remembers, so that what is told late of them changes nothing."""

STARTS_KEPT = 4
"""How many updates with an unknown start, and starts of runs that are over, a row remembers."""

BEGUN_KEPT = 1_000
"""Starts of runs of others that named no asset, remembered for the updates that follow."""


def started(state: State, row: Row, run: str, start: Instant) -> None:
    """Somebody else's run began; if it is over already, only its start is news."""
    if run and _has_ended(row, run):
        if row.rare.unstarted is not None and run in row.rare.unstarted:
            for end in row.rare.unstarted.pop(run):
                later_start(state, row, end, start)
        _keep_start(row, run, start)
        return
    others = row.rare.others or {}
    if run in others:
        others[run] = min(others[run], start)
    elif row.rare.ended_at > start or _updated_without_id_after(row, start):
        _keep_start(row, run, start)
        state.mark(row)
        return
    else:
        row.own_rare.others = {**others, run: start}
        if run:
            state.others.setdefault(run, set()).add(row.key)
    settle(state, row)
    state.touch(row)
    row.plan_at = min(row.plan_at, start + state.charter.limits.lost_after)
    state.arm(row, row.plan_at)


def start_of(row: Row, run: str) -> Instant | None:
    """When somebody else's run began, if that is known."""
    start = row.rare.others.get(run) if row.rare.others else None
    return start if start is not None or row.rare.starts is None else row.rare.starts.get(run)


def note_begun(state: State, run: str, at: Instant) -> None:
    """Somebody's run began, of which assets is not known yet: that is when the updates of its id began to read."""
    state.begun[run] = min(at, state.begun.get(run, at))
    while len(state.begun) > BEGUN_KEPT:
        del state.begun[next(iter(state.begun))]


def end_unstarted(row: Row, run: str, end: Instant) -> None:
    """An update came whose run's start is not known: remember it, in case the start is told later."""
    unstarted = row.own_rare.unstarted = row.rare.unstarted or {}
    ends = unstarted.setdefault(run, [])
    ends.append(end)
    del ends[:-STARTS_KEPT]
    _forget_oldest(unstarted)


def _keep_start(row: Row, run: str, start: Instant) -> None:
    """A run is over for us, but an update with its id may yet come: that began then."""
    if run:
        starts = row.own_rare.starts = row.rare.starts or {}
        starts[run] = start
        _forget_oldest(starts)


def _forget_oldest(known: dict[str, Any]) -> None:
    while len(known) > STARTS_KEPT:
        del known[next(iter(known))]


def ended(state: State, row: Row, run: str, at: Instant, failed: bool) -> None:
    """A run of others is over without an update: with a failure, or nothing new."""
    row.note_outcome(at, failed)
    close(state, row, run, at)
    if not run:
        row.own_rare.ended_at = max(row.rare.ended_at, at)
    state.plan(row)
    state.judge(row)
    state.touch(row)


def close(state: State, row: Row, run: str, at: Instant) -> None:
    """Whatever of others' runs an outcome at `at` ends is no longer in flight."""
    if run:
        row.ended_runs = (row.ended_runs + _short(run))[-SHORT * ENDED_RUNS_KEPT :]
    if row.rare.others is None:
        return
    over = [run] if run in row.rare.others and run else []
    if not run:
        over = [name for name, start in row.rare.others.items() if start < at]
    for name in over:
        if row.rare.others is not None:
            _keep_start(row, name, row.rare.others[name])
        _leave_run(state, row, name)
    if over:
        settle(state, row)
        state.plan(row)
        state.touch(row)


def lost(state: State, row: Row, run: str) -> None:
    """No news of a run of others for too long: it counts as not run."""
    if row.rare.others is not None and run in row.rare.others:
        _keep_start(row, run, row.rare.others[run])
        _leave_run(state, row, run)
    settle(state, row)
    state.plan(row)
    state.touch(row)


def _leave_run(state: State, row: Row, run: str) -> None:
    others = row.rare.others or {}
    others.pop(run, None)
    row.own_rare.others = others or None
    rows = state.others.get(run)
    if rows is not None:
        rows.discard(row.key)
        if not rows:
            del state.others[run]


def _updated_without_id_after(row: Row, start: Instant) -> bool:
    cells = row.cells
    return any(
        cells[offset] > start and not cells[offset + FLAGS] & (NAMED | OBSERVED)
        for offset in range(0, len(cells), WIDTH)
    )


def _has_ended(row: Row, run: str) -> bool:
    short, known = _short(run), row.ended_runs
    return any(known[at : at + SHORT] == short for at in range(0, len(known), SHORT))


def _short(run: str) -> bytes:
    """Enough of a run id to tell it from the few that a row remembers."""
    return crc32(run.encode("utf-8", "surrogatepass")).to_bytes(SHORT, "little")
