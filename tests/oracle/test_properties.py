"""Properties of what arrives: in which order, how often, and what the loss of an event may do."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import assume, given, settings
from hypothesis import strategies as st
from tests.oracle import shuffles

from freshd.model.inputs import Event, EventKind

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


@settings(max_examples=60, deadline=None)
@given(SEEDS, st.integers(0, 1_000))
def test_a_lost_materialisation_makes_nothing_below_it_fresher(seed: int, lost: int) -> None:
    """Of a derived asset: without one of its updates nothing reaches further, or is behind for less long.

    Unless a later one says that nothing changed, which is true only of those before it: so here each has changed data.
    """
    told = shuffles.history(seed)
    told, graph = replace(told, events=tuple(replace(event, changed=True) for event in told.events)), told.graph
    made = [e for e in told.events if e.kind is EventKind.UPDATE and graph.assets[e.assets[0]].upstreams]
    assume(made)
    gone = made[lost % len(made)]
    left = shuffles.by_engine(replace(told, events=tuple(event for event in told.events if event.id != gone.id)))
    for key, (_, reaches, behind_since, _) in shuffles.by_engine(told).items():
        _, reached, missing_since, _ = left[key]
        assert reached is None or (reaches is not None and reached <= reaches), key
        assert behind_since is None or (missing_since is not None and missing_since <= behind_since), key


@settings(max_examples=60, deadline=None)
@given(SEEDS, st.lists(st.integers(0, 1_000), min_size=1, max_size=4))
def test_what_comes_afterwards_makes_up_for_what_was_lost(seed: int, lost: list[int]) -> None:
    """Once every asset was updated again, upstreams first, it is of no matter what was lost before."""
    told = shuffles.history(seed)
    gone = {told.events[n % len(told.events)].id for n in lost}
    without = tuple(event for event in told.events if event.id not in gone)
    order = [key for key, asset in told.graph.assets.items() if not asset.virtual]
    again = tuple(
        Event(EventKind.UPDATE, (key,), 100 + 2 * n, f"again {key}", started_at=99 + 2 * n, data_time=99 + 2 * n)
        for n, key in enumerate(order)
    )
    caught_up = shuffles.by_engine(replace(told, events=without + again))
    assert caught_up == shuffles.by_engine(replace(told, events=told.events + again))
    for key, (_, _, behind_since, due) in caught_up.items():
        assert (behind_since, due) == (None, False), key
