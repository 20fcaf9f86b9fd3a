"""What the engine answers when asked about one asset: verdicts, measures, what it waits for.

Plain values for people and machines (status, explain, metrics, scenario expectations); None where a
measure or instant has no value.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from freshd.model.asset import Asset, AssetKey
from freshd.model.declarations import Acknowledgement, Declaration, DeclarationKind
from freshd.model.objective import Totals
from freshd.model.policy import Measure, Severity, Slo, Verdict
from freshd.model.time import Duration, Instant, format_duration


@dataclass(frozen=True, slots=True)
class PolicyView:
    """One policy's verdict for an asset partition."""

    policy: str
    verdict: Verdict
    measure: str
    warn_at: Instant | None
    """The instant from which it will be (or was) at least warn, if nothing happens; None while nothing can be seen."""
    stale_at: Instant | None
    severity: Severity | None
    incident: str
    """The open incident it is a member of, or empty."""
    since: Instant
    """When the verdict became what it is."""
    complaints: tuple[str, ...] = ()
    """In words, what of its checks is not as asked."""
    counted: Totals | None = None
    """What its objective has counted up to now; None: it has none."""


@dataclass(frozen=True, slots=True)
class RunView:
    """A run in flight."""

    run_id: str
    own: bool
    started_at: Instant
    attempt: int


@dataclass(frozen=True, slots=True)
class Infeasible:
    """An expectation that is shorter than what the runs on its path take."""

    policy: str
    asset: AssetKey
    measure: Measure
    target: Duration
    """From new data (for age: from the last update) until it is stale."""
    takes: Duration
    """The sum of the p95 durations on the longest path."""

    def __str__(self) -> str:
        path = "a run of it takes" if self.measure is Measure.AGE else "the runs on the path to it take"
        return (
            f"{self.asset} cannot meet it: {self.measure.value} is stale after {format_duration(self.target)}, but"
            f" {path} {format_duration(self.takes)} (p95)"
        )


@dataclass(frozen=True, slots=True)
class Assessment:
    """One asset partition at an instant."""

    asset: AssetKey
    partition: str
    at: Instant
    verdict: Verdict | None
    """The worst of its policies'; None without a policy that expects anything."""
    policies: tuple[PolicyView, ...]
    updated_at: Instant | None
    data_time: Instant | None
    pending_since: Instant | None
    age: Duration | None
    lag: Duration | None
    behind: Duration | None
    """0 if it reflects all; None if it never had an update."""
    runs: tuple[RunView, ...]
    runs_started: int
    """Runs of the daemon's own since it first knew the asset."""
    failed: bool
    blocked: bool
    due: bool
    static: bool
    last_error: str
    next_launch: Instant | None
    """The next instant at which a launch will be considered, if one is held back."""
    waiting_for: tuple[AssetKey, ...]
    """The upstreams it waits for now."""
    cause: str
    cause_reason: str
    path: tuple[AssetKey, ...]
    """From the asset to the root cause of its worst verdict; empty if fresh."""
    own_lag: Duration | None
    """What of the lag is its own; the rest is inherited."""
    inherited_lag: Duration | None = None
    """What of the lag its upstreams have now: the lag is the sum of both."""
    declared: tuple[Declaration, ...] = ()
    """What people have declared that holds for it now: at most one of a kind."""
    blind: str = ""
    """The topic that cannot be seen and that it rests on, as `kafka/TOPIC`; empty: none."""

    infeasible: tuple[Infeasible, ...] = ()
    """The targets that are shorter than what the runs on the path take, as was found when the policies were loaded."""

    def holds(self, kind: DeclarationKind) -> bool:
        """Whether it is muted, under maintenance, or paused."""
        return any(one.kind is kind for one in self.declared)

    @property
    def muted(self) -> bool:
        """Whether nothing is announced of its bad pairs."""
        return self.holds(DeclarationKind.MUTE)

    @property
    def paused(self) -> bool:
        """Whether it is launched for wishes only."""
        return self.holds(DeclarationKind.PAUSE)

    @property
    def maintenance(self) -> bool:
        """Whether its pairs cannot become bad now."""
        return self.holds(DeclarationKind.MAINTENANCE)

    @property
    def in_flight(self) -> bool:
        """Whether any run of it, ours or others', is in flight."""
        return bool(self.runs)


@dataclass(frozen=True, slots=True)
class IncidentView:
    """An open incident, with its members."""

    incident: str
    cause: str
    """Asset key or `feed:NAME`."""
    reason: str
    severity: Severity | None
    opened_at: Instant
    announced: bool
    members: tuple[tuple[str, AssetKey, str, str], ...]
    """(policy, asset, partition, verdict or `failed`), sorted by asset, then policy."""
    acknowledgement: Acknowledgement | None = None
    muted: bool = False
    """Whether all its members are."""

    @property
    def affects(self) -> tuple[AssetKey, ...]:
        """The assets among its members, sorted."""
        return tuple(sorted({asset for _, asset, _, _ in self.members}))

    @property
    def acknowledged(self) -> bool:
        """Whether somebody has said to know of it."""
        return self.acknowledgement is not None


@dataclass(frozen=True, slots=True)
class Moved:
    """Assets that look different since somebody last asked, without their causes."""

    at: Instant
    told: tuple[tuple[int, Asset, Assessment], ...]
    """With a number each, from 0, that an asset keeps until everything is told anew."""
    more: bool
    """Not all have been told yet."""
    passed: Mapping[str, Duration]
    """By policy with an objective: the time that went by since the last answer, closed time left out."""
    objectives: Mapping[str, Slo]
    anew: int | None = None
    """How many assets there are, if everything is told anew from here on; nothing that was told before counts then."""


@dataclass(frozen=True, slots=True)
class WishView:
    """A person's wish, and how far it has come."""

    wish: str
    assets: tuple[AssetKey, ...]
    author: str
    partitions: tuple[str, ...]
    parallel: int
    planned: int
    """Asset partitions that it plans."""
    done: int
    running: int
    over: str = ""
    """`done`, or why it came to nothing; empty: it goes on."""
    cause: AssetKey = ""
    """The asset (or partition) that failed."""
