"""Why an asset is or is not launched, what limits its data, which policies are about it, what will change next.

Plain values beside an Assessment: what `freshd explain` adds to it. `Hold` is closed: the same words in the answer,
on the page and in messages.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from enum import StrEnum

from freshd.model.asset import AssetKey
from freshd.model.policy import Charter, Reaction, ReactionKind
from freshd.model.time import Instant


class Hold(StrEnum):
    """Why an asset is not launched now: the first that holds, in this order."""

    SOURCE = "source"
    VIRTUAL = "virtual"
    BY_PARTITION = "by_partition"
    """Its partitions are launched, each by itself."""
    NO_LAUNCHER = "no_launcher"
    IN_FLIGHT = "in_flight"
    CATCHING_UP = "catching_up"
    WISHED = "wished"
    """Somebody asked for it, and what was planned above it comes first."""
    MANUAL = "manual"
    PAUSED = "paused"
    NOT_DUE = "not_due"
    STOPPED = "stopped"
    BLOCKED = "blocked"
    WINDOW = "window"
    EARLY = "early"
    OBSERVED = "observed"
    RETRY_DELAY = "retry_delay"
    MIN_INTERVAL = "min_interval"
    WAITS = "waits"
    DEBOUNCE = "debounce"
    NO_PLACE = "no_place"
    NOTHING = "nothing"
    """It is about to be launched."""


@dataclass(frozen=True, slots=True)
class Launching:
    """How things stand with launching an asset."""

    hold: Hold
    until: Instant | None = None
    """When that ends by itself; None: something has to happen."""
    by: tuple[AssetKey, ...] = ()
    """The assets that it is about: those that it waits for, that block it, whose news would make it due."""
    forced_at: Instant | None = None
    """When it will be launched waiting or not (`max_wait`)."""


@dataclass(frozen=True, slots=True)
class Limiting:
    """One step of the path that says how far an asset's data reaches."""

    asset: AssetKey
    data_time: Instant | None
    partition: str = ""


@dataclass(frozen=True, slots=True)
class Ahead:
    """Something that will happen at an instant, if nothing happens before."""

    at: Instant
    what: str
    """`warn`, `stale`, `launch`, or what of a declaration ends or begins."""
    policy: str = ""


@dataclass(frozen=True, slots=True)
class Explanation:
    """What explains one asset partition at an instant."""

    launching: Launching
    limits: tuple[Limiting, ...]
    """From the asset to the one that limits its data time."""
    limits_reason: str
    """Why that one reaches no further: a root cause's word."""
    ahead: tuple[Ahead, ...]
    """In order of time."""


@dataclass(frozen=True, slots=True)
class Matching:
    """A policy that selects an asset."""

    policy: str
    priority: int
    expects: bool
    reacts: ReactionKind | None
    """What it says of launching; None: nothing."""
    gives_reaction: bool
    """Of those that say something, the one that counts."""
    origin: str


def matching(charter: Charter, key: AssetKey) -> tuple[Matching, ...]:
    """The policies that select an asset: the one whose reaction counts first, then by priority and name."""
    counts = charter.reactions.get(key, Reaction()).policy
    found = []
    for name, keys in charter.selected.items():
        place = bisect_left(keys, key)
        if place < len(keys) and keys[place] == key and name in charter.policies:
            policy = charter.policies[name]
            found.append(
                Matching(name, policy.priority, policy.has_expectations, policy.reacts, name == counts, policy.origin)
            )
    return tuple(sorted(found, key=lambda one: (not one.gives_reaction, -one.priority, one.policy)))
