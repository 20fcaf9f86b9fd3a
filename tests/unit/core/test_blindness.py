"""What cannot be seen is unknown, with one incident; what is stale stays so.

Every asset is under the policy `p`: stale ten minutes after its data time. Sources are told of by the topic of their
name in capitals, unless a line says otherwise.
"""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.unit.core.play import Play, charter_of, update
from tests.unit.core.test_incidents import LOUD, STALE, told

from freshd.core import engine
from freshd.model.inputs import Blind, CaughtUp, CharterReplaced, Input, Sighted, Started
from freshd.model.policy import Verdict
from freshd.model.records import Blinded, SightRegained, VerdictChanged
from freshd.model.time import MINUTE

M = MINUTE
GRAPH = "r; s; a < r; b < s; c < a b; view v< a; fx ="


def seeing(graph: str = GRAPH, policy: object = STALE) -> Play:
    """Everything is updated at minute 1, sources by the topics R, S, …"""
    keys = " ".join(part.split()[0] for part in graph.split(";"))
    play = Play(charter_of(graph, {"p": (policy, keys)}))  # type: ignore[dict-item]
    assets = play.engine.charter.graph.assets
    for number, (key, asset) in enumerate(assets.items()):
        if not asset.virtual:
            topic = "" if asset.upstreams or asset.static else key.upper()
            play.update(1 + number / 1000, key, topic=topic)
    return play


def blind(topic: str, minute: float) -> Blind:
    return Blind(topic, round(minute * M), "no broker answers")


def unknown(play: Play) -> str:
    keys = play.engine.charter.graph.assets
    return " ".join(sorted(key for key in keys if play.see(key).verdict is Verdict.UNKNOWN))


@pytest.mark.parametrize(
    ("number", "happens", "unknowns", "incidents"),
    [
        ("1 a topic", [blind("R", 5)], "a c r view", "kafka/R(a c r view)"),
        ("2 another", [blind("S", 5)], "b c s", "kafka/S(b c s)"),
        ("3 two: the first by name", [blind("S", 5), blind("R", 5)], "a b c r s view",
         "kafka/R(a c r view); kafka/S(b s)"),
        ("4 all topics at once", [blind("", 5)], "a b c r s view", "kafka(a b c r s view)"),
        ("5 one that tells of nothing here", [blind("T", 5)], "", ""),
        ("6 said twice", [blind("R", 5), blind("R", 5)], "a c r view", "kafka/R(a c r view)"),
        ("7 seen again", [blind("R", 5), Sighted("R")], "", ""),
        ("8 of two one is seen again", [blind("R", 5), blind("S", 5), Sighted("R")], "b c s", "kafka/S(b c s)"),
        ("9 all, then one is seen", [blind("", 5), Sighted("R")], "a b c r s view", "kafka(a b c r s view)"),
        ("10 all and one, then all", [blind("", 5), blind("R", 5), Sighted("")], "a c r view", "kafka/R(a c r view)"),
        ("11 never blind", [Sighted("R")], "", ""),
        ("12 by another topic since", [blind("R", 5), update("r", 5, topic="S")], "", ""),
        ("13 by no topic since", [blind("R", 5), update("r", 5)], "", ""),
        ("14 heard of by a blind topic", [blind("R", 5), update("s", 5, topic="R")], "a b c r s view",
         "kafka/R(a b c r s view)"),
        ("15 a derived asset's own events", [update("b", 5, topic="R"), blind("R", 5)], "a b c r view",
         "kafka/R(a b c r view)"),
    ],
)  # fmt: skip
def test_what_is_unknown(number: str, happens: list[Input], unknowns: str, incidents: str) -> None:
    play = seeing().at(5, *happens)
    assert (unknown(play), told(play)) == (unknowns, incidents), number
    assert all(reason == "blind" for _, reason, _ in play.incidents())


def test_no_time_makes_it_stale_and_no_verdict_is_judged_meanwhile() -> None:
    play = seeing().at(5, blind("R", 5), blind("S", 5)).until(600)
    assert play.engine.next_wake() is None
    assert {change.asset for change in play.of(VerdictChanged) if change.now > 5 * M} == {"fx"}, "told of by no topic"


def test_nobody_can_tell_when_it_would_turn_stale() -> None:
    play = seeing("r").at(5, blind("R", 5))
    assert [view.stale_at for view in play.see("r").policies] == [None]
    assert [view.stale_at for view in play.at(6, Sighted("R")).see("r").policies] == [11 * M]


def test_what_is_stale_already_stays_stale() -> None:
    play = seeing("r; a < r").update(9, "r", topic="R").until(12).at(13, blind("R", 13))
    assert [play.see(key).verdict for key in "ra"] == [Verdict.UNKNOWN, Verdict.STALE]
    assert told(play) == "a(a); kafka/R(r)"


