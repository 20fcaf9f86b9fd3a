"""Why an asset is not launched, what would have it launched, and what comes next: a case for each word of Hold.

| # | word | the world | until | about |
| 1 | source | a source | | |
| 2 | virtual | a view | | |
| 3 | no_launcher | nothing builds it | | |
| 4 | in_flight | its run goes on | | |
| 5 | catching_up | the daemon has just started | 5 | |
| 6 | wished | asked for, its upstream is built first | | |
| 7 | manual | due, and no policy launches it | | |
| 8 | paused | somebody paused it | 90 | |
| 9 | not_due | it never had an update, nor has its upstream | | the upstream |
| 10 | not_due | it has all there is | | its upstreams |
| 11 | not_due | `updates_on: all`, and one upstream has news | | the other |
| 12 | stopped | its one attempt failed | | its upstreams |
| 13 | blocked | its upstream stopped | | that one |
| 14 | window | its window is shut | when it opens | |
| 15 | early | just in time: an expectation asks for it later | then | |
| 16 | observed | mode observe | | |
| 17 | retry_delay | its first attempt failed | a minute on | |
| 18 | min_interval | launched a while ago | its end | |
| 19 | waits | its other upstream is being built | | that one; forced by max_wait |
| 20 | debounce | news has just come | quiet | |
| 21 | no_place | its launcher has one place | | |
| 22 | by_partition | as a whole, an asset with partitions | | |
"""

from __future__ import annotations

from dataclasses import replace

from tests.unit.core.play import EAGER, Play, charter_of

from freshd.model.asset import Asset, PartitionScheme
from freshd.model.declarations import Declaration, DeclarationKind
from freshd.model.explanation import Hold, Launching, matching
from freshd.model.graph import build_graph
from freshd.model.inputs import Event, EventKind
from freshd.model.policy import LauncherTraits, Limit, Measure, Policy, Reaction, ReactionKind, Retry, Window
from freshd.model.time import MINUTE

HOUR = 60


class Hourly:
    """Ticks at each full hour."""

    def after(self, instant: int) -> int:
        return instant - instant % (HOUR * MINUTE) + HOUR * MINUTE

    def until(self, instant: int) -> int:
        return instant - instant % (HOUR * MINUTE)


def at(minute: float) -> int:
    return round(minute * MINUTE)


def launching(play: Play, key: str) -> Launching:
    return play.engine.explain(key, play.now).launching


def simple(reaction: Reaction | str = "a", graph: str = "r; a < r", **more: object) -> Play:
    """a is built of r, and r had an update at minute 1."""
    told = {"eager": reaction} if isinstance(reaction, str) else {"reactions": {"a": reaction}}
    return Play(charter_of(graph, **told, **more)).update(1, "r")  # type: ignore[arg-type]


def test_what_no_policy_could_launch() -> None:
    play = simple(graph="r; a < r; v v< a; x < r", launched_by={"x": "", "a": "go"})
    assert launching(play, "r") == Launching(Hold.SOURCE)
    assert launching(play, "v") == Launching(Hold.VIRTUAL)
    assert launching(play, "x") == Launching(Hold.NO_LAUNCHER)
    assert launching(play, "a") == Launching(Hold.IN_FLIGHT)


def test_an_asset_with_partitions_is_launched_by_them() -> None:
    regions = PartitionScheme(names=("eu", "us"))
    graph = build_graph([Asset("r", partitions=regions), Asset("a", ("r",), launcher="go", partitions=regions)])
    play = Play(charter_of(graph, eager="a"))
    assert launching(play, "a") == Launching(Hold.BY_PARTITION)
    assert launching(play, "r") == Launching(Hold.SOURCE)
    play.at(2, Event(EventKind.UPDATE, ("r",), at(1), partition="eu"))
    assert play.engine.explain("a", play.now, "eu").launching == Launching(Hold.IN_FLIGHT)


def test_nothing_is_launched_while_the_daemon_catches_up() -> None:
    play = Play(charter_of("r; a < r", eager="a"), catching_up=True)
    assert launching(play, "a") == Launching(Hold.CATCHING_UP, at(5))


def test_a_wish_waits_for_what_is_above() -> None:
    play = Play(charter_of("r; a < r; b < a")).update(1, "r").wish(2, "b")
    assert launching(play, "a").hold is Hold.IN_FLIGHT
    assert launching(play, "b") == Launching(Hold.WISHED)


def test_manual_and_paused() -> None:
    assert launching(simple(""), "a") == Launching(Hold.MANUAL)
    play = Play(charter_of("r; a < r", eager="a"))
    play.at(1, Declaration("p", DeclarationKind.PAUSE, ("a",), at(1), at(90), "ann", "rebuilding")).update(2, "r")
    assert launching(play, "a") == Launching(Hold.PAUSED, at(90))


