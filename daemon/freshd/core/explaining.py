"""Why a row is or is not launched now, what limits its data time, and what will change next: reads, changes nothing.

It asks the same questions in the same order as the planner, of the same state; it must not decide for itself.
"""

from __future__ import annotations

from freshd.core import places
from freshd.core.busy import is_blocked, launchable_from, waits_for
from freshd.core.causes import root_cause
from freshd.core.freshness import data_time, has_news, newest_upstream_end, newest_word
from freshd.core.rows import MANUAL, Row
from freshd.core.state import State
from freshd.core.verdicts import turning_points
from freshd.model.asset import AssetKey
from freshd.model.declarations import DeclarationKind
from freshd.model.explanation import Ahead, Explanation, Hold, Launching, Limiting
from freshd.model.policy import Measure, ReactionKind, Verdict
from freshd.model.time import FOREVER, NEVER, Instant


def explain_row(state: State, row: Row, at: Instant) -> Explanation:
    """What explains the row, beside its assessment."""
    memo = state.memo_at(at)
    limit = root_cause(row, Measure.LAG, at, memo)
    steps = tuple(Limiting(step.asset.key, _known(data_time(step, at, memo)), step.partition) for step in limit.path)
    launching = launching_of(state, row)
    return Explanation(launching, steps, limit.reason.value, _ahead(state, row, at, launching))


def launching_of(state: State, row: Row) -> Launching:
    """Why it is not launched now, by the first reason that there is."""
    can = _cannot(state, row)
    if can is not None:
        return can
    if row.rare.wishes and not state.wishes.ready(row):
        return Launching(Hold.WISHED)
    if not row.automatic:
        paused = state.declarations.holding(DeclarationKind.PAUSE, row.asset.key)
        meant = state.charter.reactions.get(row.asset.key, MANUAL)
        if paused is not None and meant.kind is not ReactionKind.MANUAL:
            return Launching(Hold.PAUSED, _known(paused.until))
        return Launching(Hold.MANUAL)
    if not row.due:
        return Launching(Hold.NOT_DUE, by=_keys(_awaited_news(row)))
    if row.stopped:
        work = row.moving_work
        return Launching(Hold.STOPPED, _known(work.stop_release), _keys(row.ups))
    if is_blocked(row):
        return Launching(Hold.BLOCKED, by=_keys(tuple(up for up in row.ups if up.stuck)))
    return _held(state, row)


def _cannot(state: State, row: Row) -> Launching | None:
    """What no policy could change."""
    if row.asset.virtual:
        return Launching(Hold.VIRTUAL)
    if not row.asset.launcher:
        return Launching(Hold.NO_LAUNCHER if row.asset.upstreams else Hold.SOURCE)
    if row.rare.parts is not None:
        return Launching(Hold.BY_PARTITION)
    if row.in_flight:
        return Launching(Hold.IN_FLIGHT)
    if state.catching_up:
        return Launching(Hold.CATCHING_UP, state.catching_up_until)
    return None


def _held(state: State, row: Row) -> Launching:
    """What holds back a row that is due and free."""
    now, reaction, work = state.now, row.reaction, row.work
    if row.rare.timing is not None and row.rare.timing.held:
        shut = reaction.window is not None and reaction.window.opened(now) == NEVER
        return Launching(Hold.WINDOW if shut else Hold.EARLY, _known(row.rare.timing.look_at))
    if state.charter.observe and work is not None and work.withheld == newest_word(row):
        return Launching(Hold.OBSERVED)
    retrying = work is not None and work.retry_at != NEVER
    if work is not None:
        if retrying and work.retry_at > now:
            return Launching(Hold.RETRY_DELAY, work.retry_at)
        if not retrying and work.last_start != NEVER and work.last_start + reaction.min_interval > now:
            return Launching(Hold.MIN_INTERVAL, work.last_start + reaction.min_interval)
    forced_at = launchable_from(state, row) + reaction.max_wait
    if forced_at > now:
        awaited = waits_for(state, row)
        if awaited:
            return Launching(Hold.WAITS, by=_keys(awaited), forced_at=forced_at)
        quiet_at = newest_upstream_end(row) + reaction.debounce
        if reaction.debounce and not retrying and quiet_at > now:
            return Launching(Hold.DEBOUNCE, min(quiet_at, forced_at), forced_at=forced_at)
    if not places.has_place(state, row):
        return Launching(Hold.NO_PLACE)
    return Launching(Hold.NOTHING)


def _awaited_news(row: Row) -> tuple[Row, ...]:
    """The upstreams of which news would make the row due: any of them, or all."""
    if not row.cells:
        return tuple(up for up in row.ups if up.updated_at == NEVER)
    needed = row.reaction.updates_on
    asked = row.ups if isinstance(needed, str) else tuple(up for up in row.ups if up.asset.key in needed)
    return asked if needed == "any" else tuple(up for up in asked if not has_news(row, up))


def _ahead(state: State, row: Row, at: Instant, launching: Launching) -> tuple[Ahead, ...]:
    """What comes by itself."""
    found: list[Ahead] = []
    memo = state.memo_at(at)
    for pair in row.pairs:
        if not pair.policy.has_expectations:
            continue
        warn_at, stale_at = turning_points(pair.policy, pair.row, at, memo)
        if warn_at is not None and at < warn_at and (stale_at is None or warn_at < stale_at):
            found.append(Ahead(warn_at, Verdict.WARN.value, pair.policy.name))
        if stale_at is not None and at < stale_at:
            found.append(Ahead(stale_at, Verdict.STALE.value, pair.policy.name))
    if launching.until is not None and row.automatic and at < launching.until:
        found.append(Ahead(launching.until, "launch"))
    for said in state.declarations.of(row.asset.key):
        if at < said.until < FOREVER:
            found.append(Ahead(said.until, f"{said.kind.value} ends"))
    return tuple(sorted(found, key=lambda one: (one.at, one.what, one.policy)))


def _keys(rows: tuple[Row, ...]) -> tuple[AssetKey, ...]:
    return tuple(row.key for row in rows)


def _known(instant: Instant) -> Instant | None:
    return instant if NEVER < instant < FOREVER else None
