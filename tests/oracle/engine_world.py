"""The same small worlds played through the engine, step by step: no loop, no journal, no performer.

What the engine asks for is carried out as the scenario says, outcomes come back as reports, and notices
are delivered at once. It gives the same answers as `playing` gives for the oracle.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import groupby
from pathlib import Path
from typing import Any

from tests.oracle.nodes import base, node_key
from tests.oracle.reading import Line, Scenario

from freshd.core.engine import Engine
from freshd.documents import Document
from freshd.model.asset import AssetKey
from freshd.model.effects import LaunchRun, SendNotice
from freshd.model.inputs import Input, NoticeReport, RunPhase, RunReport, Started, Wish
from freshd.model.policy import Charter
from freshd.model.records import Record
from freshd.model.time import FOREVER, Instant
from freshd.scenarios import read_scenario


def charter_of(document: Mapping[str, Any]) -> Charter:
    """What a document says, by the daemon's own reading."""
    without_story = {**document, "runs": {}, "timeline": [{"at": "0s", "expect": {}}]}
    return read_scenario(Document(without_story, "generated"), Path()).charter


def wish_of(line: Line) -> Wish:
    """A wish as the daemon is told it: the assets, and the partitions of those that have any."""
    assert line.wish is not None
    keys = tuple(dict.fromkeys(base(key) for key in line.wish.keys))
    partitions = dict.fromkeys(key[len(base(key)) + 1 : -1] for key in line.wish.keys if key != base(key))
    return Wish(f"wish-{line.order}", keys, "", tuple(partitions), line.wish.parallel)


class EngineWorld:
    """An engine, a virtual clock, and runs that go as the scenario says."""

    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario
        self.engine = Engine(charter_of(scenario.document))
        self.now = scenario.start
        self.records: list[Record] = []
        self.launched: list[tuple[Instant, AssetKey]] = []
        self._counts: dict[AssetKey, int] = {}
        self._reports: list[tuple[Instant, int, RunReport]] = []
        self._order = 0
        self.step([Started(catching_up=False)])

    def next_instant(self) -> Instant:
        wake = self.engine.next_wake()
        return min(FOREVER if wake is None else wake, *(r[0] for r in self._reports), FOREVER)

    def advance(self, until: Instant) -> None:
        """Play everything up to and at `until`."""
        while (following := self.next_instant()) <= until:
            self.now = max(self.now, following)
            self.step([])
        self.now = until

    def take(self, at: Instant, inputs: list[Input]) -> None:
        """Play up to just before `at`; then these come together with whatever else happens then."""
        self.advance(at - 1)
        self.now = at
        self.step(inputs)

    def step(self, inputs: list[Input]) -> None:
        """One step, and what follows from it at the same instant."""
        for _ in range(100):
            reports = [r[2] for r in sorted(self._reports, key=lambda r: r[:2]) if r[0] <= self.now]
            self._reports = [r for r in self._reports if r[0] > self.now]
            step = self.engine.step(self.now, [*reports, *inputs])
            self.records += step.records
            inputs = []
            for effect in step.effects:
                if isinstance(effect, LaunchRun):
                    self._launch(effect)
                elif isinstance(effect, SendNotice):
                    self._report(self.now, NoticeReport(effect.notice.notice_id, self.now, True, "handle"))
            if not any(r[0] <= self.now for r in self._reports) and (self.engine.next_wake() or FOREVER) > self.now:
                return
        raise AssertionError(f"the engine does not come to rest at {self.now}")

    def _launch(self, run: LaunchRun) -> None:
        for key in run.assets:
            count = self._counts.get(key, 0)
            self._counts[key] = count + 1
            self.launched.append((self.now, node_key(key, run.partition)))
            way = self.scenario.behaves(key, count)
            end = self.now + way.takes
            phase = RunPhase.SUCCEEDED if way.succeeds else RunPhase.FAILED
            self._report(end, RunReport(run.run_id, phase, end, key, self.now, changed=way.changed))
            self._report(end, RunReport(run.run_id, RunPhase.FINISHED, end))

    def _report(self, at: Instant, report: Any) -> None:
        self._order += 1
        self._reports.append((at, self._order, report))

    def value(self, key: AssetKey, word: str) -> Any:
        """One named value of an asset, as the engine has it."""
        asset = base(key)
        found = self.engine.assess(asset, self.now, key[len(asset) + 1 : -1])
        if word == "runs":
            return found.runs_started
        value = getattr(found, word)
        return value.value if word == "verdict" and value is not None else value

    def launched_keys(self) -> list[AssetKey]:
        return [key for _, key in sorted(self.launched)]

    def incidents(self) -> list[dict[str, Any]]:
        found = self.engine.incidents()
        return [{"cause": x.cause, "reason": x.reason, "affects": list(x.affects)} for x in found]


def play_engine(scenario: Scenario) -> Iterator[tuple[Line, EngineWorld]]:
    """The world at each `expect`, with its line."""
    world = EngineWorld(scenario)
    for at, lines_at in groupby(scenario.lines, key=lambda line: line.at):
        lines = list(lines_at)
        inputs: list[Input] = []
        for line in lines:
            if line.event is not None:
                inputs.append(line.event)
            elif line.wish:
                inputs.append(wish_of(line))
            elif line.said is not None:
                inputs.append(line.said)
        if inputs:
            world.take(at, inputs)
        world.advance(at)
        for line in lines:
            if line.expect is not None:
                yield line, world
