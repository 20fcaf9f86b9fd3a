"""Windows: launches are allowed only from a tick on for so long. Instants are minutes; windows open every 100 minutes.

Unless a line says otherwise the window of `a` is open in [100, 120), [200, 220) and so on, and everything was
updated at minute 50.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import pytest
from tests.unit.core.play import EAGER, Play, charter_of, event, update

from freshd.model.inputs import EventKind
from freshd.model.policy import LauncherTraits, Limit, Measure, Policy, Reaction, ReactionKind, Retry, Window
from freshd.model.records import RunRequested
from freshd.model.time import FOREVER, MINUTE, NEVER

M = MINUTE


class Every:
    """Ticks at every multiple of some minutes."""

    def __init__(self, minutes: int) -> None:
        self._every = minutes * M

    def after(self, instant: int) -> int:
        return instant - instant % self._every + self._every

    def until(self, instant: int) -> int:
        return instant - instant % self._every if instant >= self._every else NEVER


HOURLY = Window(Every(100), 20 * M)
WINDOWED = replace(EAGER, window=HOURLY, max_wait=30 * M)


@dataclass(frozen=True)
class Line:
    number: str
    runs: str
    """What was launched by minute 350, as `minute asset`."""
    tells: Callable[[Play], object]
    graph: str = "r; a < r"
    a: Reaction = WINDOWED
    rest: Reaction = EAGER
    launchers: tuple[LauncherTraits, ...] = ()


def chain(*steps: Callable[[Play], Play]) -> Callable[[Play], Play]:
    def tell(play: Play) -> Play:
        for step in steps:
            step(play)
        return play

    return tell


LINES = [
    Line("01 open: at once", "105 a", lambda p: p.update(105, "r")),
    Line("02 closed: when it opens", "200 a", lambda p: p.update(130, "r")),
    Line("03 it opens at its tick", "100 a", lambda p: p.update(100, "r")),
    Line("04 what closes then is closed", "200 a", lambda p: p.update(120, "r")),
    Line("05 max_wait does not lift it", "200 a", lambda p: p.update(121, "r")),
    Line(
        "06 debounce that ends in closed time", "200 a", lambda p: p.update(115, "r"),
        a=replace(WINDOWED, debounce=10 * M),
    ),
    Line("07 a wish ignores it", "130 a", lambda p: p.update(125, "r").wish(130, "a")),
    Line(
        "08 a retry does not", "118 a;200 a", lambda p: p.update(118, "r").fail(119, "a"),
        a=replace(WINDOWED, retry=Retry(attempts=2, delay=5 * M, jitter=0.0)),
    ),
    Line(
        "09 nobody waits for what it holds", "131 e;200 a",
        chain(lambda p: p.update(130, "r").update(131, "q"), lambda p: p.until(200).done(201, "a")),
        "r; q; a < r; e < a q",
    ),
    Line(
        "10 who is due when it opens waits", "200 a;205 e",
        chain(lambda p: p.update(130, "r").update(200, "q"), lambda p: p.done(205, "a")), "r; q; a < r; e < a q",
    ),
    Line(
        "11 who waits is released when it closes", "120 e;200 a",
        chain(
            lambda p: p.at(99, event(EventKind.RUN_STARTED, "w", 99, run_id="x")).at(110, update("r", 110)),
            lambda p: p.at(110, update("s", 110), update("q", 110)), lambda p: p.until(120).done(131, "e"),
            lambda p: p.at(132, update("w", 132, run_id="x", changed=False)),
        ),
        "r; q; s; w < r; a < w s; e < a q",
        rest=replace(EAGER, max_wait=600 * M), a=replace(WINDOWED, max_wait=600 * M),
    ),
    Line(
        "12 from(a): when it opened, so it waits for what began while it was closed", "210 a",
        chain(
            lambda p: p.update(130, "s"), lambda p: p.at(150, event(EventKind.RUN_STARTED, "w", 150, run_id="x")),
            lambda p: p.at(210, update("w", 210, run_id="x")),
        ),
        "r; s; w < r; a < w s", a=replace(WINDOWED, max_wait=600 * M), rest=Reaction(),
    ),
    Line(
        "13 max_wait counts from its opening", "215 a",
        chain(
            lambda p: p.update(130, "s"), lambda p: p.at(150, event(EventKind.RUN_STARTED, "w", 150, run_id="x")),
        ),
        "r; s; w < r; a < w s", a=replace(WINDOWED, max_wait=15 * M), rest=Reaction(),
    ),
    Line(
        "14 a wave takes nobody out of its window", "130 e;200 a",
        chain(lambda p: p.update(130, "r").done(131, "e")), "r; e < r; a < e",
        launchers=(LauncherTraits("go", wave=True),),
    ),
    Line(
        "15 but within it", "105 e a", lambda p: p.update(105, "r"), "r; e < r; a < e",
        launchers=(LauncherTraits("go", wave=True),),
    ),
    Line(
        "16 windows that meet are one: at 205 it opened at 100, before y began", "205 a",
        chain(
            lambda p: p.update(60, "s"), lambda p: p.at(90, event(EventKind.RUN_STARTED, "w", 90, run_id="x")),
            lambda p: p.at(150, event(EventKind.RUN_STARTED, "y", 150, run_id="y")),
            lambda p: p.at(205, update("w", 205, run_id="x")),
        ),
        "r; s; w < r; y < r; a < w y s", rest=Reaction(),
        a=replace(WINDOWED, window=Window(Every(100), 100 * M), max_wait=600 * M),
    ),
]  # fmt: skip


@pytest.mark.parametrize("line", LINES, ids=[line.number for line in LINES])
def test_windows(line: Line) -> None:
    names = [part.split()[0] for part in line.graph.split(";") if "<" in part]
    reactions = {key: line.a if key == "a" else line.rest for key in names}
    if "w" in names:
        reactions["w"] = Reaction()
    play = Play(charter_of(line.graph, reactions=reactions, launchers=line.launchers))
    keys = [part.split()[0] for part in line.graph.split(";")]
    play.at(50, *(update(key, 50) for key in keys))
    line.tells(play)
    play.until(350)
    assert ";".join(f"{minute:g} {assets}" for minute, assets in play.runs) == line.runs


def test_just_in_time_within_a_window() -> None:
    """Needed by 254 (stale at 260, five minutes and a fifth): its window is open until 220, and again from 300 on."""
    just = Reaction(ReactionKind.JUST_IN_TIME, window=HOURLY, max_wait=900 * M)
    lag = Policy("p", (Limit(Measure.LAG, None, 160 * M),))
    play = Play(charter_of("r; a < r", {"p": (lag, "a")}, {"a": just}))
    play.engine._state.rows["a"].moving_work.note_duration(5 * M)
    for _ in range(2):
        play.engine._state.rows["a"].moving_work.note_duration(5 * M)
    play.at(100, update("r", 100), update("a", 100)).update(110, "r").until(400)
    assert play.runs == [(300, "a")], "by the letter: both must allow it"


def test_windows_across_a_restart_are_looked_at_again() -> None:
    play = Play(charter_of("r; a < r", reactions={"a": WINDOWED})).at(50, update("r", 50), update("a", 50))
    play.update(110, "r")
    assert [record.run.reason for record in play.of(RunRequested)] == ["new_data"]
    assert play.engine.next_wake() in (None, FOREVER) or play.runs == [(110, "a")]


def test_through_what_is_blocked_others_wait_while_its_window_is_open() -> None:
    """a is due and blocked by x; b goes on without it, but waits through it for c: in [200, 220), while a could run."""
    reactions = {"x": EAGER, "c": EAGER, "a": WINDOWED, "b": replace(EAGER, go_on=True)}
    play = Play(charter_of("r; s; t; x < r; c < r; a < x c s; b < a t", reactions=reactions))
    play.update(50, "r", "s", "t").done(51, "x", "c").until(100).done(101, "a").done(102, "b")
    play.update(105, "r").fail(106, "x").update(107, "s")
    assert play.see("a").blocked
    assert play.update(130, "t").runs[-1] == (130, "b")
    assert play.done(131, "b").update(205, "t").runs[-1] == (130, "b")
    assert play.until(219).runs[-1] == (130, "b")
    assert play.until(230).runs[-1] == (220, "b")
