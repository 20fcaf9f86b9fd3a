"""Whether the daemon is alive, and whether it is ready: for probes, status pages and metrics.

Alive means that the loop turns, or is trying again to write to its store: restarting helps neither a
store nor a broker. Ready means that it has recovered, has taken its first step and can write. Parts
(Kafka, the notifier) tell of themselves through functions; what they tell changes neither.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Any, Final

from freshd.model.errors import TransientError
from freshd.model.time import SECOND, Duration, Instant, format_instant
from freshd.ports import Clock

SILENCE: Final[Duration] = 30 * SECOND
"""How long the loop may give no sign of life before the daemon counts as hung."""

Part = Callable[[], Mapping[str, Any]]


class Health:
    """Signs of life, written by the loop and read by anyone."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._last_turn: Instant | None = None
        self._last_sign: Instant | None = None
        self._trouble = ""
        self._fatal = ""
        self._parts: dict[str, Part] = {}

    # -- written by the loop ---------------------------------------------------------------------

    def beat(self, now: Instant) -> None:
        """The loop has finished a turn: whatever it had trouble with is over."""
        self._last_turn = self._last_sign = now
        self._trouble = ""

    def trouble(self, what: str, error: TransientError) -> None:
        """The store could not be written and is tried again: alive, not ready."""
        self._trouble = f"{what}: {error}"
        self._last_sign = self._clock.now()

    def fatal(self, error: BaseException) -> None:
        """The loop has ended by this error."""
        self._fatal = str(error) or type(error).__name__

    def add_part(self, name: str, part: Part) -> None:
        """Let a part of the daemon tell of itself."""
        with self._lock:
            self._parts[name] = part

    # -- read by anyone --------------------------------------------------------------------------

    @property
    def last_turn(self) -> Instant | None:
        """When the loop last finished a turn; None before the first."""
        return self._last_turn

    def live(self) -> bool:
        """Whether the loop has given a sign of life lately; before its first turn it counts as starting."""
        if self._fatal:
            return False
        return self._last_sign is None or self._clock.now() - self._last_sign < SILENCE

    def ready(self) -> bool:
        """Whether it has recovered, taken its first step and can write."""
        return self.live() and self._last_turn is not None and not self._trouble

    @property
    def over(self) -> bool:
        """Whether the loop has ended by an error: this daemon decides nothing any more."""
        return bool(self._fatal)

    @property
    def held_up(self) -> str:
        """Why the loop answers nobody now: it waits for its store. Empty if it does not."""
        return self._trouble

    def describe(self) -> dict[str, Any]:
        """Everything known, as plain values."""
        with self._lock:
            parts = dict(self._parts)
        return {
            "live": self.live(),
            "ready": self.ready(),
            "last_turn": None if self._last_turn is None else format_instant(self._last_turn),
            "trouble": self._fatal or self._trouble,
            "parts": {name: dict(part()) for name, part in parts.items()},
        }
