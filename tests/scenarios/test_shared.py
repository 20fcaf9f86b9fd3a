"""The shared random scenarios, whose expectations were worked out by somebody else's reading of semantics.md."""

from __future__ import annotations

from pathlib import Path

import pytest

from freshd.scenarios import run_files

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data" / "scenarios"
FILES = sorted(SHARED.glob("random_*.yaml"))


@pytest.mark.skipif(not FILES, reason=f"the shared scenarios are not at {SHARED}")
def test_all_shared_scenarios_hold() -> None:
    report = run_files(FILES)
    assert len(report.results) >= 40
    assert all(result.expectations > 0 for result in report.results)
    assert report.exit_code == 0, "\n".join(report.text())
