"""What a policy's objective comes to over its window: attainment, the error budget, how fast it burns.

Totals are running sums; a window is the difference of two of them. Pure arithmetic: it reads no store and no
clock, and knows nothing of how totals are counted.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from freshd.model.policy import Calendar, Slo
from freshd.model.time import DAY, HOUR, Duration, Instant

BURN_WINDOWS: Final[dict[str, Duration]] = {"1h": HOUR, "6h": 6 * HOUR, "1d": DAY, "3d": 3 * DAY}
"""Over which times the burn rate is told: the pairs that alerting on several windows uses."""

STALE: Final = "stale"


@dataclass(frozen=True, slots=True)
class Totals:
    """What a pair had counted at an instant, and what counts from then on."""

    at: Instant
    mode: str
    """`active` or `stale`; empty: nothing counts."""
    active: Duration
    stale: Duration
    ticks: int
    met: int

    def until(self, instant: Instant, calendar: Calendar | None) -> Totals:
        """The totals at a later instant, if nothing changes until then."""
        if not self.mode or instant <= self.at:
            return self
        passed = instant - self.at if calendar is None else calendar.elapsed(self.at, instant)
        stale = self.stale + (passed if self.mode == STALE else 0)
        return replace(self, at=instant, active=self.active + passed, stale=stale)


NOTHING: Final = Totals(0, "", 0, 0, 0, 0)
"""Before anything was counted."""


@dataclass(frozen=True, slots=True)
class Standing:
    """How a pair stands against its objective; None where nothing has counted in the window."""

    target: float
    window: Duration
    attainment: float | None
    """The share of active time not stale, or of ticks met."""
    budget_left: float | None
    """The share of the error budget that is left: 1 nothing was spent, below 0 the objective is missed."""
    burn_rates: dict[str, float | None]
    """By window: 1 spends the budget in just the objective's window, 2 in half of it."""


def window_start(at: Instant, window: Duration) -> Instant:
    """When a window that ends at `at` begins: with a full hour."""
    start = at - window
    return start - start % HOUR


def standing(objective: Slo, now: Totals, before: Totals, burning: dict[str, Totals]) -> Standing:
    """What the totals now come to, given those at the beginning of the window and of the times burn is told for."""
    spent = _bad_share(now, before)
    allowed = 1 - objective.target
    burn_rates: dict[str, float | None] = {}
    for name, earlier in burning.items():
        bad = _bad_share(now, earlier)
        burn_rates[name] = None if bad is None else bad / allowed
    return Standing(
        objective.target,
        objective.window,
        None if spent is None else 1 - spent,
        None if spent is None else 1 - spent / allowed,
        burn_rates,
    )


def _bad_share(now: Totals, before: Totals) -> float | None:
    ticks, active = now.ticks - before.ticks, now.active - before.active
    if ticks > 0:
        return 1 - (now.met - before.met) / ticks
    return (now.stale - before.stale) / active if active > 0 else None
