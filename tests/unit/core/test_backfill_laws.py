"""Backfills, in whatever order runs end and whichever fail: what was asked for is made once, or it is told why not.

A wish asks for days of `clean`, which reads `raw` by day.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.core.play import EAGER, Play, charter_of

from freshd.model.asset import Asset, PartitionScheme
from freshd.model.effects import LaunchRun
from freshd.model.graph import build_graph
from freshd.model.inputs import Event, EventKind, RunPhase, RunReport, Wish
from freshd.model.policy import LauncherTraits, Reaction, Retry
from freshd.model.records import Reason, WishEnded
from freshd.model.time import DAY, MINUTE, parse_instant

START = parse_instant("2026-11-30T00:00:30Z")
DAILY = PartitionScheme(by="day", latest=1)
DAYS = [f"2026-11-{day}" for day in range(20, 30)]
GRAPH = build_graph([
    Asset("raw", partitions=DAILY),
    Asset("clean", ("raw",), launcher="l", partitions=DAILY),
])  # fmt: skip


@dataclass(frozen=True)
class Backfill:
    """A backfill, and what comes of its runs: `fates` are (which of those that go on ends, whether it fails)."""

    days: tuple[str, ...]
    parallel: int
    eager: bool
    attempts: int
    fates: tuple[tuple[int, bool], ...]


backfills = st.builds(
    Backfill,
    st.lists(st.sampled_from(DAYS), min_size=1, max_size=8, unique=True).map(tuple),
    st.integers(0, 4),
    st.booleans(),
    st.integers(1, 3),
    st.lists(st.tuples(st.integers(0, 20), st.sampled_from([False, False, False, True])), max_size=25).map(tuple),
)


@dataclass
class Outcome:
    """What came of a backfill."""

    play: Play
    runs: list[LaunchRun]
    made: Counter[str]
    """How often each partition was made."""
    most: int = 0
    """Of its runs that went on at one time."""


def carried_out(asked: Backfill) -> Outcome:
    """The backfill until nothing of it goes on and its wish is over, or half a day has passed."""
    reaction = replace(EAGER, retry=Retry(asked.attempts, MINUTE, jitter=0.0)) if asked.eager else Reaction()
    play = Play(charter_of(GRAPH, reactions={"clean": reaction}, launchers=[LauncherTraits("l")]), start=START / MINUTE)
    play.step(*(Event(EventKind.UPDATE, ("raw",), play.now, f"raw {day}", partition=day) for day in DAYS))
    play.until(play.now / MINUTE + 1)
    found, fates, over = Outcome(play, play.launches, Counter()), list(asked.fates), set[str]()
    assert not found.runs, "nobody fills the past unasked"
    play.step(Wish("w", ("clean",), "ann", asked.days, asked.parallel))
    while play.now < START + DAY // 2:
        going = [run for run in play.launches if run.run_id not in over]
        found.most = max(found.most, len(going))
        if not going and play.of(WishEnded):
            break
        if going:
            which, fails = fates.pop(0) if fates else (0, False)
            run = going[which % len(going)]
            over.add(run.run_id)
            found.made[run.partition] += not fails
            end_run(play, run, RunPhase.FAILED if fails else RunPhase.SUCCEEDED)
        else:
            play.until(play.now / MINUTE + 1)
    play.until(play.now / MINUTE + 30)
    return found


def end_run(play: Play, run: LaunchRun, phase: RunPhase) -> None:
    """The run ends in this way, a second later."""
    play.now += MINUTE // 60
    play.step(RunReport(run.run_id, phase, play.now, "clean"), RunReport(run.run_id, RunPhase.FINISHED, play.now))


@settings(max_examples=80, deadline=None)
@given(backfills)
def test_each_partition_is_made_once_or_it_is_told_why_not(asked: Backfill) -> None:
    found = carried_out(asked)
    play, made, tried = found.play, found.made, Counter(run.partition for run in found.runs)
    ended = play.of(WishEnded)
    assert len(ended) == 1, "it is over, and that is told once"
    assert set(tried) <= set(asked.days), "nothing else was made"
    assert max(made.values(), default=0) <= 1, "nothing was made twice"
    assert not asked.parallel or found.most <= asked.parallel
    if ended[0].reason is Reason.DONE:
        assert {day for day, times in made.items() if times} == set(asked.days)
        assert all(play.engine.assess("clean", play.now, day).updated_at is not None for day in asked.days)
        return
    failed = ended[0].cause.removeprefix("clean[").removesuffix("]")
    assert ended[0].reason is Reason.RUN_FAILED and failed in asked.days
    assert made[failed] == 0 and tried[failed] == (asked.attempts if asked.eager else 1)
    assert all(run.requested_at <= ended[0].now or run.attempt > 1 for run in found.runs), "nothing begins after it"


@settings(max_examples=40, deadline=None)
@given(backfills)
def test_without_failures_all_that_was_asked_for_is_made_by_one_run_each(asked: Backfill) -> None:
    found = carried_out(replace(asked, fates=tuple((which, False) for which, _ in asked.fates)))
    assert Counter(run.partition for run in found.runs) == found.made == Counter(asked.days)
    assert [(record.reason, record.cause) for record in found.play.of(WishEnded)] == [(Reason.DONE, "")]
