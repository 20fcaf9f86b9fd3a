"""Which runs to request now, and for rows that have to wait: until when, or for whom.

It looks at state only, never at what woke it. For an eager row, in this order: is it due, free, not
stopped, not blocked; has `min_interval` (or a retry's delay) passed; does it wait for something above;
is it quiet (`debounce`); has its launcher a place. A row that waits for another is looked at again when
that one changes; a row that waits for an instant is in the timer queue. A launcher that orders its own
work gets a wave: with the row the automatic rows below that the run itself will make due.
"""

from __future__ import annotations

from collections.abc import Callable

from freshd.core import runs
from freshd.core.busy import is_blocked, launchable_from, waits_for
from freshd.core.freshness import changed_upstream_end, has_news, newest_upstream_end
from freshd.core.rows import Row, through_virtual
from freshd.core.state import State
from freshd.model.asset import AssetKey
from freshd.model.effects import LaunchRun
from freshd.model.records import CheckWaitEnded, Reason, Record, RunOfOthersLost, RunQueued, RunRequested, StopEnded
from freshd.model.time import FOREVER, NEVER, Instant

Emit = Callable[[Record], None]


def consider(state: State, emit: Emit) -> None:
    """Look at every row queued for planning, upstreams first, and request the runs that are to start."""
    while state.to_plan:
        batch = sorted(state.to_plan, key=lambda row: row.order)
        state.to_plan = []
        for row in batch:
            row.considered = False
            work = row.work
            if work is not None and work.stopped and work.stop_release <= state.now:
                emit(StopEnded(state.now, row.key))
        for row in batch:
            _consider(state, row, emit)


def _consider(state: State, row: Row, emit: Emit) -> None:
    row.plan_at = FOREVER
    if row.others is not None:
        _look_after_others(state, row, emit)
    if row.checked_by != NEVER:
        if row.checked_by <= state.now:
            emit(CheckWaitEnded(state.now, row.key))
        else:
            row.plan_at = min(row.plan_at, row.checked_by)
    if row.work is not None and row.work.stopped:
        row.plan_at = min(row.plan_at, row.work.stop_release)
    if row.asset.launcher and not state.catching_up and not row.in_flight and not is_blocked(row):
        wishes = state.wishes.ready(row) if row.wishes else ()
        if wishes:
            _launch_when_retry_allows(state, row, wishes, emit)
        elif row.automatic and row.due and not row.stopped:
            _launch_when_ready(state, row, emit)
    state.arm(row)


def _look_after_others(state: State, row: Row, emit: Emit) -> None:
    for run, start in list((row.others or {}).items()):
        lost_at = start + state.charter.limits.lost_after
        if lost_at <= state.now:
            emit(RunOfOthersLost(state.now, row.key, run))
        else:
            row.plan_at = min(row.plan_at, lost_at)


def _launch_when_retry_allows(state: State, row: Row, wishes: tuple[str, ...], emit: Emit) -> None:
    """A wish ignores debounce, min_interval and stop, but not the delay before a retry, nor a full launcher."""
    retry_at = row.work.retry_at if row.work is not None else NEVER
    if retry_at > state.now:
        row.plan_at = min(row.plan_at, retry_at)
    elif _has_place(state, row, emit):
        _request(state, row, Reason.WISH, wishes, emit)


def _launch_when_ready(state: State, row: Row, emit: Emit) -> None:
    reaction = row.reaction
    work = row.moving_work
    if state.charter.observe and work.withheld == changed_upstream_end(row):
        return
    retrying = work.retry_at != NEVER
    earliest = work.retry_at
    if not retrying and work.last_start != NEVER:
        earliest = work.last_start + reaction.min_interval
    if earliest > state.now:
        row.plan_at = min(row.plan_at, earliest)
        return
    reason = Reason.RETRY if retrying else Reason.NEW_DATA if row.cells else Reason.FIRST_DATA
    if row.busy_ups or (reaction.debounce and not retrying):
        forced_at = launchable_from(state, row) + reaction.max_wait
        held_until = _held_until(state, row, retrying)
        if held_until > state.now and forced_at > state.now:
            row.plan_at = min(row.plan_at, held_until, forced_at)
            return
        if held_until > state.now:
            reason = Reason.MAX_WAIT
    if _has_place(state, row, emit):
        _request(state, row, reason, (), emit)


def _held_until(state: State, row: Row, retrying: bool) -> Instant:
    """How long a ready row is held: FOREVER while it waits for another (which wakes it), else until it is quiet."""
    awaited = waits_for(state, row)
    for upstream in awaited:
        if upstream.waiters is None:
            upstream.waiters = {}
        upstream.waiters[row] = None
    if awaited:
        return FOREVER
    if retrying or not row.reaction.debounce:
        return NEVER
    return newest_upstream_end(row) + row.reaction.debounce


