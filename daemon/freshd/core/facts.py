"""What each record does to the state: the only code that changes it, live and when recovery folds the journal."""

from __future__ import annotations

from collections.abc import Iterable
from typing import assert_never

from freshd.core import blindness, declared, notices, runs, runs_of_others, slo
from freshd.core.checks import awaited_until, awaits_checks, results_in
from freshd.core.freshness import data_time
from freshd.core.history import latest_time
from freshd.core.rebuild import rebuild, rebuild_part
from freshd.core.relinking import relink
from freshd.core.rows import Row
from freshd.core.state import Changed, State, completeness_wanted
from freshd.core.updates import take_update
from freshd.model import records
from freshd.model.asset import AssetKey
from freshd.model.inputs import Event, EventKind
from freshd.model.records import Record
from freshd.model.time import FOREVER, NEVER


def apply(state: State, record: Record) -> None:
    """Make the state what it is once the record is a fact."""
    if record.now > state.now:
        state.now = record.now
    match record:
        case records.EventTaken(event=event):
            _event(state, event)
        case records.RunRequested():
            runs.begin(state, record)
        case records.RunReported(report=report):
            runs.report(state, report)
        case records.VerdictChanged() | records.Violated() | records.ObjectiveCounted():
            _of_pair(state, record)
        case records.IncidentChanged():
            for pair in state.book.record(record, state.pair_of):
                state.mark(pair.row)
        case records.EventRepeated() | records.DeadLettered() | records.UnmatchedSeen() | records.QuietSteps():
            pass
        case records.RunQueued() | records.StopEnded() | records.RunOfOthersLost() | records.CheckWaitEnded():
            _of_row(state, record)
        case records.NoticeRequested():
            notices.asked(state, record)
        case records.NoticeReported(report=report):
            notices.reported(state, report)
        case records.WishMade(wish=wish, planned=planned):
            state.wishes.make(wish, planned, state.rows)
            for key in planned:
                _wished(state, state.rows.get(key))
        case records.WishEnded():
            runs.drop_retries(state, state.wishes.end(record, state.rows))
        case (
            records.Declared()
            | records.DeclarationBegan()
            | records.DeclarationEnded()
            | records.IncidentAcknowledged()
            | records.Blinded()
            | records.SightRegained()
        ):
            _said_or_seen(state, record)
        case records.DaemonStarted():
            _started(state, record)
        case records.DaemonCaughtUp():
            _caught_up(state)
        case records.WindowsBegan():
            state.windows_at = state.now
            _relink(state, ())
        case records.PartitionsUsed(named=named):
            _relink(state, named)
        case records.GraphReplaced(rewired=rewired):
            _check_anew(state)
            _joined_now(state, [state.rows[key] for key in rewired if key in state.rows])
            rebuild(state, (state.now, ""))
        case _:
            assert_never(record)


def _said_or_seen(
    state: State,
    record: records.Declared
    | records.DeclarationBegan
    | records.DeclarationEnded
    | records.IncidentAcknowledged
    | records.Blinded
    | records.SightRegained,
) -> None:
    """What people declare, and what the daemon can see."""
    match record:
        case records.Declared():
            declared.stand(state, record)
        case records.DeclarationBegan(declaration=name):
            declared.begin(state, name)
        case records.DeclarationEnded(declaration=name):
            declared.end(state, name)
        case records.IncidentAcknowledged():
            state.book.acknowledge(record.incident, record.acknowledgement)
        case records.Blinded():
            blindness.lose(state, record)
        case records.SightRegained(topic=topic):
            blindness.see(state, topic)
        case _:
            assert_never(record)


def _relink(state: State, named: Iterable[tuple[AssetKey, str]]) -> None:
    """Other partitions are in use: what touches them is linked anew."""
    found = relink(state, state.now, named)
    for key in found.added:
        state.rows[key].known_since = state.now
        state.mark(state.rows[key])
    state.gone.extend(found.removed)
    rebuild_part(state, found.below, found.above)


def _event(state: State, event: Event) -> None:
    if event.id:
        limits = state.charter.limits
        if not state.seen.remember(event.source, event.id, state.now, limits.remembered_ids, limits.remember_ids):
            return
    if event.whole_run and event.run_id:
        _of_whole_run(state, event)
        return
    for asset in event.assets:
        row = state.rows.get(asset)
        if row is not None and row.rare.parts is not None:
            row = row.rare.parts.get(event.partition)
        if row is not None:
            _event_of(state, row, event)


def _of_whole_run(state: State, event: Event) -> None:
    """It is about every row in flight under its run id as well."""
    if event.kind is EventKind.RUN_STARTED:
        at = min(event.at, state.now) if event.started_at is None else event.started_at
        runs_of_others.note_begun(state, event.run_id, at)
        return
    rows = [state.row_of(asset, event.partition) for asset in event.assets]
    named = [row for row in rows if row is not None and row.rare.parts is None]
    running = sorted(state.others.get(event.run_id, set()) - {row.key for row in named})
    for row in (*named, *(state.rows[key] for key in running)):
        _event_of(state, row, event)


