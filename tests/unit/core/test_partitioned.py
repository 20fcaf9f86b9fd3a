"""Partitions over random worlds: what is kept is what follows from the facts, and who restarts goes on as before.

Windows of an hour begin while events come late, early, for partitions that nobody has, and while runs fail; wishes
backfill. Every few steps another engine is made from the checkpoint and the records after it, and has to answer and
decide as the first one.
"""

from __future__ import annotations

import dataclasses
from random import Random
from typing import Any

import pytest
from tests.unit.core.kept import kept_values_hold
from tests.unit.core.lives import Life, differences, picture
from tests.unit.core.test_checkpoints import settled

from freshd.backtest.replay import Replay
from freshd.core.engine import Engine
from freshd.model.asset import Asset, PartitionScheme
from freshd.model.effects import LaunchRun, SendNotice
from freshd.model.graph import build_graph
from freshd.model.inputs import (
    CharterReplaced,
    Event,
    EventKind,
    Input,
    NoticeReport,
    RunPhase,
    RunReport,
    Started,
    Wish,
)
from freshd.model.mapping import mapping_problems
from freshd.model.partitions import windows_of
from freshd.model.policy import (
    Alert,
    Charter,
    LauncherTraits,
    Limit,
    Limits,
    Measure,
    Policy,
    Reaction,
    ReactionKind,
    Retry,
    Severity,
)
from freshd.model.records import PartitionsUsed, QuietSteps, Record, WindowsBegan
from freshd.model.time import HOUR, MINUTE, Instant, parse_instant

STEPS = 45
START = parse_instant("2026-11-21T20:00:00Z")
HOURLY, DAILY = PartitionScheme(by="hour"), PartitionScheme(by="day")
FIXED = PartitionScheme(names=("eu", "us"))


class World:
    """One seed's choices."""

    def __init__(self, seed: int) -> None:
        self.rng = Random(f"partitions {seed}")
        self.now: Instant = START
        self.runs: list[tuple[LaunchRun, Instant]] = []
        self.ids = 0
        self.charter = self.draw()

    def draw(self) -> Charter:
        rng = self.rng
        latest = rng.choice([1, 2, 3])
        hourly = PartitionScheme(by="hour", latest=latest)
        assets = [
            Asset("plain"),
            Asset("raw", partitions=hourly, feed="f"),
            Asset("regions", partitions=FIXED, feed="f"),
            Asset("clean", ("raw", "plain"), launcher="l", partitions=hourly),
            Asset("day", ("clean",), launcher="l", partitions=DAILY, mappings={"clean": "window"}),
            Asset("rolling", ("clean",), launcher="l", partitions=hourly, mappings={"clean": {"last": 2}}),
            Asset("by_region", ("regions", "day"), launcher="l", partitions=FIXED, mappings={"day": "all"}),
            Asset("shown", ("clean",), virtual=True, partitions=hourly),
            Asset("total", ("shown", "by_region"), launcher="l"),
            Asset("newest", ("raw",), launcher="l", mappings={"raw": {"last": 2}}),
        ]
        kept = [asset for asset in assets if len(assets) - 4 < 4 or rng.random() < 0.9 or not asset.upstreams]
        keys = {asset.key for asset in kept}
        kept = [dataclasses.replace(a, upstreams=tuple(up for up in a.upstreams if up in keys)) for a in kept]
        kept = [asset for asset in kept if asset.upstreams or asset.key in ("plain", "raw", "regions")]
        keys = {asset.key for asset in kept}
        kept = [dataclasses.replace(a, upstreams=tuple(up for up in a.upstreams if up in keys)) for a in kept]
        kept = [dataclasses.replace(a, launcher="l" if a.upstreams and not a.virtual else "") for a in kept]
        assert mapping_problems({asset.key: asset for asset in kept}) == []
        policy = Policy(
            "p",
            limits=(
                Limit(Measure.LAG, 2 * HOUR, 4 * HOUR),
                Limit(Measure.BEHIND, None, 90 * MINUTE),
                Limit(Measure.AGE, None, 3 * HOUR),
            ),
            alert=Alert(Severity.CRITICAL, "#x"),
        )
        eager = Reaction(ReactionKind.EAGER, retry=Retry(2, MINUTE))
        return Charter(
            build_graph(kept),
            {"p": policy},
            {"p": tuple(sorted(keys))},
            {key: eager for key in sorted(keys) if rng.random() < 0.85},
            {"l": LauncherTraits("l", wave=rng.random() < 0.4, limit=rng.choice([0, 0, 3]))},
            limits=Limits(history=4 if rng.random() < 0.5 else 16, lost_after=2 * HOUR),
        )

    def partition(self, key: str) -> str:
        scheme = self.charter.graph.assets[key].partitions
        if scheme is None or self.rng.random() < 0.03:
            return self.rng.choice(["", "nonsense"])
        if scheme.names:
            return self.rng.choice(scheme.names)
        return windows_of(scheme).holding(self.now - self.rng.choice([-1, 0, 0, 0, 1, 2, 3, 30]) * HOUR)

    def pass_time(self, engine: Engine) -> None:
        wake = engine.next_wake()
        self.now += self.rng.choice([0, MINUTE, 10 * MINUTE, 40 * MINUTE])
        if wake is not None and START < wake < self.now and self.rng.random() < 0.5:
            self.now = wake

    def take(self, engine: Engine) -> list[Input]:
        rng, given = self.rng, []
        known = {run.run_id for run, _ in self.runs}
        for effect in engine.unconfirmed():
            if isinstance(effect, LaunchRun) and effect.run_id not in known:
                self.runs.append((effect, self.now + rng.choice([MINUTE, 30 * MINUTE])))
            elif isinstance(effect, SendNotice):
                given.append(NoticeReport(effect.notice.notice_id, self.now, True, "h"))
        for run, ends in list(self.runs):
            if ends <= self.now:
                self.runs.remove((run, ends))
                for key in run.assets:
                    phase = rng.choice([RunPhase.SUCCEEDED] * 5 + [RunPhase.FAILED, RunPhase.SKIPPED])
                    given.append(RunReport(run.run_id, phase, self.now, asset=key, started_at=run.requested_at))
                given.append(RunReport(run.run_id, RunPhase.FINISHED, self.now))
        for _ in range(rng.choice([0, 1, 1, 2])):
            self.ids += 1
            key = rng.choice(list(self.charter.graph.assets))
            at = self.now - rng.choice([0, 0, MINUTE, 3 * HOUR])
            kind = rng.choice([EventKind.UPDATE] * 6 + [EventKind.RUN_STARTED, EventKind.RUN_FAILED])
            changed = rng.random() < 0.9
            run = rng.choice(["", "other"]) if kind is not EventKind.UPDATE else ""
            given.append(
                Event(kind, (key,), at, f"e{self.ids}", partition=self.partition(key), run_id=run, changed=changed)
            )
        if rng.random() < 0.1:
            self.ids += 1
            key = rng.choice([key for key, asset in self.charter.graph.assets.items() if asset.upstreams])
            named = tuple({self.partition(key), self.partition(key)} - {"", "nonsense"})
            given.append(Wish(f"w{self.ids}", (key,), "x", tuple(sorted(named)), rng.choice([0, 1])))
        if rng.random() < 0.04:
            self.charter = self.draw()
            given.append(CharterReplaced(self.charter))
        return given


