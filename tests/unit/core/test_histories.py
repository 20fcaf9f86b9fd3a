"""Histories: what is known does not depend on the order in which it came, and a bound never makes anything fresher."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.oracle import shuffles
from tests.oracle.facts import Facts
from tests.oracle.freshness import Freshness
from tests.unit.core.play import Play, charter_of, event, graph_of, update

from freshd.core import updates
from freshd.model.inputs import Event, EventKind
from freshd.model.policy import Limits
from freshd.model.time import MINUTE

M = MINUTE
Row = tuple[int | None, int | None, int | None, bool]


def told(play: Play, key: str) -> Row:
    """updated_at, data_time, pending_since (in minutes), due."""
    seen = play.see(key)
    found = [None if at is None else at // M for at in (seen.updated_at, seen.data_time, seen.pending_since)]
    return found[0], found[1], found[2], seen.due


KEYS = ("r", "q", "a", "b")
GRAPH = "r; q; a < r q; view v< a; b < view r"


@st.composite
def happenings(draw: st.DrawFn) -> tuple[list[Event], list[Event]]:
    """Events, and the same ones in another order with some of them repeated."""
    events = []
    updated_by: set[tuple[str, str]] = set()  # a run updates an asset once
    for number in range(draw(st.integers(1, 9))):
        end = draw(st.integers(1, 30))
        kind = draw(st.sampled_from([EventKind.UPDATE] * 5 + [EventKind.RUN_STARTED, EventKind.OBSERVATION]))
        key = draw(st.sampled_from(KEYS[:2] if kind is EventKind.OBSERVATION else KEYS))
        said: dict[str, object] = {"id": f"e{number}"}
        if kind is EventKind.UPDATE:
            said["changed"] = draw(st.booleans())
            if draw(st.booleans()):
                said["started"] = end - draw(st.integers(0, 12))
        if kind is not EventKind.OBSERVATION and draw(st.booleans()):
            run = f"run-{draw(st.integers(1, 2))}"
            if kind is EventKind.RUN_STARTED or (key, run) not in updated_by:
                said["run_id"] = run
            if kind is EventKind.UPDATE:
                updated_by.add((key, run))
        if kind is EventKind.OBSERVATION or draw(st.integers(0, 3)) == 0:
            said["reaches"] = end - draw(st.integers(0, 9))
        events.append(event(kind, key, end, **said))
    again = draw(st.permutations(events + draw(st.lists(st.sampled_from(events), max_size=3))))
    return events, again


@settings(max_examples=150, deadline=None, derandomize=True)
@given(happenings())
def test_any_order_and_repetition_comes_to_the_same(given_events: tuple[list[Event], list[Event]]) -> None:
    limits = Limits(lost_after=10_000 * M)
    plays = []
    for events in given_events:
        play = Play(charter_of(GRAPH, limits=limits)).until(50)
        for one in events:
            play.step(one)
        plays.append({key: told(play, key) for key in (*KEYS, "view")})
    assert plays[0] == plays[1]
    graph = graph_of(GRAPH)
    facts = Facts(graph, given_events[0])
    fresh = Freshness(graph, {key: facts.updates(key) for key in graph.assets})
    at = 50 * M
    for key, row in plays[0].items():
        values = (fresh.updated_at(key, at), fresh.data_time(key, at), fresh.pending_since(key, at))
        assert row == (*(None if v is None else v // M for v in values), fresh.due(key, at)), key


@pytest.mark.parametrize("bound", [2, 4])
@pytest.mark.parametrize("jitter", [0, 4])
def test_a_cut_history_is_never_fresher_than_the_truth(
    bound: int, jitter: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Cut at every update; events come in order, or a little late. The oracle has no bound."""
    monkeypatch.setattr(updates, "SLACK_ENTRIES", 0)
    cut = 0
    for seed in range(120):
        history = shuffles.history(seed, events=(20, 45))
        rng = Random(seed)
        in_order = tuple(sorted(history.events, key=lambda one: one.at + rng.randint(0, jitter)))
        history = replace(history, events=in_order)
        truth = shuffles.by_oracle(history)
        for key, row in shuffles.by_engine(history, limit=bound).items():
            assert shuffles.not_fresher(row, truth[key]), f"history {seed}, {key}: {row}, in truth {truth[key]}"
            cut += row != truth[key]
    assert cut, "nothing was ever forgotten: the bound is not at work"


