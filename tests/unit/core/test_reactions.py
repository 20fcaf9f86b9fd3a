"""When the daemon launches what is due: corners that took a while to get right. Instants are minutes."""

from __future__ import annotations

from dataclasses import replace

from tests.unit.core.play import EAGER, Play, charter_of, check, event, update

from freshd.model.inputs import EventKind
from freshd.model.policy import LauncherTraits
from freshd.model.time import MINUTE

M = MINUTE


# waiting


def test_who_waits_through_an_asset_that_stops_waits_no_longer() -> None:
    """b waits, through a, for checks of c; then a's run, asked for by a person, fails for good."""
    play = Play(charter_of("c; q; a < c; b < a q", eager="a b"))
    play.at(1, *(update(key, 1) for key in "cqab"), check("c", 1, True, blocking=True))
    play.at(8, update("c", 8, changed=False)).update(9, "q")
    assert play.see("b").waiting_for == ("c",)
    play.wish(10, "a").fail(11, "a")
    assert play.runs == [(10.0, "a"), (11.0, "b")]


# due at an instant as a whole


def test_due_not_due_and_due_again_at_one_instant_is_due_all_the_time() -> None:
    play = Play(charter_of("r; a < r", reactions={"a": replace(EAGER, debounce=20 * M, max_wait=30 * M)}))
    play.at(1, update("r", 1), update("a", 1)).update(40, "r")
    play.at(55, update("a", 55, started=50), update("r", 55)).until(100)
    assert play.runs == [(70.0, "a")], "quiet from minute 75, but max_wait counts from minute 40"


# waves


def test_a_head_that_max_wait_forces_goes_in_the_wave_of_its_instant() -> None:
    """`a` waits for x, which somebody else builds for hours; `b` is due just when a's patience ends."""
    play = Play(
        charter_of(
            "r; s; t; x < r; a < s x; b < t; c < a b",
            reactions={"a": replace(EAGER, max_wait=30 * M), "b": EAGER, "c": EAGER},
            launchers=[LauncherTraits("dbt", wave=True)],
            launched_by={"a": "dbt", "b": "dbt", "c": "dbt"},
        )
    )
    play.at(1, *(update(key, 1) for key in "rstxabc"))
    play.at(10, event(EventKind.RUN_STARTED, "x", 10, run_id="theirs"))
    play.at(11, update("r", 11), update("s", 11))
    play.at(41, update("t", 41))
    assert play.runs == [(41.0, "b a c")]
