"""The formulas of semantics.md over rows: data time, what was missed, due. Small, pure, pulled when asked.

Values are never stored by these functions; whoever calls them for many rows at one instant hands in a
memo. "Just before c" is c - 1: instants are whole microseconds.
"""

from __future__ import annotations

from collections.abc import Iterable

from freshd.core import history
from freshd.core.history import FLAG_BITS, MISSED, START, TIME, WIDTH
from freshd.core.lineage import through_virtual
from freshd.core.partitions import gathers_windows
from freshd.core.rows import Row
from freshd.model.partitions import window_of
from freshd.model.policy import ReactionKind
from freshd.model.time import FOREVER, NEVER, Instant

Memo = dict[tuple[Row, Instant], Instant]


def start_for(row: Row, up: Row, start: Instant) -> Instant:
    """The start that counts for one upstream: an update counts only for the upstreams its asset had then."""
    if row.rare.joined is not None:
        joined = row.rare.joined.get(up.key)
        if joined is not None and start < joined:
            return NEVER
    return start


def data_time(row: Row, at: Instant, memo: Memo) -> Instant:
    """The instant up to which the sources are reflected in `row` at `at`; NEVER if undefined."""
    if row.source:
        value = history.latest_time(row.cells, at, row.base)
        return value if value <= row.window_end else row.window_end
    known = memo.get((row, at))
    if known is not None:
        return known
    if row.rare.parts is not None:
        value = _gathered_data_time(row, at, memo)
    elif row.virtual:
        value = min(_shown_data_time(row, at, memo), row.window_end)
    else:
        value = min(_derived_data_time(row, at, memo), row.window_end)
    memo[(row, at)] = value
    return value


def _shown_data_time(row: Row, at: Instant, memo: Memo) -> Instant:
    if any(up.partition for up in row.ups):
        return _least([(up, data_time(up, at, memo)) for up in row.ups])
    return min((data_time(up, at, memo) for up in row.ups), default=NEVER)


def _gathered_data_time(row: Row, at: Instant, memo: Memo) -> Instant:
    """Of windows the newest that has an update, of fixed partitions the worst."""
    if gathers_windows(row):
        updated = (part for part in reversed(row.ups) if updated_by(part, at))
        return next((data_time(part, at, memo) for part in updated), NEVER)
    return min((data_time(part, at, memo) for part in row.ups), default=NEVER)


def updated_by(row: Row, at: Instant) -> bool:
    """Whether the row had an update that ended by then; of a virtual row, whether all that it shows had."""
    if not row.virtual:
        return history.in_force(row.cells, at) >= 0
    some = any if gathers_windows(row) else all
    return bool(row.ups) and some(updated_by(up, at) for up in row.ups)


def _derived_data_time(row: Row, at: Instant, memo: Memo) -> Instant:
    if row.rare.windowed and any(data_time(up, at, memo) == NEVER for up in row.ups):
        return NEVER  # the newest window may have none although those before it had
    cells = row.cells
    offset = history.in_force(cells, at)
    best = NEVER
    # From the last update backwards; one that is bounded may be outdone by an earlier one that is not.
    while offset >= 0:
        start = cells[offset + START] >> FLAG_BITS
        value = reading_time(row, start, at, memo)
        bound = cells[offset + TIME]
        best = max(best, min(value, bound))
        if bound >= value and start >= history.latest_start(cells, offset) and not _may_go_back(row):
            break
        offset -= WIDTH
    return best


def _may_go_back(row: Row) -> bool:
    """Whether it reads windows as a whole, which reaches less far once a new one is made that read less."""
    return any(up.virtual and up.rare.parts is not None for up in row.ups)


def reading_time(row: Row, start: Instant, at: Instant, memo: Memo) -> Instant:
    """min over the upstreams of how far their content, as an update that began at `start` read it, reaches."""
    if not row.ups:
        return start
    value = FOREVER
    for up in row.ups:
        if up.partition:
            return _least([(read, reach(read, start_for(row, read, start), at, memo)) for read in row.ups])
        value = min(value, reach(up, start_for(row, up, start), at, memo))
        if value == NEVER:
            break
    return value


def _least(read: Iterable[tuple[Row, Instant]]) -> Instant:
    """The least of what upstreams reach; of several windows of one, those that reach their ends limit only together."""
    incomplete = FOREVER
    complete: dict[str, Instant] = {}
    limited: set[str] = set()
    for up, value in read:
        if value >= up.window_end:
            complete[up.asset.key] = max(complete.get(up.asset.key, NEVER), up.window_end)
        else:
            incomplete = min(incomplete, value)
            limited.add(up.asset.key)
    return min([incomplete, *(end for key, end in complete.items() if key not in limited)])


def reach(up: Row, start: Instant, at: Instant, memo: Memo) -> Instant:
    """D(p, u, t): how far the content of `up`, as a reader that began at `start` saw it, reaches at `at`.

    FOREVER where the reader's own entry already holds the answer (the upstream's entries are gone).
    """
    if start == NEVER:
        return NEVER if last_changed(up) != NEVER else data_time(up, at, memo)
    if start < floor_of(up):
        return FOREVER
    changed = changed_after(up, start)
    if changed <= at:
        return data_time(up, changed - 1, memo)
    return data_time(up, at, memo)


