"""One set of policies over events of the past: what is found and when, how runs go, what is counted."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

import pytest

from freshd.backtest.comparison import comparison
from freshd.backtest.past_runs import PastRun, PastRuns
from freshd.backtest.trial import Arrival, Trial, run_trial
from freshd.core.engine import Engine
from freshd.model.asset import Asset
from freshd.model.graph import build_graph
from freshd.model.inputs import Event, EventKind
from freshd.model.policy import (
    Alert,
    Charter,
    LauncherTraits,
    Limit,
    Measure,
    Policy,
    Reaction,
    ReactionKind,
    Retry,
    Severity,
    Verdict,
)
from freshd.model.time import HOUR, MINUTE, SECOND, parse_instant
from freshd.ports import StateRow

T0 = parse_instant("2026-03-02T08:00:00Z")
GRAPH = build_graph(
    [
        Asset("raw"),
        Asset("left", ("raw",), launcher="build"),
        Asset("right", ("raw",), launcher="build"),
        Asset("view", ("left",), virtual=True),
        Asset("joined", ("view", "right"), launcher="build"),
    ]
)


def charter(
    stale: int, *, wave: bool = False, eager: bool = True, keys: Sequence[str] = tuple(GRAPH.assets)
) -> Charter:
    reaction = Reaction(ReactionKind.EAGER if eager else ReactionKind.MANUAL, retry=Retry(attempts=2), policy="p")
    return Charter(
        GRAPH,
        policies={"p": Policy("p", limits=(Limit(Measure.LAG, None, stale),), alert=Alert(Severity.CRITICAL))},
        selected={"p": tuple(sorted(keys))},
        reactions=dict.fromkeys(("left", "right", "joined"), reaction),
        launchers={"build": LauncherTraits("build", wave=wave)},
    )


def checkpoint_of(told: Charter, *arrivals: Arrival) -> list[StateRow]:
    """What a daemon that has heard all this writes down; its runs go on."""
    engine = Engine(told)
    for at, given in arrivals:
        engine.step(at, [given])
    return [(kind, key, json.loads(json.dumps(value))) for kind, key, value in engine.changed_state()]


def updates(*minutes: int) -> list[Arrival]:
    return [
        (T0 + m * MINUTE, Event(EventKind.UPDATE, ("raw",), T0 + m * MINUTE, id=f"e{m}", source="test"))
        for m in minutes
    ]


def trial(told: Charter, arrivals: Sequence[Arrival], takes: int = MINUTE, **more: int | None) -> Trial:
    return run_trial(told, iter(arrivals), PastRuns({}, GRAPH, takes), **more)  # type: ignore[arg-type]


def test_violations_are_found_at_their_instant() -> None:
    """Data of 08:00 is an hour old at 09:00; the update of 09:30 heals raw at once, joined after its runs."""
    found = trial(charter(HOUR), updates(0, 90), until=T0 + 100 * MINUTE)
    told = {one.asset: (one.since - T0, (one.until or 0) - T0) for one in found.ledger.violations}
    assert told["raw"] == (HOUR, 90 * MINUTE)
    assert told["joined"] == (HOUR, 92 * MINUTE)
    assert set(told) == set(GRAPH.assets)
    standing = found.standings["p", "joined", ""]
    assert standing.lasted == {
        Verdict.UNKNOWN: 2 * MINUTE, Verdict.FRESH: 66 * MINUTE, Verdict.STALE: 32 * MINUTE,
    }  # fmt: skip
    assert len(found.ledger.incidents) == 1
    assert found.ledger.messages.total() == 1


def test_a_diamond_runs_once_for_each_update() -> None:
    found = trial(charter(HOUR), updates(0, 10, 20, 30))
    assert {key: spent.runs for key, spent in found.ledger.spent.items()} == {"left": 4, "right": 4, "joined": 3}
    assert found.until == T0 + 30 * MINUTE, "joined's last run would begin after the end"
    assert found.heard == 4


def test_members_of_a_wave_go_one_after_another() -> None:
    found = trial(charter(HOUR, wave=True), updates(0), takes=5 * MINUTE, until=T0 + HOUR)
    assert found.ledger.reasons.total() == 1
    assert {key: spent.runs for key, spent in found.ledger.spent.items()} == {"left": 1, "right": 1, "joined": 1}


def test_what_is_before_since_is_played_and_not_counted() -> None:
    found = trial(charter(HOUR), updates(0, 90, 100), since=T0 + 80 * MINUTE, until=T0 + 110 * MINUTE)
    standing = found.standings["p", "raw", ""]
    assert standing.lasted == {Verdict.STALE: 10 * MINUTE, Verdict.FRESH: 20 * MINUTE}
    assert [one.since - T0 for one in found.ledger.violations] == [HOUR] * 5, "it had begun before, and went on"
    assert found.ledger.incidents == {}
    assert found.ledger.spent["left"].runs == 2
    gone = trial(charter(HOUR), updates(0, 90), since=T0 + 100 * MINUTE, until=T0 + 110 * MINUTE)
    assert gone.ledger.violations == []


def test_with_a_beat_everything_is_found_at_a_beat_and_nothing_is_lost() -> None:
    exact = trial(charter(HOUR), updates(0, 90), until=T0 + 130 * MINUTE)
    slow = trial(charter(HOUR), updates(0, 90), until=T0 + 130 * MINUTE, beat=7 * MINUTE)
    assert len(slow.ledger.violations) == len(exact.ledger.violations)
    for one, other in zip(exact.ledger.violations, slow.ledger.violations, strict=True):
        assert 0 <= other.since - one.since < 7 * MINUTE
        assert other.since % (7 * MINUTE) == 0
    assert slow.ledger.spent == exact.ledger.spent


def test_a_late_event_is_heard_late() -> None:
    at = T0 + 50 * MINUTE
    late: list[Arrival] = [
        *updates(0),
        (T0 + 70 * MINUTE, Event(EventKind.UPDATE, ("raw",), at, id="late", source="test")),
    ]
    found = trial(charter(HOUR, keys=["raw"]), late, until=T0 + 120 * MINUTE)
    assert [(one.since - T0, (one.until or 0) - T0) for one in found.ledger.violations] == [
        (60 * MINUTE, 70 * MINUTE), (110 * MINUTE, -T0),
    ]  # fmt: skip


def test_nothing_to_go_by_is_said() -> None:
    for arrivals, until in (([], None), (updates(10), T0)):
        with pytest.raises(ValueError, match="no event"):
            trial(charter(HOUR), arrivals, until=until)


PAST = {"left": [PastRun(MINUTE), PastRun(3 * MINUTE), PastRun(MINUTE, failed=True)], "right": [PastRun(SECOND)]}


def test_runs_are_drawn_from_the_past_by_their_id_alone() -> None:
    one, other = PastRuns(PAST, GRAPH), PastRuns(PAST, GRAPH)
    drawn = [one.draw("left", f"run-{n}") for n in range(300)]
    assert drawn == [other.draw("left", f"run-{n}") for n in reversed(range(300))][::-1]
    assert {(past.takes, past.failed): drawn.count(past) > 60 for past in PAST["left"]} == {
        (MINUTE, False): True, (3 * MINUTE, False): True, (MINUTE, True): True,
    }  # fmt: skip
    assert one.draw("right", "any") == PastRun(SECOND)
    assert one.draw("joined", "x") in [*PAST["left"], *PAST["right"]], "as the others of its launcher"
    assert PastRuns({}, GRAPH, HOUR).draw("left", "x") == PastRun(HOUR)


def test_failures_of_the_past_come_again_and_are_retried() -> None:
    past = PastRuns({key: [PastRun(MINUTE, failed=True)] for key in ("left", "right", "joined")}, GRAPH)
    found = run_trial(charter(HOUR), iter(updates(0)), past, until=T0 + 30 * MINUTE)
    spent = found.ledger.spent
    assert {key: (one.runs, one.failed) for key, one in spent.items()} == {"left": (2, 2), "right": (2, 2)}
    assert found.ledger.reasons == {"first_data": 2, "retry": 2}


def test_the_same_question_has_the_same_answer() -> None:
    def ask() -> object:
        past = PastRuns(PAST, GRAPH)
        trials = {
            side: run_trial(charter(stale), iter(updates(*range(0, 600, 20))), past)
            for side, stale in (("current", HOUR), ("candidate", 15 * MINUTE))
        }
        return comparison(trials)

    assert ask() == ask()


def test_two_trials_are_compared() -> None:
    arrivals = updates(0, 90)
    told = comparison(
        {
            "current": trial(charter(HOUR), arrivals, until=T0 + 100 * MINUTE),
            "candidate": trial(charter(2 * HOUR, eager=False), arrivals, until=T0 + 100 * MINUTE),
        }
    )
    assert told["totals"]["current"]["violations"] == 5
    assert told["totals"]["candidate"] | {"stale_seconds": 0} == told["totals"]["candidate"]
    assert (told["totals"]["current"]["runs"], told["totals"]["candidate"]["runs"]) == (6, 0)
    assert told["totals"]["current"]["run_seconds"] == 360
    assert [row["policy"] for row in told["policies"]] == ["p"]
    assert told["policies"][0]["current"]["pairs"] == 5
    assert [one["asset"] for one in told["violations"]["only_current"]] == sorted(GRAPH.assets)
    assert told["violations"]["both"] == told["violations"]["only_candidate"] == []
    raw = next(row for row in told["assets"] if row["asset"] == "raw")
    assert raw["candidate"]["fresh_share"] == 1
    assert raw["current"]["fresh_share"] == 0.7


def test_arrivals_are_read_as_they_are_needed() -> None:
    """A month of events need not fit into memory."""
    ahead = 0

    def coming() -> Iterator[Arrival]:
        nonlocal ahead
        for n in range(50):
            ahead = n
            yield updates(n)[0]

    run_trial(charter(HOUR), coming(), PastRuns({}, GRAPH), until=T0 + 10 * MINUTE)
    assert ahead == 11


def test_both_sides_begin_with_what_was_known_of_assets_and_find_verdicts_themselves() -> None:
    before = [(T0, Event(EventKind.UPDATE, (key,), T0, id=key, source="test")) for key in GRAPH.assets if key != "view"]
    known = checkpoint_of(charter(HOUR, eager=False), *before)
    later = updates(90)
    blank = run_trial(charter(HOUR), later, PastRuns({}, GRAPH))
    informed = run_trial(charter(HOUR), later, PastRuns({}, GRAPH), known=known)
    strict = run_trial(charter(30 * MINUTE), later, PastRuns({}, GRAPH), known=known)
    assert blank.ledger.violations == [] and set(blank.ledger.reasons) == {"first_data"}
    assert set(informed.ledger.reasons) == {"new_data"}
    for trial in (informed, strict):
        assert {(one.asset, one.since) for one in trial.ledger.violations if one.asset != "raw"} == {
            (key, T0 + 90 * MINUTE) for key in ("left", "right", "view", "joined")
        }, "what has been stale since before is found at the first look"


def test_runs_that_were_under_way_come_to_an_end() -> None:
    known = checkpoint_of(charter(HOUR), updates(0)[0])
    trial = run_trial(charter(HOUR), updates(5, 20), PastRuns({}, GRAPH), known=known)
    assert trial.ledger.spent["left"].runs == 3, "the one of then, and one for each update"
