"""Alerts on the terminal, for those who have given no Slack token: one paragraph per notice."""

from __future__ import annotations

from collections.abc import Callable

from freshd.adapters.slack.wording import acknowledgement_line, affected_lines, headline, state_word
from freshd.model.effects import Notice
from freshd.model.time import SECOND, format_duration, format_instant

SHOWN = 8
"""Affected pairs that a paragraph lists."""


class TerminalNotifier:
    """A `ports.Notifier` that hands each notice as text to `write`."""

    def __init__(self, write: Callable[[str], None]) -> None:
        self._write = write

    def send(self, notice: Notice) -> str:
        """Write the notice out; a later one of the same incident is a paragraph of its own."""
        self._write("\n".join(_printable(line) for line in _paragraph(notice)))
        return notice.handle or f"terminal:{notice.incident}"


def _paragraph(notice: Notice) -> list[str]:
    state = state_word(notice)
    tail = ""
    if notice.closed_at is not None:
        lasted = (notice.closed_at - notice.opened_at) // SECOND * SECOND
        tail = f" after {format_duration(lasted)}"
    again = " (changed)" if notice.handle and notice.closed_at is None else ""
    lines = [
        f"ALERT [{state}]{again} {headline(notice)}{tail}  (incident {notice.incident}, {format_instant(notice.at)})"
    ]
    affected = affected_lines(notice)
    if len(affected) > SHOWN:
        affected = [*affected[:SHOWN], f"and {notice.affected_count - SHOWN} more"]
    if notice.closed_at is None:
        lines += [f"  - {line}" for line in affected]
    known = acknowledgement_line(notice)
    lines += [f"  {known}"] if known else []
    lines += [f"  > {line}" for line in notice.thread]
    return lines


def _printable(line: str) -> str:
    """The line without what would steer a terminal."""
    return "".join(char if char.isprintable() else "?" for char in line)
