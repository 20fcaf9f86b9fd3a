"""What kafka-python says in its log: the reasons that its exceptions leave out, and far too many lines.

A broker that is gone makes it write a dozen lines a second; each kind of line goes on to the daemon's log once a
minute. Why a connection failed (a certificate, a name, a refused password) is told there only, so the last such reason
is kept for the message that people see.
"""

from __future__ import annotations

import logging
import re
import threading
from typing import Final

from kafka.errors import KafkaTimeoutError

LINE_EVERY_S: Final = 60.0
"""How often a kind of line (a logger and its template) is let through."""

KINDS_REMEMBERED: Final = 500

REASON_AGE_S: Final = 30.0
"""A reason older than this belongs to another trouble."""

_REASON = re.compile(r"[Cc]onnection (?:to \S+ )?(?:failed|lost): (?P<reason>.+?)(?: \(backoff .*)?$", re.DOTALL)
_CLOSED: Final = "socket disconnected"
_CLOSED_HINT: Final = " (brokers close connections at once if they refuse the user, the password or the protocol)"


class VendorLog(logging.Handler):
    """The only handler of the logger `kafka`."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self._last: dict[tuple[str, str], float] = {}
        self._reason = ""
        self._reason_at = 0.0
        self._newest = 0.0

    def emit(self, record: logging.LogRecord) -> None:
        """Keep the reason in it, and let it through if its kind was not seen lately."""
        self._newest = record.created
        found = _REASON.search(record.getMessage())
        if found is not None:
            self._reason, self._reason_at = found["reason"], record.created
        kind = (record.name, str(record.msg))
        if record.created - self._last.get(kind, 0.0) >= LINE_EVERY_S:
            if len(self._last) >= KINDS_REMEMBERED:
                self._last.clear()
            self._last[kind] = record.created
            root = logging.getLogger()
            if root.isEnabledFor(record.levelno):
                root.handle(record)

    def reason(self) -> str:
        """Why connections failed lately, or empty; ends in what that may mean, where it is known."""
        if not self._reason or self._newest - self._reason_at > REASON_AGE_S:
            return ""
        return self._reason + (_CLOSED_HINT if _CLOSED in self._reason else "")


_installing = threading.Lock()


def vendor_log() -> VendorLog:
    """The handler, in place from now on."""
    with _installing:
        logger = logging.getLogger("kafka")
        for handler in logger.handlers:
            if isinstance(handler, VendorLog):
                return handler
        handler = VendorLog()
        logger.handlers[:] = [handler]
        logger.propagate = False
        logger.setLevel(logging.WARNING)
        logging.getLogger("kafka.net.selector").setLevel(logging.ERROR)  # it warns of every busy moment
        return handler


def told(error: BaseException) -> str:
    """An error with the reason that it leaves out."""
    text = str(error)
    if not text.startswith(type(error).__name__):
        text = f"{type(error).__name__}: {text}"
    reason = vendor_log().reason() if isinstance(error, KafkaTimeoutError) else ""
    return f"{text}: {reason}" if reason else text
