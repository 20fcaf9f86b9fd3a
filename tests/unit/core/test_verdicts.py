"""Verdicts by table: for each line the expectation, what happened, and every verdict with its first minute.

The asset `a` reads the source `r`; the daemon knows both from minute 0. A line's story is a list of changes of
the verdict of `a`, starting at minute 0, up to minute 100.
"""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from tests.unit.core.play import Play, charter_of, update
from tests.unit.core.walks import Every

from freshd.model.inputs import Event
from freshd.model.policy import Deadline, Limit, Measure, Policy
from freshd.model.records import VerdictChanged
from freshd.model.time import MINUTE

M = MINUTE


def limit(measure: str, warn: int | None, stale: int | None) -> Limit:
    return Limit(Measure(measure), None if warn is None else warn * M, None if stale is None else stale * M)


def policy(
    *expected: Limit | Deadline, never: int | None = None, sustain: int = 0, complete: float | None = None
) -> Policy:
    return Policy(
        "p", tuple(e for e in expected if isinstance(e, Limit)), tuple(e for e in expected if isinstance(e, Deadline)),
        None if never is None else never * M, sustain * M, complete,
    )  # fmt: skip


def deadline(every: int, max_lag: int, grace: int = 0, warn_before: int = 0) -> Deadline:
    return Deadline(Every(every * M), max_lag * M, grace * M, warn_before * M)


@dataclass(frozen=True)
class Line:
    number: str
    policy: Policy
    events: tuple[Event, ...]
    story: str


AGE = policy(limit("age", 10, 20))
LAG = policy(limit("lag", 10, 20))
BEHIND = policy(limit("behind", 10, 20))
R5, A6 = update("r", 5), update("a", 6)

