"""Notices a call into the client library that does not come back, and breaks it off.

kafka-python's poll can spin for ever in Python code once a batch could not be unpacked: such a loop is left by raising
`Hung` inside its thread. A call that does not even react to that is reported; then only a new process helps.
"""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from freshd.model.time import SECOND, Duration, Instant

HANG_AFTER: Final[Duration] = 60 * SECOND
"""A call may take this long: well above every time-out that the client itself has."""

LOOKS: Final = 6
"""How often the watchdog looks within that time."""


class Hung(BaseException):
    """Raised in a thread whose call into the client library did not come back. No `except Exception` catches it."""


@dataclass(slots=True)
class _Call:
    what: str
    since: Instant
    broken_off: bool = False
    told: bool = False


class Watchdog:
    """Watches the calls of the threads that say so, one at a time each."""

    def __init__(
        self, now: Callable[[], Instant], on_hang: Callable[[str], None], after: Duration = HANG_AFTER
    ) -> None:
        self._now = now
        self._on_hang = on_hang
        self._after = after
        self._lock = threading.Lock()
        self._calls: dict[int, _Call] = {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="kafka-watchdog", daemon=True)
        self.hangs = 0

    def start(self) -> None:
        """Begin to watch."""
        self._thread.start()

    def stop(self) -> None:
        """Watch no longer."""
        self._stop.set()

    @property
    def stuck(self) -> str:
        """A call that reacts to nothing; empty while there is none."""
        with self._lock:
            return next((self._complaint(call) for call in self._calls.values() if call.told), "")

    @contextmanager
    def watching(self, what: str) -> Iterator[None]:
        """Around a call that must come back."""
        thread = threading.get_ident()
        with self._lock:
            self._calls[thread] = _Call(what, self._now())
        try:
            yield
        finally:
            with self._lock:
                self._calls.pop(thread, None)

    def forget(self) -> None:
        """The calling thread is in no call: for after a Hung that broke off the leaving of one."""
        with self._lock:
            self._calls.pop(threading.get_ident(), None)

    def _run(self) -> None:
        while not self._stop.wait(self._after / SECOND / LOOKS):
            with self._lock:
                complaints = [self._look(thread, call) for thread, call in self._calls.items()]
            for complaint in filter(None, complaints):
                self._on_hang(complaint)

    def _look(self, thread: int, call: _Call) -> str:
        """Break off what is overdue; what was broken off and is still there is complained about, once."""
        waited = self._now() - call.since
        if waited >= self._after and not call.broken_off:
            call.broken_off = True
            self.hangs += 1
            ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), ctypes.py_object(Hung))
        elif waited >= 2 * self._after and not call.told:
            call.told = True
            return self._complaint(call)
        return ""

    def _complaint(self, call: _Call) -> str:
        waited_s = (self._now() - call.since) // SECOND
        return f"{call.what} did not come back for {waited_s} s and cannot be broken off; restart the daemon"
