"""Each example in policies/ does what it says: it has a scenario that plays it, and the scenario holds."""

from __future__ import annotations

from pathlib import Path

import pytest

from freshd.scenarios import run_files

POLICIES = Path(__file__).resolve().parents[2] / "policies"
EXAMPLES = sorted(POLICIES.glob("*.yaml"))


def test_there_are_examples_each_told_of_in_the_readme() -> None:
    told = (POLICIES / "README.md").read_text(encoding="utf-8")
    assert [example.name for example in EXAMPLES if f"`{example.name}`" not in told] == []
    assert len(EXAMPLES) >= 15


@pytest.mark.parametrize("example", EXAMPLES, ids=[example.stem for example in EXAMPLES])
def test_an_example_does_what_its_scenario_says(example: Path) -> None:
    scenario = POLICIES / "scenarios" / example.name
    assert f"policies: ../{example.name}\n" in scenario.read_text(encoding="utf-8")
    report = run_files([str(scenario)])
    assert report.exit_code == 0, "\n".join(report.text())
    assert all(result.expectations for result in report.results)
