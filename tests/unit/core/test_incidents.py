"""Incidents by the four rules of semantics.md, and what is told of them.

Every asset is under the policy `p`: stale ten minutes after its data time. `told` draws the open incidents as
`cause(affected)`, in the order of opening.
"""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.unit.core.lives import Life
from tests.unit.core.play import EAGER, Play, charter_of, check, event

from freshd.model.effects import Notice, SendNotice
from freshd.model.inputs import CaughtUp, CharterReplaced, EventKind, NoticeReport
from freshd.model.policy import Alert, Limit, Limits, Measure, Policy, Severity
from freshd.model.records import IncidentChanged, NoticeRequested
from freshd.model.time import MINUTE

M = MINUTE
STALE = Policy("p", (Limit(Measure.LAG, None, 10 * M),))
LOUD = replace(STALE, alert=Alert(Severity.WARNING))


def play_of(graph: str, policy: Policy = STALE, eager: str = "", **more: str) -> Play:
    """Every asset under one policy; feeds as `r=one`."""
    keys = " ".join(part.split()[0] for part in graph.split(";"))
    return Play(charter_of(graph, {"p": (policy, keys)}, eager=eager, feeds=more, limits=Limits(reopen=20 * M)))


def told(play: Play) -> str:
    return "; ".join(f"{cause}({affected})" for cause, _, affected in play.incidents())


def all_updated(play: Play, minute: int, but: str = "") -> Play:
    """Everything is updated, upstreams first, each in a step of its own."""
    assets = play.engine.charter.graph.assets
    for number, key in enumerate(key for key in assets if not assets[key].virtual and key not in but.split()):
        play.update(minute + number / 1000, key)
    return play


def test_one_source_is_one_incident_for_all_below() -> None:
    play = all_updated(play_of("r; a < r; b < a; q; c < q"), 1).update(8, "q", changed=False).until(15)
    assert told(play) == "r(a b r)"
    assert play.incidents() == [("r", "no_update", "a b r")]


def test_rule_1_members_that_heal_leave_and_the_last_one_closes_it() -> None:
    play = all_updated(play_of("r; a < r"), 1).until(12)
    assert told(play) == "r(a r)"
    play.update(13, "r")
    assert told(play) == "a(a)", "the source is well, its reader has not been made"
    play.update(14, "a")
    assert told(play) == ""
    last = play.of(IncidentChanged)[-1]
    assert (last.cause, last.closed_at, last.members) == ("a", 14 * M, 0)


def test_rule_1_one_that_was_stale_and_became_unknown_stays() -> None:
    policy = replace(STALE, limits=(Limit(Measure.LAG, None, 10 * M),))
    play = all_updated(play_of("r; a < r", policy), 1).until(12)
    graph = charter_of("r; q; a < r q").graph
    play.at(13, CharterReplaced(replace(play.engine.charter, graph=graph, selected={"p": ("a", "r")})))
    assert [play.see(key).verdict for key in "ar"] == ["unknown", "stale"]
    assert told(play) == "r(a r)"


def test_rule_2_a_member_moves_to_the_incident_of_its_cause() -> None:
    """c reads both; its cause is the older of the two."""
    play = play_of("r; q; a < r; b < q; c < a b")
    play.update(1, "r").update(2, "a").update(4, "q").update(5, "b").update(6, "c").until(15)
    assert told(play) == "r(a c r); q(b q)"
    play.update(16, "r", changed=False)
    assert told(play) == "q(b c q)", "c is limited by q alone now: it moved, then what was left closed"


def test_rule_3_the_main_cause_stays_while_a_member_has_it_else_the_heaviest() -> None:
    play = all_updated(play_of("r; a < r; b < a; c < a"), 1).until(12)
    first = play.engine.incidents()[0].incident
    play.update(13, "r")
    assert told(play) == "a(a b c)"
    assert play.engine.incidents()[0].incident == first, "it is the same incident"


def test_rule_3_incidents_of_one_main_cause_merge_into_the_older() -> None:
    """Both sources turn out to be of one feed."""
    play = play_of("r; q; a < q", LOUD).update(1, "r").update(2, "q").update(3, "a").until(14).delivered(14)
    assert told(play) == "r(r); q(a q)"
    older, newer = (view.incident for view in play.engine.incidents())
    one_feed = charter_of("r; q; a < q", feeds={"r": "one", "q": "one"}).graph
    play.at(15, CharterReplaced(replace(play.engine.charter, graph=one_feed)))
    assert told(play) == "feed:one(a q r)"
    assert [view.incident for view in play.engine.incidents()] == [older]
    assert [(r.incident, r.merged_into) for r in play.of(IncidentChanged) if r.merged_into] == [(newer, older)]
    assert [(n.incident, n.merged_into) for n in play.notices[-2:]] == [(older, ""), (newer, older)]