def _has_place(state: State, row: Row, emit: Emit) -> bool:
    traits = state.charter.launchers.get(row.asset.launcher)
    limit = traits.limit if traits is not None else 0
    if not limit or state.launcher_load.get(row.asset.launcher, 0) < limit:
        return True
    if row.work is None or not row.work.queued:
        emit(RunQueued(state.now, row.key))
    return False


def _request(state: State, row: Row, reason: Reason, wishes: tuple[str, ...], emit: Emit) -> None:
    traits = state.charter.launchers.get(row.asset.launcher)
    assets: tuple[AssetKey, ...] = (row.key,)
    first = row
    if traits is not None and traits.wave:
        members = _wish_wave(state, row, wishes) if wishes else _wave(state, row)
        assets, first = tuple(member.key for member in members), members[0]
    requested = first.work.requested if first.work is not None else 0
    attempt = 1 if first.work is None or first.stopped else first.work.attempts + 1
    run = LaunchRun(
        run_id=runs.run_id(assets, requested, attempt),
        launcher=row.asset.launcher,
        assets=assets,
        requested_at=state.now,
        attempt=attempt,
        partition=row.partition,
        reason=reason.value,
    )
    emit(RunRequested(state.now, run, observed=state.charter.observe, wishes=wishes))


# waves


def _wave(state: State, row: Row) -> list[Row]:
    """The rows of one run: other ready rows of the launcher, and below them what the run will make due."""
    launcher = row.asset.launcher
    members = {row}
    heads = [other for other in state.due_of(launcher) if other is not row and _is_ready(state, other)]
    members.update(heads)
    pending = sorted({kid for member in members for kid in member.readers}, key=lambda kid: kid.order)
    seen = set(pending)
    while pending:
        kid = pending.pop(0)
        if kid in members or not _joins(state, kid, launcher, members):
            continue
        members.add(kid)
        for below in kid.readers:
            if below not in seen:
                seen.add(below)
                pending.append(below)
        pending.sort(key=lambda below: below.order)
    return sorted(members, key=lambda member: member.order)


def _is_ready(state: State, row: Row) -> bool:
    """Whether an eager row could be launched at this very moment."""
    if not (row.automatic and row.due) or row.in_flight or row.stopped or is_blocked(row) or row.wishes:
        return False
    work = row.moving_work
    if work.retry_at != NEVER:
        if work.retry_at > state.now:
            return False
    elif work.last_start != NEVER and work.last_start + row.reaction.min_interval > state.now:
        return False
    if launchable_from(state, row) + row.reaction.max_wait <= state.now:
        return True
    if waits_for(state, row):
        return False
    return work.retry_at != NEVER or newest_upstream_end(row) + row.reaction.debounce <= state.now


def _joins(state: State, row: Row, launcher: str, members: set[Row]) -> bool:
    """Whether a row below members of a wave goes with them."""
    if not row.automatic or row.asset.launcher != launcher or row.in_flight or row.stopped:
        return False
    if row.stuck_ups and not row.reaction.go_on:
        return False
    work = row.work
    if work is not None and (
        work.retry_at > state.now
        or (work.last_start != NEVER and work.last_start + row.reaction.min_interval > state.now)
    ):
        return False
    if not _made_due(row, members):
        return False
    for up in row.ups:
        for read in through_virtual(up):
            if read not in members and read.automatic and _rests_on(read, members):
                return False
    return not waits_for(state, row, members)


def _made_due(row: Row, members: set[Row]) -> bool:
    def moved(up: Row) -> bool:
        return any(read in members for read in through_virtual(up))

    if not row.cells:
        reads = (read for up in row.ups for read in through_virtual(up))
        return all(read in members or read.updated_at != NEVER for read in reads)
    needed = row.reaction.updates_on
    news = {up.key for up in row.ups if moved(up) or has_news(row, up)}
    if needed == "any":
        return bool(news)
    return len(news) == len(row.ups) if needed == "all" else all(key in news for key in needed)


def _rests_on(row: Row, members: set[Row]) -> bool:
    """Whether a member is above `row`, through automatic and virtual rows."""
    stack = list(row.ups)
    seen: set[Row] = set()
    while stack:
        up = stack.pop()
        if up in members:
            return True
        if up not in seen:
            seen.add(up)
            if up.asset.virtual or up.automatic:
                stack.extend(up.ups)
    return False


def _wish_wave(state: State, row: Row, wishes: tuple[str, ...]) -> list[Row]:
    """The planned rows of the same launcher that can go in one run for the same wish."""
    name = wishes[0]
    members = [row]
    keys: set[AssetKey] = {row.key}
    planned = state.wishes.unstarted(name)
    for other in sorted((state.rows[key] for key in planned if key in state.rows), key=lambda member: member.order):
        if (
            other is not row
            and other.asset.launcher == row.asset.launcher
            and not other.in_flight
            and state.wishes.joins(name, other, frozenset(keys))
        ):
            members.append(other)
            keys.add(other.key)
    return sorted(members, key=lambda member: member.order)
