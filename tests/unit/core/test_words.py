"""What each word of people does to a verdict, an incident, a message and a launch: a numbered table.

`a` reads `r`; both are under one policy, stale ten minutes after the data time, that alerts, and the daemon makes `a`.
Both were updated at minute 1, and nothing comes until 40, when `r` is updated and `a` is to be launched. A line says
what was declared at which minute until which; then at minute 30: the verdict of `r`, the assets of the incident, how
often it was told of; and whether `a` was launched at 40.
"""

from __future__ import annotations

import pytest
from tests.unit.core.play import Play
from tests.unit.core.test_declared import say
from tests.unit.core.test_incidents import LOUD, play_of, told

from freshd.model.declarations import DeclarationKind
from freshd.model.inputs import Acknowledge
from freshd.model.time import MINUTE

WORDS = {word: DeclarationKind(word) for word in ("mute", "maintenance", "pause")}

LINES = [
    ("01 nothing said: stale, one incident, told once", "", "stale", "r(a r)", 1, True),
    ("02 mute of both: all the same, but nobody is told", "mute r,a 5..60", "stale", "r(a r)", 0, True),
    ("03 mute of one: told of, the other is its member", "mute a 5..60", "stale", "r(a r)", 1, True),
    ("04 mute is over before: told", "mute r,a 2..8", "stale", "r(a r)", 1, True),
    ("05 mute is over while it is stale: told then", "mute r,a 5..20", "stale", "r(a r)", 1, True),
    ("06 maintenance: stale is stale, and no incident", "maintenance r,a 5..60", "stale", "", 0, True),
    ("07 maintenance of one leaves the other", "maintenance r 5..60", "stale", "r(a)", 1, True),
    ("08 maintenance is over while it is stale: an incident then", "maintenance r,a 5..20", "stale", "r(a r)", 1, True),
    ("09 maintenance that begins later takes it out", "maintenance r,a 15..60", "stale", "", 2, True),
    ("10 pause: stale and told as before, and not launched", "pause a 5..60", "stale", "r(a r)", 1, False),
    ("11 pause is over: launched", "pause a 5..39", "stale", "r(a r)", 1, True),
    ("12 acknowledged: told that it is", "acknowledge r 15..60", "stale", "r(a r)", 2, True),
    ("13 an acknowledgement lapses: told that too", "acknowledge r 15..25", "stale", "r(a r)", 3, True),
]


def said(play: Play, text: str) -> Play:
    for word, keys, span in [text.split()] if text else []:
        begins, _, until = span.partition("..")
        if word == "acknowledge":
            play.delivered(12).at(int(begins), Acknowledge(keys, "ada", "on it", int(until) * MINUTE))
        else:
            play.at(min(int(begins), 5), say(WORDS[word], keys.replace(",", " "), int(begins), int(until)))
    return play


@pytest.mark.parametrize(
    ("line", "words", "verdict", "incident", "notices", "launched"), LINES, ids=[line[0] for line in LINES]
)
def test_what_a_word_does(line: str, words: str, verdict: str, incident: str, notices: int, launched: bool) -> None:
    play = said(play_of("r; a < r", LOUD, eager="a").update(1, "r", "a"), words)
    for minute in (16, 21, 26, 30):
        play.delivered(minute)
    assert play.see("r").verdict == verdict
    assert told(play) == incident
    assert len(play.notices) == notices
    assert bool(play.update(40, "r").runs) is launched
