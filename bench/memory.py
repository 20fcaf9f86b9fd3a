"""How much memory a process with so many assets and history entries holds: `python -m bench.memory ASSETS ENTRIES`."""

from __future__ import annotations

import gc
import json
import sys

from bench.measure import rss_mb
from bench.world import START, charter, downstream, event, source
from freshd.core.engine import Engine
from freshd.model.inputs import Event, EventKind
from freshd.model.time import MINUTE
from freshd.runtime import memory

BATCH = 2_000


def main() -> int:
    """Build the engine, give every asset its updates, print what the process holds."""
    assets, entries = int(sys.argv[1]), int(sys.argv[2])
    pairs = assets // 2
    base = rss_mb()
    gc.disable()
    engine = Engine(charter(pairs, eager=False, policy_on_downstream=False))
    memory.settle()
    gc.enable()
    built = rss_mb()
    now = START
    for entry in range(entries):
        now += MINUTE
        for first in range(0, pairs, BATCH):
            numbers = range(first, min(first + BATCH, pairs))
            updates = [event(source(n), now, "", None) for n in numbers]
            engine.step(now, updates)
            made = [
                Event(EventKind.UPDATE, (downstream(n),), now + 1, started_at=now, run_id=str(entry)) for n in numbers
            ]
            engine.step(now + 1, made)
            for _ in engine.changed_state():
                pass  # as a checkpoint would
            engine.checkpointed()
    engine.step(now + MINUTE, [])
    gc.collect()
    print(json.dumps({"rss_mb": rss_mb(), "python_mb": base, "built_mb": built}))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
