"""The root cause of a pair that is not fresh: a walk up the graph along what limits it, to one asset.

The walk reads state only. It returns the path too: the cause rests on those rows alone, so it is
looked at again when one of them changes. Grouping of sources by feed is the incident book's matter.
"""

from __future__ import annotations

from freshd.core.busy import is_blocked, is_root_stuck
from freshd.core.checks import violates
from freshd.core.freshness import Memo, counts, data_time, pending_since, updated_at
from freshd.core.rows import Row, by_key
from freshd.model.policy import Measure
from freshd.model.records import Reason
from freshd.model.time import NEVER, Instant
from freshd.model.values import value


@value(frozen=True, slots=True)
class Cause:
    """Where a walk ended, why, and the rows it went through."""

    row: Row
    reason: Reason
    path: tuple[Row, ...]


def root_cause(row: Row, measure: Measure, now: Instant, memo: Memo) -> Cause:
    """The asset at which the walk from `row` by `measure` ends."""
    if measure is Measure.CHECKS:
        return Cause(row, Reason.CHECK_FAILED if violates(row) else Reason.NO_RESULT, (row,))
    path = [row]
    here = row
    while here.asset.upstreams:
        up = _limiting(here, measure, now, memo)
        if up is None:
            return _cause_here(here, path)
        path.append(up)
        here = up
    return Cause(here, source_reason(here), tuple(path))


def rests_beyond(cause: Cause, measure: Measure, now: Instant, memo: Memo) -> tuple[Row, ...]:
    """Rows beyond the end of a walk that it rests on.

    Of a source's partition the whole, since the outcomes of all say why; a walk by age ends at a due row, and was led
    there by that row's data time, which rests on what is above it.
    """
    whole = (cause.row.whole,) if cause.row.source and cause.row.whole is not None else ()
    if measure not in (Measure.AGE, Measure.LEARNED) or len(cause.path) == 1:
        return whole
    end = next((step for step in cause.path[1:] if step.due), None)
    return whole if end is None else (*whole, *root_cause(end, Measure.LAG, now, memo).path[1:])


def source_reason(row: Row) -> Reason:
    """Why a source is the cause: whether its sync failed the latest outcome of any partition says."""
    if (row.whole or row).last_failed:
        return Reason.SYNC_FAILED
    return Reason.NEVER_UPDATED if updated_at(row) == NEVER else Reason.NO_UPDATE


def _limiting(row: Row, measure: Measure, now: Instant, memo: Memo) -> Row | None:
    """The upstream that limits `row`, or None: it is `row` itself. Of several, the one with the smallest key.

    Of a whole, one of its partitions that are looked after.
    """
    ups = row.ups if row.rare.parts is None else [up for up in row.ups if counts(up)]
    if measure is Measure.BEHIND:
        mine = pending_since(row)
        found = [up for up in ups if pending_since(up) == mine]
        return min(found, key=by_key, default=None)
    if measure in (Measure.AGE, Measure.LEARNED) and row.due:
        return None
    reached = data_time(row, now, memo)
    found = [up for up in ups if data_time(up, now, memo) == reached]
    return min(found, key=by_key, default=None)


def _cause_here(row: Row, path: list[Row]) -> Cause:
    if row.due and row.outcome_failed:
        return Cause(row, Reason.RUN_FAILED, tuple(path))
    if row.in_flight:
        return Cause(row, Reason.RUNNING, tuple(path))
    if is_blocked(row):
        return _stuck_above(row, path)
    if not row.due:
        return Cause(row, Reason.OLD_DATA, tuple(path))
    return Cause(row, Reason.NOT_MATERIALISED, tuple(path))


def _stuck_above(row: Row, path: list[Row]) -> Cause:
    """The stuck asset that a blocked one leads to, by smallest keys."""
    here = row
    while here is row or not is_root_stuck(here):
        here = min((up for up in here.ups if up.stuck), key=by_key)
        path.append(here)
    reason = Reason.RUN_FAILED if here.stopped and here.due else Reason.CHECK_FAILED
    return Cause(here, reason, tuple(path))


def failed_cause(row: Row) -> Cause:
    """Of a pair that is bad because its asset failed, and not stale: the asset."""
    return Cause(row, Reason.RUN_FAILED if row.stopped else Reason.CHECK_FAILED, (row,))
