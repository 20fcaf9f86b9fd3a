"""What JSON or a database cannot hold, made into something it can: nothing that came in may stop the daemon.

Used only after the fast way has failed; keeps everything that is already fine as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import Enum
from typing import Any, Final

DEEPEST: Final = 100
"""Levels of nesting that are kept; what lies deeper becomes an ellipsis."""

_LOWEST, _HIGHEST = -(1 << 63), (1 << 63) - 1


def scrub_text(text: str) -> str:
    """The text without what databases refuse: lone surrogates and NUL become U+FFFD."""
    return text.encode("utf-8", "surrogatepass").decode("utf-8", "replace").replace("\x00", "\ufffd")


def scrub_value(value: Any) -> Any:
    """A column's value as a database takes it: texts made readable, whole numbers kept to 64 bits."""
    if isinstance(value, str):
        return scrub_text(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return min(max(value, _LOWEST), _HIGHEST)
    return value


def scrub_json(value: Any, plain: Callable[[Any], Any] = str, depth: int = 0) -> Any:
    """The value as JSON can hold it; `plain` makes something simpler of what has no form there."""
    if value is None or isinstance(value, bool | float):
        return value
    if isinstance(value, Enum):
        return scrub_json(value.value, plain, depth)
    if isinstance(value, str):
        return scrub_text(value)
    if isinstance(value, int):
        return value if _LOWEST <= value <= _HIGHEST else str(value)
    if depth >= DEEPEST:
        return "\u2026"
    if isinstance(value, list | tuple):
        return [scrub_json(item, plain, depth + 1) for item in value]
    if isinstance(value, Mapping):
        return {scrub_text(str(key)): scrub_json(item, plain, depth + 1) for key, item in value.items()}
    return scrub_json(plain(value), plain, depth + 1)