LINES = [
    # age: since the last update of the asset itself
    Line("01 age: unknown until its first update, then by its end", AGE, (R5, A6), "6 fresh, 16 warn, 26 stale"),
    Line(
        "02 age: an update ends it",
        AGE,
        (A6, update("a", 30)),
        "6 fresh, 16 warn, 26 stale, 30 fresh, 40 warn, 50 stale",
    ),
    Line("03 age: an unchanged update counts", AGE, (A6, update("a", 15, changed=False)), "6 fresh, 25 warn, 35 stale"),
    Line("04 age: an update of the upstream does not", AGE, (A6, update("r", 15)), "6 fresh, 16 warn, 26 stale"),
    Line("05 age: stale alone has no warning", policy(limit("age", None, 20)), (A6,), "6 fresh, 26 stale"),
    Line("06 age: warn alone never turns stale", policy(limit("age", 10, None)), (A6,), "6 fresh, 16 warn"),
    Line("07 age: a limit above the other", policy(limit("age", 30, 20)), (A6,), "6 fresh, 26 stale"),
    # lag: since the instant up to which the sources are reflected
    Line(
        "08 lag: from the start of the source's sync",
        LAG,
        (update("r", 5, started=2), A6),
        "6 fresh, 12 warn, 22 stale",
    ),
    Line("09 lag: from its watermark", LAG, (update("r", 5, reaches=1), A6), "6 fresh, 11 warn, 21 stale"),
    Line(
        "10 lag: an update that read nothing newer changes nothing",
        LAG,
        (R5, A6, update("a", 14)),
        "6 fresh, 15 warn, 25 stale",
    ),
    Line(
        "11 lag: a sync that found nothing moves it on",
        LAG,
        (R5, A6, update("r", 14, changed=False)),
        "6 fresh, 24 warn, 34 stale",
    ),
    Line(
        "12 lag: but not once something was missed",
        LAG,
        (R5, A6, update("r", 8), update("r", 14, changed=False)),
        "6 fresh, 15 warn, 25 stale",
    ),
    Line(
        "13 lag: what came during the run was not read",
        LAG,
        (R5, update("r", 8), update("a", 9, started=7)),
        "9 fresh, 15 warn, 25 stale",
    ),
    Line(
        "14 lag: an update may say how far it reaches",
        LAG,
        (R5, update("a", 6, reaches=3)),
        "6 fresh, 13 warn, 23 stale",
    ),
    Line(
        "15 lag: saying more than it read counts for nothing",
        LAG,
        (R5, update("a", 6, reaches=6)),
        "6 fresh, 15 warn, 25 stale",
    ),
    Line("16 lag: no data time without the source", LAG, (A6,), ""),
    Line("17 lag: a value already old when first known", LAG, (update("r", 5, reaches=-40), A6), "6 stale"),
    # behind: since when something has arrived that it does not reflect
    Line("18 behind: unknown before the first update", BEHIND, (R5,), ""),
    Line("19 behind: 0 while it reflects all", BEHIND, (R5, A6), "6 fresh"),
    Line(
        "20 behind: from the first that it missed",
        BEHIND,
        (R5, A6, update("r", 10), update("r", 15)),
        "6 fresh, 20 warn, 30 stale",
    ),
    Line(
        "21 behind: an unchanged sync is nothing to miss", BEHIND, (R5, A6, update("r", 10, changed=False)), "6 fresh"
    ),
    Line(
        "22 behind: its update ends it",
        BEHIND,
        (R5, A6, update("r", 10), update("a", 25)),
        "6 fresh, 20 warn, 25 fresh",
    ),
    Line(
        "23 behind: an update that began before does not",
        BEHIND,
        (R5, A6, update("r", 10), update("a", 25, started=9)),
        "6 fresh, 20 warn, 30 stale",
    ),
    # never_updated: from when the daemon first knew it
    Line("24 never updated: stale in time", policy(limit("age", 10, 20), never=30), (R5,), "30 stale"),
    Line(
        "25 never updated: not if it comes before", policy(limit("age", None, 50), never=30), (A6,), "6 fresh, 56 stale"
    ),
    Line(
        "26 never updated: heals by the first update",
        policy(limit("age", None, 50), never=30),
        (update("a", 40),),
        "30 stale, 40 fresh, 90 stale",
    ),
    Line(
        "27 never updated: an undefined data time is no value",
        policy(limit("lag", None, 20), never=30),
        (A6,),
        "30 stale",
    ),
    # completeness
    Line(
        "28 an incomplete update is none",
        policy(limit("age", 10, 20), complete=0.9),
        (update("a", 6, completeness=0.8),),
        "",
    ),
    Line(
        "29 a complete one is",
        policy(limit("age", 10, 20), complete=0.9),
        (update("a", 6, completeness=0.9),),
        "6 fresh, 16 warn, 26 stale",
    ),
    # deadline: ticks at 0, 30, 60, 90
    Line("30 deadline: met", policy(deadline(30, 20)), (update("r", 15), update("a", 16)), "16 fresh, 60 stale"),
    Line(
        "31 deadline: required is the tick less max_lag",
        policy(deadline(30, 20)),
        (update("r", 10), update("a", 11)),
        "11 fresh, 60 stale",
    ),
    Line(
        "32 deadline: one minute short",
        policy(deadline(30, 20)),
        (update("r", 9), update("a", 11)),
        "11 fresh, 30 stale",
    ),
    Line(
        "33 deadline: grace", policy(deadline(30, 20, grace=5)), (update("r", 9), update("a", 11)), "11 fresh, 35 stale"
    ),
    Line(
        "34 deadline: met at exactly T + grace is met",
        policy(deadline(30, 20, grace=5)),
        (update("r", 9), update("a", 11), update("r", 34), update("a", 35)),
        "11 fresh, 65 stale",
    ),
    Line(
        "35 deadline: warned before",
        policy(deadline(30, 20, warn_before=8)),
        (update("r", 9), update("a", 11)),
        "11 fresh, 22 warn, 30 stale",
    ),
    Line(
        "36 deadline: stale until it is met",
        policy(deadline(30, 20)),
        (update("r", 9), update("a", 11), update("r", 12), update("a", 41)),
        "11 fresh, 30 stale, 41 fresh, 60 stale",
    ),
    Line(
        "37 deadline: or until the next tick judges anew",
        policy(deadline(30, 25)),
        (update("r", 2), update("a", 3), update("r", 40), update("a", 41)),
        "3 fresh, 30 stale, 41 fresh, 90 stale",
    ),
    Line(
        "38 deadline: the tick at which it was first known is judged",
        policy(deadline(90, 1, grace=30)),
        (update("r", 5, reaches=-200), update("a", 6)),
        "6 fresh, 30 stale",
    ),
    Line("39 deadline: unknown without a value", policy(deadline(30, 20)), (R5,), ""),
    # several, and sustain
    Line(
        "40 the worst of two",
        policy(limit("age", None, 30), limit("lag", 10, 60)),
        (R5, A6),
        "6 fresh, 15 warn, 36 stale",
    ),
    Line("41 fresh is better than unknown", policy(limit("age", None, 30), limit("lag", None, 60)), (A6,), "36 stale"),
    Line(
        "42 sustain: shown only once it has lasted",
        policy(limit("age", 10, 20), sustain=3),
        (A6,),
        "6 fresh, 19 warn, 29 stale",
    ),
    Line(
        "43 sustain: a short violation is never shown",
        policy(limit("age", 10, 20), sustain=3),
        (A6, update("a", 18)),
        "6 fresh, 31 warn, 41 stale",
    ),
    Line(
        "44 sustain: the first good evaluation ends it",
        policy(limit("age", 10, 20), sustain=3),
        (A6, update("a", 20)),
        "6 fresh, 19 warn, 20 fresh, 33 warn, 43 stale",
    ),
    Line("45 sustain: per level", policy(limit("age", 10, 12), sustain=5), (A6,), "6 fresh, 21 warn, 23 stale"),
]


