"""What a notice says, in words: the same for Slack and for the terminal, in no markup.

The reasons are the closed list of model/records; each has one phrase here that follows the cause's name.
"""

from __future__ import annotations

from freshd.model.effects import Notice
from freshd.model.records import FEED_CAUSE, Reason
from freshd.model.time import format_instant

_PHRASES = {
    Reason.SYNC_FAILED: "its sync failed",
    Reason.NEVER_UPDATED: "it was never updated",
    Reason.NO_UPDATE: "no update arrives",
    Reason.RUN_FAILED: "its run failed",
    Reason.CHECK_FAILED: "a check failed",
    Reason.RUNNING: "its run is still under way",
    Reason.OLD_DATA: "its own update brought old data",
    Reason.NOT_MATERIALISED: "it has new input but was not materialised",
    Reason.BLIND: "nothing is heard from it, so nothing is known",
}

_STATES = {"blind": "unknown"}


def reason_phrase(reason: str, why: str = "") -> str:
    """What a reason means, for a sentence after the cause, and why; a word not known here is shown as it is."""
    phrase = _PHRASES.get(Reason(reason), reason) if reason in set(Reason) else reason
    return f"{phrase} ({why})" if why else phrase


def cause_name(cause: str) -> str:
    """The root cause for people: `feed NAME` for a feed, else the asset's key, or the topic as `kafka/TOPIC`."""
    return f"feed {cause.removeprefix(FEED_CAUSE)}" if cause.startswith(FEED_CAUSE) else cause


def headline(notice: Notice) -> str:
    """One line: how it stands, the cause and why."""
    subject = cause_name(notice.cause)
    if notice.merged_into:
        return f"Merged into another incident: {subject}"
    if notice.closed_at is not None:
        return f"Resolved: {subject}"
    return f"{subject}: {reason_phrase(notice.reason, notice.why)}"


def affected_lines(notice: Notice) -> list[str]:
    """One line per affected pair, and one for those that the notice leaves out."""
    lines = [f"{asset} is {_STATES.get(state, state)} ({policy})" for asset, policy, state in notice.affected]
    left_out = notice.affected_count - len(notice.affected)
    if left_out > 0:
        lines.append(f"and {left_out} more")
    if notice.muted and notice.affected:
        lines.append(f"and {notice.muted} muted")
    return lines


def state_word(notice: Notice) -> str:
    """How it stands, in one word: resolved, muted (all of it), acknowledged, or its severity."""
    if notice.closed_at is not None:
        return "resolved"
    if notice.muted and not notice.affected_count:
        return "muted"
    return "acknowledged" if notice.acknowledged_until is not None else notice.severity.value


def acknowledgement_line(notice: Notice) -> str:
    """Who knows of it, and why nothing more is told; empty: nobody said so."""
    if notice.acknowledged_until is None or notice.closed_at is not None:
        return ""
    by = f" by {notice.acknowledged_by}" if notice.acknowledged_by else ""
    return f"acknowledged{by} until {format_instant(notice.acknowledged_until)}: {notice.acknowledged_reason}"
