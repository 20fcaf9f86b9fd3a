"""What comes late, or after an edit, to views, windows and checks: verdicts, causes and waits follow from the facts."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.unit.core.play import EAGER, Play, charter_of, check, event, update

from freshd.model.asset import Asset, PartitionScheme
from freshd.model.graph import build_graph
from freshd.model.inputs import CharterReplaced, EventKind, Wish
from freshd.model.policy import CheckRule, Limit, Measure, Policy, Verdict
from freshd.model.time import HOUR, MINUTE

M = MINUTE
LAG = Policy("p", (Limit(Measure.LAG, None, 15 * M),))
RULES = Policy("p", checks=(CheckRule("rows", min=20.0), CheckRule("nulls")))
HOURLY = PartitionScheme(by="hour", latest=2)
START = 20 * 24 * 60
"""The minute at which the stories of windows begin: an hour begins, and a day."""


def test_a_late_update_of_what_a_view_shows_makes_who_read_it_older() -> None:
    """a read the view at 11; q's word of 20 moved its data; that r changed at 15, told at 21, undoes that.

    data_time(v, just before 15) = min(r: 10, q: 1) = 1; at 21 that is 20 minutes old, so a is stale at once.
    """
    play = Play(charter_of("r; q; v v< r q; a < v", {"p": (LAG, "a")}))
    play.update(1, "q").update(10, "r").update(11, "a")
    play.update(20, "q", changed=False)
    assert play.see("a").data_time == 10 * M and play.see("a").verdict is Verdict.FRESH
    play.at(21, update("r", 15))
    assert play.see("a").data_time == 1 * M
    assert play.see("a").verdict is Verdict.STALE


def windows(reaction: object = None, policy: Policy | None = None) -> Play:
    raw, clean = Asset("raw", partitions=HOURLY), Asset("clean", ("raw",), launcher="go", partitions=HOURLY)
    reactions = {"clean": reaction} if reaction else {}
    charter = charter_of(build_graph([raw, clean]), {"p": (policy, "clean raw")} if policy else {}, reactions)  # type: ignore[arg-type]
    return Play(charter, start=START)


def of_hour(back: int, minute: float, kind: EventKind = EventKind.UPDATE, key: str = "raw", **said: object) -> object:
    """What is told of the window that began so many hours before the stories begin."""
    hour = 24 - back
    partition = f"1970-01-{20 if back else 21:02}T{hour % 24:02}"
    return replace(event(kind, key, START + minute, **said), partition=partition)


def test_an_observation_of_a_window_that_is_over_is_news_by_what_was_told_of_it_only() -> None:
    """Both reach beyond the window's end; the second is older than the first, so that it tells nothing."""
    play = windows(EAGER)
    play.at(START + 1, of_hour(1, 1, reaches=START + 0.9)).done(START + 2, "clean")  # type: ignore[arg-type]
    launched = len(play.runs)
    play.at(START + 5, of_hour(1, 5, EventKind.OBSERVATION, reaches=START + 0.5))  # type: ignore[arg-type]
    assert len(play.runs) == launched
    play.at(START + 6, of_hour(1, 6, EventKind.OBSERVATION, reaches=START + 5.5))  # type: ignore[arg-type]
    assert len(play.runs) == launched + 1


def test_a_partition_that_only_a_wish_named_is_no_cause_of_the_whole() -> None:
    """clean's newest windows were never made: that is why it is stale, not the older one that somebody wished for."""
    policy = Policy("p", (Limit(Measure.LAG, None, 10 * M),), never_updated=10 * M)
    play = windows(replace(EAGER, debounce=0), policy)
    play.at(START + 1, of_hour(0, 1, key="clean", kind=EventKind.RUN_STARTED, run_id="x"))  # type: ignore[arg-type]
    play.at(START + 12, Wish("w", ("clean",), partitions=("1970-01-20T20",)))
    seen = play.see("clean")
    assert (seen.verdict, seen.cause, seen.path[:2]) == (Verdict.STALE, "raw", ("clean", "clean[1970-01-20T23]"))


@pytest.mark.parametrize("told_before", [True, False], ids=["a check told it before", "metadata alone did"])
def test_what_metadata_said_is_a_result_while_a_rule_asks(told_before: bool) -> None:
    """Without its rule the result is none, and the one that a check told before it counts again."""
    play = Play(charter_of("r; a < r", {"p": (RULES, "a")})).update(1, "r")
    if told_before:
        play.at(2, check("a", 2, passed=True, name="nulls"))
    play.at(3, update("a", 3, metadata={"nulls": False, "rows": 50}))
    assert play.see("a").failed and play.see("a").verdict is Verdict.STALE
    play.at(4, CharterReplaced(charter_of("r; a < r", {"p": (LAG, "a")})))
    assert not play.see("a").failed
    play.at(5, CharterReplaced(charter_of("r; a < r", {"p": (RULES, "a")})))
    assert play.see("a").failed, "the rule is back, and what was said last still is"
    play.at(6, check("a", 6, passed=True, name="nulls"))
    assert not play.see("a").failed


def test_nobody_waits_for_a_check_whose_rule_is_gone() -> None:
    """b waits for the rows of a, at most ten minutes; at 5 nobody asks for them any more."""
    blocking = Policy("p", checks=(CheckRule("rows", min=20.0, blocking=True),))
    graph = "r; a < r; b < a"
    play = Play(charter_of(graph, {"p": (blocking, "a")}, eager="b")).update(1, "r").update(2, "a")
    assert play.runs == []
    play.at(5, CharterReplaced(charter_of(graph, eager="b")))
    assert play.runs == [(5, "b")]
    assert play.until(HOUR / M).runs == [(5, "b")]


def test_who_reads_a_whole_without_a_data_time_has_none_nor_have_those_below() -> None:
    """The hour before says how far it reaches; the newest does not, so that nobody knows how far the whole does."""
    raw = Asset("raw", watermark_only=True, partitions=HOURLY)
    graph = build_graph([raw, Asset("total", ("raw",), launcher="go"), Asset("report", ("total",), launcher="go")])
    play = Play(charter_of(graph), start=START)
    play.at(START + 1, of_hour(1, 1, reaches=START - 5))  # type: ignore[arg-type]
    play.at(START + 2, update("total", START + 2)).at(START + 3, update("report", START + 3))
    assert (play.see("total").data_time, play.see("report").data_time) == ((START - 5) * M,) * 2
    play.at(START + 4, of_hour(0, 4))  # type: ignore[arg-type]
    assert (play.see("total").data_time, play.see("report").data_time) == (None, None)
