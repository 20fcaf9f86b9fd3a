"""What counts towards a policy's objective, by table, and what the totals come to over a window."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from tests.unit.core.play import Play, charter_of, check, update
from tests.unit.core.test_expectations import OpenFirst
from tests.unit.core.walks import Every, Walk

from freshd.core.engine import Engine
from freshd.core.slo import by_ticks
from freshd.model.declarations import Declaration, DeclarationKind
from freshd.model.inputs import CharterReplaced, Started
from freshd.model.objective import NOTHING, Totals, standing, window_start
from freshd.model.policy import CheckRule, Deadline, Limit, Measure, Policy, Slo, Verdict
from freshd.model.time import HOUR, MINUTE, WEEK

M = MINUTE
SLO = Slo(0.99, 4 * WEEK)
AGE = Policy("p", (Limit(Measure.AGE, 10 * M, 20 * M),), slo=SLO)
TICKS = Policy("p", deadlines=(Deadline(Every(30 * M), 20 * M, 5 * M),), slo=SLO)
ROWS = Policy("p", checks=(CheckRule("rows"),), slo=SLO)
HALF_CLOSED = replace(AGE, calendar=OpenFirst(40, 20))

Story = Callable[[Play], object]


def declared(kind: DeclarationKind, begins: int, until: int) -> Declaration:
    """What a person says of `a`, beforehand."""
    return Declaration("d", kind, ("a",), begins * M, until * M, "ann", "planned")


def maintained(begins: int, until: int) -> Declaration:
    """Maintenance of `a`, said beforehand."""
    return declared(DeclarationKind.MAINTENANCE, begins, until)


TABLE: list[tuple[str, Policy, Story, tuple[float, float, int, int]]] = [
    ("01 unknown time does not count", AGE, lambda play: play, (0, 0, 0, 0)),
    ("02 fresh and warn time does", AGE, lambda play: play.update(81, "a"), (19, 0, 0, 0)),
    ("03 stale from 70 on", AGE, lambda play: play.update(50, "a"), (50, 30, 0, 0)),
    ("04 healed at 80", AGE, lambda play: play.update(50, "a").update(80, "a"), (50, 10, 0, 0)),
    ("05 a late event rewrites nothing: 70-80 stays stale, 85-100 is",
     AGE, lambda play: play.update(50, "a").at(80, update("a", 65)), (50, 25, 0, 0)),
    ("06 closed time is left out: 50-60, 80-100; stale from 90 on", HALF_CLOSED,
     lambda play: play.update(50, "a"), (30, 10, 0, 0)),
    ("07 checks count by the time they are violated", ROWS,
     lambda play: play.at(20, check("a", 20, True)).at(60, check("a", 60, False)), (80, 40, 0, 0)),
    # ticks at 0, 30, 60, 90, each asking for data of 20 minutes before, judged 5 minutes later
    ("08 ticks without a value are not judged", TICKS, lambda play: play, (0, 0, 0, 0)),
    ("09 met at 35, missed at 65 and 95", TICKS, lambda play: play.update(15, "a"), (0, 0, 3, 1)),
    ("10 met at exactly T + grace", TICKS, lambda play: play.update(15, "a").update(65, "a"), (0, 0, 3, 2)),
    ("11 met too late is not met", TICKS, lambda play: play.update(15, "a").update(66, "a"), (0, 0, 3, 1)),
    ("12 a tick before the first value is not judged afterwards", TICKS, lambda play: play.update(66, "a"),
     (0, 0, 1, 0)),
    ("13 maintenance is left out: 50-60 fresh, 60-75 nothing, 75-100 stale, as it would have been from 70 on", AGE,
     lambda play: play.update(50, "a").at(55, maintained(60, 75)), (35, 25, 0, 0)),
    ("14 maintenance leaves out what healed in it: 70-72 stale, 72-90 nothing, 90-100 fresh", AGE,
     lambda play: play.update(50, "a").at(55, maintained(72, 90)).update(85, "a"), (32, 2, 0, 0)),
    ("15 a tick judged in maintenance is none: met at 35, left out at 65, missed at 95", TICKS,
     lambda play: play.update(15, "a").at(16, maintained(60, 70)), (0, 0, 2, 1)),
    ("16 a mute is no maintenance: stale 70-100 counts", AGE,
     lambda play: play.update(50, "a").at(55, declared(DeclarationKind.MUTE, 60, 100)), (50, 30, 0, 0)),
]  # fmt: skip


def counted(play: Play) -> tuple[float, float, int, int]:
    totals = play.see("a").policies[0].counted
    assert totals is not None
    return (totals.active / M, totals.stale / M, totals.ticks, totals.met)


@pytest.mark.parametrize(("number", "policy", "story", "expected"), TABLE, ids=[line[0] for line in TABLE])
def test_what_counts(number: str, policy: Policy, story: Story, expected: tuple[float, float, int, int]) -> None:
    charter = charter_of("a", {"p": (policy, "a")})
    play = Play(charter)
    story(play)
    assert counted(play.until(100)) == expected
    again = Play(charter)  # a restart: from the checkpoint, and by folding the records
    again.engine.restore(list(play.engine.changed_state()))
    assert again.engine.assess("a", play.now).policies == play.see("a").policies
    folded = Play(charter)
    for record in play.records:
        folded.engine.apply(record)
    assert folded.engine.assess("a", play.now).policies[0].counted == play.see("a").policies[0].counted


def test_the_daemon_does_nothing_while_nothing_changes() -> None:
    play = Play(charter_of("a", {"p": (AGE, "a")}))
    play.update(5, "a").until(30)
    assert play.engine.next_wake() is None
    assert counted(play.until(10_000)) == (9_995, 9_975, 0, 0)


def test_ticks_that_passed_while_the_daemon_was_away_are_judged_by_what_had_come_by_then() -> None:
    play = Play(charter_of("a", {"p": (TICKS, "a")}))
    play.update(15, "a")
    play.now = 100 * M  # asleep
    play.step(update("a", 62), update("a", 93))
    assert counted(play) == (0, 0, 3, 3)


def test_a_policy_that_is_edited_keeps_what_it_counted_by_its_old_calendar() -> None:
    play = Play(charter_of("a", {"p": (HALF_CLOSED, "a")}))
    play.update(50, "a").at(70, CharterReplaced(charter_of("a", {"p": (AGE, "a")})))
    assert counted(play) == (10, 0, 0, 0)
    assert counted(play.until(100)) == (40, 30, 0, 0)
    play.at(100, CharterReplaced(charter_of("a", {"p": (replace(AGE, slo=None), "a")})))
    assert play.see("a").policies[0].counted is None


def test_what_totals_come_to_over_a_window() -> None:
    slo = Slo(0.9, 100 * HOUR)
    now = Totals(1000 * HOUR, "active", 500 * HOUR, 60 * HOUR, 0, 0)
    before = Totals(900 * HOUR, "active", 400 * HOUR, 55 * HOUR, 0, 0)
    found = standing(slo, now, before, {"1h": replace(now, active=499 * HOUR, stale=60 * HOUR), "none": now})
    assert found.attainment == pytest.approx(0.95) and found.budget_left == pytest.approx(0.5)
    assert found.burn_rates == {"1h": 0.0, "none": None}
    missed = standing(slo, replace(now, stale=75 * HOUR), before, {"all": before})
    assert missed.budget_left == pytest.approx(-1) and missed.burn_rates["all"] == pytest.approx(2)
    ticks = standing(slo, replace(now, ticks=30, met=24), replace(before, ticks=10, met=5), {})
    assert ticks.attainment == pytest.approx(0.95)
    assert standing(slo, NOTHING, NOTHING, {}).attainment is None
    assert window_start(90 * M, HOUR) == 0 and window_start(HOUR, HOUR) == 0


def test_totals_move_on_by_themselves_only_while_something_counts() -> None:
    kept = Totals(10 * M, "stale", 100 * M, 7 * M, 0, 0)
    assert kept.until(30 * M, None) == Totals(30 * M, "stale", 120 * M, 27 * M, 0, 0)
    assert kept.until(60 * M, OpenFirst(40, 20)) == Totals(60 * M, "stale", 130 * M, 37 * M, 0, 0)
    assert kept.until(5 * M, None) == kept
    assert replace(kept, mode="").until(30 * M, None) == replace(kept, mode="")


@pytest.mark.parametrize("chunk", range(3))
def test_totals_are_the_time_that_was_seen_to_pass(chunk: int) -> None:
    """Over walks: added up instant by instant from what is shown, with restarts in between."""
    moved = 0
    for seed in range(chunk * 10, chunk * 10 + 10):
        walk = Walk(seed, replacing=False)
        policies = {name: replace(policy, slo=SLO) for name, policy in walk.charter.policies.items()}
        charter = replace(walk.charter, policies=policies)
        engine = Engine(charter)
        engine.step(walk.now, [Started(False)])
        seen: dict[tuple[str, str], list[int]] = {}
        for number in range(40):
            shown, then = _shown(engine), walk.now
            walk.pass_time(engine)
            for pair, verdict in shown.items():
                total = seen.setdefault(pair, [0, 0])
                total[0] += walk.now - then if verdict != "" else 0
                total[1] += walk.now - then if verdict == "stale" else 0
            engine.step(walk.now, walk.inputs(engine))
            for (asset, policy), total in seen.items():
                view = next(view for view in engine.assess(asset, walk.now).policies if view.policy == policy)
                assert view.counted is not None
                assert [view.counted.active, view.counted.stale] == total, (seed, number, asset, policy)
                moved += total[0] > total[1] > 0
            if number % 10 == 9:
                again = Engine(charter)
                again.restore(list(engine.changed_state()) if number == 9 else _whole_state(engine))
                engine = again
    assert moved > 100


def _whole_state(engine: Engine) -> list[tuple[str, str, object]]:
    for row in engine._state.rows.values():
        engine._state.mark(row)
    return list(engine.changed_state())


def _shown(engine: Engine) -> dict[tuple[str, str], str]:
    """What each pair of a policy that counts time counts as now; empty: nothing."""
    state = engine._state
    found: dict[tuple[str, str], str] = {}
    for row in state.rows.values():
        held = state.declarations.holding(DeclarationKind.MAINTENANCE, row.key) is not None
        for pair in row.pairs:
            if pair.policy.has_expectations and not by_ticks(pair.policy):
                unknown = held or pair.verdict is Verdict.UNKNOWN
                found[row.key, pair.policy.name] = "" if unknown else pair.verdict.value
    return found
