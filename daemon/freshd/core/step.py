"""What one step of the engine yields."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from freshd.model.effects import Effect
from freshd.model.records import Record

Emit = Callable[[Record], None]
"""Makes a record a fact: it counts at once, and is among what the step yields."""


@dataclass(frozen=True, slots=True)
class Step:
    """Durable facts in order, and what to do once they are durable."""

    records: tuple[Record, ...] = ()
    effects: tuple[Effect, ...] = ()
