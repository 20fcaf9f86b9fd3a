"""Who reads a row and what it shows, looked through virtual rows and gathered partitions. Decides nothing."""

from __future__ import annotations

from freshd.core.rows import Row


def readers(row: Row) -> tuple[Row, ...]:
    """The rows that read this one, virtual ones looked through; each once, nearest first."""
    if not any(kid.virtual for kid in row.kids):
        return row.kids
    found: list[Row] = []
    seen: set[Row] = set()
    stack = list(reversed(row.kids))
    while stack:
        kid = stack.pop()
        if kid in seen:
            continue
        seen.add(kid)
        if kid.virtual:
            stack.extend(reversed(kid.kids))
        else:
            found.append(kid)
    return tuple(found)


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
    found: list[Row] = []
    seen: set[Row] = set()
    stack = list(reversed(row.ups))
    while stack:
        up = stack.pop()
        if up in seen:
            continue
        seen.add(up)
        if up.virtual:
            stack.extend(reversed(up.ups))
        else:
            found.append(up)
    return found
