"""Everything that can be said to the engine: facts from outside, reports of runs and notices, wishes.

The union `Input` is closed. Inputs are immutable and carry their own times; the engine adds `now`.
An input says what happened, never what to do about it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from freshd.model.asset import WHOLE, AssetKey
from freshd.model.declarations import Declaration, DeclarationKind
from freshd.model.policy import Charter
from freshd.model.time import Instant
from freshd.model.values import value


class EventKind(StrEnum):
    """What an event from outside says."""

    UPDATE = "update"
    OBSERVATION = "observation"
    RUN_STARTED = "run_started"
    RUN_FAILED = "run_failed"
    RUN_ENDED = "run_ended"
    CHECK = "check"
    HEARTBEAT = "heartbeat"


@dataclass(frozen=True, slots=True)
class Check:
    """The result of one check of an asset."""

    name: str
    passed: bool
    value: float | str | None = None
    blocking: bool = False


@value(frozen=True, slots=True)
class Event:
    """A fact from outside, already matched to the assets it is about."""

    kind: EventKind
    assets: tuple[AssetKey, ...]
    at: Instant
    """When it happened: of an update its end e(u). Never later than its arrival (the inbox sees to that)."""
    id: str = ""
    """Unique within `source`; empty: its read position makes it unique."""
    source: str = ""
    format: str = "freshd"
    partition: str = WHOLE
    started_at: Instant | None = None
    data_time: Instant | None = None
    run_id: str = ""
    changed: bool = True
    completeness: float | None = None
    metadata: Mapping[str, Any] | None = None
    check: Check | None = None
    feed: str = ""
    whole_run: bool = False
    """It is about every asset in flight under its `run_id` as well (OpenLineage names outputs when it likes)."""
    topic: str = ""
    """The Kafka topic that it was read from; empty: none."""


class RunPhase(StrEnum):
    """What a launcher reports of one asset of a run, or (FINISHED) of the run as a whole."""

    QUEUED = "queued"
    STARTED = "started"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    SKIPPED = "skipped"
    """Not run because another of the same run failed."""
    LOST = "lost"
    """Nobody knows what became of it; counts as a failed attempt."""
    FINISHED = "finished"
    """The run is over: members without an outcome of their own count as skipped."""


@dataclass(frozen=True, slots=True)
class RunReport:
    """A launcher's report of one of the daemon's own runs."""

    run_id: str
    phase: RunPhase
    at: Instant
    asset: AssetKey = ""
    """Empty: all assets of the run that have no outcome yet."""
    started_at: Instant | None = None
    """When this asset's work began reading, if the launcher knows better than the request."""
    changed: bool = True
    data_time: Instant | None = None
    metadata: Mapping[str, Any] | None = None
    checks: tuple[Check, ...] = ()
    error: str = ""
    """The tail of what it said, for people."""


@dataclass(frozen=True, slots=True)
class NoticeReport:
    """A notifier's report: a notice was delivered, or can never be."""

    notice_id: str
    at: Instant
    delivered: bool
    handle: str = ""
    """What the notifier needs to edit the message later (Slack: channel and ts)."""
    error: str = ""


@dataclass(frozen=True, slots=True)
class Wish:
    """A person asks for assets to be materialised."""

    id: str
    assets: tuple[AssetKey, ...]
    author: str = ""
    partitions: tuple[str, ...] = ()
    """Of the assets with partitions, which; none named: those that reactions touch."""
    parallel: int = 0
    """How many of its runs may go on at one time; 0: as many as like."""


@dataclass(frozen=True, slots=True)
class Withdraw:
    """A person takes assets out of what was declared of them."""

    kinds: tuple[DeclarationKind, ...]
    assets: tuple[AssetKey, ...]
    """Empty: all declarations of these kinds end."""
    author: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Acknowledge:
    """A person knows of an open incident."""

    incident: str
    """Its id, or its main cause."""
    author: str
    reason: str
    until: Instant


@dataclass(frozen=True, slots=True)
class Blind:
    """Nothing that a topic tells can be seen now."""

    topic: str
    """Empty: no topic can be seen (the broker is gone)."""
    since: Instant
    why: str
    """For people: what is in the way."""


@dataclass(frozen=True, slots=True)
class Sighted:
    """A topic can be seen again, and has been read up to where it ended when that began."""

    topic: str


@dataclass(frozen=True, slots=True)
class Started:
    """The daemon has just started; `catching_up` until CaughtUp is said (or the limit passes)."""

    catching_up: bool = True


@dataclass(frozen=True, slots=True)
class CaughtUp:
    """Every topic and log has been read up to where it ended at the start."""


@dataclass(frozen=True, slots=True)
class CharterReplaced:
    """The graph, the policies or the launchers are now these."""

    charter: Charter


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A message that could not be understood; kept for people, counted, never retried by itself."""

    origin: str
    """topic/partition/offset, or the ingress name."""
    reason: str
    message: str
    payload: bytes
    format: str = ""


HINT = "hint"
"""The field of an unmatched event that says what is wrong with it, where a rule would not help."""


@dataclass(frozen=True, slots=True)
class Unmatched:
    """An event that names no asset, or no partition, known here: counted and listed."""

    format: str
    name: str
    """The most telling name it carries."""
    fields: Mapping[str, str]
    at: Instant


Input = (
    Event
    | RunReport
    | NoticeReport
    | Wish
    | Declaration
    | Withdraw
    | Acknowledge
    | Blind
    | Sighted
    | Started
    | CaughtUp
    | CharterReplaced
    | DeadLetter
    | Unmatched
)
