"""What people declare: mute, maintenance, pause, acknowledge; each by a person, for a reason, for a while."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.unit.core.play import EAGER, Play, charter_of, event
from tests.unit.core.test_incidents import LOUD, all_updated, play_of, told

from freshd.model.declarations import Declaration, DeclarationKind
from freshd.model.inputs import Acknowledge, CharterReplaced, EventKind, Withdraw
from freshd.model.policy import Alert, Severity
from freshd.model.records import DeclarationBegan, DeclarationEnded, Declared, IncidentAcknowledged
from freshd.model.time import FOREVER, MINUTE

M = MINUTE
MUTE, MAINTENANCE, PAUSE = DeclarationKind.MUTE, DeclarationKind.MAINTENANCE, DeclarationKind.PAUSE


def say(kind: DeclarationKind, keys: str, begins: float, until: float | None = None, name: str = "d1") -> Declaration:
    end = FOREVER if until is None else round(until * M)
    return Declaration(name, kind, tuple(sorted(keys.split())), round(begins * M), end, "ada", "because", keys)


@pytest.mark.parametrize(
    ("begins", "until", "words"),
    [
        (5, 20, "Declared 5, Ended 20"),
        (10, 20, "Declared 5, Began 10, Ended 20"),
        (1, 20, "Declared 5, Ended 20"),
        (5, None, "Declared 5"),
        (1, 5, ""),
        (1, 4, ""),
        (9, 9, ""),
    ],
    ids=["now", "later", "said too late", "without an end", "over now", "over before", "of no length"],
)
def test_a_declaration_holds_from_its_beginning_and_before_its_end(
    begins: float, until: float | None, words: str
) -> None:
    play = play_of("r").at(5, say(MUTE, "r", begins, until)).until(60)
    records = [record for record in play.records if isinstance(record, (Declared, DeclarationBegan, DeclarationEnded))]
    shown = [f"{type(r).__name__.replace('Declaration', '')} {r.now / M:g}" for r in records]
    assert ", ".join(shown) == words


def test_the_flag_is_shown_while_it_holds() -> None:
    play = play_of("r; q").at(5, say(MUTE, "r", 10, 20))
    assert [play.until(minute).see("r").muted for minute in (9, 10, 19.99, 20)] == [False, True, True, False]
    assert not play.see("q").muted


def test_what_is_said_twice_under_one_id_counts_once() -> None:
    play = play_of("r").at(5, say(MUTE, "r", 5, 20)).at(6, say(MUTE, "r", 6, 90))
    assert len(play.of(Declared)) == 1
    assert not play.until(20).see("r").muted


def test_of_several_the_last_to_end_counts() -> None:
    play = play_of("r").at(1, say(MUTE, "r", 1, 30), say(MUTE, "r", 1, 10, "d2"), say(MUTE, "", 1, 20, "d3"))
    assert [play.until(minute).see("r").muted for minute in (10, 20, 29, 30)] == [True, True, True, False]


def test_withdrawing_takes_assets_out_and_ends_what_has_none_left() -> None:
    play = play_of("r; q").at(1, say(MUTE, "q r", 1), say(MAINTENANCE, "r", 1, 60, "d2"))
    play.at(2, Withdraw((MUTE,), ("r",), "ben", "done"))
    assert (play.see("r").muted, play.see("q").muted, play.see("r").maintenance) == (False, True, True)
    play.at(3, Withdraw((MUTE, MAINTENANCE), ("q", "r"), "ben", "done"))
    assert (play.see("q").muted, play.see("r").maintenance) == (False, False)
    assert [(r.declaration, r.author) for r in play.of(DeclarationEnded)] == [("d1", "ben"), ("d2", "ben")]


def test_what_is_declared_of_all_ends_only_as_a_whole() -> None:
    play = play_of("r; q").at(1, say(PAUSE, "", 1)).at(2, Withdraw((PAUSE,), ("r",), "ben"))
    assert play.see("r").paused
    assert not play.at(3, Withdraw((PAUSE,), (), "ben")).see("r").paused


def test_one_that_has_not_begun_can_be_withdrawn() -> None:
    play = play_of("r").at(1, say(MAINTENANCE, "r", 10, 20)).at(2, Withdraw((MAINTENANCE,), ("r",), "ben")).until(30)
    assert play.of(DeclarationBegan) == []


# mute


def test_nothing_is_announced_of_muted_pairs_until_they_are_muted_no_longer() -> None:
    play = all_updated(play_of("r; a < r", LOUD), 1).at(5, say(MUTE, "r a", 5, 20)).until(19.99)
    assert (told(play), play.engine.announced) == ("r(a r)", 0)
    assert play.until(20).engine.announced == 1
    assert [(n.affected_count, n.muted) for n in play.notices] == [(2, 0)]


def test_members_that_are_not_muted_are_told_of_alone() -> None:
    play = all_updated(play_of("r; a < r", LOUD), 1).at(5, say(MUTE, "r", 5, 20)).until(12)
    notice = play.notices[0]
    assert (notice.affected, notice.affected_count, notice.muted) == ((("a", "p", "stale"),), 1, 1)


def test_a_muted_member_does_not_raise_the_severity_that_is_told() -> None:
    graph, worse = "r; a < r", replace(LOUD, alert=Alert(Severity.CRITICAL))
    play = Play(charter_of(graph, {"p": (LOUD, "r"), "q": (worse, "a")})).update(1, "r").update(1.1, "a")
    play.at(5, say(MUTE, "a", 5, 20)).until(12)
    assert [n.severity for n in play.notices] == [Severity.WARNING]
    play.delivered(13).until(20)
    assert play.notices[-1].thread == ("severity rose from warning to critical",)


def test_a_message_that_stands_is_edited_when_all_of_it_is_muted() -> None:
    play = all_updated(play_of("r", LOUD), 1).until(12).delivered(12).at(13, say(MUTE, "r", 13, 30)).delivered(13)
    assert (play.notices[-1].affected_count, play.notices[-1].muted, play.notices[-1].thread) == (0, 1, ())
    play.update(14, "r").delivered(14)
    assert play.notices[-1].closed_at == 14 * M
    play.until(26)
    assert play.notices[-1].closed_at is None, "it is open again: an edit, but no news"
    assert play.notices[-1].thread == ()


# maintenance


def test_under_maintenance_verdicts_are_shown_and_nothing_becomes_bad() -> None:
    play = all_updated(play_of("r; a < r", LOUD), 1).at(5, say(MAINTENANCE, "r a", 5, 20)).until(12)
    assert (play.see("a").verdict, told(play), play.engine.announced) == ("stale", "", 0)
    assert told(play.until(20)) == "r(a r)"


def test_when_maintenance_begins_members_leave() -> None:
    play = all_updated(play_of("r; a < r", LOUD), 1).at(5, say(MAINTENANCE, "r", 13, 20)).until(12)
    assert told(play) == "r(a r)"
    assert told(play.until(13)) == "r(a)", "whoever is not under maintenance stays, with its cause"
    assert told(play.until(20)) == "r(a r)"


def test_a_run_that_fails_under_maintenance_makes_nothing_bad() -> None:
    play = play_of("r; a < r", LOUD, eager="a").at(1, say(MAINTENANCE, "a", 1, 9)).update(2, "r").fail(3, "a")
    assert (play.see("a").failed, told(play)) == (True, "")
    assert told(play.until(9)) == "a(a)"


# pause


def test_a_paused_asset_is_not_launched_and_nobody_waits_for_it() -> None:
    play = Play(charter_of("r; a < r; b < r a", eager="a b")).update(1, "r").done(2, "a").done(3, "b")
    play.at(4, say(PAUSE, "a", 4, 40)).update(5, "r").done(6, "b")
    assert play.runs == [(1, "a"), (2, "b"), (5, "b")]
    play.until(40).done(41, "a")
    assert play.runs[3:] == [(40, "a"), (41, "b")]


def test_a_wish_runs_what_is_paused_with_all_its_attempts() -> None:
    twice = replace(EAGER, retry=replace(EAGER.retry, attempts=2, delay=M))
    play = Play(charter_of("r; a < r", eager=twice)).at(1, say(PAUSE, "a", 1)).update(2, "r")
    play.wish(3, "a").fail(4, "a").until(5)
    assert play.runs == [(3, "a"), (5, "a")]


def test_a_run_in_flight_goes_on_and_its_retry_waits_for_the_end_of_the_pause() -> None:
    twice = replace(EAGER, retry=replace(EAGER.retry, attempts=2, delay=M))
    play = Play(charter_of("r; a < r", eager=twice)).update(1, "r").at(2, say(PAUSE, "a", 2, 30)).fail(3, "a").until(60)
    assert play.runs == [(1, "a"), (30, "a")]
    assert not play.see("a").failed


def test_a_wave_leaves_out_what_is_paused() -> None:
    from freshd.model.policy import LauncherTraits

    charter = charter_of(
        "r; a < r; b < a", eager="a b", launchers=[LauncherTraits("go", wave=True)], launched_by={"a": "go", "b": "go"}
    )
    play = Play(charter).at(1, say(PAUSE, "b", 1)).update(2, "r")
    assert play.runs == [(2, "a")]


def test_what_is_paused_stays_so_when_the_files_change() -> None:
    charter = charter_of("r; a < r", eager="a")
    play = Play(charter).at(1, say(PAUSE, "a", 1, 30)).at(2, CharterReplaced(charter)).update(3, "r")
    assert play.runs == []
    assert play.until(30).runs == [(30, "a")]


def test_a_pause_of_everything_holds_for_assets_that_come_later() -> None:
    play = Play(charter_of("r")).at(1, say(PAUSE, "", 1)).at(2, CharterReplaced(charter_of("r; a < r", eager="a")))
    assert play.update(3, "r").runs == []


# acknowledge


def known(play: Play) -> str:
    return " ".join(view.incident for view in play.engine.incidents() if view.acknowledged)


def ack(incident: str, until: float) -> Acknowledge:
    return Acknowledge(incident, "ada", "I know", round(until * M))


@pytest.mark.parametrize("name", ["inc-1", "r"], ids=["by its id", "by its cause"])
def test_an_acknowledgement_is_shown_and_lapses_at_its_instant(name: str) -> None:
    play = all_updated(play_of("r", LOUD), 1).until(12).delivered(12).at(13, ack(name, 20)).delivered(13)
    assert known(play) == "inc-1"
    assert (play.notices[-1].acknowledged_by, play.notices[-1].acknowledged_until) == ("ada", 20 * M)
    assert known(play.until(19.99)) == "inc-1"
    assert known(play.until(20)) == ""
    assert play.notices[-1].acknowledged_by == ""
    assert [r.now / M for r in play.of(IncidentAcknowledged)] == [13, 20]


@pytest.mark.parametrize("name", ["inc-7", "q"])
def test_there_is_nothing_to_acknowledge(name: str) -> None:
    assert all_updated(play_of("r", LOUD), 1).until(12).at(13, ack(name, 20)).of(IncidentAcknowledged) == []


def test_it_ends_when_the_incident_closes() -> None:
    play = all_updated(play_of("r", LOUD), 1).until(12).at(13, ack("r", 99)).update(14, "r").until(25)
    assert [view.incident for view in play.engine.incidents()] == ["inc-1"], "open again"
    assert known(play) == ""


def test_it_ends_when_the_incident_grows_more_severe_and_that_is_told() -> None:
    worse = replace(LOUD, limits=(replace(LOUD.limits[0], stale=20 * M),), alert=Alert(Severity.CRITICAL))
    play = Play(charter_of("r", {"p": (LOUD, "r"), "q": (worse, "r")})).update(1, "r").until(12).delivered(12)
    play.at(13, ack("r", 99)).delivered(13).until(21)
    assert known(play) == ""
    assert play.notices[-1].thread == ("severity rose from warning to critical",)


def test_while_it_lasts_an_incident_spreads_by_edits_alone() -> None:
    play = Play(charter_of("r; a < r", {"p": (LOUD, "r a")})).update(1, "r").update(4, "r", "a").until(15).delivered(15)
    play.at(16, ack("r", 99)).delivered(16)
    play.at(17, event(EventKind.RUN_FAILED, "r", 17)).delivered(17)
    assert play.notices[-1].reason == "sync_failed"
    assert all(notice.thread == () for notice in play.notices)