def test_what_would_make_it_due() -> None:
    assert launching(Play(charter_of("r; a < r", eager="a")), "a") == Launching(Hold.NOT_DUE, by=("r",))
    play = simple(graph="r; s; a < r s").update(1.5, "s")
    assert launching(play.done(2, "a"), "a") == Launching(Hold.NOT_DUE, by=("r", "s"))
    picky = simple(replace(EAGER, updates_on="all"), "r; s; a < r s").update(1.5, "s").done(2, "a").update(3, "r")
    assert launching(picky, "a") == Launching(Hold.NOT_DUE, by=("s",))


def test_stopped_and_blocked() -> None:
    play = simple("a b", graph="r; s; a < r; b < a s").done(2, "a").update(2.5, "s").done(3, "b")
    play.update(4, "r", "s").fail(5, "a")
    assert launching(play, "a").hold is Hold.STOPPED
    assert launching(play, "a").by == ("r",)
    assert launching(play, "b") == Launching(Hold.BLOCKED, by=("a",))


def test_what_its_window_or_just_in_time_holds_back() -> None:
    window = Window(Hourly(), 10 * MINUTE, cron="0 * * * *")
    play = Play(charter_of("r; a < r", reactions={"a": replace(EAGER, window=window)})).update(20, "r")
    assert launching(play, "a") == Launching(Hold.WINDOW, at(60))
    limit = {"p": (Policy("p", limits=(Limit(Measure.LAG, None, 2 * HOUR * MINUTE),)), "a")}
    later = Reaction(ReactionKind.JUST_IN_TIME, retry=Retry(attempts=1))
    play = Play(charter_of("r; a < r", limit, {"a": later})).update(1, "r").wish(2, "a").done(3, "a").update(4, "r")
    assert launching(play, "a") == Launching(Hold.EARLY, at(121 - 12))


def test_observed() -> None:
    assert launching(simple(observe=True), "a") == Launching(Hold.OBSERVED)


def test_the_bounds_of_eager() -> None:
    retry = Retry(attempts=3, delay=MINUTE, jitter=0.0)
    play = simple(replace(EAGER, retry=retry)).fail(2, "a")
    assert launching(play, "a") == Launching(Hold.RETRY_DELAY, at(3))
    play = simple(replace(EAGER, min_interval=30 * MINUTE)).done(2, "a").update(3, "r")
    assert launching(play, "a") == Launching(Hold.MIN_INTERVAL, at(31))
    play = simple(replace(EAGER, debounce=5 * MINUTE))
    assert launching(play, "a") == Launching(Hold.DEBOUNCE, at(6), forced_at=at(61))
    play = simple("a b", graph="r; a < r; b < a r").done(2, "a").done(3, "b").update(4, "r")
    assert launching(play, "b") == Launching(Hold.WAITS, by=("a",), forced_at=at(64))


def test_a_full_launcher() -> None:
    play = simple("a b", graph="r; a < r; b < r", launchers=[LauncherTraits("go", limit=1)])
    assert {launching(play, key).hold for key in "ab"} == {Hold.IN_FLIGHT, Hold.NO_PLACE}


def test_what_limits_the_data_and_what_comes_next() -> None:
    policies = {"p": (Policy("p", limits=(Limit(Measure.LAG, 30 * MINUTE, 60 * MINUTE),)), "a b")}
    play = Play(charter_of("r; s; a < r; b < a s", policies, eager="a b"))
    play.update(1, "r", "s").done(2, "a").done(3, "b").update(10, "s").done(11, "b")
    why = play.engine.explain("b", play.now)
    assert [(step.asset, step.data_time) for step in why.limits] == [("b", at(1)), ("a", at(1)), ("r", at(1))]
    assert why.limits_reason == "no_update"
    assert [(one.at, one.what, one.policy) for one in why.ahead] == [(at(31), "warn", "p"), (at(61), "stale", "p")]
    play.until(40)
    assert [(one.at, one.what) for one in play.engine.explain("b", play.now).ahead] == [(at(61), "stale")]
    assert play.engine.explain("r", play.now).ahead == ()


def test_which_policies_match_and_whose_reaction_counts() -> None:
    told = {
        "low": (Policy("low", priority=0, reacts=ReactionKind.MANUAL), "a b"),
        "high": (Policy("high", priority=5, reacts=ReactionKind.EAGER), "a"),
        "watch": (Policy("watch", priority=9, limits=(Limit(Measure.LAG, None, MINUTE),)), "a"),
    }
    charter = charter_of("r; a < r; b < a", told, {"a": replace(EAGER, policy="high")})
    found = [(one.policy, one.priority, one.expects, one.reacts, one.gives_reaction) for one in matching(charter, "a")]
    assert found == [
        ("high", 5, False, ReactionKind.EAGER, True),
        ("watch", 9, True, None, False),
        ("low", 0, False, ReactionKind.MANUAL, False),
    ]
    assert [one.policy for one in matching(charter, "b")] == ["low"]
    assert matching(charter, "r") == ()


def test_every_word_has_a_case() -> None:
    """`nothing` has none: an engine at rest has launched what nothing holds back."""
    text = __doc__ or ""
    assert {word for word in Hold if f"| {word.value} |" in text} == set(Hold) - {Hold.NOTHING}
