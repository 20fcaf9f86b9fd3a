"""`make bench-deadlines`: how late verdicts change, and what comes of 100,000 deadlines at one instant.

150,000 assets under one policy, SQLite with durable commits, 100 events/s all the while. First verdicts turn two by
two, an instant of its own for each two; then 100,000 at 09:00. These are 1,000 sources with 99 tables below each, as
connectors bring them; `--below 1` makes every second asset a cause of its own, with an incident of its own. "Late" is
from the instant until the change is durable; an event waits from when it is handed in until it is durable. All of it
is done three times, each with a store of its own, and each figure is the median of the three.
"""

from __future__ import annotations

import argparse
import sqlite3
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

from bench.measure import Goal, conclude, median, percentile, rounded, rss_mb
from bench.rig import Rig, rig
from bench.world import charter, downstream, source
from freshd.model.inputs import Event, EventKind
from freshd.model.records import Record, VerdictChanged
from freshd.model.time import HOUR, SECOND, Instant

CHUNK = 1_000
PER_SECOND = 100
SPACING = SECOND // 100
"""Between two of the instants that come one by one; two verdicts change at each."""


class Watch:
    """What became of the verdicts: in which order, in slices of how many, how late."""

    def __init__(self, daemon: Rig) -> None:
        self._clock = daemon.clock
        self.due: dict[str, Instant] = {}
        """The instant at which each watched asset is to turn stale."""
        self.late: list[int] = []
        self.order: list[tuple[Instant, str]] = []
        self.slices: list[int] = []
        daemon.on_step = self._step

    def forget(self) -> None:
        """Begin anew."""
        self.late, self.order, self.slices = [], [], []

    def _step(self, now: Instant, records: Sequence[Record]) -> None:
        found = [one.asset for one in records if type(one) is VerdictChanged and one.asset in self.due]
        if not found:
            return
        at = self._clock.now()
        self.late += [at - self.due[asset] for asset in found]
        self.order += [(self.due[asset], asset) for asset in found]
        self.slices.append(len(found))


class Sender(threading.Thread):
    """Hands in 100 events/s, to assets that are not watched, and notes how long each waits."""

    def __init__(self, daemon: Rig, numbers: range) -> None:
        super().__init__(name="sender", daemon=True)
        self._daemon, self._numbers = daemon, numbers
        self._ended = threading.Event()
        self.waits_us: list[float] = []

    def run(self) -> None:
        """Send until told to stop."""
        sent, begun = 0, time.monotonic()
        while not self._ended.wait(max(0.0, begun + sent / PER_SECOND - time.monotonic())):
            number = self._numbers[sent * 7 % len(self._numbers)]
            now, handed_in = self._daemon.clock.now(), time.perf_counter_ns()
            one = Event(EventKind.UPDATE, (source(number),), now, id=f"s{sent}", source="bench", data_time=now)
            self._daemon.put([one], lambda t=handed_in: self.waits_us.append((time.perf_counter_ns() - t) / 1e3))
            sent += 1

    def stop(self) -> None:
        """Send no more."""
        self._ended.set()
        self.join()


@contextmanager
def sending(daemon: Rig, numbers: range) -> Iterator[Sender]:
    """Events come in while the block runs."""
    sender = Sender(daemon, numbers)
    sender.start()
    try:
        yield sender
    finally:
        sender.stop()


def family(number: int, below: int) -> Iterator[str]:
    """A source and what is made from it."""
    yield source(number)
    for nth in range(below):
        yield downstream(number, nth)


def updates(numbers: Sequence[int], below: int, data_times: Sequence[Instant], now: Instant) -> Iterator[Event]:
    """A new version of each of these sources and of what is made from it."""
    for number, time_ in zip(numbers, data_times, strict=True):
        first, *others = family(number, below)
        yield Event(EventKind.UPDATE, (first,), now, source="bench", data_time=time_)
        for key in others:
            yield Event(EventKind.UPDATE, (key,), now + 1, source="bench", started_at=now + 1)


def fill(daemon: Rig, numbers: range, below: int, data_times: Sequence[Instant]) -> None:
    """Give these families data of these ages, durably."""
    given = updates(numbers, below, data_times, daemon.clock.now())
    while some := list(islice(given, CHUNK)):
        daemon.put_and_wait(some, 60)


def one_by_one(daemon: Rig, watch: Watch, numbers: range, quiet: range) -> dict[str, Any]:
    """Pairs whose verdicts turn at instants of their own."""
    begin = daemon.clock.now() + 5 * SECOND
    instants = [begin + n * SPACING for n in range(len(numbers))]
    fill(daemon, numbers, 1, [at - HOUR for at in instants])
    watch.due = {key: at for n, at in zip(numbers, instants, strict=True) for key in family(n, 1)}
    watch.forget()
    with sending(daemon, quiet) as sender:
        _wait_for(lambda: len(watch.late) >= len(watch.due), instants[-1] - daemon.clock.now())
    late_ms = [late / 1e3 for late in watch.late]
    waits_ms = [wait / 1e3 for wait in sender.waits_us]
    return {
        "late_ms_p50": percentile(late_ms, 0.5), "late_ms_p99": percentile(late_ms, 0.99), "late_ms_max": max(late_ms),
        "changes": len(late_ms), "wait_ms_p99": percentile(waits_ms, 0.99), "wait_ms_max": max(waits_ms),
    }  # fmt: skip


