"""The engine comes to what the oracle comes to: freshness in any order of arrival, and whole worlds."""

from __future__ import annotations

import pytest
from tests.oracle import shuffles
from tests.oracle.comparing import disagreements
from tests.oracle.generate import FLAVOURS, scenario_document
from tests.oracle.reading import read_scenario

CHUNK = 250


@pytest.mark.parametrize("chunk", range(12))
def test_freshness_in_any_order(chunk: int) -> None:
    """Overlapping runs, late, repeated and shuffled events: the same values as all at once."""
    for seed in range(chunk * CHUNK, (chunk + 1) * CHUNK):
        told = shuffles.history(seed)
        assert shuffles.by_engine(told) == shuffles.by_oracle(told), f"history({seed})"


@pytest.mark.parametrize("chunk", range(4))
def test_freshness_over_a_replaced_graph(chunk: int) -> None:
    """What an update read is what its asset's upstreams were when it started."""
    for seed in range(chunk * CHUNK, (chunk + 1) * CHUNK):
        told = shuffles.history(seed, replaced=True)
        assert shuffles.by_engine(told) == shuffles.by_oracle(told), f"history({seed}, replaced=True)"


def test_bounded_histories_are_never_fresher_than_the_truth() -> None:
    """With only four entries a history forgets; what is said then may be older, never fresher."""
    for seed in range(400):
        told = shuffles.history(seed, events=(20, 40))
        truth = shuffles.by_oracle(told)
        for key, row in shuffles.by_engine(told, limit=4).items():
            assert shuffles.not_fresher(row, truth[key]), f"history({seed}, events=(20, 40)): {key} {row} {truth[key]}"


@pytest.mark.parametrize("flavour", ["plain", "rich", "crowded"])
@pytest.mark.parametrize("chunk", range(4))
def test_whole_worlds(flavour: str, chunk: int) -> None:
    """Launches, verdicts, causes and incidents of random scenarios, at every instant asked for."""
    size = 8 if flavour == "crowded" else 20
    for seed in range(chunk * size, (chunk + 1) * size):
        document = scenario_document(seed, FLAVOURS[flavour])
        assert disagreements(read_scenario(document)) == [], f"scenario_document({seed}, {flavour.upper()})"
