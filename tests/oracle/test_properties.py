"""Properties of what arrives: in which order, how often, and what the loss of an event may do."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.oracle import shuffles

SEEDS = st.integers(0, 100_000)


@settings(max_examples=60, deadline=None)
@given(SEEDS, st.randoms(use_true_random=False))
def test_any_order_gives_one_state(seed: int, rng: object) -> None:
    told = shuffles.history(seed)
    events = list(told.events)
    rng.shuffle(events)  # type: ignore[attr-defined]
    assert shuffles.by_engine(replace(told, events=tuple(events))) == shuffles.by_engine(told)


@settings(max_examples=60, deadline=None)
@given(SEEDS, st.lists(st.integers(0, 1_000), max_size=8))
def test_what_comes_again_changes_nothing(seed: int, again: list[int]) -> None:
    told = shuffles.history(seed)
    more = tuple(told.events[n % len(told.events)] for n in again)
    assert shuffles.by_engine(replace(told, events=told.events + more)) == shuffles.by_engine(told)


@settings(max_examples=60, deadline=None)
@given(SEEDS, st.integers(0, 1_000))
def test_what_was_lost_and_comes_at_last_is_as_if_it_had_come_in_time(seed: int, lost: int) -> None:
    told = shuffles.history(seed)
    gone = told.events[lost % len(told.events)]
    without = replace(told, events=tuple(event for event in told.events if event is not gone))
    assert shuffles.by_engine(without) == shuffles.by_oracle(without)
    assert shuffles.by_engine(replace(without, events=(*without.events, gone))) == shuffles.by_engine(told)