def at_once(daemon: Rig, watch: Watch, numbers: range, below: int, quiet: range) -> dict[str, Any]:
    """All of these families turn at one instant."""
    due = [key for n in numbers for key in family(n, below)]
    at = (daemon.clock.now() // SECOND + 6 + len(due) // 5_000) * SECOND
    fill(daemon, numbers, below, [at - HOUR] * len(numbers))
    watch.due = dict.fromkeys(due, at)
    watch.forget()
    left_s = (at - daemon.clock.now()) / SECOND
    if left_s < 0.5:
        raise RuntimeError("this machine is too slow: the deadline came before all assets had their data")
    time.sleep(left_s - 0.5)
    with sending(daemon, quiet) as sender:
        _wait_for(lambda: len(watch.late) >= len(watch.due), at - daemon.clock.now())
        time.sleep(0.5)
    waits_ms = [wait / 1e3 for wait in sender.waits_us]
    return {
        "took_s": max(watch.late) / SECOND, "in_order": watch.order == sorted(watch.order),
        "slices": len(watch.slices), "largest_slice": max(watch.slices), "at_once": len(due), "causes": len(numbers),
        "events_at_once": len(waits_ms), "wait_at_once_ms_p50": percentile(waits_ms, 0.5),
        "wait_at_once_ms_p99": percentile(waits_ms, 0.99), "wait_at_once_ms_max": max(waits_ms),
    }  # fmt: skip


def _wait_for(done: Any, expected: Instant) -> None:
    limit = time.monotonic() + max(0, expected) / SECOND + 120
    while not done():
        if time.monotonic() > limit:
            raise RuntimeError("verdicts did not change within two minutes of their instant")
        time.sleep(0.05)


def insert_s(folder: Path, rows: int) -> float:
    """Seconds to insert so many verdict changes durably into a table of SQLite, a thousand at a time."""
    connection = sqlite3.connect(folder / "bare.db", isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("CREATE TABLE v (id INTEGER PRIMARY KEY, at, policy, asset, partition, old, new, measure)")
    connection.execute("CREATE INDEX v_asset ON v (asset, at)")
    now, begun = time.time_ns() // 1_000, time.perf_counter()
    for first in range(0, rows, CHUNK):
        found = [(now, "p", source(n), "", "fresh", "stale", "lag") for n in range(first, min(first + CHUNK, rows))]
        connection.execute("BEGIN")
        connection.executemany(
            "INSERT INTO v (at, policy, asset, partition, old, new, measure) VALUES (?, ?, ?, ?, ?, ?, ?)", found
        )
        connection.execute("COMMIT")
    took = time.perf_counter() - begun
    connection.close()
    (folder / "bare.db").unlink()
    return took


def played(given: argparse.Namespace) -> dict[str, Any]:
    """The figures of one daemon's life, with a store of its own."""
    mass = given.at_once // (1 + given.below)
    sources = mass + (given.assets - given.at_once) // 2
    turning, quiet = range(mass, mass + given.turning), range(mass + given.turning, sources)
    with tempfile.TemporaryDirectory(prefix="freshd-bench-") as name:
        inserts = [insert_s(Path(name), given.at_once)]
        with rig(
            f"sqlite:///{name}/freshd.db", charter(sources, eager=False, wide=mass, below=given.below), None
        ) as daemon:
            watch = Watch(daemon)
            fill(daemon, quiet, 1, [daemon.clock.now()] * len(quiet))
            figures = one_by_one(daemon, watch, turning, quiet)
            figures |= at_once(daemon, watch, range(mass), given.below, quiet)
            figures["mb"] = rss_mb()
        inserts.append(insert_s(Path(name), given.at_once))
    figures["insert_s"] = sum(inserts) / len(inserts)
    figures["by_inserting"] = figures["took_s"] / figures["insert_s"]
    return figures


def main() -> int:
    """Measure, print the goals and the line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--assets", type=int, default=150_000)
    parser.add_argument("--at-once", type=int, default=100_000)
    parser.add_argument("--below", type=int, default=99, help="tables below each source of those that turn at once")
    parser.add_argument("--turning", type=int, default=1_000, help="pairs that turn one by one, 100 a second")
    parser.add_argument(
        "--rounds", type=int, default=3, help="lives of the daemon; each figure is the median of theirs"
    )
    given = parser.parse_args()
    rounds = [played(given) for _ in range(given.rounds)]
    figures = {name: median([one[name] for one in rounds]) for name in rounds[0]}
    figures["in_order"], figures["mb"] = min(one["in_order"] for one in rounds), rounds[0]["mb"]
    goals = [
        Goal("ms from the instant of a verdict's change until it is durable, p99", figures["late_ms_p99"], 100),
        Goal("deadlines at one instant, by inserting as many rows", figures["by_inserting"], 20),
        Goal("ms that an event waits meanwhile, the longest", figures["wait_at_once_ms_max"], 50),
        Goal("judged in order of instant, then key", float(figures["in_order"]), 1, at_least=True),
    ]
    return conclude("deadlines", goals, {name: rounded(value) for name, value in figures.items()})


if __name__ == "__main__":
    raise SystemExit(main())
