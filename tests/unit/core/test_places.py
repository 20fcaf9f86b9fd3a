"""Places: limits of launchers, tags and all runs; who queues, goes first and leaves the queue. Instants are minutes.

Everything was updated at 0.5. `m0 < r` to `m5 < r` are due at minute 1, by one update of r.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import pytest
from tests.unit.core.play import Play, charter_of, event, update

from freshd.model.graph import AssetGraph
from freshd.model.inputs import CharterReplaced, EventKind
from freshd.model.policy import LauncherTraits, Limit, Measure, Places, Policy
from freshd.model.records import RunQueued
from freshd.model.time import MINUTE

M = MINUTE
SIX = "r; m0 < r; m1 < r; m2 < r; m3 < r; m4 < r; m5 < r"


def lag(stale: float) -> Policy:
    return Policy("p", (Limit(Measure.LAG, None, round(stale * M)),))


def play_of(
    places: Places,
    tags: Mapping[str, str] | None = None,
    graph: str = SIX,
    policies: Mapping[str, tuple[Policy, str]] | None = None,
    by: Mapping[str, str] | None = None,
    launchers: tuple[LauncherTraits, ...] = (),
    eager: str = "m0 m1 m2 m3 m4 m5",
) -> Play:
    charter = charter_of(graph, policies, eager=eager, launched_by=by, launchers=launchers)
    assets = {
        key: replace(asset, tags=tuple((tags or {}).get(key, "").split()))
        for key, asset in charter.graph.assets.items()
    }
    play = Play(replace(charter, graph=AssetGraph(assets), places=places))
    return play.at(0.5, *(update(key, 0.5) for key in assets))


def keys(play: Play) -> str:
    return " ".join(assets for _, assets in play.runs)


@dataclass(frozen=True)
class Line:
    number: str
    places: Places
    first: str
    """Launched at minute 1, in order."""
    after: str
    """Launched when the run of the first of these has ended at minute 2, in order."""
    tags: Mapping[str, str] = field(default_factory=dict)
    policies: Mapping[str, tuple[Policy, str]] = field(default_factory=dict)
    by: Mapping[str, str] = field(default_factory=dict)
    launchers: tuple[LauncherTraits, ...] = ()


HEAVY = {"m0": "heavy", "m1": "heavy", "m2": "heavy wide"}
LINES = [
    Line("01 no limits", Places(), "m0 m1 m2 m3 m4 m5", ""),
    Line("02 all runs: two", Places(runs=2), "m0 m1", "m2"),
    Line("03 a tag: one", Places(tags={"heavy": 1}), "m3 m4 m5 m0", "", HEAVY),
    Line("04 whose place is another tag's", Places(tags={"wide": 1, "heavy": 2}), "m3 m4 m5 m0 m1", "", HEAVY),
    Line("05 both must have one", Places(runs=3, tags={"heavy": 1}), "m0 m3 m4", "m1", HEAVY),
    Line("06 least slack first", Places(runs=2), "m4 m2", "m0", policies={"p": (lag(30), "m4"), "q": (lag(50), "m2")}),
    Line("07 equal slack: by key", Places(runs=2), "m3 m4", "m0", policies={"p": (lag(30), "m3 m4")}),
    Line(
        "08 across launchers", Places(runs=1), "m5", "m0", policies={"p": (lag(30), "m5")},
        by=dict.fromkeys(("m0", "m1", "m2"), "go") | dict.fromkeys(("m3", "m4", "m5"), "other"),
    ),
    Line(
        "09 a launcher's limit goes by slack too", Places(), "m5 m4", "m0",
        policies={"p": (lag(30), "m5"), "q": (lag(31), "m4")}, launchers=(LauncherTraits("go", limit=2),),
    ),
]  # fmt: skip


@pytest.mark.parametrize("line", LINES, ids=[line.number for line in LINES])
def test_who_goes_first(line: Line) -> None:
    play = play_of(line.places, line.tags, policies=line.policies, by=line.by, launchers=line.launchers)
    play.update(1, "r")
    assert keys(play) == line.first
    play.done(2, line.first.split()[0])
    assert keys(play) == f"{line.first} {line.after}".strip()


def test_the_end_of_a_run_with_the_tag_frees_its_place() -> None:
    play = play_of(Places(tags={"heavy": 1}), HEAVY).update(1, "r")
    assert [record.asset for record in play.of(RunQueued)] == ["m1", "m2"]
    play.done(2, "m3")
    assert keys(play).split()[-1] == "m0"
    play.done(3, "m0")
    assert play.runs[-1] == (3, "m1")
    play.done(4, "m1")
    assert play.runs[-1] == (4, "m2")


def test_slack_is_that_of_the_whole_path() -> None:
    """Below b1 something is expected earlier than of b0; and c, on the way, takes ten minutes."""
    graph = "r; b0 < r; b1 < r; c < b1; d < c"
    policies = {"p": (lag(60), "d"), "q": (lag(45), "b0")}
    play = play_of(Places(runs=1), graph=graph, policies=policies, eager="b0 b1 c d").update(1, "r")
    assert play.runs == [(1, "b1")], "61 - 30 comes before 46 - 10"


def test_slack_is_looked_at_when_the_place_is_free() -> None:
    """m1 is behind since minute 1, m0 gets an expectation nearer by news of q at minute 2."""
    policies = {
        "p": (Policy("p", (Limit(Measure.BEHIND, None, 100 * M),)), "m1"),
        "q": (Policy("q", (Limit(Measure.BEHIND, None, 50 * M),)), "m0"),
    }
    graph = "r; q; x < q; m0 < q; m1 < r"
    play = play_of(Places(runs=1), graph=graph, policies=policies, eager="x m0 m1")
    play.update(2, "r")
    assert play.runs == [(2, "m1")]
    play.update(3, "q").update(4, "r").done(5, "m1")
    assert play.runs == [(2, "m1"), (5, "m0")], "stale at 53, m1 at 104, and nobody minds x"


def test_what_a_person_asks_for_finds_its_place_the_same_way() -> None:
    play = play_of(Places(runs=1), graph="r; m0 < r; m1 < r", eager="m0").update(1, "r").wish(2, "m1")
    assert play.runs == [(1, "m0")]
    assert play.done(3, "m0").runs == [(1, "m0"), (3, "m1")]


def test_a_wave_takes_along_only_those_whose_tags_have_a_place() -> None:
    dbt = LauncherTraits("dbt", wave=True)
    by = {"m0": "go", "m1": "dbt", "m2": "dbt"}
    play = play_of(
        Places(tags={"heavy": 1}), {"m0": "heavy", "m2": "heavy"}, "r; q; m0 < q; m1 < r; m2 < m1", None, by, (dbt,),
        "m0 m1 m2",
    )  # fmt: skip
    play.update(2, "q").update(3, "r")
    assert play.runs == [(2, "m0"), (3, "m1")]
    play.done(4, "m1")
    assert play.runs == [(2, "m0"), (3, "m1")]
    assert play.done(5, "m0").runs[-1] == (5, "m2")


def test_one_run_of_several_assets_takes_one_place() -> None:
    dbt = LauncherTraits("dbt", wave=True)
    by = {"m0": "dbt", "m1": "dbt", "m2": "go"}
    play = play_of(Places(runs=2), None, "r; m0 < r; m1 < m0; m2 < r", None, by, (dbt,), "m0 m1 m2").update(1, "r")
    assert play.runs == [(1, "m0 m1"), (1, "m2")]


def test_runs_of_others_take_no_place() -> None:
    play = play_of(Places(runs=1), graph="r; q; m0 < r; m1 < q", eager="m0 m1")
    play.at(1, event(EventKind.RUN_STARTED, "m1", 1, run_id="theirs"))
    assert play.update(2, "r").runs == [(2, "m0")]


def test_a_limit_that_a_reload_brings_holds_from_then_on() -> None:
    """The same graph, other limits: nothing is linked anew, and still the limit counts."""
    play = play_of(Places())
    play.at(0.8, CharterReplaced(replace(play.engine.charter, places=Places(runs=2))))
    play.at(1, update("r", 1))
    assert keys(play) == "m0 m1"
