"""Which assets look different since somebody last looked: what a scrape has to tell anew.

Nothing is watched until somebody asks. From then on the state notes every row whose facts, verdict or pending moved;
the data time of what lies below is followed only when asked, from kid to kid as far as it changes. It decides
nothing. It keeps true: whoever folds all that is told knows how every asset stands; another charter, other partitions
or a recovery have everything told anew.
"""

from __future__ import annotations

from array import array
from itertools import islice

from freshd.core.assess import assess_row
from freshd.core.freshness import Memo, data_time
from freshd.core.rows import Row
from freshd.core.state import State, Watch
from freshd.model.assessment import Assessment, Moved
from freshd.model.asset import Asset
from freshd.model.time import NEVER, Duration, Instant


class Watching(Watch):
    """What one watcher has been told."""

    __slots__ = ("_at", "_charter", "_coming", "_numbers", "_rows", "_size", "_times", "_windows_at")

    def __init__(self, state: State) -> None:
        super().__init__()
        self._charter = state.charter
        self._rows = state.rows
        self._size = len(state.rows)
        self._windows_at = state.windows_at
        self._at: Instant = NEVER
        rows = list(state.rows.values())
        parts = [row for row in rows if row.partition] if state.partitioned else []
        self._coming = iter([row for row in rows if not row.partition] + parts if parts else rows)
        self._numbers: dict[Row, int] = {}  # in the order of telling; those of assets come before those of partitions
        self._times = array("q")  # data times as last found, by number

    def holds_for(self, state: State) -> bool:
        """Whether the rows are still those that are watched, under the same policies."""
        same = self._charter is state.charter and self._rows is state.rows
        return same and self._size == len(state.rows) and self._windows_at == state.windows_at

    def take(self, state: State, now: Instant, most: int) -> tuple[list[tuple[int, Asset, Assessment]], bool]:
        """How the next assets stand that look different, at about `most` rows; whether there may be more."""
        memo: Memo = {}
        told: dict[Row, None] = {}
        coming = list(islice(self._coming, most))
        for row in coming:
            self._numbers[row] = len(self._numbers)
            self._times.append(data_time(row, now, memo))
            if row.partition:
                self._look_below(row, now, memo)  # those were looked at before it
            else:
                told[row] = None
        for _ in range(0 if coming else most):
            if not self.moved:
                break
            self._follow(state, self.moved.popitem()[0], now, memo, told)
        numbers = self._numbers
        found = [(numbers[row], row.asset, assess_row(state, row, now, memo=memo, brief=True)) for row in told]
        return found, bool(coming or self.moved)

    def _follow(self, state: State, row: Row, now: Instant, memo: Memo, told: dict[Row, None]) -> None:
        """The row moved: its asset is told, and those below are looked at if its data time is another."""
        number = self._numbers.get(row)
        if number is None:
            return  # its turn is yet to come, or it is gone
        told[state.rows[row.asset.key] if row.partition else row] = None
        reached = data_time(row, now, memo)
        if reached == self._times[number]:
            return
        self._times[number] = reached
        self._look_below(row, now, memo)

    def _look_below(self, row: Row, now: Instant, memo: Memo) -> None:
        """Whoever is right below the row and has another data time than was found last has moved."""
        for kid in row.kids:
            known = self._numbers.get(kid)
            if known is not None and data_time(kid, now, memo) != self._times[known]:
                self.moved[kid] = None

    def passed(self, state: State, now: Instant) -> dict[str, Duration]:
        """The (open) time that went by since it was last asked, for each policy with an objective."""
        before, self._at = self._at, now
        went: dict[str, Duration] = {}
        for name, policy in state.charter.policies.items():
            if policy.slo is not None:
                open_time = policy.calendar.elapsed if policy.calendar is not None else _difference
                went[name] = open_time(before, now) if before != NEVER else 0
        return went


def _difference(before: Instant, now: Instant) -> Duration:
    return now - before


def take_moved(state: State, now: Instant, most: int, anew: bool) -> Moved:
    """What moved since it was last asked, at about `most` rows; `anew`: what was told is lost."""
    watching = state.watch
    begins = anew or not isinstance(watching, Watching) or not watching.holds_for(state)
    if begins or not isinstance(watching, Watching):
        watching = state.watch = Watching(state)
    passed = watching.passed(state, now)
    told, more = watching.take(state, now, most)
    return Moved(
        now,
        tuple(told),
        more,
        passed,
        anew=len(state.charter.graph.assets) if begins else None,
        objectives={name: policy.slo for name, policy in state.charter.policies.items() if policy.slo is not None},
    )
