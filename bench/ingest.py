"""`make bench-ingest`: events a second from Kafka through decode, step and durable commit.

Beside it, in turn, a bare kafka-python consumer with orjson.loads of each message, over the same topic of the
same broker. 1,000 sources, each with a lag policy and one manual downstream; SQLite decides, PostgreSQL is told.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from tests.broker.recipe import Broker

from bench.measure import Goal, conclude, in_own_process, median, rounded
from bench.postgres import postgres
from bench.rig import rig
from bench.world import charter
from freshd.adapters.kafka import KafkaSettings

SOURCES = 1_000
LIMIT_S = 300


def take_in(store: str, address: str, topic: str, count: int) -> dict[str, Any]:
    """Let a daemon read the topic from its start; events a second from its first step to the last."""
    settings = KafkaSettings.model_validate({"bootstrap_servers": [address], "topics": {topic: {}}, "group_id": ""})
    with rig(store, charter(SOURCES, eager=False, policy_on_downstream=False), settings) as daemon:
        started = time.perf_counter()
        while not daemon.taken:
            if time.perf_counter() - started > LIMIT_S:
                raise RuntimeError("nothing was taken in")
            time.sleep(0.001)
        first, begun = daemon.taken, time.perf_counter()
        while daemon.taken < count:
            if time.perf_counter() - begun > LIMIT_S:
                raise RuntimeError(f"only {daemon.taken} of {count} events were taken in")
            time.sleep(0.005)
        return {"per_second": (daemon.taken - first) / (time.perf_counter() - begun)}


def main() -> int:
    """Measure in turn, print the goal and the line of JSON."""
    if sys.argv[1:2] == ["--take-in"]:
        print(json.dumps(take_in(*sys.argv[2:5], int(sys.argv[5]))))
        return 0
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--events", type=int, default=150_000)
    given = parser.parse_args()
    count = str(given.events)
    bare, sqlite, postgresql = [], [], []
    with tempfile.TemporaryDirectory(prefix="freshd-bench-") as folder:
        broker = Broker(Path(folder) / "kafka", tied=True)
        address = broker.start()
        try:
            in_own_process("bench.kafka_ends", "create", address, "events")
            in_own_process("bench.kafka_ends", "fill", address, "events", count, str(SOURCES))
            for number in range(given.rounds):
                bare.append(in_own_process("bench.kafka_ends", "drain", address, "events", count)["per_second"])
                store = f"sqlite:///{folder}/{number}.db"
                sqlite.append(
                    in_own_process("bench.ingest", "--take-in", store, address, "events", count)["per_second"]
                )
            with postgres(Path(folder)) as url:
                if url:
                    told = in_own_process("bench.ingest", "--take-in", url, address, "events", count)
                    postgresql.append(told["per_second"])
        finally:
            broker.kill()
    share = median(sqlite) / median(bare)
    goals = [Goal("events a second through the daemon, by those of a bare consumer", share, 0.25, at_least=True)]
    figures: dict[str, Any] = {
        "bare_per_second": rounded(median(bare)),
        "sqlite_per_second": rounded(median(sqlite)),
        "postgresql_per_second": rounded(postgresql[0]) if postgresql else None,
        "postgresql_ratio": rounded(postgresql[0] / median(bare)) if postgresql else None,
    }
    return conclude("ingest", goals, figures)


if __name__ == "__main__":
    raise SystemExit(main())
