"""A charter that is replaced while the daemon runs: assets added, gone and rewired, policies and reactions changed."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.unit.core.play import EAGER, Play, assets_of, charter_of, event, update

from freshd.model.asset import Asset
from freshd.model.graph import build_graph
from freshd.model.inputs import CharterReplaced, EventKind, RunPhase, RunReport
from freshd.model.policy import Alert, LauncherTraits, Limit, Measure, Policy, Reaction, Retry
from freshd.model.records import GraphReplaced
from freshd.model.time import MINUTE

M = MINUTE
STALE = Policy("p", (Limit(Measure.LAG, None, 10 * M),))


def rewired(play: Play, minute: float, graph: str, **changes: object) -> Play:
    """The same charter over another graph."""
    made = build_graph(assets_of(graph))
    kept = {name: tuple(key for key in keys if key in made) for name, keys in play.engine.charter.selected.items()}
    charter = replace(play.engine.charter, graph=made, selected=kept)
    return play.at(minute, CharterReplaced(replace(charter, **changes)))  # type: ignore[arg-type]


def test_what_changed_is_recorded() -> None:
    play = rewired(Play(charter_of("r; q; a < r; b < r")), 1, "r; q; a < r q; c < a")
    record = play.of(GraphReplaced)[0]
    assert (record.added, record.removed, record.rewired) == (("c",), ("b",), ("a",))


def test_the_same_charter_again_changes_nothing() -> None:
    play = Play(charter_of("r; a < r; b < a", {"p": (STALE, "a b")}, eager="a b")).update(1, "r").done(2, "a").until(20)
    before = [play.see(key) for key in "rab"]
    rewired(play, 20, "r; a < r; b < a")
    assert [play.see(key) for key in "rab"] == before
    assert play.runs == [(1, "a"), (2, "b")]


@pytest.mark.parametrize(
    ("number", "before", "after", "runs"),
    [
        ("1 an upstream that has updates is unread", "r; q; a < r", "r; q; a < r q", [(1, "a"), (20, "a")]),
        ("2 one that has none makes nobody due", "r; n; a < r", "r; n; a < r n", [(1, "a")]),
        ("3 a view over what it read is read anew", "r; q; a < r", "r; q; v v< q; a < r v", [(1, "a"), (20, "a")]),
        ("4 a static one makes nobody due", "r; s =; a < r", "r; s =; a < r s", [(1, "a")]),
        ("5 a removed one makes nobody due", "r; q; a < r q", "r; q; a < r", [(1, "a")]),
        ("6 a new asset is made", "r; q; a < r", "r; q; a < r; b < a", [(1, "a"), (20, "b")]),
        ("7 one that is virtual now is not", "r; q; a < r", "r; q; a v< r q", [(1, "a")]),
    ],
    ids=lambda value: value if isinstance(value, str) and value[0].isdigit() else "",
)
def test_rewired(number: str, before: str, after: str, runs: list[tuple[float, str]]) -> None:
    """r and q (and s) were updated at 1, a made at 2; the graph is replaced at 20."""
    play = Play(charter_of(before, eager="a", reactions={"b": EAGER}))
    play.at(1, *(update(key, 1) for key in "rqs")).done(2, "a")
    assert rewired(play, 20, after).until(60).runs == runs, number


def test_an_upstream_that_joined_is_read_by_the_next_run() -> None:
    play = Play(charter_of("r; q; a < r", eager="a")).update(1, "r", "q").done(2, "a")
    rewired(play, 20, "r; q; a < r q")
    assert play.see("a").data_time is None, "nothing of q is in it"
    assert play.see("a").pending_since == 1 * M
    play.done(22, "a").until(60)
    assert (play.see("a").data_time, play.see("a").pending_since, play.see("a").due) == (1 * M, None, False)
    assert play.runs == [(1, "a"), (20, "a")]


def test_a_run_that_began_before_has_not_read_what_joined() -> None:
    play = Play(charter_of("r; q; a < r", eager="a")).update(1, "r", "q")
    rewired(play, 5, "r; q; a < r q")
    play.done(8, "a")
    assert play.runs == [(1, "a"), (8, "a")]
    play.done(9, "a").until(60)
    assert len(play.runs) == 2


def test_a_removed_upstream_stops_counting_at_once() -> None:
    play = Play(charter_of("r; q; a < r q", {"p": (STALE, "a")})).update(1, "r", "q").update(2, "a").update(4, "q")
    play.update(6, "r", changed=False).until(20)
    assert play.see("a").due
    assert play.incidents() == [("a", "not_materialised", "a")]
    rewired(play, 20, "r; q; a < r")
    assert not play.see("a").due
    assert play.see("a").data_time == 6 * M
    assert play.see("a").pending_since is None


def test_an_upstream_that_comes_back_is_unread() -> None:
    play = Play(charter_of("r; q; a < r q", eager="a")).update(1, "r", "q").done(2, "a")
    rewired(play, 10, "r; q; a < r")
    rewired(play, 12, "r; q; a < r q")
    assert play.runs == [(1, "a"), (12, "a")]


# an asset that goes


def test_a_run_of_a_removed_asset_ends_its_record_and_changes_nothing_else() -> None:
    play = Play(charter_of("r; a < r; b < a", eager="a b", launchers=[LauncherTraits("go", limit=1)])).update(1, "r")
    rewired(play, 2, "r; b < r")
    assert play.runs == [(1, "a")], "the place is still taken"
    run = play.launches[0].run_id
    play.at(4, RunReport(run, RunPhase.SUCCEEDED, 4 * M, "a"), RunReport(run, RunPhase.FINISHED, 4 * M))
    assert play.runs == [(1, "a"), (4, "b")]
    assert [effect for effect in play.engine.unconfirmed() if effect == play.launches[0]] == []


def test_an_asset_that_comes_back_while_its_run_goes_on_has_that_run() -> None:
    play = Play(charter_of("r; a < r", eager="a")).update(1, "r")
    rewired(play, 2, "r")
    rewired(play, 3, "r; a < r")
    assert play.runs == [(1, "a")]
    assert [run.run_id for run in play.see("a").runs] == [play.launches[0].run_id]
    play.done(5, "a").until(30)
    assert play.see("a").updated_at == 5 * M


def test_run_ids_never_repeat_though_an_asset_was_gone() -> None:
    play = Play(charter_of("r; a < r", eager="a")).update(1, "r").done(2, "a")
    rewired(play, 3, "r")
    rewired(play, 4, "r; a < r")
    assert play.runs == [(1, "a"), (4, "a")]
    assert len({run.run_id for run in play.launches}) == 2


def test_who_waited_for_a_removed_asset_goes_on() -> None:
    play = Play(charter_of("r; a < r; x < r; b < a x", eager="a x b")).update(1, "r").done(2, "a")
    assert play.runs == [(1, "a"), (1, "x")], "b waits for x"
    rewired(play, 3, "r; a < r; b < a")
    assert play.runs == [(1, "a"), (1, "x"), (3, "b")]


def test_who_was_blocked_by_a_removed_asset_goes_on() -> None:
    play = Play(charter_of("r; a < r; x < r; b < a x", eager="a x b")).update(1, "r").done(2, "a", "x").done(3, "b")
    play.update(5, "r").fail(6, "x").done(7, "a").until(30)
    assert play.see("b").blocked
    rewired(play, 31, "r; a < r; b < a")
    assert not play.see("b").blocked
    assert play.runs[-1] == (31, "b")


def test_who_is_blocked_no_longer_waits_for_what_is_on_its_way_by_then() -> None:
    """b is due from 7 and blocked till 31: from(b) is 31, so it waits for c, which runs since 20."""
    play = Play(charter_of("r; q; a < r; x < r; c < q; b < a x c", eager="a x b c")).update(1, "r", "q")
    play.done(2, "a", "x", "c").done(3, "b")
    play.update(5, "r").fail(6, "x").done(7, "a").update(20, "q").until(30)
    assert play.see("b").blocked and play.runs[-1] == (20, "c")
    rewired(play, 31, "r; q; a < r; c < q; b < a c")
    assert not play.see("b").blocked and play.runs[-1] == (20, "c")
    assert play.done(35, "c").runs[-1] == (35, "b")


def test_who_goes_on_by_an_edit_waits_for_what_is_on_its_way_by_then() -> None:
    """The same, where the policy says from 31 on that b goes on with what there is."""
    play = Play(charter_of("r; q; a < r; x < r; c < q; b < a x c", eager="a x b c")).update(1, "r", "q")
    play.done(2, "a", "x", "c").done(3, "b")
    play.update(5, "r").fail(6, "x").done(7, "a").update(20, "q").until(30)
    charter = play.engine.charter
    reactions = charter.reactions | {"b": replace(EAGER, go_on=True)}
    play.at(31, CharterReplaced(replace(charter, reactions=reactions)))
    assert not play.see("b").blocked and play.runs[-1] == (20, "c")
    assert play.done(35, "c").runs[-1] == (35, "b")


def test_a_queued_asset_that_goes_is_never_launched() -> None:
    graph = "r; a < r; b < r; c < r"
    play = Play(charter_of(graph, eager="a b c", launchers=[LauncherTraits("go", limit=1)])).update(1, "r")
    rewired(play, 2, "r; a < r; c < r")
    play.done(3, "a").done(4, "c").until(30)
    assert play.runs == [(1, "a"), (3, "c")]


@pytest.mark.parametrize(
    ("number", "after", "left"),
    [
        ("1 a member goes", "r; a < r", [("r", "no_update", "a r")]),
        ("2 the cause goes", "q; a < q; b < a", [("q", "never_updated", "a b")]),
        ("3 all of them go", "q", []),
    ],
    ids=lambda value: value if isinstance(value, str) and value[0].isdigit() else "",
)
def test_members_and_causes_that_go(number: str, after: str, left: list[tuple[str, str, str]]) -> None:
    stale = replace(STALE, alert=Alert())
    play = Play(charter_of("r; a < r; b < a", {"p": (stale, "r a b")})).update(1, "r").update(2, "a").update(3, "b")
    assert play.until(20).incidents() == [("r", "no_update", "a b r")]
    play.delivered(20)
    rewired(play, 21, after).delivered(21).until(23)
    assert play.incidents() == left, number
    assert len([n for n in play.notices if n.closed_at is not None]) == (0 if left else 1)


# reactions, launchers, kinds


def test_an_asset_becomes_eager_and_manual_again() -> None:
    play = Play(charter_of("r; a < r")).update(1, "r").until(5)
    assert play.runs == []
    charter = play.engine.charter
    play.at(6, CharterReplaced(replace(charter, reactions={"a": EAGER})))
    assert play.runs == [(6, "a")]
    play.at(7, CharterReplaced(replace(charter, reactions={"a": Reaction()}))).update(8, "r").done(9, "a").until(30)
    assert play.runs == [(6, "a")]


def test_a_stopped_asset_whose_attempts_are_raised_stays_stopped_until_there_is_news() -> None:
    play = Play(charter_of("r; a < r", eager="a")).update(1, "r").fail(2, "a").until(5)
    more = replace(EAGER, retry=Retry(3, 1 * M, max_delay=4 * M, jitter=0.0))
    play.at(6, CharterReplaced(replace(play.engine.charter, reactions={"a": more}))).until(30)
    assert play.runs == [(1, "a")]
    assert play.see("a").failed
    play.update(31, "r")
    assert play.runs == [(1, "a"), (31, "a")]


def test_a_stopped_asset_that_becomes_virtual_has_not_failed() -> None:
    play = Play(charter_of("r; a < r", eager="a")).update(1, "r").fail(2, "a").until(5)
    assert play.see("a").failed
    rewired(play, 6, "r; a v< r")
    assert not play.see("a").failed


def test_observe_mode_ends() -> None:
    play = Play(charter_of("r; a < r", eager="a", observe=True)).update(1, "r").until(5)
    play.at(6, CharterReplaced(replace(play.engine.charter, observe=False)))
    assert play.runs == [(6, "a")]


def test_a_derived_asset_that_is_a_source_now_reaches_to_its_own_starts() -> None:
    play = Play(charter_of("r; a < r")).update(1, "r").update(5, "a", started=3)
    rewired(play, 6, "r; a; b < a")
    assert play.see("a").data_time == 3 * M
    assert play.see("b").pending_since == 5 * M


def test_a_source_that_is_derived_now_is_due() -> None:
    play = Play(charter_of("r; a")).update(1, "r").update(5, "a", started=3)
    rewired(play, 6, "r; a < r", reactions={"a": EAGER})
    assert play.runs == [(6, "a")]
    assert play.see("a").pending_since == 1 * M


def test_a_feed_that_changes_its_name() -> None:
    play = Play(charter_of("r; q", {"p": (STALE, "r q")}, feeds={"r": "one", "q": "one"})).update(1, "r", "q").until(12)
    assert play.incidents() == [("feed:one", "no_update", "q r")]
    for minute, name in ((13, "two"), (14, "")):
        graph = build_graph([Asset("r", feed=name), Asset("q", feed=name)])
        play.at(minute, CharterReplaced(replace(play.engine.charter, graph=graph)))
        causes = {cause for cause, _, _ in play.incidents()}
        assert causes == ({"feed:two"} if name else {"q", "r"}) or causes <= {"q", "r"}


def test_a_run_of_others_for_a_removed_asset() -> None:
    play = Play(charter_of("r; a < r; b < a", eager="b")).update(1, "r")
    play.at(2, event(EventKind.RUN_STARTED, "a", 2, run_id="x"))
    rewired(play, 3, "r; b < r")
    play.at(4, event(EventKind.RUN_FAILED, "a", 4, run_id="x", whole_run=True)).until(20)
    assert play.runs == [(3, "b")]
