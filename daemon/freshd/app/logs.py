"""Logs: structured, as text for people or JSON for machines, one line each, to standard error.

Vendors' loggers go the same way, from `warning` up. It keeps true: a value whose name says that it is a
secret is never written, nor is the password inside a URL. Times come from the clock.
"""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Callable, Mapping, MutableMapping
from typing import Any, Final, Literal, TextIO

import structlog
from pydantic import SecretBytes, SecretStr

from freshd.model.time import format_instant
from freshd.ports import Clock

HIDDEN: Final = "[hidden]"

LONGEST_VALUE: Final = 4_000
"""Characters of a logged value; the rest is cut."""

_SECRET_NAME = re.compile(r"passw|secret|token|authorization|credential|api_?key|private_key", re.IGNORECASE)
_NOT_SECRET = re.compile(r"_file$", re.IGNORECASE)
_URL_PASSWORD = re.compile(r"(?P<before>[a-z][a-z0-9+.-]*://[^\s:/@]*:)[^\s@/]+(?=@)", re.IGNORECASE)
_BEARER = re.compile(r"\b(Bearer\s+|xox[a-z]-)[A-Za-z0-9._~+/=-]+")

Event = MutableMapping[str, Any]
Level = Literal["debug", "info", "warning", "error"]


def configure_logs(
    clock: Clock, level: Level = "info", format: Literal["text", "json"] = "text", stream: TextIO | None = None
) -> None:
    """Send all logs of this process to `stream` (standard error) from `level` up."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.PositionalArgumentsFormatter(),
        stamp(clock),
        structlog.processors.format_exc_info if format == "json" else _keep,
        hide_secrets,
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelName(level.upper())),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )
    target = stream if stream is not None else sys.stderr
    renderer: Any = structlog.processors.JSONRenderer(ensure_ascii=False, default=str)
    if format == "text":
        renderer = structlog.dev.ConsoleRenderer(
            colors=target.isatty(),
            event_key="event",
            timestamp_key="time",
            exception_formatter=structlog.dev.plain_traceback,  # the others show local variables, secrets among them
        )
    handler = logging.StreamHandler(target)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared, processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer]
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("freshd").setLevel(level.upper())


def stamp(clock: Clock) -> Callable[[Any, str, Event], Event]:
    """A processor that adds the clock's time."""

    def add_time(logger: Any, method: str, event: Event) -> Event:
        event["time"] = format_instant(clock.now() // 1_000 * 1_000)
        return event

    return add_time


def hide_secrets(logger: Any, method: str, event: Event) -> Event:
    """A processor that takes out what nobody should read in a log."""
    return {name: _shown(name, value) for name, value in event.items()}


def _shown(name: str, value: Any) -> Any:
    if isinstance(value, SecretStr | SecretBytes):
        return HIDDEN
    if _SECRET_NAME.search(name) and not _NOT_SECRET.search(name) and not isinstance(value, bool | int | float):
        return HIDDEN
    if isinstance(value, str):
        text = _BEARER.sub(rf"\1{HIDDEN}", _URL_PASSWORD.sub(rf"\g<before>{HIDDEN}", value))
        return text if len(text) <= LONGEST_VALUE else text[:LONGEST_VALUE] + "…"
    if isinstance(value, Mapping):
        return {key: _shown(str(key), inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_shown("", inner) for inner in value]
    if isinstance(value, Exception):
        return _shown("", str(value) or type(value).__name__)
    return value


def _keep(logger: Any, method: str, event: Event) -> Event:
    return event
