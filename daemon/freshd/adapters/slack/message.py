"""A notice as a Slack message: text, blocks and the metadata by which it is found again.

It keeps true: a message is within Slack's limits whatever the notice holds (50 blocks, 3,000 characters a
section, 2,000 a field, about 12,000 in all), and nothing that came from outside is markup: an asset called
`<!channel>` pings nobody.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID, uuid5

from freshd.adapters.slack.wording import affected_lines, cause_name, headline, reason_phrase, state_word
from freshd.model.effects import Notice
from freshd.model.policy import Severity
from freshd.model.time import MINUTE, SECOND, Duration, Instant, format_duration, format_instant

SECTION_LIMIT: Final = 3_000
FIELD_LIMIT: Final = 2_000
TEXT_LIMIT: Final = 3_000
AFFECTED_LIMIT: Final = 7_000
"""Characters for the list of affected assets, so that the whole stays below the 12,000 or so that Slack takes."""
LINE_LIMIT: Final = 400
EVENT_TYPE: Final = "freshd_incident"

_IDS: Final = UUID("5f3c7a52-5d5a-4a53-9d4e-8e0a4f7b4c11")
_SIGNS: Final = {
    Severity.CRITICAL: ":red_circle:",
    Severity.WARNING: ":large_orange_circle:",
    Severity.INFO: ":large_blue_circle:",
}
_STATE_SIGNS: Final = {"resolved": ":white_check_mark:", "muted": ":no_bell:", "acknowledged": ":eyes:"}


@dataclass(frozen=True, slots=True)
class SlackMessage:
    """What chat.postMessage and chat.update are given."""

    text: str
    """What a push notification shows."""
    blocks: tuple[dict[str, Any], ...]


def escape(text: str) -> str:
    """Text that Slack shows as it is."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def client_message_id(notice_id: str, line: int = -1) -> str:
    """The id of the message (or of a thread's line) that a notice posts: the same at every attempt."""
    return str(uuid5(_IDS, notice_id if line < 0 else f"{notice_id}#{line}"))


def metadata(notice: Notice, line: int = -1) -> dict[str, Any]:
    """What marks the message as the one of this incident, so that it is found again after a doubtful post."""
    payload = {"incident": notice.incident, "notice": notice.notice_id}
    if line >= 0:
        payload["line"] = str(line)
    return {"event_type": EVENT_TYPE, "event_payload": payload}


def render(notice: Notice, mentions: Sequence[str] = ()) -> SlackMessage:
    """The message that shows this notice; `mentions` are Slack's own markup, ready to send."""
    state = state_word(notice)
    sign = _STATE_SIGNS.get(state) or _SIGNS[notice.severity]
    title = _cut(escape(headline(notice)), LINE_LIMIT)
    blocks = [
        _section(f"{sign} *{title}*"),
        {"type": "section", "fields": [_mrkdwn(field) for field in _fields(notice)]},
    ]
    blocks.extend(_section(text) for text in _affected(notice))
    foot = f"incident {escape(notice.incident)} · as of {_moment(notice.at)}"
    if mentions and notice.closed_at is None and state != "muted":
        foot = f"{' '.join(mentions)} · {foot}"
    blocks.append({"type": "context", "elements": [_mrkdwn(_cut(foot, FIELD_LIMIT))]})
    text = f"[{state}] {title}"
    if notice.closed_at is None and notice.affected_count:
        text += f" ({notice.affected_count} affected)"
    return SlackMessage(_cut(text, TEXT_LIMIT), tuple(blocks))


def render_line(line: str) -> str:
    """One line of the thread, as Slack is given it."""
    return _cut(escape(line), TEXT_LIMIT)


def _fields(notice: Notice) -> list[str]:
    fields = [
        f"*Root cause*\n{escape(cause_name(notice.cause))}",
        f"*Reason*\n{escape(reason_phrase(notice.reason, notice.why))}",
        f"*Severity*\n{notice.severity.value}",
        f"*Since*\n{_moment(notice.opened_at)}",
    ]
    if notice.acknowledged_until is not None and notice.closed_at is None:
        by = escape(notice.acknowledged_by) or "somebody"
        until = _moment(notice.acknowledged_until)
        fields.append(f"*Acknowledged*\nby {by} until {until}: {escape(notice.acknowledged_reason)}")
    if notice.merged_into:
        fields.append(f"*Merged into*\nincident {escape(notice.merged_into)}")
    if notice.closed_at is not None:
        lasted = format_duration(_whole(notice.closed_at - notice.opened_at))
        fields.append(f"*Resolved*\n{_moment(notice.closed_at)}, after {lasted}")
    return [_cut(field, FIELD_LIMIT) for field in fields]


def _affected(notice: Notice) -> list[str]:
    lines = [_cut("• " + escape(line), LINE_LIMIT) for line in affected_lines(notice)]
    if not lines:
        return []
    total = 0
    for shown, line in enumerate(lines):
        total += len(line) + 1
        if total > AFFECTED_LIMIT:
            left_out = max(notice.affected_count, len(lines)) - shown
            lines = [*lines[:shown], f"• and {left_out} more"]
            break
    chunks = [f"*Affected ({notice.affected_count})*"]
    for line in lines:
        if len(chunks[-1]) + 1 + len(line) > SECTION_LIMIT:
            chunks.append(line)
        else:
            chunks[-1] += "\n" + line
    return chunks


def _moment(instant: Instant) -> str:
    """An instant in each reader's own time zone; in UTC where Slack cannot show it."""
    seconds = instant // SECOND
    return f"<!date^{seconds}^{{date_short_pretty}} {{time}}|{format_instant(seconds * SECOND)}>"


def _whole(duration: Duration) -> Duration:
    unit = MINUTE if duration >= 10 * MINUTE else SECOND
    return duration // unit * unit


def _cut(text: str, limit: int) -> str:
    """At most `limit` characters, never ending inside an escaped character."""
    if len(text) <= limit:
        return text
    kept = text[: limit - 1]
    amp = kept.rfind("&", limit - 7)
    if amp >= 0 and ";" not in kept[amp:]:
        kept = kept[:amp]
    return kept + "…"


def _mrkdwn(text: str) -> dict[str, Any]:
    return {"type": "mrkdwn", "text": text, "verbatim": True}


def _section(text: str) -> dict[str, Any]:
    return {"type": "section", "text": _mrkdwn(text)}