def full_picture(engine: Engine, now: Instant) -> dict[str, Any]:
    told = picture(engine, now)
    for key, row in engine._state.rows.items():
        if row.partition:
            for word, value in dataclasses.asdict(engine.assess(row.asset.key, now, row.partition)).items():
                if word != "next_launch":
                    told[f"{key} {word}"] = value
    return told


@pytest.mark.parametrize("seed", [*range(12), 64])
def test_what_is_kept_follows_from_the_facts_and_survives_a_restart(seed: int) -> None:
    world, rng = World(seed), Random(seed)
    life = Life(world.charter, world.now)
    twin: Engine | None = None
    for number in range(STEPS):
        where = f"world {seed}, step {number}"
        world.pass_time(life.engine)
        given = world.take(life.engine)
        made = [record for step in life.step(world.now, given) for record in step.records]
        assert kept_values_hold(life.engine) == [], where
        if twin is not None:
            assert settled(twin, world.now, given) == made, where
        if rng.random() < 0.3:
            life.checkpoint()
        if rng.random() < 0.3:
            twin = life.recovered()
            nothing_new = [record for step in life.step(world.now, []) for record in step.records]
            assert settled(twin, world.now, []) == nothing_new, f"{where}: it decides anew"
            assert kept_values_hold(twin) == [], where
            assert differences(full_picture(life.engine, world.now), full_picture(twin, world.now)) == [], where


@pytest.mark.parametrize("seed", range(8))
def test_a_replay_of_what_was_recorded_comes_to_the_same(seed: int) -> None:
    world = World(seed)
    engine, replay, quiet = Engine(world.charter), Replay(world.charter), list[Instant]()
    opened = set[type[Record]]()

    def step(number: int, inputs: list[Input]) -> None:
        records: tuple[Record, ...] = engine.step(world.now, inputs).records
        opened.update(map(type, records))
        if not records:
            quiet.append(world.now)
            return
        recorded = (QuietSteps(world.now, tuple(quiet)), *records) if quiet else records
        quiet.clear()
        assert replay.take(number, recorded) is None, f"world {seed}, step {number}"

    step(0, [Started(False)])
    for number in range(1, STEPS):
        world.pass_time(engine)
        step(number, [given for given in world.take(engine) if not isinstance(given, CharterReplaced)])
        world.charter = engine.charter
        while (wake := engine.next_wake()) is not None and wake <= world.now:
            step(number, [])
    assert {WindowsBegan, PartitionsUsed} <= opened
