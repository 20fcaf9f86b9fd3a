"""What changes in the middle of an incident or a run: limits that must last, files that are edited, assets that go."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.unit.core.play import Play, charter_of
from tests.unit.core.test_declared import MUTE, say
from tests.unit.core.test_incidents import LOUD, STALE, told

from freshd.model.inputs import Acknowledge, CharterReplaced, RunPhase
from freshd.model.policy import Alert, Limit, Measure, Severity, Verdict
from freshd.model.records import IncidentChanged, VerdictChanged
from freshd.model.time import MINUTE

M = MINUTE
LASTING = replace(LOUD, sustain=3 * M)


def watching(policy: object = LOUD, graph: str = "r; a < r", keys: str = "r a") -> Play:
    return Play(charter_of(graph, {"p": (policy, keys)})).update(1, "r").update(1.1, "a")  # type: ignore[dict-item]


def edited(play: Play, minute: float, policy: object, graph: str = "r; a < r", keys: str = "r a") -> Play:
    return play.at(minute, CharterReplaced(charter_of(graph, {"p": (policy, keys)})))  # type: ignore[dict-item]


# sustain


def test_with_sustain_an_incident_opens_when_the_violation_has_lasted() -> None:
    play = watching(LASTING).until(13.99)
    assert (told(play), play.engine.announced) == ("", 0)
    assert told(play.until(14)) == "r(a r)"
    assert [r.now / M for r in play.of(IncidentChanged)] == [14]


def test_a_violation_that_does_not_last_is_no_incident_however_often() -> None:
    play = watching(LASTING, "r", "r")
    for start in (1, 14, 27, 40):
        play.update(start, "r").until(start + 12.9)
    assert play.of(IncidentChanged) == []


def test_the_first_good_look_closes_it_and_the_next_violation_must_last_again() -> None:
    play = watching(LASTING, "r", "r").until(14)
    assert told(play) == "r(r)"
    assert told(play.update(15, "r")) == ""
    assert told(play.until(27.99)) == ""
    assert told(play.until(28)) == "r(r)"


def test_each_level_lasts_by_itself() -> None:
    both = replace(LASTING, limits=(Limit(Measure.LAG, 8 * M, 10 * M),), alert=Alert(at=frozenset({"warn", "stale"})))
    play = watching(both, "r", "r").until(60)
    assert [(r.now / M, r.new) for r in play.of(VerdictChanged)][1:] == [(12, Verdict.WARN), (14, Verdict.STALE)]
    assert len({r.incident for r in play.of(IncidentChanged)}) == 1, "one incident, that grew worse"


# files edited in the middle of an incident


@pytest.mark.parametrize(
    ("number", "policy", "stays"),
    [
        ("1 a longer limit heals it", replace(LOUD, limits=(Limit(Measure.LAG, None, 60 * M),)), ""),
        ("2 a shorter one changes nothing", replace(LOUD, limits=(Limit(Measure.LAG, None, 5 * M),)), "inc-1"),
        ("3 another measure that is as bad", replace(LOUD, limits=(Limit(Measure.AGE, None, 10 * M),)), "inc-1"),
        ("4 it must last now: it is over until it has", LASTING, ""),
        ("5 nothing is expected any more", replace(LOUD, limits=()), ""),
        ("6 it tells nobody any more", STALE, "inc-1"),
        ("7 stale is not bad any more", replace(LOUD, alert=Alert(at=frozenset({"failed"}))), ""),
    ],
)
def test_a_policy_is_edited_in_mid_incident(number: str, policy: object, stays: str) -> None:
    play = edited(watching().until(12), 13, policy)
    assert [view.incident for view in play.engine.incidents()] == ([stays] if stays else []), number


def test_what_must_last_longer_is_announced_when_it_has() -> None:
    play = edited(watching().until(12), 13, LASTING)
    assert told(play.until(15.99)) == ""
    assert [view.incident for view in play.until(16).engine.incidents()] == ["inc-1"], "the same one opens again"


def test_an_acknowledged_incident_grows_more_severe_by_an_edit() -> None:
    play = watching().until(12).delivered(12).at(13, Acknowledge("inc-1", "ada", "I know", 90 * M)).delivered(13)
    edited(play, 14, replace(LOUD, alert=Alert(Severity.CRITICAL)))
    assert not play.engine.incidents()[0].acknowledged
    assert play.notices[-1].thread == ("severity rose from warning to critical",)


def test_a_mute_stays_with_an_asset_that_goes_and_comes_back() -> None:
    play = watching().at(2, say(MUTE, "a", 2, 40))
    edited(play, 3, LOUD, "r", "r")
    edited(play, 4, LOUD)
    assert play.see("a").muted
    assert not play.until(40).see("a").muted


# assets that go in the middle


def test_an_asset_goes_in_mid_incident_and_the_others_stay() -> None:
    play = edited(watching().until(12), 13, LOUD, "r", "r")
    assert told(play) == "r(r)"
    assert [(r.now / M, r.left) for r in play.of(IncidentChanged) if r.left] == [(13, (("p", "a", ""),))]


def test_the_last_member_goes_and_the_message_says_that_it_is_over() -> None:
    play = watching(LOUD, "r; q", "r").until(12).delivered(12)
    edited(play, 13, LOUD, "q", "q").delivered(13)
    assert "r(" not in told(play)
    assert play.notices[-1].closed_at == 13 * M


def test_a_muted_asset_goes_in_mid_run_and_its_run_ends_without_harm() -> None:
    play = Play(charter_of("r; a < r", {"p": (LOUD, "r a")}, eager="a")).update(1, "r").at(1.5, say(MUTE, "a", 1.5))
    edited(play, 2, LOUD, "r", "r").report(3, "a", RunPhase.FAILED)
    assert told(play.until(12)) == "r(r)"
    assert [effect for effect in play.engine.unconfirmed() if hasattr(effect, "run_id")] == []


# blame


@pytest.mark.parametrize(
    ("number", "minute", "updates", "own", "inherited"),
    [
        ("1 current: all of it inherited", 9, [(1, "r"), (2, "a")], 0, 8),
        ("2 late: what it has not read is its own", 9, [(1, "r"), (2, "a"), (6, "r")], 5, 3),
        ("3 a source's lag is its own", 9, [(1, "r")], None, None),
        ("4 both late", 20, [(1, "r"), (2, "a"), (6, "r")], 5, 14),
    ],
)
def test_lag_is_split_into_its_own_and_what_is_inherited(
    number: str, minute: float, updates: list[tuple[float, str]], own: float | None, inherited: float | None
) -> None:
    play = Play(charter_of("r; a < r"))
    for at, key in updates:
        play.update(at, key)
    seen = play.until(minute).see("a", minute)
    split = tuple(None if part is None else part / M for part in (seen.own_lag, seen.inherited_lag))
    assert split == (own, inherited), number
    if seen.lag is not None:
        assert seen.lag == (seen.own_lag or 0) + (seen.inherited_lag or 0)
    source = play.see("r", minute)
    assert (source.own_lag, source.inherited_lag) == (source.lag, 0)


def test_a_view_inherits_all_and_the_worst_upstream_counts() -> None:
    play = Play(charter_of("r; s; a < r s; view v< a")).update(1, "r").update(4, "s").update(5, "a").update(7, "s")
    seen = {key: play.see(key, 10) for key in ("a", "view")}
    assert [(one.own_lag, one.inherited_lag) for one in seen.values()] == [(0, 9 * M), (0, 9 * M)]
