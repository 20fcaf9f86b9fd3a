"""Which runs to request now, and for rows that have to wait: until when, or for whom.

It looks at state only, never at what woke it. For an automatic row, in this order: is it due, free, not
stopped, not blocked; does its window or just-in-time hold it back; has `min_interval` (or a retry's delay)
passed; does it wait for something above; is it quiet (`debounce`); is there a place. A row that waits for
another is looked at again when that one changes; a row that waits for an instant is in the timer queue.
Where places are limited, all rows that are ready are known before the first is given one.
"""

from __future__ import annotations

from freshd.core import holding, just_in_time, places, runs
from freshd.core.busy import is_blocked, launchable_from, waits_for
from freshd.core.freshness import newest_upstream_end, newest_word
from freshd.core.rows import Row, upstreams_first
from freshd.core.state import State
from freshd.core.step import Emit
from freshd.core.waves import wave_of, wish_wave
from freshd.model.effects import LaunchRun
from freshd.model.policy import ReactionKind
from freshd.model.records import CheckWaitEnded, Reason, RunOfOthersLost, RunQueued, RunRequested, StopEnded
from freshd.model.time import FOREVER, NEVER, Instant

JUST_IN_TIME = ReactionKind.JUST_IN_TIME


def consider(state: State, emit: Emit) -> None:
    """Look at every row queued for planning, upstreams first, and request the runs that are to start."""
    just_in_time.hurry(state)
    contenders: dict[Row, None] = {}
    while state.to_plan or contenders:
        if not state.to_plan:
            _give_places(state, contenders, emit)
            contenders = {}
            continue
        batch = upstreams_first(state.to_plan)
        for row in batch:
            state.to_plan.discard(row)
            work = row.work
            if work is not None and work.stopped and work.stop_release <= state.now:
                emit(StopEnded(state.now, row.key))
            if row.rare.timing is not None or row.reaction.window is not None or row.reaction.kind is JUST_IN_TIME:
                holding.look(state, row)
        for row in batch:
            if _consider(state, row, emit):
                contenders[row] = None


def _give_places(state: State, contenders: dict[Row, None], emit: Emit) -> None:
    """Let those who are ready have the places there are, least slack first."""
    rows = list(contenders) if len(contenders) == 1 else places.least_slack_first(state, contenders)
    for row in rows:
        _consider(state, row, emit, contest=False)


def _consider(state: State, row: Row, emit: Emit, contest: bool = True) -> bool:
    """Launch the row, or see to it that it is looked at again; whether it is ready and has yet to contend."""
    row.plan_at = FOREVER
    contends = False
    rare = row.rare
    if rare.others is not None:
        _look_after_others(state, row, emit)
    if rare.checked_by != NEVER:
        if rare.checked_by <= state.now:
            emit(CheckWaitEnded(state.now, row.key))
        else:
            row.plan_at = min(row.plan_at, rare.checked_by)
    if row.work is not None and row.work.stopped:
        row.plan_at = min(row.plan_at, row.work.stop_release)
    if rare.timing is not None and row.automatic and row.due:
        row.plan_at = min(row.plan_at, rare.timing.look_at)  # blocked or in flight too: others may wait through it
    if row.asset.launcher and not state.catching_up and not row.in_flight and not is_blocked(row):
        wishes = state.wishes.ready(row) if row.rare.wishes else ()
        reason: Reason | None = None
        if wishes:
            reason = _wished_for(state, row)
        elif row.automatic and row.due and not row.stopped:
            reason = _ready(state, row)
        if reason is not None:
            contends = contest and state.limited and places.is_limited(state, row)
            if not contends and (not state.limited or _has_place(state, row, emit)):
                _request(state, row, reason, wishes, emit)
    state.arm(row, row.plan_at)
    return contends


def _look_after_others(state: State, row: Row, emit: Emit) -> None:
    for run, start in list((row.rare.others or {}).items()):
        lost_at = start + state.charter.limits.lost_after
        if lost_at <= state.now:
            emit(RunOfOthersLost(state.now, row.key, run))
        else:
            row.plan_at = min(row.plan_at, lost_at)


def _wished_for(state: State, row: Row) -> Reason | None:
    """A wish ignores debounce, min_interval, window and stop, but not the delay before a retry, nor a full launcher."""
    retry_at = row.work.retry_at if row.work is not None else NEVER
    if retry_at > state.now:
        row.plan_at = min(row.plan_at, retry_at)
        return None
    return Reason.WISH


def _ready(state: State, row: Row) -> Reason | None:
    """Why an automatic, due row is to be launched now; None: not yet, and it will be looked at again in time."""
    reaction = row.reaction
    if row.rare.timing is not None and row.rare.timing.held:
        return None
    work = row.moving_work
    if state.charter.observe and work.withheld == newest_word(row):
        return None
    retrying = work.retry_at != NEVER
    earliest = work.retry_at
    if not retrying and work.last_start != NEVER:
        earliest = work.last_start + reaction.min_interval
    if earliest > state.now:
        row.plan_at = min(row.plan_at, earliest)
        return None
    reason = _reason(row, retrying)
    if row.busy_ups or (reaction.debounce and not retrying):
        forced_at = launchable_from(state, row) + reaction.max_wait
        held_until = _held_until(state, row, retrying)
        if held_until > state.now and forced_at > state.now:
            row.plan_at = min(row.plan_at, held_until, forced_at)
            return None
        if held_until > state.now:
            reason = Reason.MAX_WAIT
    return reason


def _reason(row: Row, retrying: bool) -> Reason:
    if retrying:
        return Reason.RETRY
    if row.reaction.kind is JUST_IN_TIME:
        return Reason.JUST_IN_TIME
    return Reason.NEW_DATA if row.cells else Reason.FIRST_DATA


def _held_until(state: State, row: Row, retrying: bool) -> Instant:
    """How long a ready row is held: FOREVER while it waits for another (which wakes it), else until it is quiet."""
    awaited = waits_for(state, row)
    for upstream in awaited:
        state.wait(row, upstream)
    if awaited:
        return FOREVER
    if retrying or not row.reaction.debounce:
        return NEVER
    return newest_upstream_end(row) + row.reaction.debounce


def _has_place(state: State, row: Row, emit: Emit) -> bool:
    if places.has_place(state, row):
        return True
    if row.work is None or not row.work.queued:
        emit(RunQueued(state.now, row.key))
    return False


def _request(state: State, row: Row, reason: Reason, wishes: tuple[str, ...], emit: Emit) -> None:
    traits = state.charter.launchers.get(row.asset.launcher)
    members = [row]
    if traits is not None and traits.wave:
        members = wish_wave(state, row, wishes) if wishes else wave_of(state, row)
    first = members[0]
    requested = first.work.requested if first.work is not None else 0
    attempt = 1 if first.work is None or first.stopped else first.work.attempts + 1
    keys = (row.key,) if len(members) == 1 else tuple([member.key for member in members])
    run = LaunchRun(
        run_id=runs.run_id(keys, requested, attempt),
        launcher=row.asset.launcher,
        assets=keys if not row.partition else tuple([member.asset.key for member in members]),
        requested_at=state.now,
        attempt=attempt,
        partition=row.partition,
        reason=reason.value,
    )
    emit(RunRequested(state.now, run, observed=state.charter.observe, wishes=wishes))
