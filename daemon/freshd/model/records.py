"""The durable facts: what the engine took in and what it decided, in order.

`Engine.apply` folds them into the state; nothing else changes it. Consequences that follow from the
state alone (pending, due, blocked) are not records. Every record carries `now`, the daemon's clock at
the step that made it. Every decision carries a `reason` from `Reason`: the same word in the log, the
metric, the UI, Slack and `freshd explain`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from freshd.model.asset import AssetKey
from freshd.model.declarations import Acknowledgement, Declaration
from freshd.model.effects import LaunchRun, Notice
from freshd.model.inputs import DeadLetter, Event, NoticeReport, RunReport, Unmatched, Wish
from freshd.model.policy import Severity, Verdict
from freshd.model.time import Duration, Instant
from freshd.model.values import value

FEED_CAUSE: Final = "feed:"
"""How the cause of an incident begins that is a feed: two or more of its sources are root causes."""


class Reason(StrEnum):
    """Why something was decided. Closed."""

    # launches
    NEW_DATA = "new_data"
    FIRST_DATA = "first_data"
    RETRY = "retry"
    MAX_WAIT = "max_wait"
    JUST_IN_TIME = "just_in_time"
    WISH = "wish"
    # launches not made
    OBSERVE = "observe"
    # causes
    SYNC_FAILED = "sync_failed"
    NEVER_UPDATED = "never_updated"
    NO_UPDATE = "no_update"
    RUN_FAILED = "run_failed"
    CHECK_FAILED = "check_failed"
    RUNNING = "running"
    OLD_DATA = "old_data"
    NOT_MATERIALISED = "not_materialised"
    BLIND = "blind"
    NO_RESULT = "no_result"
    # ends of wishes
    DONE = "done"


@value(frozen=True, slots=True)
class EventTaken:
    """An event counts from now on."""

    now: Instant
    event: Event


@dataclass(frozen=True, slots=True)
class EventRepeated:
    """An event with an id already seen: it changes nothing."""

    now: Instant
    event: Event


@value(frozen=True, slots=True)
class RunRequested:
    """A run is to be started; `observed`: only decided, never started."""

    now: Instant
    run: LaunchRun
    observed: bool = False
    wishes: tuple[str, ...] = ()


@value(frozen=True, slots=True)
class RunReported:
    """A launcher's report counts."""

    now: Instant
    report: RunReport


@value(frozen=True, slots=True)
class RunQueued:
    """An asset is ready to be launched, but its launcher is full."""

    now: Instant
    asset: AssetKey


@dataclass(frozen=True, slots=True)
class StopEnded:
    """Newer data has come for an asset that had failed: it may be launched again."""

    now: Instant
    asset: AssetKey


@dataclass(frozen=True, slots=True)
class RunOfOthersLost:
    """No news of somebody else's run for too long: it counts as not run."""

    now: Instant
    asset: AssetKey
    run_id: str


@dataclass(frozen=True, slots=True)
class CheckWaitEnded:
    """The results of an asset's blocking checks did not come in time: nobody waits for them any longer."""

    now: Instant
    asset: AssetKey


@value(frozen=True, slots=True)
class VerdictChanged:
    """A policy's verdict for an asset partition is another one."""

    now: Instant
    policy: str
    asset: AssetKey
    partition: str
    old: Verdict
    new: Verdict
    measure: str
    """The measure that has the verdict; empty: none (fresh)."""


@value(frozen=True, slots=True)
class Violated:
    """Under `sustain`: since when a pair has been warn or worse, and stale, whether shown or not (NEVER: it is not)."""

    now: Instant
    policy: str
    asset: AssetKey
    partition: str
    warn_since: Instant
    stale_since: Instant


@value(frozen=True, slots=True)
class ObjectiveCounted:
    """The totals of a pair whose policy has an objective, up to now, and what counts from now on."""

    now: Instant
    policy: str
    asset: AssetKey
    partition: str
    mode: str
    """`active` or `stale`; empty: nothing counts."""
    active: Duration
    stale: Duration
    """Of `active`."""
    ticks: int
    met: int


@value(frozen=True, slots=True)
class Member:
    """A pair in an incident."""

    policy: str
    asset: AssetKey
    partition: str
    state: str
    """Its verdict, or `failed`."""
    cause: str
    reason: str
    joined_at: Instant
    joined: int
    """Order of joining, over all incidents."""

    @property
    def key(self) -> tuple[str, AssetKey, str]:
        """The pair: (policy, asset, partition)."""
        return (self.policy, self.asset, self.partition)


