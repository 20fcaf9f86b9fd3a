"""Runs that others start, told by events: a numbered table.

`b` reads `a` reads `r`; others run `a`, the daemon runs `b`. All three were updated at minute 1, `r` again at 10. A
line tells what comes after that (`start`, `update`, `fail`, `end` of `a`, with the minute of which it tells and the
run's id, or `-` for none), in the order of telling, and how `a` stands at a minute: (in flight, data time, pending
since), with the minutes at which `b` was launched.
"""

from __future__ import annotations

import pytest
from tests.unit.core.play import Play, charter_of, event

from freshd.model.inputs import EventKind
from freshd.model.time import MINUTE

KINDS = {
    "start": EventKind.RUN_STARTED,
    "update": EventKind.UPDATE,
    "fail": EventKind.RUN_FAILED,
    "end": EventKind.RUN_ENDED,
}

LINES = [
    ("01 it began: in flight until its outcome", "start 12 x", 13, (True, 1, 10), []),
    ("02 an update of its id ends it, and read what had come when it began", "start 12 x, update 20 x", 21,
     (False, 10, None), [20]),
    ("03 what comes while it goes on is not in it", "start 9 x, update 20 x", 21, (False, 1, 10), [20]),
    ("04 a failure ends it; nobody tries it again", "start 12 x, fail 20 x", 300, (False, 1, 10), []),
    ("05 it found nothing new", "start 12 x, end 20 x", 21, (False, 1, 10), []),
    ("06 an outcome without an id ends what began before it", "start 12 x, fail 20 -", 21, (False, 1, 10), []),
    ("07 and not what began after it", "start 12 x, fail 11 -", 21, (True, 1, 10), []),
    ("08 the outcome of another run is none of its own", "start 12 x, fail 20 y", 21, (True, 1, 10), []),
    ("09 without an id a start is told by nothing: it read all that had come by the end", "update 20 -", 21,
     (False, 10, None), [20]),
    ("10 a start told after its update counts for it", "update 20 x, start 9 x", 21, (False, 1, 10), [20]),
    ("11 a start told again, earlier: the earlier counts", "start 12 x, start 9 x, update 20 x", 21,
     (False, 1, 10), [20]),
    ("12 an outcome told again changes nothing", "start 12 x, update 20 x, update 20 x", 21, (False, 10, None), [20]),
    ("13 two at once: one ends, the other goes on, and b waits for it", "start 12 x, start 13 y, update 20 x", 21,
     (True, 10, None), []),
    ("14 without news for six hours it counts as not run", "start 12 x", 12 + 360, (False, 1, 10), []),
    ("15 just before that it does not", "start 12 x", 11 + 360, (True, 1, 10), []),
    ("16 its update after that still began when it did", "start 9 x, update 400 x", 401, (False, 1, 10), [400]),
    ("17 a start told after its failure is over", "fail 20 x, start 12 x", 21, (False, 1, 10), []),
]  # fmt: skip


@pytest.mark.parametrize(("line", "told", "minute", "stands", "launched"), LINES, ids=[line[0] for line in LINES])
def test_how_a_stands(
    line: str, told: str, minute: int, stands: tuple[bool, int | None, int | None], launched: list[int]
) -> None:
    play = Play(charter_of("r; a < r; b < a", eager="b")).update(1, "r", "a", "b").update(10, "r")
    for word, at, run in (part.split() for part in told.split(", ")):
        one = event(KINDS[word], "a", int(at), run_id=run.strip("-"))
        play.at(max(int(at), play.now / MINUTE), one)
    seen = play.until(minute).see("a")
    times = [None if at is None else at // MINUTE for at in (seen.data_time, seen.pending_since)]
    assert (seen.in_flight, *times) == stands
    assert play.runs == [(at, "b") for at in launched]
    assert not seen.failed, "only runs of the daemon's own fail for good"
