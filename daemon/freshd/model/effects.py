"""What the engine asks the world to do: launch runs and tell people. Performed only once durable.

Ids are deterministic, so asking twice is asking once. Every effect is confirmed by an input
(`RunReport`, `NoticeReport`); what is not confirmed is asked for again after a restart.
"""

from __future__ import annotations

from dataclasses import dataclass

from freshd.model.asset import WHOLE, AssetKey
from freshd.model.policy import Severity
from freshd.model.time import Instant
from freshd.model.values import value


@value(frozen=True, slots=True)
class LaunchRun:
    """Start this run, once per `run_id`, and report every asset's outcome."""

    run_id: str
    launcher: str
    assets: tuple[AssetKey, ...]
    """In topological order."""
    requested_at: Instant
    attempt: int = 1
    """1 for the first run."""
    partition: str = WHOLE
    reason: str = ""
    resumed: bool = False
    """Asked for again after a restart: it may be running, or over, already."""


@dataclass(frozen=True, slots=True)
class Notice:
    """The state of one incident as one channel should show it: post it, or edit the message `handle` names."""

    notice_id: str
    """Derived from incident, channel and generation: one id, one content."""
    incident: str
    channel: str
    cause: str
    """Asset key or `feed:NAME`."""
    reason: str
    severity: Severity
    opened_at: Instant
    closed_at: Instant | None
    at: Instant
    affected: tuple[tuple[AssetKey, str, str], ...]
    """(asset, policy, verdict or `failed`), sorted, at most AFFECTED_SHOWN of them."""
    affected_count: int
    mentions: tuple[str, ...] = ()
    thread: tuple[str, ...] = ()
    """Lines to tell in the message's thread, so that people notice."""
    handle: str = ""
    """The message to edit; empty: post a new one."""
    merged_into: str = ""
    """The incident that this one became part of."""
    muted: int = 0
    """Pairs that are affected and muted; they are not among `affected`, and count for nothing else here."""
    acknowledged_by: str = ""
    acknowledged_reason: str = ""
    acknowledged_until: Instant | None = None
    """None: nobody has said to know of it."""
    why: str = ""
    """In words, what keeps the daemon from seeing, of an incident that says so."""


@dataclass(frozen=True, slots=True)
class SendNotice:
    """Show this notice."""

    notice: Notice


AFFECTED_SHOWN = 50
"""How many affected pairs a notice carries; the count tells of the rest."""

Effect = LaunchRun | SendNotice