def _event_of(state: State, row: Row, event: Event) -> None:
    at = min(event.at, state.now)
    if event.topic != row.topic:
        blindness.heard(state, row, event.topic)
        state.mark(row)
    match event.kind:
        case EventKind.UPDATE:
            _update(state, row, event, at)
        case EventKind.OBSERVATION:
            _observation(state, row, event, at)
        case EventKind.RUN_STARTED:
            runs_of_others.started(state, row, event.run_id, event.started_at if event.started_at is not None else at)
        case EventKind.RUN_FAILED:
            runs_of_others.ended(state, row, event.run_id, at, failed=True)
        case EventKind.RUN_ENDED:
            runs_of_others.ended(state, row, event.run_id, at, failed=False)
        case EventKind.CHECK:
            if event.check is not None:
                runs.take_check(state, row, at, event.check)
        case EventKind.HEARTBEAT:
            pass
        case _:
            assert_never(event.kind)


def _update(state: State, row: Row, event: Event, at: int) -> None:
    declared = event.completeness
    if declared is not None and declared < 1.0 and declared < completeness_wanted(row):
        runs_of_others.ended(state, row, event.run_id, at, failed=True)
        return
    for check in results_in(row, event.metadata) if row.rare.recall is not None else ():
        runs.take_check(state, row, at, check, in_metadata=True)
    start = event.started_at
    if row.rare.others is not None or event.run_id:
        if start is None and event.run_id:
            start = runs_of_others.start_of(row, event.run_id)
            if start is None:
                start = state.begun.get(event.run_id)
            if start is None:
                runs_of_others.end_unstarted(row, event.run_id, at)
        runs_of_others.close(state, row, event.run_id, at)
    take_update(
        state,
        row,
        at,
        at if start is None else start,
        data_time=event.data_time,
        changed=event.changed,
        run_id=event.run_id,
    )


def _observation(state: State, row: Row, event: Event, at: int) -> None:
    if event.data_time is None:
        return
    seen = min(event.data_time, at)
    known = latest_time(row.cells, at - 1, row.base) if row.source else data_time(row, at - 1, state.memo)
    if seen > known:  # by what was told of it, also where its window ends before that
        take_update(state, row, at, at, data_time=seen, observed=True)


def _of_pair(state: State, record: records.VerdictChanged | records.Violated | records.ObjectiveCounted) -> None:
    pair = state.pair_of(record.asset, record.partition, record.policy)
    if pair is None:
        return
    state.mark(pair.row)
    match record:
        case records.VerdictChanged():
            pair.verdict, pair.measure, pair.since = record.new, record.measure, record.now
        case records.Violated():
            pair.warn_since, pair.stale_since = record.warn_since, record.stale_since
        case _:
            slo.note(pair, record)


def _of_row(
    state: State, record: records.RunQueued | records.StopEnded | records.RunOfOthersLost | records.CheckWaitEnded
) -> None:
    row = state.rows.get(record.asset)
    if row is None:
        return
    match record:
        case records.RunQueued():
            runs.queue(state, row)
        case records.StopEnded():
            runs.end_stop(state, row)
        case records.RunOfOthersLost():
            runs_of_others.lost(state, row, record.run_id)
        case _:
            runs.end_check_wait(state, row)


def _wished(state: State, row: Row | None) -> None:
    """A person starts a stopped asset anew at once, with all its attempts."""
    if row is None:
        return
    if row.work is not None and row.work.stopped:
        runs.end_stop(state, row)
    if row.work is not None:
        row.work.retry_at = NEVER
    state.plan(row)
    state.touch(row)


def _joined_now(state: State, rows: list[Row]) -> None:
    """Upstreams that rows gained at a time not known from the checkpoint have been gained by now."""
    for row in rows:
        if row.rare.joined is not None:
            row.own_rare.joined = {up: min(at, state.now) for up, at in row.rare.joined.items()}
            state.mark(row)


def _check_anew(state: State) -> None:
    """Rules may ask for other checks than before, so that readers wait for others."""
    if state.changed is Changed.EXPECTATIONS:
        return
    for row in state.rows.values():
        if row.rare.checked_by != NEVER or awaits_checks(row):
            until = awaited_until(row, state.charter.limits.check_wait, state.now)
            if until != row.rare.checked_by:
                row.own_rare.checked_by = until
                state.mark(row)


def _started(state: State, record: records.DaemonStarted) -> None:
    state.started_at = state.now
    state.catching_up_until = state.now + state.charter.limits.catch_up if record.catching_up else NEVER
    rewired = [state.rows[key] for key in record.rewired if key in state.rows]
    _joined_now(state, rewired)
    if rewired:
        rebuild(state)
    for row in state.rows.values():
        if row.known_since == FOREVER:
            row.known_since = state.now
            state.mark(row)
            state.judge(row)


def _caught_up(state: State) -> None:
    state.catching_up_until = NEVER
    for row in state.deferred:
        state.judge(row)
    state.deferred.clear()
    for row in state.rows.values():
        if row.due or row.rare.wishes:
            state.plan(row)
