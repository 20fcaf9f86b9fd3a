"""Which rows go in one run of a launcher that orders its own work: what is ready, and what the run will make due.

It looks at state and changes nothing. Members are not in flight, not stopped, not blocked, within their
window and past their `min_interval`, and none waits for anything outside the run.
"""

from __future__ import annotations

from freshd.core.busy import is_blocked, is_held, launchable_from, waits_for, window_is_open
from freshd.core.freshness import has_news, newest_upstream_end
from freshd.core.lineage import through_virtual
from freshd.core.places import tags_have_place
from freshd.core.rows import Row, upstreams_first
from freshd.core.state import State
from freshd.model.asset import AssetKey
from freshd.model.time import NEVER


def wave_of(state: State, row: Row) -> list[Row]:
    """The rows of one run: other ready rows of the launcher, and below them what the run will make due."""
    launcher = row.asset.launcher
    members = {row}
    heads = [other for other in state.due_of(launcher) if _goes_with(other, row) and _is_ready(state, other)]
    members.update(heads)
    coming = upstreams_first({kid for member in members for kid in member.readers})
    seen = set(coming)
    while coming:
        kid = coming.pop(0)
        if kid in members or not _joins(state, kid, launcher, members):
            continue
        members.add(kid)
        for below in kid.readers:
            if below not in seen:
                seen.add(below)
                coming.append(below)
        coming = upstreams_first(coming)
    return upstreams_first(members)


def _is_ready(state: State, row: Row) -> bool:
    """Whether an automatic row could be launched at this very moment, and has a place."""
    if not (row.automatic and row.due) or row.in_flight or row.stopped or is_blocked(row) or row.rare.wishes:
        return False
    if is_held(row) or not tags_have_place(state, row):
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


def _goes_with(other: Row, row: Row) -> bool:
    """A run is of one partition."""
    return other is not row and other.partition == row.partition


def _joins(state: State, row: Row, launcher: str, members: set[Row]) -> bool:
    """Whether a row below members of a wave goes with them."""
    if not row.automatic or row.asset.launcher != launcher or row.in_flight or row.stopped:
        return False
    if any(member.partition != row.partition for member in members):
        return False
    if not window_is_open(row, state.now) or not tags_have_place(state, row):
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
    news = [up for up in row.ups if moved(up) or has_news(row, up)]
    if needed == "any":
        return bool(news)
    return len(news) == len(row.ups) if needed == "all" else {up.asset.key for up in news}.issuperset(needed)


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
            if up.virtual or up.automatic:
                stack.extend(up.ups)
    return False


def wish_wave(state: State, row: Row, wishes: tuple[str, ...]) -> list[Row]:
    """The planned rows of the same launcher that can go in one run for the same wish."""
    name = wishes[0]
    members = [row]
    keys: set[AssetKey] = {row.key}
    planned = state.wishes.unstarted(name)
    for other in upstreams_first(state.rows[key] for key in planned if key in state.rows):
        if (
            other is not row
            and other.asset.launcher == row.asset.launcher
            and other.partition == row.partition
            and not other.in_flight
            and state.wishes.joins(name, other, frozenset(keys))
        ):
            members.append(other)
            keys.add(other.key)
    return upstreams_first(members)
