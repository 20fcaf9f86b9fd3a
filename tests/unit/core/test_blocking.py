"""Checks that block: a numbered table.

`a` reads `r`, and the daemon makes it. `r` has a check `rows` that blocks: it was updated at minute 1, the check passed
at 2, and `a` was made at 3. `r` is updated again at 10. A line tells which results come after that, in the order of
telling (`pass` or `fail`, with the minute of which it tells, `!` for one that does not block); then at minute 30:
(`r` has failed, `a` is blocked), and the minutes at which `a` was launched anew.
"""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.unit.core.play import EAGER, Play, charter_of, check

from freshd.model.inputs import Event
from freshd.model.time import MINUTE

LINES = [
    ("01 it passes: launched then", "pass 12", (False, False), [12]),
    ("02 it fails: blocked", "fail 12", (True, True), []),
    ("03 it fails, then passes: launched then", "fail 12, pass 15", (False, False), [15]),
    ("04 no result: waited for ten minutes, then launched", "", (False, False), [20]),
    ("05 a failure of one that does not block is no result of it", "!fail 12", (True, False), [20]),
    ("06 a failure after the wait: its run goes on, and it is blocked for it is due", "fail 25", (True, True), [20]),
    ("07 a result of before the update is none of it", "pass 9", (False, False), [20]),
    ("08 of two told out of order the later one counts", "fail 15, pass 12", (True, True), []),
    ("09 passed, then failed at the same update: it runs already", "pass 12, fail 13", (True, True), [12]),
]


def result(word: str, at: str) -> Event:
    name = "nulls" if word.startswith("!") else "rows"
    return check("r", float(at), word.endswith("pass"), blocking=name == "rows", name=name)


@pytest.mark.parametrize(("line", "told", "flags", "launched"), LINES, ids=[line[0] for line in LINES])
def test_what_a_blocking_check_holds_back(line: str, told: str, flags: tuple[bool, bool], launched: list[int]) -> None:
    play = begun()
    for word, at in (part.split() for part in told.split(", ") if part):
        play.at(max(float(at), play.now / MINUTE), result(word, at))
    play.until(30)
    assert (play.see("r").failed, play.see("a").blocked) == flags
    assert play.runs[1:] == [(at, "a") for at in launched]


def test_10_who_is_told_to_go_on_does() -> None:
    play = begun(go_on=True).at(12, result("fail", "12"))
    assert not play.see("a").blocked
    assert play.runs[1:] == [(12, "a")]


def begun(go_on: bool = False) -> Play:
    reaction = replace(EAGER, go_on=go_on)
    play = Play(charter_of("r; a < r", reactions={"a": reaction}))
    play.update(1, "r").at(2, check("r", 2, True, blocking=True))
    return play.done(3, "a").update(10, "r")
