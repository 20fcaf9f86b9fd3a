"""`make bench-live`: from producing an event to its run durably requested and the launcher called.

Beside it, in turn, the bare hop: producing, kafka-python has it, one durable commit in SQLite. Both at 100
events a second through a real broker; the daemon's own parts run here, the other ends in their own processes.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.broker.recipe import Broker

from bench.kafka_ends import sent_ns
from bench.measure import ROOT, Goal, conclude, in_own_process, percentile, rounded
from bench.rig import Rig, rig
from bench.world import charter, downstream
from freshd.adapters.kafka import KafkaSettings
from freshd.model.inputs import Event

RATE = 100
SOURCES = 500


def main() -> int:
    """Measure both in turn, print the goals and the line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--events", type=int, default=1_000)
    given = parser.parse_args()
    hops: list[float] = []
    kept: list[float] = []
    launched: list[float] = []
    with tempfile.TemporaryDirectory(prefix="freshd-bench-") as folder:
        broker = Broker(Path(folder) / "kafka", tied=True)
        address = broker.start()
        try:
            settings = KafkaSettings.model_validate({"bootstrap_servers": [address], "topics": {"live": {}}})
            in_own_process("bench.kafka_ends", "create", address, "live")
            with rig(f"sqlite:///{folder}/live.db", charter(SOURCES), settings) as daemon:
                if not daemon.caught_up.wait(60):
                    raise RuntimeError("the daemon did not catch up with its topic within a minute")
                _live(daemon, address, 200)  # warms up
                for number in range(given.rounds):
                    bare = _bare(address, f"bare-{number}", given.events, f"{folder}/bare-{number}.db")
                    hops += bare["had_ms"]
                    kept += bare["kept_ms"]
                    launched += _live(daemon, address, given.events)
        finally:
            broker.kill()
    expected = given.rounds * given.events
    goals = [
        Goal(
            "p50 to the launcher, in p50 of a bare hop and commit", percentile(launched, 0.5) / percentile(kept, 0.5), 3
        ),
        Goal(
            "p99 to the launcher, in p99 of a bare hop and commit",
            percentile(launched, 0.99) / percentile(kept, 0.99),
            4,
        ),
        Goal("share of events that led to a launch", len(launched) / expected, 1, at_least=True),
    ]
    named = {"hop": hops, "hop_and_commit": kept, "launched": launched}
    figures = {
        f"{name}_p{int(q * 100)}_ms": rounded(percentile(v, q)) for name, v in named.items() for q in (0.5, 0.99)
    }
    return conclude("live", goals, figures)


def _bare(address: str, topic: str, count: int, database: str) -> dict[str, list[float]]:
    in_own_process("bench.kafka_ends", "create", address, topic)
    command = [sys.executable, "-m", "bench.kafka_ends", "hop", address, topic, str(count), database]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as reader:
        assert reader.stdout is not None
        reader.stdout.readline()
        in_own_process("bench.kafka_ends", "produce", address, topic, str(count), str(RATE))
        measured: dict[str, list[float]] = json.loads(reader.stdout.read().strip().splitlines()[-1])
    return measured


def _live(daemon: Rig, address: str, count: int) -> list[float]:
    """Milliseconds from producing each event to the launcher's call for it."""
    sent: dict[str, list[int]] = {}

    def note(event: Event) -> None:
        asset = downstream(int(event.assets[0].rpartition("_")[2]))
        sent.setdefault(asset, []).append(sent_ns(event.id))

    called = daemon.launcher.called
    called.clear()
    goal = daemon.taken + count
    daemon.on_event = note
    in_own_process("bench.kafka_ends", "produce", address, "live", str(count), str(RATE))
    limit = time.monotonic() + 30
    while daemon.taken < goal or sum(map(len, called.values())) < count:
        if time.monotonic() > limit:
            break
        time.sleep(0.05)
    daemon.on_event = None
    pairs = [pair for asset, at in sent.items() for pair in zip(at, called.get(asset, ()), strict=False)]
    return [(call - begin) / 1e6 for begin, call in pairs]


if __name__ == "__main__":
    raise SystemExit(main())
