"""`make bench-core`: what the engine takes for an event, beside what json.loads takes for its bytes.

Handling is `Engine.step` alone: an update of a source under a policy, which makes its one downstream due and
launches it. The runs' outcomes are reported outside the measured part.
"""

from __future__ import annotations

import argparse
import json
import random
from collections.abc import Callable, Sequence

from bench.measure import Goal, conclude, cost_us, in_own_process, in_turn, median, rounded
from bench.world import START, charter, event, event_bytes, payload, source
from freshd.core.engine import Engine
from freshd.model.effects import LaunchRun
from freshd.model.inputs import Event, RunPhase, RunReport
from freshd.model.time import SECOND, Instant
from freshd.runtime import memory

BATCH = 500
SMALL = 1_000
LARGE = 100_000


class Subject:
    """An engine over many assets, to whose sources one batch of events after the other is sent."""

    def __init__(self, assets: int, targets: Callable[[int], Sequence[int]], eager: bool = True) -> None:
        """`targets`: the sources that the n-th batch updates."""
        self.engine = Engine(charter(assets // 2, eager))
        self.now: Instant = START
        self._targets = targets
        self._batch = 0
        self._metadata = payload(source(0), START, "x")["metadata"]
        for number in range(0, assets // 2, BATCH):
            self._step(self._events(range(number, min(number + BATCH, assets // 2))))

    def batch_us(self) -> float:
        """CPU microseconds an event, all in one step."""
        events = self._next()
        cost = cost_us(lambda: self._step(events, finish=False), len(events))
        self._finish()
        return cost

    def alone_us(self) -> float:
        """CPU microseconds an event, each in a step of its own."""
        events = self._next()

        def each() -> None:
            for one in events:
                self._step((one,), finish=False)

        cost = cost_us(each, len(events))
        self._finish()
        return cost

    def _next(self) -> list[Event]:
        self._batch += 1
        self.now += SECOND
        return self._events(self._targets(self._batch))

    def _events(self, numbers: Sequence[int]) -> list[Event]:
        name = f"{self._batch}-"
        return [event(source(n), self.now, f"{name}{n}", dict(self._metadata)) for n in numbers]

    def _step(self, events: Sequence[Event], finish: bool = True) -> None:
        self.engine.step(self.now, events)
        if finish:
            self._finish()

    def _finish(self) -> None:
        """Report success for every run that was asked for."""
        self.now += SECOND
        reports: list[RunReport] = []
        for effect in self.engine.unconfirmed():
            if isinstance(effect, LaunchRun):
                reports += [
                    RunReport(effect.run_id, phase, self.now) for phase in (RunPhase.SUCCEEDED, RunPhase.FINISHED)
                ]
        self.engine.step(self.now, reports)
        for _ in self.engine.changed_state():
            pass  # as a checkpoint would
        self.engine.checkpointed()


def loads_us() -> float:
    """CPU microseconds that json.loads takes for the event."""
    raw = [event_bytes(source(n), START, f"sync-{n}") for n in range(BATCH)]

    def work() -> None:
        for one in raw:
            json.loads(one)

    return cost_us(work, BATCH)


def first_500(_: int) -> Sequence[int]:
    """Always the same sources."""
    return range(BATCH)


def anywhere(assets: int) -> Callable[[int], Sequence[int]]:
    """Other sources in each batch, all over the graph."""
    order = list(range(assets // 2))
    random.Random(7).shuffle(order)

    def targets(batch: int) -> Sequence[int]:
        start = batch * BATCH % len(order)
        return (order + order)[start : start + BATCH] if start + BATCH > len(order) else order[start : start + BATCH]

    return targets


def main() -> int:
    """Measure all, print each goal and the line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--no-memory", action="store_true", help="leave out the parts that need a minute and 1.2 GB")
    given = parser.parse_args()
    small = Subject(SMALL, first_500)
    manual = Subject(SMALL, first_500, eager=False)
    large = Subject(LARGE, first_500)
    spread = Subject(LARGE, anywhere(LARGE))
    memory.settle()
    costs = in_turn(
        given.rounds, loads_us, small.batch_us, small.alone_us, manual.batch_us, large.batch_us, spread.batch_us
    )
    loads, batch, alone, without_launch, same, all_over = map(median, costs)
    goals = [
        Goal("event in a batch of 500, in json.loads of it", batch / loads, 3),
        Goal("event alone, in json.loads of it", alone / loads, 5),
        Goal("event at 100,000 assets, the same 500 of them, by one at 1,000", same / batch, 1.5),
        Goal(
            "event at 100,000 assets, all of them: more than one at 1,000, in json.loads", (all_over - batch) / loads, 2
        ),
    ]
    figures = {
        "json_loads_us": loads, "batch_us": batch, "alone_us": alone, "batch_without_launch_us": without_launch,
        "large_same_500_us": same, "large_all_us": all_over,
    }  # fmt: skip
    if not given.no_memory:
        for assets, entries, limit in ((100_000, 16, 300), (1_000_000, 3, 1_200)):
            held = in_own_process("bench.memory", str(assets), str(entries))
            goals.append(Goal(f"MB for {assets:,} assets with {entries} history entries each", held["rss_mb"], limit))
            figures[f"mb_{assets}"] = held["rss_mb"]
    return conclude("core", goals, {name: rounded(value) for name, value in figures.items()})


if __name__ == "__main__":
    raise SystemExit(main())