@pytest.mark.parametrize("line", LINES, ids=lambda line: line.number)
def test_story(line: Line) -> None:
    play = Play(charter_of("r; a < r", {"p": (line.policy, "a")}))
    for event in sorted(line.events, key=lambda event: event.at):
        play.at(event.at / M, event)
    play.until(100)
    told = ", ".join(
        f"{record.now // M} {record.new.value}" for record in play.of(VerdictChanged) if record.asset == "a"
    )
    assert told == line.story


def test_a_tick_before_it_was_known_is_not_judged() -> None:
    play = Play(charter_of("r", {"p": (policy(deadline(90, 1, grace=30)), "r")}), start=1)
    play.update(5, "r", reaches=-200).until(119)
    assert play.see("r").verdict == "fresh"
    assert play.until(120).see("r").verdict == "stale"


@pytest.mark.parametrize(
    ("expected", "measure"),
    [
        (policy(limit("age", None, 20), limit("lag", None, 20)), "lag"),
        (policy(limit("age", None, 20), limit("behind", None, 15)), "behind"),
        (policy(limit("behind", None, 15), deadline(30, 3)), "deadline"),
        (policy(limit("age", None, 20)), "age"),
        (policy(limit("lag", 20, None), limit("age", None, 20)), "age"),
    ],
    ids=["lag before age", "behind before age", "deadline before behind", "age alone", "the worse one, though later"],
)
def test_the_measure_of_a_stale_pair(expected: Policy, measure: str) -> None:
    """Of several that are equally bad the first of lag, deadline, behind, age."""
    play = Play(charter_of("r; a < r", {"p": (expected, "a")}))
    play.update(5, "r").update(6, "a").update(10, "r").until(40)
    assert [(view.verdict.value, view.measure) for view in play.see("a").policies] == [("stale", measure)]


def test_turning_points_are_told_ahead() -> None:
    play = Play(charter_of("r; a < r", {"p": (LAG, "a")}))
    play.update(5, "r").update(6, "a")
    view = play.see("a").policies[0]
    assert (view.warn_at, view.stale_at) == (15 * M, 25 * M)
    assert play.engine.next_wake() == 15 * M
