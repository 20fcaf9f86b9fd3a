"""The engine comes to what the oracle comes to: freshness in any order of arrival, and whole worlds."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from tests.oracle import shuffles
from tests.oracle.comparing import disagreements
from tests.oracle.enrich import SPICES, enriched
from tests.oracle.generate import BIG, FLAVOURS, RICH, Flavour, scenario_document, with_expectations
from tests.oracle.reading import read_scenario
from tests.oracle.slicing import SLICED, sliced_document

from freshd.scenarios import run_files

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


@pytest.mark.parametrize("flavour", sorted(FLAVOURS))
@pytest.mark.parametrize("chunk", range(4))
def test_whole_worlds(flavour: str, chunk: int) -> None:
    """Launches, verdicts, causes and incidents of random scenarios, at every instant asked for."""
    size = 10 if flavour == "crowded" else 25
    for seed in range(chunk * size, (chunk + 1) * size):
        document = scenario_document(seed, FLAVOURS[flavour])
        assert disagreements(read_scenario(document)) == [], f"scenario_document({seed}, {flavour.upper()})"


def test_big_worlds() -> None:
    for seed in range(6):
        assert disagreements(read_scenario(scenario_document(seed, BIG))) == [], f"scenario_document({seed}, BIG)"


NAMED: dict[str, tuple[int, Flavour, str]] = {
    "what a wish that is over was tried again for begins anew": (100_056, BIG, ""),
    "the cause by age moves with data times beyond the due asset at which its walk ended": (200_020, BIG, ""),
    "a lag that gets its value counts beside a check that failed before": (100_066, RICH, "everything"),
}


@pytest.mark.parametrize("why", NAMED, ids=[why.replace(" ", "_") for why in NAMED])
def test_named_worlds(why: str) -> None:
    """Worlds that once showed a bug."""
    seed, flavour, spice = NAMED[why]
    document = scenario_document(seed, flavour)
    document = enriched(document, seed, SPICES[spice]) if spice else document
    assert disagreements(read_scenario(document)) == []


@pytest.mark.parametrize("flavour", sorted(FLAVOURS))
def test_scenario_files(flavour: str, tmp_path: Path) -> None:
    """What the generator writes with the oracle's expectations is a scenario file that `freshd test` passes."""
    documents = [with_expectations(scenario_document(seed, FLAVOURS[flavour])) for seed in range(1000, 1008)]
    path = tmp_path / "generated.yaml"
    path.write_text(yaml.safe_dump_all(documents, sort_keys=False), encoding="utf-8")
    report = run_files([path])
    assert not report.problems
    assert [str(failure) for result in report.results for failure in result.failures] == []
    assert len(report.results) == len(documents)


@pytest.mark.parametrize("spice", sorted(SPICES))
@pytest.mark.parametrize("flavour", ["plain", "rich", "crowded"])
def test_worlds_with_more_in_them(spice: str, flavour: str) -> None:
    """Calendars, checks, learned limits, declarations, blindness."""
    for seed in range(8 if flavour == "crowded" else 16):
        document = enriched(scenario_document(seed, FLAVOURS[flavour]), seed, SPICES[spice])
        assert disagreements(read_scenario(document)) == [], f"{spice} {flavour} {seed}"


@pytest.mark.parametrize("flavour", sorted(SLICED))
@pytest.mark.parametrize("chunk", range(2))
def test_worlds_of_partitions(flavour: str, chunk: int) -> None:
    """Windows of all lengths (the next begin meanwhile, clocks are set), fixed ones, every mapping, wishes for some."""
    for seed in range(chunk * 20, (chunk + 1) * 20):
        document = sliced_document(seed, SLICED[flavour])
        assert disagreements(read_scenario(document)) == [], f"sliced_document({seed}, SLICED[{flavour!r}])"


@pytest.mark.parametrize("spice", ["checked", "declared", "blind", "windows"])
def test_worlds_of_partitions_with_more_in_them(spice: str) -> None:
    for seed in range(8):
        document = enriched(scenario_document(seed, SLICED["troubled"]), seed, SPICES[spice])
        assert disagreements(read_scenario(sliced_document(seed, document=document))) == [], f"{spice} {seed}"
