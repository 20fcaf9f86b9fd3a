"""Who reads a row and what it shows, looked through virtual rows and gathered partitions. Decides nothing."""

from __future__ import annotations

from collections.abc import Callable
from operator import attrgetter

from freshd.core.rows import Row


def readers(row: Row) -> tuple[Row, ...]:
    """The rows that read this one, virtual ones looked through; each once, nearest first."""
    if not any(kid.virtual for kid in row.kids):
        return row.kids
    return tuple(_looked_through(row, attrgetter("kids")))


def views(row: Row) -> tuple[Row, ...]:
    """The virtual rows that show `row`, directly or through virtual ones."""
    found: dict[Row, None] = {}
    stack = [kid for kid in row.kids if kid.virtual]
    while stack:
        kid = stack.pop()
        if kid not in found:
            found[kid] = None
            stack.extend(below for below in kid.kids if below.virtual)
    return tuple(found)


def through_virtual(row: Row) -> list[Row]:
    """The rows whose updates are those of `row`: itself, or of a virtual row its upstreams', looked through."""
    if not row.virtual:
        return [row]
    return _looked_through(row, attrgetter("ups"))


def _looked_through(row: Row, beside: Callable[[Row], tuple[Row, ...]]) -> list[Row]:
    """The rows beside `row` (above or below it), virtual ones looked through; each once, nearest first."""
    found: list[Row] = []
    seen: set[Row] = set()
    stack = list(reversed(beside(row)))
    while stack:
        here = stack.pop()
        if here in seen:
            continue
        seen.add(here)
        if here.virtual:
            stack.extend(reversed(beside(here)))
        else:
            found.append(here)
    return found
