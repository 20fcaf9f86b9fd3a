"""The log tells what was decided and why, and never so much that the loop is held up by telling."""

from __future__ import annotations

from typing import Any

import pytest
import structlog
from structlog.testing import capture_logs

from freshd.app.narrator import LINES_A_STEP, Narrator
from freshd.model.effects import LaunchRun
from freshd.model.errors import TransientError
from freshd.model.inputs import DeadLetter, Event, EventKind, RunPhase, RunReport
from freshd.model.policy import Verdict
from freshd.model.records import DeadLettered, EventTaken, Record, RunReported, RunRequested, VerdictChanged

RUN = LaunchRun("r1", "build", ("shop/orders",), 0, reason="new_data")


@pytest.fixture(autouse=True)
def _plain_structlog() -> None:
    structlog.reset_defaults()


def told(*records: Record) -> list[dict[str, Any]]:
    with capture_logs() as lines:
        Narrator().observe(0, records)
    return [dict(line) for line in lines]


def test_a_launch_is_told_with_its_reason() -> None:
    (line,) = told(RunRequested(0, RUN))
    assert (line["event"], line["run"], line["assets"], line["reason"]) == (
        "run.requested",
        "r1",
        "shop/orders",
        "new_data",
    )
    (line,) = told(RunRequested(0, RUN, observed=True))
    assert line["event"] == "run.observed"


def test_a_failure_is_told_with_what_it_said() -> None:
    (line,) = told(RunReported(0, RunReport("r1", RunPhase.FAILED, 0, "shop/orders", error="no such table")))
    assert (line["event"], line["log_level"], line["error"]) == ("run.failed", "warning", "no such table")


def test_events_are_counted_elsewhere() -> None:
    assert told(EventTaken(0, Event(EventKind.UPDATE, ("a",), 0))) == []


def test_a_dead_letter_is_told_without_its_payload() -> None:
    (line,) = told(DeadLettered(0, DeadLetter("t/0/7", "not_json", "t/0/7: not JSON", b"secret")))
    assert line["reason"] == "not_json"
    assert "secret" not in str(line)


def test_many_lines_of_one_step_are_cut_short() -> None:
    changes = [VerdictChanged(0, "p", f"a{n}", "", Verdict.FRESH, Verdict.STALE, "lag") for n in range(1_000)]
    lines = told(*changes)
    assert len(lines) == LINES_A_STEP + 1
    assert lines[-1]["lines_left_out"] == 1_000 - LINES_A_STEP


def test_trouble_with_the_store_says_that_nothing_is_lost() -> None:
    with capture_logs() as lines:
        Narrator().store_trouble("append", TransientError("disk full"))
    assert (lines[0]["log_level"], lines[0]["error"]) == ("error", "disk full")
    assert "nothing is lost" in lines[0]["note"]
