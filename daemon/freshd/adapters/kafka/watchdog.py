"""Notices a call into the client library that does not come back, and breaks it off.

kafka-python's poll can spin for ever in Python code once a batch could not be unpacked: such a loop is left by raising
`Hung` inside its thread. A call that does not even react to that is reported; then only a new process helps.
"""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from freshd.model.time import SECOND, Duration, Instant

HANG_AFTER: Final[Duration] = 60 * SECOND
"""A call may take this long: well above every time-out that the client itself has."""

LOOKS: Final = 6
"""How often the watchdog looks within that time."""


class Hung(BaseException):
    """Raised in a thread whose call into the client library did not come back. No `except Exception` catches it."""


class Watchdog:
    """Watches the calls of one thread."""

    def __init__(
        self, now: Callable[[], Instant], on_hang: Callable[[str], None], after: Duration = HANG_AFTER
    ) -> None:
        self._now = now
        self._on_hang = on_hang
        self._after = after
        self._lock = threading.Lock()
        self._call: tuple[str, Instant, int] | None = None
        self._broken_off = False
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="kafka-watchdog", daemon=True)
        self.hangs = 0
        self.stuck = ""
        """The call that reacts to nothing; empty while there is none."""

    def start(self) -> None:
        """Begin to watch."""
        self._thread.start()

    def stop(self) -> None:
        """Watch no longer."""
        self._stop.set()

    @contextmanager
    def watching(self, call: str) -> Iterator[None]:
        """Around a call that must come back."""
        with self._lock:
            self._call = (call, self._now(), threading.get_ident())
            self._broken_off = False
        try:
            yield
        finally:
            with self._lock:
                self._call = None
                self.stuck = ""

    def _run(self) -> None:
        while not self._stop.wait(self._after / SECOND / LOOKS):
            with self._lock:
                overdue = self._look()
            if overdue:
                self._on_hang(overdue)

    def _look(self) -> str:
        """Break off what is overdue; what was broken off and is still there is returned, once."""
        if self._call is None or self.stuck:
            return ""
        call, since, thread = self._call
        waited = self._now() - since
        if waited < self._after:
            return ""
        if not self._broken_off:
            self._broken_off = True
            self.hangs += 1
            ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), ctypes.py_object(Hung))
            return ""
        if waited < 2 * self._after:
            return ""
        self.stuck = f"{call} did not come back for {waited // SECOND} s and cannot be broken off; restart the daemon"
        return self.stuck
