"""A daemon's store in a process of its own, to be killed or to run out of disk: `store_victim.py URL flood|disk`."""

from __future__ import annotations

import resource
import sys
from pathlib import Path

from freshd.adapters.sql import SqlStore, StoreSettings
from freshd.model.errors import TransientError
from freshd.model.inputs import Event, EventKind
from freshd.model.records import EventTaken

NOW = 1_700_000_000_000_000
EACH = 250
"""Records in an append; all of one append carry its number."""


def records(number: int) -> list[EventTaken]:
    """The records of an append."""
    return [EventTaken(NOW + number, Event(EventKind.UPDATE, (f"a{i}",), NOW + number)) for i in range(EACH)]


def flood(store: SqlStore) -> None:
    """Append until killed, telling each number once it is durable; now and then take a checkpoint."""
    done = int(store.positions().get("s", "0"))
    for number in range(done + 1, 1_000_000):
        store.append(records(number), {"s": str(number)})
        print(number, flush=True)
        if number % 7 == 0:
            store.checkpoint([("upto", "", number)])


def disk(store: SqlStore, file: Path) -> None:
    """Append until the disk is full, tell what was said, get more disk, and append the same again."""
    limit = max(path.stat().st_size for path in file.parent.iterdir()) + 400_000
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
    for number in range(1, 1_000):
        try:
            store.append(records(number), {"s": str(number)})
        except TransientError as error:
            print(error, flush=True)
            break
    else:
        print("the disk never filled", flush=True)
        return
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    store.append(records(number), {"s": str(number)})
    print(number, flush=True)


if __name__ == "__main__":
    url, what = sys.argv[1:]
    victim = SqlStore(StoreSettings.model_validate(url))
    victim.open()
    flood(victim) if what == "flood" else disk(victim, Path(url.removeprefix("sqlite:///")))
