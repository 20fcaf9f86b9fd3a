"""What the store takes for an event: `python -m bench.store [--postgres]`, CPU of this thread and wall time.

1,000 assets, the event of the benches (1 KB, 25 metadata strings), appends of 500 events and of one, a checkpoint of
1,000 rows after every 50,000 events. Beside it, so that machines can be compared: a bare executemany of the same rows
into a table of SQLite without an index.
"""

from __future__ import annotations

import argparse
import sqlite3
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import orjson

from bench.measure import Goal, conclude, median
from bench.postgres import postgres
from freshd.adapters.sql import SqlStore, StoreSettings
from freshd.adapters.sql.projection import Projector
from freshd.adapters.sql.statements import MATERIALISATION_COLUMNS
from freshd.model.inputs import Event, EventKind
from freshd.model.records import EventTaken

ASSETS = 1_000
NOW = 1_700_000_000_000_000
METADATA = {f"key_{i:02d}": f"value-{i:04d}-abcdefgh" for i in range(24)}


def taken(number: int) -> EventTaken:
    """An event as the engine records it; assets in a fixed disorder."""
    asset = f"warehouse/analytics/source_{number * 7_919 % ASSETS:04d}"
    at = NOW + number * 40
    metadata = {**METADATA, "row_count": number}
    return EventTaken(at, Event(EventKind.UPDATE, (asset,), at, id=f"e{number}", source="kafka/b/0", metadata=metadata))


def appends(store: SqlStore, count: int, size: int) -> dict[str, float]:
    """Append `count` events, `size` at a time; microseconds for an event."""
    cpu = wall = 0
    slowest = 0
    for first in range(0, count, size):
        records = [taken(number) for number in range(first, first + size)]
        cpu_before, wall_before = time.thread_time_ns(), time.perf_counter_ns()
        store.append(records, {"kafka/b/0": str(first + size)})
        if (first + size) % 50_000 == 0:
            store.checkpoint([("asset", f"a{number}", list(range(32))) for number in range(ASSETS)])
        took = time.perf_counter_ns() - wall_before
        cpu += time.thread_time_ns() - cpu_before
        wall += took
        slowest = max(slowest, took)
    return {"cpu_us": cpu / count / 1e3, "wall_us": wall / count / 1e3, "slowest_ms": slowest / 1e6}


def bare(folder: Path, count: int) -> float:
    """CPU microseconds for a row: json of the metadata and executemany into a table without an index."""
    connection = sqlite3.connect(folder / "bare.db", isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    columns = ", ".join(MATERIALISATION_COLUMNS)
    connection.execute(f"CREATE TABLE m (id INTEGER PRIMARY KEY, {columns})")
    statement = f"INSERT INTO m ({columns}) VALUES ({', '.join('?' * len(MATERIALISATION_COLUMNS))})"
    cpu, projector = 0, Projector()
    for first in range(0, count, 500):
        rows: list[tuple[Any, ...]] = projector.project(
            [taken(number) for number in range(first, first + 500)]
        ).materialisations
        metadata = [taken(number).event.metadata for number in range(first, first + 500)]
        before = time.thread_time_ns()
        connection.execute("BEGIN")
        texts = [orjson.dumps(found).decode() for found in metadata]
        connection.executemany(statement, [(*row[:-1], text) for row, text in zip(rows, texts, strict=True)])
        connection.execute("COMMIT")
        cpu += time.thread_time_ns() - before
    connection.close()
    return cpu / count / 1e3


def measured(url: str, count: int) -> dict[str, Any]:
    """Both sizes of append on a new store, and how long the next life takes to open it."""
    store = SqlStore(StoreSettings.model_validate(url))
    store.open()
    figures: dict[str, Any] = {"500": appends(store, count, 500), "1": appends(store, max(200, count // 500), 1)}
    store.close()
    before = time.perf_counter()
    store.open()
    figures["open_again_ms"] = (time.perf_counter() - before) * 1e3
    store.close()
    return figures


def main() -> int:
    """Measure, print the goal and the line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--postgres", action="store_true")
    given = parser.parse_args()
    plain, found = [], []
    for _ in range(given.rounds):
        with tempfile.TemporaryDirectory(prefix="freshd-bench-") as name:
            plain.append(bare(Path(name), given.events // 2))
            found.append(measured(f"sqlite:///{name}/f.db", given.events))
    figures: dict[str, Any] = {"bare_us": median(plain), "sqlite": found}
    if given.postgres:
        with tempfile.TemporaryDirectory(prefix="freshd-bench-") as name, postgres(Path(name)) as url:
            figures["postgresql"] = measured(url, given.events) if url else "not installed"
    ours = median([figure["500"]["cpu_us"] for figure in found])
    goal = Goal("an event appended with its history, by a bare executemany of one row", ours / median(plain), 3.0)
    return conclude("store", [goal], figures)


if __name__ == "__main__":
    sys.exit(main())