@pytest.mark.parametrize(("reopen", "same"), [(11, True), (10, False)], ids=["within reopen", "after it"])
def test_rule_4_an_incident_opens_again(reopen: int, same: bool) -> None:
    play = Play(charter_of("r", {"p": (STALE, "r")}, limits=Limits(reopen=reopen * M))).update(1, "r").until(12)
    name = play.engine.incidents()[0].incident
    play.update(12, "r")
    assert told(play) == ""
    play.until(22)
    view = play.engine.incidents()[0]
    assert (view.incident == name) is same
    assert play.of(IncidentChanged)[-1].reopened == int(same)


def test_rule_4_a_new_member_joins_the_incident_that_has_its_cause() -> None:
    play = play_of("r; a < r; b < a").update(1, "r").update(2, "a").update(3, "b", reaches=-5).until(6)
    assert told(play) == "b(b)", "its own update said that it reaches no further"
    play.until(12)
    assert told(play) == "b(b); r(a r)"


def test_sources_of_one_feed_count_as_one_cause() -> None:
    play = play_of("r; q; s; a < r", r="one", q="one").update(1, "r", "q", "s").update(2, "a").until(10)
    assert told(play) == ""
    play.until(11)
    assert told(play) == "feed:one(a q r); s(s)"
    play.update(13, "q")
    assert told(play) == "r(a r); s(s)", "one source alone is its own cause"


def test_a_feed_whose_sources_fall_silent_one_after_the_other() -> None:
    play = play_of("r; q", r="one", q="one").update(1, "r").update(3, "q").until(12)
    assert told(play) == "r(r)"
    play.until(13)
    assert told(play) == "feed:one(q r)"
    assert len(play.engine.incidents()) == 1
    assert len({record.incident for record in play.of(IncidentChanged)}) == 1, "it went on under another cause"


