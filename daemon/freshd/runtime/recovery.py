"""An engine as it was when the last life ended: the checkpoint's rows, then the records after it.

It takes time by the number of assets and the records since the last checkpoint, never by the length of
history. It decides nothing: `Engine.apply` folds, and what was requested and not confirmed is asked for
again by the loop.
"""

from __future__ import annotations

import gc
from dataclasses import dataclass

from freshd.core.engine import Engine
from freshd.model.policy import Charter
from freshd.ports import Journal
from freshd.runtime import memory


@dataclass(frozen=True, slots=True)
class Recovered:
    """The engine, and what it was made from."""

    engine: Engine
    records: int
    """Records folded after the checkpoint."""


def recover(charter: Charter, journal: Journal) -> Recovered:
    """Make the engine for this charter and bring it to where the journal ends.

    The garbage collector is off meanwhile, and leaves what was built alone from then on.
    """
    collecting = gc.isenabled()
    gc.disable()
    try:
        engine = Engine(charter)
        count = bring_up(engine, journal)
    finally:
        if collecting:
            gc.enable()
    memory.settle()
    return Recovered(engine, count)


def bring_up(engine: Engine, journal: Journal) -> int:
    """Bring an engine that knows only its charter to where the journal ends; the number of records folded."""
    rows, records = journal.recover()
    engine.restore(rows)
    count = 0
    for record in records:
        engine.apply(record)
        count += 1
    return count