def bounded(text: str, history: int = 4) -> Play:
    return Play(charter_of(text, limits=Limits(history=history)))


def cells(play: Play, key: str) -> int:
    return len(play.engine._state.rows[key].cells) // 6


@pytest.mark.parametrize("updates_of_r", [100, 400])
def test_histories_are_bounded(updates_of_r: int) -> None:
    play = bounded("r; a < r")
    for minute in range(1, updates_of_r):
        play.update(minute, "r")
    assert cells(play, "r") <= 4 + updates.SLACK_ENTRIES
    assert told(play, "a") == (None, None, 1, True), "the first update of all is remembered"


def test_a_long_run_of_others_keeps_the_entry_in_force_at_its_start() -> None:
    play = bounded("r; a < r")
    play.update(1, "r").update(2, "a").update(10, "r")
    play.at(12, event(EventKind.RUN_STARTED, "a", 12, run_id="long"))
    for minute in range(20, 80):
        play.update(minute, "r")
    play.update(90, "a", run_id="long")
    assert told(play, "a") == (90, 10, 20, True), "it read what had come by 12, the update of 10"


def test_a_reader_from_before_the_floor_keeps_what_it_read() -> None:
    play = bounded("r; a < r")
    play.update(1, "r").update(2, "a").update(10, "r")
    before = told(play, "a")
    for minute in range(20, 80):
        play.update(minute, "r")
    assert before == (2, 1, 10, True)
    assert told(play, "a") == before


def test_a_late_update_of_a_reader_from_before_the_floor_counts_as_having_read_nothing_new() -> None:
    play = bounded("r; a < r")
    play.update(1, "r").update(2, "a")
    for minute in range(20, 80):
        play.update(minute, "r")
    play.at(80, update("a", 79, started=25))
    updated, reaches, pending, due = told(play, "a")
    assert (updated, pending, due) == (79, 20, True)
    assert reaches is not None and reaches <= 25


def test_an_update_older_than_the_history_is_still_missed_by_who_began_before_it() -> None:
    play = bounded("r; a < r")
    play.update(1, "r").update(2, "a")
    for minute in range(20, 80):
        play.update(minute, "r")
    assert told(play, "a")[2] == 20
    play.at(90, update("r", 7))
    assert told(play, "a")[2] == 7


def test_a_run_id_used_again_begins_when_it_was_told_to() -> None:
    """A scheduler that retries a task under one id: the second update began with the second start."""
    play = Play(charter_of("r; a < r"))
    play.update(1, "r").update(5, "a", run_id="nightly")
    play.at(10, event(EventKind.RUN_STARTED, "a", 10, run_id="nightly")).update(12, "r")
    play.update(15, "a", run_id="nightly")
    assert told(play, "a") == (15, 1, 12, True)


@pytest.mark.parametrize(
    ("number", "updates_of_a", "holds"),
    [
        ("1 by its end, as long as no start is known", ["15"], (15, 14, None, False)),
        ("2 the start that comes later counts", ["15", "start 8"], (15, 1, 10, True)),
        ("3 of two starts the earlier", ["15", "start 8", "start 3"], (15, 1, 10, True)),
        ("4 its own start outdoes any run_started", ["15 from 12", "start 8"], (15, 14, None, False)),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_later_known_starts(number: str, updates_of_a: list[str], holds: Row) -> None:
    play = Play(charter_of("r; a < r"))
    play.update(1, "r").update(10, "r").update(14, "r", changed=False).until(20)
    for said in updates_of_a:
        words = said.split()
        if words[0] == "start":
            play.step(event(EventKind.RUN_STARTED, "a", int(words[1]), run_id="job"))
        else:
            start = {"started": int(words[2])} if len(words) > 1 else {}
            play.step(update("a", int(words[0]), run_id="job", **start))
    assert told(play, "a") == holds, number
