"""What many rows wait for at one instant is done in slices, in order; a restart in their midst goes on alike."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from tests.unit.core.play import EAGER, Play, charter_of, update
from tests.unit.core.test_windows import HOURLY

from freshd.backtest.replay import Replay
from freshd.core.engine import JUDGED_FOR_RECORD, TIMERS_BESIDE_INPUTS, TIMERS_PER_STEP, Engine
from freshd.model.asset import Asset
from freshd.model.graph import build_graph
from freshd.model.inputs import CharterReplaced, Event, EventKind, Started
from freshd.model.policy import Alert, Charter, LauncherTraits, Limit, Measure, Policy, Reaction
from freshd.model.records import Record, VerdictChanged
from freshd.model.time import MINUTE

M = MINUTE
MANY = 2 * TIMERS_PER_STEP + TIMERS_BESIDE_INPUTS + 7
KEYS = [f"a{number:04d}" for number in range(MANY)]


def charter(policy: str, stale: int) -> Charter:
    """So many sources under one policy."""
    graph = build_graph([Asset(key) for key in reversed(KEYS)])
    return Charter(graph, {policy: Policy(policy, (Limit(Measure.LAG, None, stale),))}, {policy: tuple(KEYS)})


def engine() -> Engine:
    """All of them updated at minute 1."""
    made = Engine(charter("p", 10 * M))
    made.step(0, [Started(False)])
    made.step(M, [Event(EventKind.UPDATE, tuple(KEYS), M)])
    slices(made, M)
    return made


def changes(records: tuple[Record, ...]) -> list[str]:
    return [record.asset for record in records if isinstance(record, VerdictChanged)]


def slices(subject: Engine, now: int) -> list[list[str]]:
    """The verdict changes of each step, until there is nothing more to do now."""
    found = []
    while (wake := subject.next_wake()) is not None and wake <= now:
        found.append(changes(subject.step(now, []).records))
    return found


def test_deadlines_of_one_instant_are_judged_in_slices_in_order_of_key() -> None:
    found = slices(engine(), 11 * M)
    assert [key for some in found for key in some] == KEYS
    assert max(map(len, found)) == TIMERS_PER_STEP


def test_an_event_among_them_waits_for_a_small_slice_only() -> None:
    subject = engine()
    subject.step(11 * M, [])
    step = subject.step(11 * M, [Event(EventKind.UPDATE, (KEYS[-1],), 11 * M)])
    assert changes(step.records) == KEYS[TIMERS_PER_STEP : TIMERS_PER_STEP + TIMERS_BESIDE_INPUTS]
    assert KEYS[-1] not in [key for some in slices(subject, 11 * M) for key in some], "it is fresh: its data are new"


def test_under_another_policy_all_are_looked_at_again_in_slices() -> None:
    subject = engine()
    first = changes(subject.step(5 * M, [CharterReplaced(charter("q", 2 * M))]).records)
    rest = slices(subject, 5 * M)
    assert first == KEYS[:TIMERS_BESIDE_INPUTS]
    assert [key for some in rest for key in some] == KEYS[TIMERS_BESIDE_INPUTS:]
    assert max(map(len, rest)) == TIMERS_PER_STEP


def test_a_replaced_policy_is_no_matter_of_one_checkpoint() -> None:
    subject = engine()
    subject.checkpointed()
    subject.step(5 * M, [CharterReplaced(charter("q", 2 * M))])
    assert subject.changed <= 2 * TIMERS_BESIDE_INPUTS, "rows and incidents are written as they are looked at"


def stored(subject: Engine, into: dict[tuple[str, str], Any]) -> None:
    for kind, key, value in subject.changed_state():
        into[kind, key] = value
    subject.checkpointed()


def test_a_restart_from_a_checkpoint_in_their_midst_goes_on_in_the_same_slices() -> None:
    subject = engine()
    rows: dict[tuple[str, str], Any] = {}
    stored(subject, rows)
    new = charter("q", 2 * M)
    subject.step(5 * M, [CharterReplaced(new)])
    subject.step(5 * M, [])
    stored(subject, rows)
    again = Engine(new)
    again.restore((kind, key, value) for (kind, key), value in rows.items())
    assert slices(again, 5 * M) == slices(subject, 5 * M)


def test_a_replay_begins_where_nothing_waits_for_a_later_step() -> None:
    """What waits would be looked at earlier by whoever begins with a checkpoint."""
    subject = engine()
    rows: dict[tuple[str, str], Any] = {}
    new = charter("q", 2 * M)
    subject.step(5 * M, [CharterReplaced(new)])
    waiting = []
    for now in range(5 * M, 5 * M + MANY):
        stored(subject, rows)
        waiting.append(rows["engine", ""]["waiting"])
        if not waiting[-1]:
            break
        subject.step(now, [])
    assert waiting == [True] * 3 + [False]
    replay = Replay(new, [(kind, key, value) for (kind, key), value in rows.items()])
    for number, key in enumerate(KEYS[:3], 1):
        records = subject.step(6 * M + number, [Event(EventKind.UPDATE, (key,), 6 * M)]).records
        assert changes(records) == [key]
        assert replay.take(number, records) is None


def test_of_several_instants_the_slices_go_by_instant() -> None:
    """The daemon slept: what was due first is looked at first; in a slice, which is one instant, by key."""
    late, early = KEYS[: TIMERS_PER_STEP + 20], KEYS[TIMERS_PER_STEP + 20 :]
    subject = Engine(charter("p", 10 * M))
    subject.step(0, [Started(False)])
    subject.step(M, [Event(EventKind.UPDATE, tuple(early), M)])
    subject.step(2 * M, [Event(EventKind.UPDATE, tuple(late), 2 * M)])
    slices(subject, 2 * M)
    found = slices(subject, 30 * M)
    in_order = early + late
    for some in found:
        assert some == sorted(some)
        assert sorted(in_order[: len(some)]) == some
        in_order = in_order[len(some) :]
    assert not in_order
    assert max(map(len, found)) == TIMERS_PER_STEP


def test_a_slice_of_rows_with_many_policies_has_fewer_rows() -> None:
    policies = {name: Policy(name, (Limit(Measure.LAG, None, 10 * M),)) for name in "pqrst"}
    graph = build_graph([Asset(key) for key in KEYS])
    subject = Engine(Charter(graph, policies, dict.fromkeys(policies, tuple(KEYS))))
    subject.step(0, [Started(False)])
    subject.step(M, [Event(EventKind.UPDATE, tuple(KEYS), M)])
    slices(subject, M)
    found = slices(subject, 11 * M)
    assert max(map(len, found)) == TIMERS_PER_STEP
    assert [key for some in found for key in some] == sorted(KEYS * 5)


def views(many: int) -> Engine:
    """A source and so many views of it, all stale at minute 12, in one incident."""
    keys = [f"v{number:05d}" for number in range(many)]
    graph = build_graph([Asset("r"), *(Asset(key, ("r",), virtual=True) for key in keys)])
    policy = Policy("p", (Limit(Measure.LAG, None, 10 * M),), alert=Alert())
    made = Engine(Charter(graph, {"p": policy}, {"p": tuple(keys)}))
    made.step(0, [Started(False)])
    made.step(M, [Event(EventKind.UPDATE, ("r",), M)])
    slices(made, M)
    slices(made, 12 * M)
    return made


def test_what_one_update_heals_is_judged_in_slices_too() -> None:
    many = 3_000
    subject = views(many)
    step = subject.step(13 * M, [Event(EventKind.UPDATE, ("r",), 13 * M)])
    found = [changes(step.records), *slices(subject, 13 * M)]
    assert [key for some in found for key in some] == [f"v{number:05d}" for number in range(many)]
    assert max(map(len, found)) <= TIMERS_PER_STEP + JUDGED_FOR_RECORD
    assert not subject.incidents()


def test_what_waits_is_judged_once_however_often_it_is_moved() -> None:
    subject = views(3_000)
    for n in range(5):
        subject.step(13 * M + n, [Event(EventKind.UPDATE, ("r",), 13 * M + n)])
    calls = 0
    while (wake := subject.next_wake()) is not None and wake <= 13 * M + 5:
        subject.step(13 * M + 5, [])
        calls += 1
    assert calls <= 3_000 // TIMERS_PER_STEP + 1


def crowd(reaction: Reaction, *launchers: LauncherTraits) -> Play:
    """`z` and more than a slice of others read `r`, `a` reads `r` and `z`; all are due since minute 55."""
    others = [f"m{number:03d}" for number in range(TIMERS_PER_STEP)]
    graph = "; ".join(("r", "z < r", "a < z r", *(f"{key} < r" for key in others)))
    urgent = Policy("p", (Limit(Measure.LAG, None, 200 * M),))
    play = Play(charter_of(graph, {"p": (urgent, "z")}, eager=reaction, launchers=launchers))
    play.at(50, *(update(key, 50) for key in ("r", "z", "a", *others)))
    return play.update(55, "r")


WINDOWED = replace(EAGER, window=HOURLY)


def test_whoever_may_run_from_one_instant_on_waits_for_those_above_that_may_too() -> None:
    play = crowd(WINDOWED).until(100).done(105, "z").until(110)
    assert [run for run in play.runs if run[1] in "az"] == [(100, "z"), (105, "a")]


def test_whoever_may_run_from_one_instant_on_goes_in_one_wave() -> None:
    play = crowd(WINDOWED, LauncherTraits("go", wave=True)).until(100)
    assert [len(run.assets) for run in play.launches] == [TIMERS_PER_STEP + 2]


def test_of_all_that_are_ready_at_one_instant_the_least_slack_gets_the_place() -> None:
    play = crowd(replace(EAGER, debounce=5 * M), LauncherTraits("go", limit=1)).until(60)
    assert play.runs == [(60, "z")]