def floor_of(row: Row) -> Instant:
    """Readers that started before this have what they read folded into their own entries."""
    if not row.virtual:
        return row.floor
    return max((floor_of(up) for up in row.ups), default=NEVER)


def changed_after(row: Row, start: Instant) -> Instant:
    """The end of the first changed update of `row` after `start`, as far as its history reaches; else FOREVER."""
    if not row.virtual:
        if row.last_changed <= start:
            return FOREVER
        return history.first_changed_after(row.cells, start)
    return min((changed_after(up, start) for up in row.ups), default=FOREVER)


def missed_at(row: Row, start: Instant) -> Instant:
    """The end of the first changed source update that a reader of `row` with this start has missed, or FOREVER."""
    if row.source:
        if row.last_changed <= start:
            return FOREVER
        return row.first if start < row.floor else history.first_changed_after(row.cells, start)
    if row.virtual:
        return min((missed_at(up, start) for up in shown(row)), default=FOREVER)
    offset = history.in_force(row.cells, start)
    missed = row.cells[offset + MISSED] if offset >= 0 else row.first
    return _within(row, missed) if row.partition else missed


def missed_by(row: Row, start: Instant) -> Instant:
    """The same for `row`'s own update with this (latest) start: the minimum over its upstreams."""
    return min((missed_at(up, start_for(row, up, start)) for up in row.ups), default=FOREVER)


def _within(row: Row, missed: Instant) -> Instant:
    """A window has missed nothing from before it began."""
    scheme = row.asset.partitions
    if missed == FOREVER or scheme is None or not scheme.by:
        return missed
    return max(missed, window_of(scheme, row.partition).begin)


def pending_since(row: Row) -> Instant:
    """The end of the first changed source update that `row` does not reflect, or FOREVER."""
    if row.source:
        return FOREVER
    if row.virtual:
        return min((pending_since(up) for up in shown(row)), default=FOREVER)
    missed = row.cells[len(row.cells) - WIDTH + MISSED] if row.cells else row.first
    if row.partition:
        return _within(row, missed)
    return missed if missed < FOREVER else FOREVER  # the one object, not one for each row


def updated_at(row: Row) -> Instant:
    """The end of the last update; of a virtual row, NEVER if one of its upstreams has none."""
    if not row.virtual:
        return row.updated_at
    if gathers_windows(row):
        return next((end for part in reversed(row.ups) if (end := updated_at(part)) != NEVER), NEVER)
    ends = [updated_at(up) for up in row.ups]
    if row.rare.parts is not None:
        return min(ends, default=NEVER)
    return NEVER if not ends or min(ends) == NEVER else max(ends)


def counts(row: Row) -> bool:
    """Whether a partition is looked after: one of the newest, or materialised before; others show all that they are."""
    return row.fresh or bool(row.cells) or (row.virtual and updated_at(row) != NEVER)


def shown(row: Row) -> Iterable[Row]:
    """What a virtual row shows: all that it is made from, of a whole the partitions that are looked after."""
    return row.ups if row.rare.parts is None else filter(counts, row.ups)


def last_changed(row: Row) -> Instant:
    """The end of the last changed update."""
    if not row.virtual:
        return row.last_changed
    return max((last_changed(up) for up in row.ups), default=NEVER)


def has_news(row: Row, up: Row) -> bool:
    """Whether `up` has a changed update that `row`'s latest update by start did not read."""
    if row.rare.joined is None and not up.virtual:
        return up.last_changed > row.start
    return last_changed(up) > start_for(row, up, row.start)


def is_due(row: Row) -> bool:
    """due(a) of semantics.md; what has nothing above it is always due, where it is launched just in time."""
    if row.source:
        return bool(row.asset.launcher) and row.reaction.kind is ReactionKind.JUST_IN_TIME
    if row.virtual or not row.ups:
        return False
    if not row.cells:
        return all(updated_at(up) != NEVER for up in row.ups)
    needed = row.reaction.updates_on
    if needed == "any":
        for up in row.ups:
            if has_news(row, up):
                return True
        return False
    if needed == "all":
        return all(has_news(row, up) for up in row.ups)
    news = {up.asset.key for up in row.ups if has_news(row, up)}
    return all(key in news for key in needed)


def newest_upstream_end(row: Row) -> Instant:
    """The end of the last changed upstream update (for a row never updated: of the last one, changed or not)."""
    newest = NEVER
    for up in row.ups:
        for source in through_virtual(up):
            end = source.last_changed if row.cells else source.updated_at
            if end > newest:
                newest = end
    return newest


def newest_word(row: Row) -> Instant:
    """What a decision to launch rests on: the last changed upstream update, or of a source its own last one."""
    return changed_upstream_end(row) if row.ups else max(row.updated_at, 0)


def changed_upstream_end(row: Row) -> Instant:
    """The end of the last changed upstream update."""
    return max((last_changed(up) for up in row.ups), default=NEVER)
