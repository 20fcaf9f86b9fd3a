"""The lifecycle of the daemon's own runs, from request to outcome; those of others are in runs_of_others.py.

They follow the table below; an outcome of a member is final, whatever is reported later. A failed
attempt is owed a retry until the attempts are used up; then the asset has failed and stops.

    phase      | member in flight | becomes
    -----------+------------------+----------------------------------------------------------------
    QUEUED     | yes              | in flight
    STARTED    | yes              | in flight, its start known
    SUCCEEDED  | yes              | updated; series of attempts over
    FAILED     | yes              | one attempt used: a retry is owed, or it stops
    LOST       | yes              | as FAILED
    SKIPPED    | yes              | as if it had not run
    FINISHED   | yes (no outcome) | as SKIPPED; the launcher's place is free
    any        | no               | unchanged
"""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import sha256

from freshd.core import just_in_time, places
from freshd.core.busy import settle
from freshd.core.checks import number, results_in
from freshd.core.freshness import newest_word
from freshd.core.propagation import begin_anew, mend, refresh_due, release_stop
from freshd.core.rare import Rare
from freshd.core.rows import MANUAL, Row
from freshd.core.state import State
from freshd.core.updates import await_checks, take_update
from freshd.core.work import OwnRun, row_key, row_keys
from freshd.model.asset import AssetKey
from freshd.model.inputs import Check, RunPhase, RunReport
from freshd.model.policy import ReactionKind, Retry
from freshd.model.records import RunRequested
from freshd.model.time import FOREVER, NEVER, Duration, Instant


def run_id(assets: tuple[AssetKey, ...], requested_before: int, attempt: int) -> str:
    """The id of a run: the same state gives the same id."""
    text = "\x00".join((*assets, str(requested_before), str(attempt)))
    return "fd-" + sha256(text.encode()).hexdigest()[:24]


def retry_delay(retry: Retry, failed_attempts: int, of_run: str) -> Duration:
    """How long after the end of a failed run the next attempt may start."""
    delay = min(retry.delay * retry.factor ** (failed_attempts - 1), retry.max_delay)
    share = int(sha256(of_run.encode()).hexdigest()[:8], 16) / 0x100000000
    return round(delay * (1 + retry.jitter * share))


def allowed_attempts(state: State, row: Row) -> int:
    """How many runs a series may take; a wish for a manual asset has one attempt, for one that is paused all."""
    reaction = state.charter.reactions.get(row.asset.key, MANUAL)
    return 1 if reaction.kind is ReactionKind.MANUAL else reaction.retry.attempts


def begin(state: State, record: RunRequested) -> None:
    """A run is requested: its members are in flight."""
    order = record.run
    members = [state.rows[key] for key in row_keys(order.assets, order.partition) if key in state.rows]
    if record.observed:
        for row in members:
            row.moving_work.requested += 1
            row.moving_work.withheld = newest_word(row)
            _serve(state, record.wishes, row)
            state.touch(row)
        return
    run = OwnRun(
        order.run_id,
        order.launcher,
        order.assets,
        record.now,
        order.attempt,
        order.reason,
        record.wishes,
        order.partition,
    )
    state.runs[run.run_id] = run
    state.launcher_load[run.launcher] = state.launcher_load.get(run.launcher, 0) + 1
    for row in members:
        work = row.moving_work
        work.requested += 1
        if record.wishes and work.stopped:
            work.stopped, work.stop_release, work.attempts = False, FOREVER, 0
            state.judge(row)
        if len(members) == 1:
            work.attempts = order.attempt - 1  # as it was then, also if it is not due by policies edited since
        work.run = run
        work.start_before = work.last_start
        work.run_start = work.last_start = record.now
        if work.queued:
            work.queued = False
            state.queued.get(row.asset.launcher, set()).discard(row)
        for wish in record.wishes:
            state.wishes.running(wish, row)
        settle(state, row)
        state.touch(row)


def report(state: State, told: RunReport) -> None:
    """A launcher's report counts; one of a run or member that is over changes nothing."""
    run = state.runs.get(told.run_id)
    if run is None:
        return
    keys = (
        [row_key(told.asset, run.partition)] if told.asset and told.phase is not RunPhase.FINISHED else sorted(run.open)
    )
    for key in keys:
        if key not in run.open:
            continue
        row = state.rows.get(key)
        if row is None or row.work is None or row.work.run is not run:
            if told.phase not in (RunPhase.QUEUED, RunPhase.STARTED):
                run.open.discard(key)
            continue
        _report_of(state, run, row, told)
    if told.phase is RunPhase.FINISHED or not run.open:
        _finish(state, run)


