"""`make bench-scrape`: what a scrape of 150,000 assets x 6 series costs when 1 % of them changed since the last one.

Beside it, in the same run: prometheus-client's renderer for the same series, handed to it ready made, so that nothing
but rendering is counted. Ours counts all: asking the engine, rendering, compressing, joining. Meanwhile a thread looks
every millisecond whether anything else stood still.
"""

from __future__ import annotations

import argparse
import random
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from queue import SimpleQueue
from typing import Any

from prometheus_client import generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector

from bench.measure import Goal, conclude, median, rounded
from bench.world import START, charter, downstream, source
from freshd.adapters.prometheus import DaemonMetrics
from freshd.core.engine import Engine
from freshd.model.inputs import Event, EventKind, Started
from freshd.model.time import MINUTE, SECOND, Instant
from freshd.runtime import memory

ASSETS = 150_000
SERIES = 6
SHARE = 0.01
ROUNDS = 5
GOAL = 0.03
PLAIN_GOAL = 0.10
STALL_MS = 20.0
BEAT_S = 0.001
CHUNK = 1_000


class Loop:
    """An engine on a thread of its own, as in the daemon: steps and questions, one after the other."""

    def __init__(self, pairs: int) -> None:
        self.engine = Engine(charter(pairs, eager=False))
        self.now: Instant = START
        self._work: SimpleQueue[tuple[Callable[[], Any], Future[Any]] | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        self.do(lambda: self.engine.step(self.now, [Started()]))

    def do(self, work: Callable[[], Any]) -> Any:
        """Have it done by the loop's thread."""
        answer: Future[Any] = Future()
        self._work.put((work, answer))
        return answer.result()

    def ask(self, question: Callable[[Any, Instant], Any]) -> Any:
        """As LiveInbox.ask."""
        return self.do(lambda: question(self.engine, self.now))

    def update(self, assets: list[str]) -> None:
        """An update of each, now."""
        self.now += MINUTE
        for first in range(0, len(assets), CHUNK):
            events = [Event(EventKind.UPDATE, (key,), self.now - SECOND) for key in assets[first : first + CHUNK]]
            self.do(lambda events=events: self.engine.step(self.now, events))  # type: ignore[misc]

    def _run(self) -> None:
        while (item := self._work.get()) is not None:
            work, answer = item
            try:
                answer.set_result(work())
            except BaseException as error:
                answer.set_exception(error)


class Beat:
    """Looks every millisecond whether it was let run; keeps how late it was at most."""

    def __init__(self) -> None:
        self.late_ms: list[float] = []
        self._worst = 0.0
        self._over = False
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        while not self._over:
            before = time.monotonic()
            time.sleep(BEAT_S)
            self._worst = max(self._worst, time.monotonic() - before - BEAT_S)

    def during(self, work: Callable[[], Any]) -> Any:
        """Note how late it was at most while this was done."""
        time.sleep(0.02)
        self._worst = 0.0
        found = work()
        self.late_ms.append(self._worst * 1_000)
        return found

    def stop(self) -> None:
        """No more."""
        self._over = True


class Ready(Collector):
    """Families that are built already."""

    def __init__(self, families: list[Metric]) -> None:
        self._families = families

    def collect(self) -> list[Metric]:
        """All of them."""
        return self._families


def theirs(text: str) -> tuple[float, int]:
    """CPU seconds that prometheus-client takes to render these series, and how many they are."""
    families: list[Metric] = []
    count = 0
    for family in text_string_to_metric_families(text):
        if family.name.startswith("freshd_asset_"):
            again = GaugeMetricFamily(family.name, family.documentation)
            again.samples = list(family.samples)
            count += len(again.samples)
            families.append(again)
    ready = Ready(families)
    begun = time.thread_time()
    generate_latest(ready)
    return time.thread_time() - begun, count


def main() -> int:
    """Print the goals and the line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--assets", type=int, default=ASSETS)
    given = parser.parse_args()
    pairs = given.assets // 2
    keys = [key(number) for number in range(pairs) for key in (source, downstream)]
    loop, metrics, chance = Loop(pairs), DaemonMetrics("bench"), random.Random(7)
    loop.update(keys)
    begun = time.process_time()
    first = metrics.scrape(loop.ask)
    first_s = time.process_time() - begun
    memory.settle()
    beat = Beat()
    changed_s: list[float] = []
    same_s: list[float] = []
    for _ in range(ROUNDS):
        numbers = chance.sample(range(pairs), int(pairs * SHARE))  # a source and what is made from it each: both change
        loop.update([key(number) for number in numbers for key in (source, downstream)])
        begun = time.process_time()
        body = beat.during(lambda: b"".join(metrics.scrape(loop.ask).members))
        changed_s.append(time.process_time() - begun)
        begun = time.process_time()
        metrics.scrape(loop.ask)
        same_s.append(time.process_time() - begun)
    beat.stop()
    scraped = metrics.scrape(loop.ask)
    begun = time.process_time()
    text = b"".join(scraped.text())
    plain_s = time.process_time() - begun
    their_s, series = theirs(text.decode())
    ratio = median(changed_s) / their_s
    goals = [
        Goal(f"CPU of a scrape with 1 % changed, by prometheus-client's for {series:,} series", ratio, GOAL),
        Goal("ms that anything else stood still at most (median of the rounds)", median(beat.late_ms), STALL_MS),
        Goal("series that an asset has", series / len(keys), SERIES, at_least=True),
        Goal("CPU of a scrape without compression on top, by prometheus-client's", plain_s / their_s, PLAIN_GOAL),
    ]
    figures = {
        "changed_ms": rounded(median(changed_s) * 1_000), "unchanged_ms": rounded(median(same_s) * 1_000),
        "first_ms": rounded(first_s * 1_000), "plain_more_ms": rounded(plain_s * 1_000),
        "prometheus_client_ms": rounded(their_s * 1_000), "series": series,
        "stood_still_ms": [rounded(late) for late in beat.late_ms],
        "mb_body": rounded(len(body) / 1e6), "mb_text": rounded(len(text) / 1e6),
        "mb_first_body": rounded(sum(map(len, first.members)) / 1e6),
    }  # fmt: skip
    return conclude("scrape", goals, figures)


if __name__ == "__main__":
    raise SystemExit(main())
