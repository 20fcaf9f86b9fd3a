"""How an asset's policies stand against their objectives: the engine's totals against those that the store kept.

An OBJECTIVE is

    {"policy", "partition", "target", "window_seconds", "since", "attainment", "budget_left",
     "burn_rates": {"1h", "6h", "1d", "3d"}, "active_seconds", "stale_seconds", "ticks", "met"}

with the last four of the window; what nothing has counted for yet is null. A window begins with a full hour.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from freshd.adapters.web.shapes import instant, seconds
from freshd.adapters.web.site import EngineView, Site
from freshd.model.assessment import Assessment
from freshd.model.objective import BURN_WINDOWS, NOTHING, Totals, standing, window_start
from freshd.model.policy import Calendar, Policy, Slo
from freshd.model.time import Instant


def objectives_json(site: Site, state: Assessment) -> list[dict[str, Any]]:
    """An OBJECTIVE for every policy of the asset that has one."""
    counted = {view.policy: view.counted for view in state.policies if view.counted is not None}
    if not counted:
        return []

    def question(engine: EngineView, now: Instant) -> dict[str, Policy]:
        return {name: engine.charter.policies[name] for name in counted if name in engine.charter.policies}

    found: list[dict[str, Any]] = []
    for name, policy in site.ask(question).items():
        totals = counted[name]
        if policy.slo is not None and totals is not None:
            found.append(_objective(site, state, policy, policy.slo, totals))
    return found


def _objective(site: Site, state: Assessment, policy: Policy, slo: Slo, totals: Totals) -> dict[str, Any]:
    def earlier(start: Instant) -> Totals:
        row = site.history.objective_before(policy.name, state.asset, state.partition, start)
        return _totals_at(row, start, policy.calendar)

    now = state.at
    start = window_start(now, slo.window)
    before = earlier(start)
    burning = {name: earlier(window_start(now, window)) for name, window in BURN_WINDOWS.items()}
    found = standing(slo, totals, before, burning)
    return {
        "policy": policy.name,
        "partition": state.partition,
        "target": found.target,
        "window_seconds": seconds(found.window),
        "since": instant(start),
        "attainment": found.attainment,
        "budget_left": found.budget_left,
        "burn_rates": found.burn_rates,
        "active_seconds": seconds(totals.active - before.active),
        "stale_seconds": seconds(totals.stale - before.stale),
        "ticks": totals.ticks - before.ticks,
        "met": totals.met - before.met,
    }


def _totals_at(row: Mapping[str, Any] | None, start: Instant, calendar: Calendar | None) -> Totals:
    if row is None:
        return NOTHING
    kept = Totals(row["at"], row["mode"], row["active"], row["stale"], row["ticks"], row["met"])
    return kept.until(start, calendar)
