"""How the API tells of objectives: the engine's totals now against those that the store kept by the hour."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from tests.unit.core.play import Play, charter_of, update

from freshd.adapters.sql.projection import Projector
from freshd.adapters.web.objectives import objectives_json
from freshd.adapters.web.site import Site
from freshd.model.policy import Limit, Measure, Policy, Slo
from freshd.model.records import ObjectiveCounted
from freshd.model.time import DAY, HOUR, MINUTE

AGE = Policy("p", (Limit(Measure.AGE, None, 60 * MINUTE),), slo=Slo(0.9, DAY))


class Kept:
    """What the store would keep of the records."""

    def __init__(self, play: Play) -> None:
        self.rows: dict[int, dict[str, Any]] = {}
        for record in play.of(ObjectiveCounted):
            ((_, values),) = Projector().project([record]).changes
            names = ("policy", "asset", "partition", "hour", "at", "mode", "active", "stale", "ticks", "met")
            row = dict(zip(names, values, strict=True))
            self.rows[row["hour"]] = row

    def objective_before(self, policy: str, asset: str, partition: str, instant: int) -> dict[str, Any] | None:
        earlier = [hour for hour in self.rows if hour < instant]
        return self.rows[max(earlier)] if earlier else None


def told(play: Play) -> list[dict[str, Any]]:
    def ask(question: Callable[[Any, int], Any]) -> Any:
        return question(play.engine, play.now)

    site: Any = SimpleNamespace(ask=ask, history=Kept(play))
    found: Site = site
    return objectives_json(found, play.see("a"))


def test_a_window_is_what_was_counted_since_it_began() -> None:
    play = Play(charter_of("a", {"p": (AGE, "a")}))
    for hour in range(48):  # the first day: fresh half of each hour's wait of two
        if hour % 2 == 0:
            play.at(hour * 60, update("a", hour * 60))
    play.until(48 * 60)
    (whole,) = told(play)
    assert (whole["attainment"], whole["budget_left"]) == (pytest.approx(0.5), pytest.approx(-4))
    assert (whole["active_seconds"], whole["stale_seconds"]) == (24 * 3600, 12 * 3600)
    assert whole["since"] == "1970-01-02T00:00:00Z" and whole["window_seconds"] == 86400
    assert whole["burn_rates"]["1h"] == pytest.approx(10) and whole["burn_rates"]["6h"] == pytest.approx(5)


def test_time_that_nothing_changed_in_is_counted_up_to_the_window_and_from_it() -> None:
    play = Play(charter_of("a", {"p": (AGE, "a")}))
    play.update(30, "a").until(100 * 60)  # stale from 01:30 on: no record since
    (found,) = told(play)
    assert found["attainment"] == 0 and found["active_seconds"] == 24 * 3600
    assert play.now == 100 * HOUR


def test_before_anything_has_counted_there_is_no_attainment() -> None:
    play = Play(charter_of("a", {"p": (AGE, "a")}))
    (found,) = told(play.until(60))
    assert (found["attainment"], found["budget_left"], found["burn_rates"]["1h"]) == (None, None, None)
    assert objectives_json(SimpleNamespace(), Play(charter_of("a")).see("a")) == []  # type: ignore[arg-type]
