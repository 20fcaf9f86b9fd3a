"""Telling people: Slack where a token is given, the terminal where none is.

`make_notifier` is all that the rest of freshd needs; both notifiers are `ports.Notifier`.
"""

from __future__ import annotations

from collections.abc import Callable

from freshd.adapters.slack.notifier import SlackNotifier
from freshd.adapters.slack.settings import SlackSettings
from freshd.adapters.slack.terminal import TerminalNotifier
from freshd.ports import Notifier

__all__ = ["SlackNotifier", "SlackSettings", "TerminalNotifier", "make_notifier"]


def make_notifier(settings: SlackSettings | None, write: Callable[[str], None]) -> Notifier:
    """Slack's notifier if a token is given, else one that hands each alert as text to `write`.

    Raises ConfigError if the token file cannot be read.
    """
    token = settings.secret() if settings is not None else ""
    if settings is None or not token:
        return TerminalNotifier(write)
    return SlackNotifier(token, settings.channel, base_url=settings.base_url, timeout_s=settings.timeout_s)