def test_what_was_stale_and_heals_meanwhile_is_unknown() -> None:
    play = seeing("r; a < r").update(9, "r", topic="R").until(12).at(13, blind("R", 13)).update(14, "a")
    assert (play.see("a").verdict, told(play)) == (Verdict.UNKNOWN, "kafka/R(a r)")


def test_when_it_is_seen_again_all_is_judged_at_once() -> None:
    play = seeing("r; a < r").at(5, blind("R", 5)).update(20, "r", topic="R", started=19).at(21, Sighted("R"))
    assert (play.see("r").verdict, told(play)) == (Verdict.FRESH, "a(a)")


def test_it_is_announced_once_and_the_message_says_when_it_is_over() -> None:
    play = seeing("r; a < r", LOUD).at(5, blind("R", 5)).delivered(5).until(60).at(61, Sighted("R"), update("r", 61))
    assert play.engine.announced == 1
    first = play.notices[0]
    assert (first.cause, first.reason, first.affected) == (
        "kafka/R", "blind", (("a", "p", "blind"), ("r", "p", "blind")),
    )  # fmt: skip


def test_the_message_says_why_nothing_is_seen_also_when_it_is_over() -> None:
    play = seeing("r; s", LOUD).at(5, blind("R", 5)).delivered(5).at(20).at(21, Sighted("R"), update("r", 21))
    told_of = [(n.cause, n.reason, n.why, n.closed_at is None) for n in play.delivered(22).delivered(23).notices]
    assert told_of == [
        ("kafka/R", "blind", "no broker answers", True),
        ("s", "no_update", "", True),
        ("kafka/R", "blind", "no broker answers", False),
    ]


def test_a_failed_asset_has_failed_all_the_same() -> None:
    play = Play(charter_of("r; a < r", {"p": (STALE, "r a")}, eager="a")).update(1, "r", topic="R").fail(2, "a")
    play.at(3, blind("R", 3))
    assert told(play) == "a(a); kafka/R(r)"


def test_a_violation_that_was_to_last_begins_anew() -> None:
    play = seeing("r", replace(STALE, sustain=4 * M)).at(12, blind("R", 12)).at(20, Sighted("R"))
    assert play.see("r").verdict is Verdict.FRESH, "not yet long enough"
    assert play.until(24).see("r").verdict is Verdict.STALE


def test_launches_go_on() -> None:
    play = Play(charter_of("r; a < r", eager="a")).at(1, blind("R", 1)).update(2, "r", topic="R")
    assert play.runs == [(2, "a")]


def test_muted_or_under_maintenance_it_is_told_to_nobody() -> None:
    from tests.unit.core.test_declared import MAINTENANCE, MUTE, say

    muted = seeing("r", LOUD).at(4, say(MUTE, "r", 4)).at(5, blind("R", 5))
    assert (told(muted), muted.engine.announced) == ("kafka/R(r)", 0)
    assert told(seeing("r", LOUD).at(4, say(MAINTENANCE, "r", 4)).at(5, blind("R", 5))) == ""


def test_who_catches_up_for_too_long_is_blind_until_it_has() -> None:
    play = Play(charter_of("r; q", {"p": (STALE, "r q")})).update(1, "r", topic="R").update(1.1, "q")
    play.at(8, Started(True)).until(12.99)
    assert unknown(play) == "", "held as it was"
    assert (unknown(play.until(13)), told(play)) == ("r", "q(q); kafka(r)")
    play.at(14, CaughtUp())
    assert told(play) == "q(q); r(r)"


def test_the_files_change_meanwhile() -> None:
    play = seeing("r; a < r").at(5, blind("R", 5))
    play.at(6, CharterReplaced(charter_of("r; b < r; q", {"p": (STALE, "r b q")})))
    assert told(play) == "kafka/R(b r)"
    play.at(7, CharterReplaced(charter_of("q", {"p": (STALE, "q")})))
    assert told(play) == ""
    play.at(8, CharterReplaced(charter_of("r; q", {"p": (STALE, "r q")})))
    assert play.see("r").verdict is Verdict.UNKNOWN
    assert [type(record) for record in play.records if isinstance(record, (Blinded, SightRegained))] == [Blinded]


def test_many_are_judged_some_in_each_step(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "TIMERS_PER_STEP", 2)
    monkeypatch.setattr(engine, "TIMERS_BESIDE_INPUTS", 2)
    play = seeing()
    steps = []
    inputs: tuple[Input, ...] = (blind("", 1.5),)
    play.now = round(1.5 * M)
    while inputs or (play.engine.next_wake() or 0) <= play.now:
        steps.append(len([r for r in play.engine.step(play.now, inputs).records if isinstance(r, VerdictChanged)]))
        inputs = ()
    assert steps == [2, 2, 2]
    assert told(play) == "kafka(a b c r s view)"
