"""An engine whose life can be ended at any step, and begun again from what a journal would have kept.

`Life` keeps checkpoint rows as JSON, merged as a journal merges them, and the records written after the last
of them. `recovered` makes an engine from these alone.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import orjson

from freshd.core.engine import Engine
from freshd.core.step import Step
from freshd.model.inputs import Input, Started
from freshd.model.policy import Charter
from freshd.model.records import GraphReplaced, Record
from freshd.model.time import Instant


class Life:
    """One engine with its journal."""

    def __init__(self, charter: Charter, now: Instant) -> None:
        self.engine = Engine(charter)
        self.kept: dict[tuple[str, str], bytes] = {}
        self.since: list[Record] = []
        self.step(now, [Started(False)])

    def step(self, now: Instant, inputs: Sequence[Input]) -> list[Step]:
        """A step, and those that the engine asks for at the same instant."""
        steps = [self.one(now, inputs)]
        while (wake := self.engine.next_wake()) is not None and wake <= now:
            steps.append(self.one(now, []))
        return steps

    def one(self, now: Instant, inputs: Sequence[Input]) -> Step:
        """A single step, with the checkpoint that the loop takes after a new charter."""
        step = self.engine.step(now, inputs)
        self.since += step.records
        if any(isinstance(record, GraphReplaced) for record in step.records):
            self.checkpoint()
        return step

    def checkpoint(self) -> None:
        """Keep what changed; the records so far are folded into it."""
        for kind, key, value in self.engine.changed_state():
            if value is None:
                self.kept.pop((kind, key), None)
            else:
                self.kept[kind, key] = orjson.dumps(value)
        self.engine.checkpointed()
        self.since.clear()

    def restart(self, now: Instant, charter: Charter, catching_up: bool) -> None:
        """The process ends, and another begins with what was kept; the files may have changed meanwhile."""
        self.engine = self.recovered(charter)
        self.step(now, [Started(catching_up)])

    def recovered(self, charter: Charter | None = None) -> Engine:
        """An engine made from what was kept alone."""
        engine = Engine(charter or self.engine.charter)
        engine.restore((kind, key, orjson.loads(value)) for (kind, key), value in self.kept.items())
        for record in self.since:
            engine.apply(record)
        return engine


def picture(engine: Engine, now: Instant) -> dict[str, Any]:
    """Everything an engine answers."""
    told: dict[str, Any] = {
        "announced": engine.announced,
        "catching up": engine.catching_up,
        "incidents": engine.incidents(),
        "unconfirmed": sorted(repr(effect) for effect in engine.unconfirmed()),
    }
    for key in engine.charter.graph.assets:
        for word, value in dataclasses.asdict(engine.assess(key, now)).items():
            if word != "next_launch":  # a lower bound, made anew when the row is looked at
                told[f"{key} {word}"] = value
    return told


def differences(one: dict[str, Any], other: dict[str, Any]) -> list[str]:
    """Where two pictures differ."""
    words = [word for word in {**one, **other} if one.get(word) != other.get(word)]
    return [f"{word}: {one.get(word)}, not {other.get(word)}" for word in words]
