"""Answers about one row, and about the open incidents: reads the state, changes nothing."""

from __future__ import annotations

from freshd.core.blindness import cause_of
from freshd.core.busy import is_blocked, waits_for
from freshd.core.causes import root_cause
from freshd.core.checks import complaints
from freshd.core.freshness import Memo, data_time, pending_since, updated_at
from freshd.core.judging import pair_state
from freshd.core.rows import Pair, Row
from freshd.core.slo import totals_at
from freshd.core.state import State
from freshd.core.verdicts import turning_points
from freshd.model.assessment import Assessment, IncidentView, PolicyView, RunView
from freshd.model.asset import AssetKey
from freshd.model.declarations import DeclarationKind
from freshd.model.policy import RANK, Measure, Verdict
from freshd.model.time import FOREVER, NEVER, Instant


def assess_row(state: State, row: Row, at: Instant, memo: Memo | None = None, brief: bool = False) -> Assessment:
    """Everything there is to say of one row; `brief`: without causes and what it waits for."""
    if memo is None:
        memo = state.memo_at(at)
    updated, reached, pending = updated_at(row), data_time(row, at, memo), pending_since(row)
    policies = tuple(_policy_view(state, pair, at, memo) for pair in row.pairs if pair.policy.has_expectations)
    verdict = max((view.verdict for view in policies), key=RANK.__getitem__, default=None)
    cause, reason, path = ("", "", ()) if brief else _cause(state, row, at)
    has_value = updated != NEVER
    behind = None if not has_value else 0 if pending == FOREVER else at - pending
    inherited = None if brief else _inherited(row, at, reached, memo)
    own = None if reached == NEVER or inherited is None else max(0, at - reached - inherited)
    parts = (row,) if row.rare.parts is None else row.ups
    waiting = waits_for(state, row) if not brief and row.due and row.automatic and not row.in_flight else ()
    return Assessment(
        asset=row.asset.key,
        partition=row.partition,
        at=at,
        verdict=verdict,
        policies=policies,
        updated_at=updated if has_value else None,
        data_time=reached if reached != NEVER else None,
        pending_since=pending if pending != FOREVER else None,
        age=at - updated if has_value else None,
        lag=at - reached if reached != NEVER else None,
        behind=behind,
        runs=tuple(run for part in parts for run in _runs(part)),
        runs_started=sum(part.work.requested for part in parts if part.work is not None),
        failed=row.stopped or row.check_failed(),
        blocked=any(is_blocked(part) for part in parts),
        due=any(part.due for part in parts),
        static=row.asset.static,
        infeasible=state.infeasible.get(row.asset.key, ()),
        last_error=next((part.work.error for part in reversed(parts) if part.work is not None and part.work.error), ""),
        next_launch=min((then for part in parts if (then := _next_launch(state, part)) is not None), default=None),
        waiting_for=tuple(up.key for up in waiting[:1]),
        cause=cause,
        cause_reason=reason,
        path=path,
        own_lag=own,
        inherited_lag=None if own is None else at - reached - own,
        declared=state.declarations.of(row.asset.key),
        blind=cause_of(state.blinded[row]) if row in state.blinded else "",
    )


def _next_launch(state: State, row: Row) -> Instant | None:
    held = row.due and not row.in_flight and not state.catching_up
    return row.plan_at if held and row.plan_at < FOREVER else None


def _policy_view(state: State, pair: Pair, at: Instant, memo: Memo) -> PolicyView:
    warn_at, stale_at = turning_points(pair.policy, pair.row, at, memo)
    if pair.row in state.blinded and pair.verdict is not Verdict.STALE:
        warn_at = stale_at = None  # nobody can tell
    alert = pair.policy.alert
    return PolicyView(
        policy=pair.policy.name,
        verdict=pair.verdict,
        measure=pair.measure,
        warn_at=warn_at,
        stale_at=stale_at,
        severity=alert.severity if alert is not None else None,
        incident=pair.incident,
        since=pair.since,
        counted=totals_at(pair, at),
        complaints=complaints(pair.policy, pair.row) if pair.policy.checks else (),
    )


def _inherited(row: Row, at: Instant, reached: Instant, memo: Memo) -> int | None:
    """How much of the lag the upstreams have now."""
    if reached == NEVER:
        return None
    if not row.ups:
        return 0
    above = min(data_time(up, at, memo) for up in row.ups)
    return None if above == NEVER else at - above


def _cause(state: State, row: Row, at: Instant) -> tuple[str, str, tuple[AssetKey, ...]]:
    """The root cause of the worst pair that is not fresh."""
    worst: Pair | None = None
    for pair in row.pairs:
        bad = pair_state(pair)
        if (bad or pair.verdict is not Verdict.FRESH) and (worst is None or RANK[pair.verdict] > RANK[worst.verdict]):
            worst = pair
    if worst is None:
        return "", "", ()
    if worst.incident:
        # beyond its root the pair watches more than what it rests on
        path = worst.path[: worst.path.index(worst.root) + 1] if worst.root in worst.path else worst.path[:1]
        return worst.cause, worst.reason, tuple(step.key for step in path)
    if not worst.measure:
        return "", "", ()
    found = root_cause(row, Measure(worst.measure), at, state.memo_at(at))
    return found.row.asset.key, found.reason.value, tuple(step.key for step in found.path)


def _runs(row: Row) -> tuple[RunView, ...]:
    runs: list[RunView] = []
    work = row.work
    if work is not None and work.run is not None:
        runs.append(RunView(work.run.run_id, True, work.run_start, work.run.attempt))
    runs += [RunView(name, False, start, 1) for name, start in (row.rare.others or {}).items()]
    return tuple(runs)


def incident_views(state: State, brief: bool = False) -> tuple[IncidentView, ...]:
    """The open incidents, in the order of opening; `brief`: without their members, who may be many."""
    views: list[IncidentView] = []
    for incident in sorted(state.book.incidents.values(), key=lambda one: one.sort_key()):
        members = sorted(
            (pair.row.asset.key, pair.policy.name, pair.row.partition, pair.state)
            for pair in (() if brief else incident.members.values())
        )
        views.append(
            IncidentView(
                incident=incident.id,
                cause=incident.cause,
                reason=incident.reason,
                severity=incident.severity,
                opened_at=incident.opened_at,
                announced=incident.announced,
                members=tuple((policy, asset, partition, bad) for asset, policy, partition, bad in members),
                acknowledgement=incident.acknowledged,
                muted=not brief
                and all(state.declarations.holding(DeclarationKind.MUTE, asset) for asset, *_ in members),
            )
        )
    return tuple(views)
