"""A command: the worker becomes it."""

from __future__ import annotations

import os
import signal
import sys
from typing import Any

from .supervise import Tell


def warm(options: dict[str, Any]) -> None:
    """Nothing to import."""


def work(request: dict[str, Any], tell: Tell) -> int:
    """Replace this process by `argv`; its exit status is the outcome."""
    argv = request["argv"]
    for number in (signal.SIGPIPE, signal.SIGXFSZ, signal.SIGINT):  # python has its own ideas of these
        signal.signal(number, signal.SIG_DFL)
    try:
        os.execvp(argv[0], argv)
    except OSError as error:
        sys.stderr.write(f"cannot run {argv[0]!r}: {error.strerror}\n")
    return 127