def _report_of(state: State, run: OwnRun, row: Row, told: RunReport) -> None:
    work = row.moving_work
    at = min(told.at, state.now)
    if told.phase is RunPhase.QUEUED:
        return
    if told.phase is RunPhase.STARTED:
        work.run_start = min(told.started_at if told.started_at is not None else told.at, state.now)
        state.touch(row)
        return
    run.open.discard(row.key)
    work.run = None
    if told.phase is RunPhase.SKIPPED or told.phase is RunPhase.FINISHED:
        work.last_start = work.start_before  # it counts as not run: a retry that was owed still is
        if not (row.due or state.wishes.wanted(row)):
            begin_anew(row)
    else:
        work.last_end = at
    results = results_in(row, told.metadata) if told.phase is RunPhase.SUCCEEDED else []
    for check in results:
        take_check(state, row, at, check, in_metadata=True)
    for check in told.checks:
        take_check(state, row, at, check)
    if told.phase is RunPhase.SUCCEEDED:
        start = told.started_at if told.started_at is not None else work.run_start
        work.error = ""
        work.attempts = 0
        work.retry_at = NEVER
        just_in_time.took(state, row, at - start)
        take_update(state, row, at, start, data_time=told.data_time, changed=told.changed, run_id=run.run_id)
        _serve(state, run.wishes, row)
    elif told.phase in (RunPhase.FAILED, RunPhase.LOST):
        _failed(state, run, row, at, told.error or told.phase.value)
    else:
        for wish in run.wishes:
            state.wishes.waiting(wish, row)
    refresh_due(state, row)
    state.plan(row)
    state.touch(row)


def _serve(state: State, wishes: tuple[str, ...], row: Row) -> None:
    """What was wished of `row` is done: what waited for it is next."""
    for wish in wishes:
        state.wishes.done(wish, row)
        for key in state.wishes.held_up(wish, row):
            if key in state.rows:
                state.plan(state.rows[key])


def _failed(state: State, run: OwnRun, row: Row, at: Instant, error: str) -> None:
    work = row.moving_work
    work.error = error
    work.attempts += 1
    row.note_outcome(at, failed=True)
    if work.attempts < allowed_attempts(state, row):
        if row.due or state.wishes.wanted(row):
            work.retry_at = at + retry_delay(row.reaction.retry, work.attempts, run.run_id)
        else:
            begin_anew(row)
        for wish in run.wishes:
            state.wishes.waiting(wish, row)
    else:
        work.stopped = True
        work.retry_at = NEVER
        work.stop_release = FOREVER
        release_stop(state, row)
        for wish in run.wishes:
            state.wishes.failed(wish, row)
    state.judge(row)


def drop_retries(state: State, rows: Iterable[Row]) -> None:
    """A wish is over: what it was tried again for only, and is not due, begins anew the next time."""
    for row in rows:
        work = row.work
        if work is not None and work.retry_at != NEVER and not row.due and not state.wishes.wanted(row):
            begin_anew(row)
            state.touch(row)


def _finish(state: State, run: OwnRun) -> None:
    if run.finished:
        return
    run.finished = True
    state.runs.pop(run.run_id, None)
    for row in state.wishes.left(run.run_id, run.wishes, state.rows):
        state.plan(row)
    state.launcher_load[run.launcher] -= 1
    for row in places.leaving(state, run):
        work = row.moving_work
        work.queued = False
        work.unqueued_at = state.now
        state.mark(row)
        state.plan(row)


def queue(state: State, row: Row) -> None:
    """The row is ready, but its launcher is full."""
    row.moving_work.queued = True
    state.mark(row)
    state.queued.setdefault(row.asset.launcher, set()).add(row)


def end_stop(state: State, row: Row) -> None:
    """A stopped row may be launched again, with all its attempts."""
    mend(row)
    settle(state, row)
    state.plan(row)
    state.judge(row)
    state.touch(row)


def take_check(state: State, row: Row, at: Instant, check: Check, in_metadata: bool = False) -> None:
    """A check's result counts until a later one; one of a partition for the asset as a whole too, if that is asked."""
    _take_check(state, row, at, check, in_metadata)
    whole = state.rows.get(row.asset.key) if row.partition else None
    recall = whole.rare.recall if whole is not None else None
    if whole is not None and recall is not None and any(check.name == rule.name for rule in recall.rules):
        _take_check(state, whole, at, check, in_metadata)


def _take_check(state: State, row: Row, at: Instant, check: Check, in_metadata: bool) -> None:
    rare = row.own_rare
    value = number(check.value)
    if rare.recall is not None and value is not None:
        rare.recall.note_value(check.name, at, value)
    if not _latest(rare, at, check, in_metadata):
        if rare.recall is not None and check.name in rare.recall.longest:  # the latest is compared with it
            settle(state, row)
            state.judge(row)
            state.touch(row)
        return
    await_checks(state, row)
    state.judge(row)
    state.touch(row)


def _latest(rare: Rare, at: Instant, check: Check, in_metadata: bool) -> bool:
    """Keep the result if it is the latest of its name, or of those that checks told; whether it is of either kind."""
    name = check.name
    told, said = (rare.checks or {}).get(name), (rare.in_metadata or {}).get(name)
    if told is not None and told[0] > at:
        return False
    if in_metadata:
        if said is None or said[0] <= at:
            rare.in_metadata = (rare.in_metadata or {}) | {name: (at, check)}
            return True
        return False
    rare.checks = (rare.checks or {}) | {name: (at, check)}
    if said is not None and rare.in_metadata is not None and said[0] <= at:
        rare.in_metadata = {key: known for key, known in rare.in_metadata.items() if key != name} or None
    return True


def end_check_wait(state: State, row: Row) -> None:
    """Nobody waits any longer for checks of the row's earliest unchecked update."""
    await_checks(state, row)
    state.touch(row)