@pytest.mark.parametrize(
    ("number", "happens", "reason"),
    [
        ("1 nothing came", (), "no_update"),
        ("2 its sync failed", (event(EventKind.RUN_FAILED, "r", 5),), "sync_failed"),
        ("3 an older failure counts no more", (event(EventKind.RUN_FAILED, "r", 0.5),), "no_update"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_reasons_of_a_source(number: str, happens: tuple[object, ...], reason: str) -> None:
    play = play_of("r").update(1, "r")
    for one in happens:
        play.at(6, one)  # type: ignore[arg-type]
    assert play.until(20).incidents() == [("r", reason, "r")], number


def test_reasons_of_a_derived_asset() -> None:
    play = Play(charter_of("r; a < r", {"p": (STALE, "a")}, eager="a"))
    play.update(1, "r").done(2, "a").update(5, "r").until(12)
    assert play.incidents() == [("a", "running", "a")]
    play.fail(13, "a")
    assert play.incidents() == [("a", "run_failed", "a")]


def test_a_failed_asset_is_bad_though_it_is_fresh() -> None:
    play = Play(charter_of("r; a < r; b < a", {"p": (LOUD, "a b")}, eager="a b"))
    play.update(1, "r").done(2, "a").done(2.5, "b").update(4, "r").fail(5, "a")
    assert play.incidents() == [("a", "run_failed", "a")]
    assert [member[3] for member in play.engine.incidents()[0].members] == ["failed"]
    play.until(20)
    assert play.incidents() == [("a", "run_failed", "a b")]


def test_the_asset_is_the_cause_of_a_pair_that_is_not_stale_and_whose_asset_failed() -> None:
    """Also where it is bad anyhow: it was stale and has no value now, or is asked to alert from `warn` on."""
    both = Policy("p", (Limit(Measure.LAG, None, 10 * M), Limit(Measure.BEHIND, None, 5 * M)), alert=LOUD.alert)
    play = Play(charter_of("r; q; a < r q", {"p": (both, "a")}, eager="a"))
    play.update(1, "a").update(2, "r").until(7.5).done(8, "a").until(8.5)
    assert (play.see("a").verdict, play.incidents()) == ("unknown", [("q", "never_updated", "a")])
    play.update(9, "r").fail(10, "a")
    assert (play.see("a").verdict, play.incidents()) == ("unknown", [("a", "run_failed", "a")])
    play.update(11, "a").until(11.5)
    assert play.incidents() == [("q", "never_updated", "a")], "the stop has ended, what was stale stays"
    early = replace(STALE, limits=(Limit(Measure.LAG, 3 * M, 10 * M),), alert=Alert(at=frozenset({"warn", "failed"})))
    play = Play(charter_of("r; a < r", {"p": (early, "a")}, eager="a")).update(1, "r").done(2, "a").until(5)
    assert (play.see("a").verdict, play.incidents()) == ("warn", [("r", "no_update", "a")])
    play.update(6, "r", changed=False).update(6.5, "r").fail(7, "a").until(9.9)
    assert (play.see("a").verdict, play.incidents()) == ("warn", [("a", "run_failed", "a")])


def test_a_failed_asset_without_a_value_is_judged_once_its_upstream_has_one() -> None:
    """Bad because it failed, it still watches what its verdict rests on."""
    play = Play(charter_of("r; a < r; q", {"p": (LOUD, "a")})).update(1, "a").at(2, check("a", 2, False))
    assert (play.see("a").verdict, play.see("a").path) == ("unknown", ("a",))
    play.update(30, "r", changed=False, reaches=5)
    assert play.see("a").verdict == "stale"


def test_a_failed_check_is_the_cause_of_what_it_blocks() -> None:
    play = Play(charter_of("r; a < r; b < a", {"p": (STALE, "b")}, eager="a b")).at(0.5, check("a", 0.5, True, True))
    play.update(1, "r").done(2, "a").at(2.1, check("a", 2.1, True, True)).done(3, "b")
    play.update(5, "r").done(6, "a").at(6.1, check("a", 6.1, False, True)).until(20)
    assert play.incidents() == [("a", "check_failed", "b")]


# what is told


def shown(notices: list[Notice]) -> list[str]:
    return [
        f"{n.cause}{' healed' if n.closed_at else ''} {n.severity.value} {','.join(key for key, _, _ in n.affected)}"
        + "".join(f" [{line}]" for line in n.thread)
        for n in notices
    ]


def test_one_notice_at_a_time_and_changes_meanwhile_are_one_edit() -> None:
    play = play_of("r; q; s; a < r; b < q; c < s", LOUD, r="one", q="one", s="one")
    for minute, key in enumerate(["r", "a", "q", "b", "s", "c"], 1):
        play.update(minute, key)
    play.until(30)
    assert shown(play.notices) == ["r warning a,r"], "not delivered yet: nothing more is asked for"
    play.delivered(31)
    assert shown(play.notices)[1:] == ["feed:one warning a,b,c,q,r,s"]
    assert play.notices[1].handle == "ts-inc-1", "an edit of the message that stands"
    assert play.delivered(32).until(60).notices[2:] == []


def test_what_heals_before_it_could_be_told_is_told_as_healed() -> None:
    play = play_of("r", LOUD).update(1, "r").until(12).update(13, "r").delivered(14)
    assert shown(play.notices) == ["r warning r", "r healed warning "]


def test_without_an_alert_nobody_is_told() -> None:
    assert play_of("r").update(1, "r").until(60).notices == []


def two_policies() -> Play:
    """`late` is a warning after 10 minutes, `very` critical after 20."""
    very = Policy("very", (Limit(Measure.LAG, None, 20 * M),), alert=Alert(Severity.CRITICAL))
    return Play(charter_of("r", {"late": (LOUD, "r"), "very": (very, "r")}, limits=Limits(reopen=60 * M)))


def test_a_rise_in_severity_and_a_reopening_are_told_in_the_thread() -> None:
    play = two_policies().update(1, "r").until(12).delivered(12).until(22).delivered(22)
    assert shown(play.notices)[1:] == ["r critical r,r [severity rose from warning to critical]"]
    play.update(23, "r").delivered(24).until(34).delivered(35)
    assert shown(play.notices)[2:] == ["r healed critical ", "r warning r [open again: r (no_update)]"]
    play.until(44)
    assert shown(play.notices)[4:] == ["r critical r,r [severity rose from warning to critical]"]


def test_each_channel_is_told_of_the_incident() -> None:
    one = replace(LOUD, alert=Alert(channel="#one"))
    two = replace(LOUD, alert=Alert(channel="#two", mention=("@me",)))
    play = Play(charter_of("r; a < r", {"one": (one, "r"), "two": (two, "a")})).update(1, "r").update(2, "a").until(12)
    assert [(n.channel, n.mentions) for n in play.notices] == [("#one", ()), ("#two", ("@me",))]
    assert len({n.notice_id for n in play.notices}) == 2
    assert play.engine.announced == 1


def test_an_undeliverable_notice_holds_nothing_up() -> None:
    play = play_of("r; q; a < r q", LOUD).update(1, "r", "q").update(2, "a").until(12)
    count = len(play.notices)
    play.delivered(13, delivered=False).update(14, "r", "q").update(15, "a")
    assert len(play.notices) > count


def test_ids_are_the_same_whenever_the_same_thing_happens() -> None:
    def story() -> list[Notice]:
        return two_policies().update(1, "r").until(12).delivered(12).until(40).notices

    assert story() == story()
    assert len({notice.notice_id for notice in story()}) == len(story()) == 2


# policies change in mid-incident


def test_a_policy_that_alerts_more_loudly_is_told() -> None:
    play = play_of("r", LOUD).update(1, "r").until(12).delivered(12)
    charter = play.engine.charter
    louder = {"p": replace(charter.policies["p"], alert=Alert(Severity.CRITICAL))}
    play.at(13, CharterReplaced(replace(charter, policies=louder)))
    assert play.engine.incidents()[0].severity is Severity.CRITICAL
    assert shown(play.notices)[1:] == ["r critical r [severity rose from warning to critical]"]


def test_a_policy_that_gets_an_alert_in_mid_incident_announces_it() -> None:
    play = play_of("r").update(1, "r").until(12)
    charter = play.engine.charter
    play.at(13, CharterReplaced(replace(charter, policies={"p": replace(charter.policies["p"], alert=Alert())})))
    assert shown(play.notices) == ["r warning r"]


def test_a_policy_that_is_gone_closes_its_incident() -> None:
    play = play_of("r", LOUD).update(1, "r").until(12).delivered(12)
    play.at(13, CharterReplaced(replace(play.engine.charter, policies={}, selected={})))
    assert told(play) == ""
    assert shown(play.notices)[1:] == ["r healed warning "]


def test_a_looser_policy_heals_it_and_a_stricter_one_opens_another() -> None:
    play = play_of("r; q", LOUD).update(1, "r").update(5, "q").until(12)
    assert told(play) == "r(r)"
    charter = play.engine.charter
    looser = replace(charter.policies["p"], limits=(Limit(Measure.LAG, None, 100 * M),))
    play.at(13, CharterReplaced(replace(charter, policies={"p": looser})))
    assert told(play) == ""
    stricter = replace(charter.policies["p"], limits=(Limit(Measure.LAG, None, 2 * M),))
    play.at(14, CharterReplaced(replace(charter, policies={"p": stricter})))
    assert sorted(told(play).split("; ")) == ["q(q)", "r(r)"]


def test_eager_reader_of_a_silent_source_is_no_cause() -> None:
    play = Play(charter_of("r; a < r", {"p": (STALE, "a r")}, eager=EAGER)).update(1, "r").done(2, "a").until(20)
    assert play.incidents() == [("r", "no_update", "a r")]


def test_what_closed_while_catching_up_is_told_after_a_crash_too() -> None:
    life = Life(charter_of("r", {"p": (LOUD, "r")}), M)
    life.step(M, [event(EventKind.UPDATE, "r", 1)])
    life.step(12 * M, [])
    posted = next(effect.notice for effect in life.engine.unconfirmed() if isinstance(effect, SendNotice))
    life.step(12 * M, [NoticeReport(posted.notice_id, 12 * M, True, "C1/17")])
    life.restart(13 * M, life.engine.charter, catching_up=True)
    life.step(13 * M, [event(EventKind.UPDATE, "r", 13)])
    life.checkpoint()
    life.engine = life.recovered()
    steps = life.step(13 * M, [CaughtUp()])
    told = [record.notice for step in steps for record in step.records if isinstance(record, NoticeRequested)]
    assert [(notice.closed_at, notice.handle) for notice in told] == [(13 * M, "C1/17")]