@value(frozen=True, slots=True)
class IncidentChanged:
    """An incident as it is from now on, with the members that joined, changed or left."""

    now: Instant
    incident: str
    cause: str
    reason: str
    severity: Severity | None
    """Of the worst member whose policy alerts; None: none does."""
    opened_at: Instant
    closed_at: Instant | None
    reopened: int
    members: int
    put: tuple[Member, ...]
    left: tuple[tuple[str, AssetKey, str], ...]
    """(policy, asset, partition)."""
    merged_into: str = ""


@dataclass(frozen=True, slots=True)
class NoticeRequested:
    """A channel is to show this."""

    now: Instant
    notice: Notice


@dataclass(frozen=True, slots=True)
class NoticeReported:
    """A notifier's report counts."""

    now: Instant
    report: NoticeReport


@dataclass(frozen=True, slots=True)
class WishMade:
    """A person's wish, with the assets planned for it in topological order."""

    now: Instant
    wish: Wish
    planned: tuple[AssetKey, ...]


@dataclass(frozen=True, slots=True)
class WishEnded:
    """All that was wished for stands, or never will: `cause` says which asset failed."""

    now: Instant
    wish_id: str
    reason: Reason
    cause: AssetKey = ""


@dataclass(frozen=True, slots=True)
class Declared:
    """A person's declaration stands, or (one that stood already) names other assets from now on."""

    now: Instant
    declaration: Declaration


@dataclass(frozen=True, slots=True)
class DeclarationBegan:
    """The instant has come from which a declaration holds."""

    now: Instant
    declaration: str


@dataclass(frozen=True, slots=True)
class DeclarationEnded:
    """A declaration holds no longer: its time is over, or somebody withdrew it."""

    now: Instant
    declaration: str
    author: str = ""
    reason: str = ""
    withdrawn: bool = False


@dataclass(frozen=True, slots=True)
class IncidentAcknowledged:
    """Somebody knows of an incident; None: the time for which they said so is over."""

    now: Instant
    incident: str
    acknowledgement: Acknowledgement | None


@dataclass(frozen=True, slots=True)
class Blinded:
    """A topic cannot be seen (empty: none can): what rests on it is unknown."""

    now: Instant
    topic: str
    since: Instant
    why: str


@dataclass(frozen=True, slots=True)
class SightRegained:
    """A topic is seen again."""

    now: Instant
    topic: str


@dataclass(frozen=True, slots=True)
class QuietSteps:
    """Instants at which timers were looked at and nothing was decided, since the last step that came to anything.

    It changes nothing; with it a replay looks at timers when the daemon did.
    """

    now: Instant
    at: tuple[Instant, ...]


@dataclass(frozen=True, slots=True)
class DaemonStarted:
    """The daemon began to work; verdicts get no worse until it has caught up."""

    now: Instant
    catching_up: bool
    rewired: tuple[str, ...] = ()
    """Assets and partitions (row keys) that have upstreams which they had not when it last wrote its state."""


@dataclass(frozen=True, slots=True)
class DaemonCaughtUp:
    """Everything that had been written when the daemon started has been read."""

    now: Instant


@value(frozen=True, slots=True)
class WindowsBegan:
    """The windows that have begun by now are in use: new partitions, and others that are no longer the newest."""

    now: Instant


@dataclass(frozen=True, slots=True)
class PartitionsUsed:
    """Somebody named partitions that had not been in use: (asset, partition)."""

    now: Instant
    named: tuple[tuple[AssetKey, str], ...]


@dataclass(frozen=True, slots=True)
class GraphReplaced:
    """The assets are now others; the journal keeps a full checkpoint with this record."""

    now: Instant
    added: tuple[AssetKey, ...]
    removed: tuple[AssetKey, ...]
    rewired: tuple[AssetKey, ...]


@dataclass(frozen=True, slots=True)
class DeadLettered:
    """A message went to the dead letters."""

    now: Instant
    letter: DeadLetter


@dataclass(frozen=True, slots=True)
class UnmatchedSeen:
    """An event named no asset known here."""

    now: Instant
    unmatched: Unmatched


Record = (
    EventTaken
    | EventRepeated
    | RunRequested
    | RunReported
    | RunQueued
    | StopEnded
    | RunOfOthersLost
    | CheckWaitEnded
    | VerdictChanged
    | Violated
    | ObjectiveCounted
    | IncidentChanged
    | NoticeRequested
    | NoticeReported
    | WishMade
    | WishEnded
    | Declared
    | DeclarationBegan
    | DeclarationEnded
    | IncidentAcknowledged
    | Blinded
    | SightRegained
    | QuietSteps
    | DaemonStarted
    | DaemonCaughtUp
    | WindowsBegan
    | PartitionsUsed
    | GraphReplaced
    | DeadLettered
    | UnmatchedSeen
)
