"""What a daemon recorded in rough worlds is replayed bit for bit: from the beginning, and from its checkpoints."""

from __future__ import annotations

import json
import pickle
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from tests.sim.simulation import Simulation
from tests.sim.stage import SimJournal, Violation

from freshd.backtest.replay import Difference, Replay
from freshd.core.retelling import is_decision
from freshd.model.policy import Charter
from freshd.model.records import QuietSteps, Record, RunRequested, VerdictChanged

SEEDS = range(24)


class Recorder:
    """The steps of a world that are durable, and what its checkpoints kept."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.steps: list[list[Record]] = []
        self.starts: list[tuple[int, dict[tuple[str, str], bytes]]] = []
        append, checkpoint = SimJournal.append, SimJournal.checkpoint

        def appended(journal: SimJournal, records: Sequence[Record], positions: Any) -> None:
            durable = journal.on_durable

            def told(durably: Sequence[Record]) -> None:
                if durably:
                    self.steps.append([pickle.loads(pickle.dumps(record)) for record in durably])  # noqa: S301
                durable(durably)

            journal.on_durable = told
            try:
                append(journal, records, positions)
            finally:
                journal.on_durable = durable

        def folded(journal: SimJournal, rows: Any) -> None:
            before = list(journal._stage.records)
            try:
                checkpoint(journal, rows)
            finally:
                if before and not journal._stage.records:
                    self.starts.append((len(self.steps), dict(journal._stage.rows)))

        monkeypatch.setattr(SimJournal, "append", appended)
        monkeypatch.setattr(SimJournal, "checkpoint", folded)

    def of(self, seed: int) -> Charter | None:
        """The charter of the world, which has run; None: it has several."""
        self.steps, self.starts = [], []
        world = Simulation(seed)
        charter = world.charter
        if world.later is not None:
            return None
        try:
            world.run()
        except Violation:
            pytest.skip("the simulator's own test tells of this")
        return charter


def replayed(charter: Charter, steps: Sequence[Sequence[Record]], rows: Any = ()) -> tuple[Difference | None, Replay]:
    replay = Replay(charter, rows)
    for number, records in enumerate(steps):
        found = replay.take(number, records)
        if found is not None:
            return found, replay
    return None, replay


@pytest.fixture
def recorder(monkeypatch: pytest.MonkeyPatch) -> Recorder:
    return Recorder(monkeypatch)


@pytest.mark.parametrize("seed", SEEDS)
def test_every_decision_is_come_to_again(recorder: Recorder, seed: int) -> None:
    charter = recorder.of(seed)
    if charter is None:
        return
    found, replay = replayed(charter, recorder.steps)
    assert found is None
    decisions = [record for step in recorder.steps for record in step if is_decision(record)]
    assert replay.tally.decisions == len(decisions) > 0
    for step, rows in recorder.starts[:: max(1, len(recorder.starts) // 5)]:
        state = [(kind, key, json.loads(text)) for (kind, key), text in rows.items()]
        found, _ = replayed(charter, recorder.steps[step:], state)
        assert found is None, f"from the checkpoint before step {step}"


def test_what_was_recorded_otherwise_is_found(recorder: Recorder) -> None:
    """Any decision that is not the recorded one ends the replay at its step; so does one left out or added."""
    charter = next(charter for seed in SEEDS if (charter := recorder.of(seed)) is not None)
    steps = recorder.steps
    places = [(at, n) for at, step in enumerate(steps) for n, record in enumerate(step) if is_decision(record)]
    for at, n in places[:: max(1, len(places) // 12)]:
        step = list(steps[at])
        del step[n]
        found, _ = replayed(charter, [*steps[:at], step, *steps[at + 1 :]])
        assert found is not None and found.step in (at, at + 1)
    at, n, other = next(
        (at, n, replace(record, measure="age" if record.measure != "age" else "lag"))
        for at, step in enumerate(steps)
        for n, record in enumerate(step)
        if isinstance(record, VerdictChanged)
    )
    found, _ = replayed(charter, [*steps[:at], [*steps[at][:n], other, *steps[at][n + 1 :]]])
    assert found is not None
    assert (found.step, found.recorded, found.replayed) == (at, other, steps[at][n])


def test_the_worlds_try_what_they_are_to(recorder: Recorder) -> None:
    kinds: set[type] = set()
    lives = starts = 0
    for seed in SEEDS:
        charter = recorder.of(seed)
        if charter is not None:
            kinds |= {type(record) for step in recorder.steps for record in step}
            lives += replayed(charter, recorder.steps)[1].tally.lives
            starts += len(recorder.starts)
    assert {QuietSteps, RunRequested, VerdictChanged} <= kinds
    assert lives > 2 * len(SEEDS)
    assert starts > 2 * len(SEEDS)
