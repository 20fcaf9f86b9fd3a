"""The stories a user would tell, with what must hold written by hand, and every decision as a golden trace.

A change of a trace is a change of what the daemon does: look at it, then write it anew with
FRESHD_TEST_GOLDEN=write.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from freshd.scenarios import run_files

HERE = Path(__file__).resolve().parent
GOLDEN = HERE.parent / "golden"
STORIES = sorted(HERE.glob("*.yaml"))


@pytest.mark.parametrize("story", STORIES, ids=[story.stem for story in STORIES])
def test_story(story: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(HERE)
    report = run_files([story.name], trace=True)
    assert report.exit_code == 0, "\n".join(line for line in report.text())
    assert all(result.expectations for result in report.results)
    told = "".join(f"# {result.name}\n" + "\n".join(result.trace) + "\n\n" for result in report.results)
    golden = GOLDEN / f"{story.stem}.txt"
    if os.environ.get("FRESHD_TEST_GOLDEN") == "write":
        golden.write_text(told, encoding="utf-8")
    assert golden.exists(), f"{golden} is missing; write it with FRESHD_TEST_GOLDEN=write"
    assert told == golden.read_text(encoding="utf-8")


def test_no_golden_trace_is_without_its_story() -> None:
    assert {golden.stem for golden in GOLDEN.glob("*.txt")} <= {story.stem for story in STORIES}


def test_the_stories_that_must_be_there() -> None:
    asked = {"diamond", "late_source", "failing_run", "update_during_run", "heals_while_running"}
    assert asked | {"connector_goes_silent", "nothing_new"} <= {story.stem for story in STORIES}
