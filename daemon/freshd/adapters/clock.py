"""The system's clock: the only place in freshd that reads the time.

It keeps true: `now()` never goes back, also when the system's clock is set back or two threads ask at
once; then time stands still until the system has caught up.
"""

from __future__ import annotations

import threading
import time

from freshd.model.time import Instant


class SystemClock:
    """ports.Clock over the system's real-time clock."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._last = 0

    def now(self) -> Instant:
        """Microseconds since 1970; never earlier than what it said before."""
        reading = time.time_ns() // 1_000
        with self._lock:
            if reading < self._last:
                return self._last
            self._last = reading
            return reading
