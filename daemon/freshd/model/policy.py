"""What is expected of assets, what the daemon does about them, and whom it tells.

A `Policy` is what a person wrote, already read and checked; a `Charter` is everything the engine is
told at once: the graph, the policies with the assets they select, one reaction per asset, the launchers.
Schedules and calendars are handed in as objects (`Ticks`): this module computes no dates.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, Protocol

from freshd.model.asset import AssetKey
from freshd.model.graph import AssetGraph
from freshd.model.time import DAY, FOREVER, HOUR, MINUTE, NEVER, Duration, Instant

OWNERS: Final = "owners"
"""In `mention`: the owners of the affected assets."""


class Verdict(StrEnum):
    """A policy's state for an asset partition, from best to worst."""

    FRESH = "fresh"
    UNKNOWN = "unknown"
    WARN = "warn"
    STALE = "stale"


RANK: Final[Mapping[Verdict, int]] = {verdict: rank for rank, verdict in enumerate(Verdict)}
"""How bad a verdict is; metrics show it as this number."""


class Measure(StrEnum):
    """What an expectation looks at; in the order in which a pair's measure is chosen among equals."""

    LAG = "lag"
    DEADLINE = "deadline"
    BEHIND = "behind"
    AGE = "age"
    LEARNED = "learned"
    CHECKS = "checks"


class Severity(StrEnum):
    """How loudly an incident is told, from quietest to loudest."""

    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"


class ReactionKind(StrEnum):
    """What makes the daemon launch an asset."""

    MANUAL = "manual"
    EAGER = "eager"
    JUST_IN_TIME = "just_in_time"


class Ticks(Protocol):
    """The instants of a schedule; made outside the core (adapters/calendar)."""

    def after(self, instant: Instant) -> Instant:
        """The first tick later than `instant`, or FOREVER."""
        ...

    def until(self, instant: Instant) -> Instant:
        """The last tick not later than `instant`, or NEVER."""
        ...


class Calendar(Protocol):
    """Open and closed time; made outside the core (adapters/calendar)."""

    def is_open(self, instant: Instant) -> bool:
        """Whether `instant` is open time; what opens then is open, what closes then is closed."""
        ...

    def opens_after(self, instant: Instant) -> Instant:
        """The first open instant not before `instant`, or FOREVER."""
        ...

    def elapsed(self, start: Instant, end: Instant) -> Duration:
        """How much open time there is in [start, end)."""
        ...

    def reach(self, start: Instant, duration: Duration) -> Instant:
        """The first instant t, not before `start`, with elapsed(start, t) >= duration; FOREVER if never."""
        ...


class Weekhours(Protocol):
    """Weekday and hour of instants in some time zone; made outside the core (adapters/calendar)."""

    def of(self, instant: Instant) -> int:
        """24 times the weekday (Monday is 0) plus the hour."""
        ...


@dataclass(frozen=True, slots=True)
class Limit:
    """`{warn: …, stale: …}` on age, lag or behind."""

    measure: Measure
    warn: Duration | None = None
    stale: Duration | None = None
    each: bool = False
    """`per: partition`: asked of each partition, not of the asset as a whole."""


@dataclass(frozen=True, slots=True)
class Deadline:
    """At each tick T the asset must have data_time >= T - max_lag, or the partition that T - offset names."""

    ticks: Ticks
    max_lag: Duration
    grace: Duration = 0
    warn_before: Duration = 0
    cron: str = ""
    timezone: str = "UTC"
    offset: Duration = 0
    """Of an asset partitioned by time: how long before the tick the window of its partition must have ended."""
    each: bool = False
    """`per: partition`: asked of each partition, not of the asset as a whole."""


@dataclass(frozen=True, slots=True)
class CheckRule:
    """What the latest result of a check must be, besides that it passed."""

    name: str
    min: float | None = None
    max: float | None = None
    equals: float | str | bool | None = None
    last: int = 0
    """`min` and `max` are shares of the mean of so many values before; 0: they are values."""
    level: Verdict = Verdict.STALE
    """What a violation comes to: warn or stale."""
    blocking: bool = False
    """A violation holds back what is built from the asset."""


@dataclass(frozen=True, slots=True)
class Learned:
    """Limits from the gaps between the ends of the asset's own updates."""

    tenths: int
    """By how many tenths the gaps' percentiles are multiplied: 12, 15 or 20."""
    weekhours: Weekhours


@dataclass(frozen=True, slots=True)
class Slo:
    """The share of time (or ticks) that is to be good over a window."""

    target: float
    window: Duration


@dataclass(frozen=True, slots=True)
class Alert:
    """Whom a policy tells, and of what."""

    severity: Severity = Severity.WARNING
    at: frozenset[str] = frozenset({"stale", "failed"})
    """Of stale, failed, warn, sync_failed: what makes a pair bad."""
    channel: str = ""
    """Empty: the default channel."""
    mention: tuple[str, ...] = ()
    """People and groups; OWNERS stands for the owners of the affected assets."""


@dataclass(frozen=True, slots=True)
class Policy:
    """What is expected of the assets it selects, with its alert routing."""

    name: str
    limits: tuple[Limit, ...] = ()
    deadlines: tuple[Deadline, ...] = ()
    never_updated: Duration | None = None
    """An asset without a value turns stale this long after the daemon first knew it; None: it stays unknown."""
    sustain: Duration = 0
    completeness: float | None = None
    """An update that declares less counts as none."""
    alert: Alert | None = None
    priority: int = 0
    origin: str = ""
    calendar: Calendar | None = None
    """Only its open time counts towards limits; None: all time does."""
    checks: tuple[CheckRule, ...] = ()
    learned: Learned | None = None
    slo: Slo | None = None
    reacts: ReactionKind | None = None
    """What it says of launching, whether that counts or another policy's; None: nothing."""
    minds_pending: bool = field(init=False, compare=False)
    """Whether what is pending at an asset can change its verdict."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "minds_pending", any(limit.measure is Measure.BEHIND for limit in self.limits))

    @property
    def has_expectations(self) -> bool:
        """Whether it gives verdicts at all."""
        return bool(self.limits or self.deadlines or self.checks or self.learned)


@dataclass(frozen=True, slots=True)
class Window:
    """Launches are allowed from each tick on, for so long."""

    ticks: Ticks = field(compare=False)
    length: Duration
    cron: str = ""
    timezone: str = "UTC"

    def opened(self, at: Instant, floor: Instant = FOREVER) -> Instant:
        """Since when it is open at `at` (as far back as `floor`); NEVER: it is closed."""
        tick = self.ticks.until(at)
        if tick == NEVER or at >= tick + self.length:
            return NEVER
        while tick > floor:
            before = self.ticks.until(tick - 1)
            if before == NEVER or before + self.length < tick:
                break
            tick = before
        return tick

    def opens_after(self, at: Instant) -> Instant:
        """When it opens next, or FOREVER."""
        return self.ticks.after(at)

    def closes_after(self, at: Instant) -> Instant:
        """Of an open window: no later than when it closes."""
        return self.ticks.until(at) + self.length


@dataclass(frozen=True, slots=True)
class Retry:
    """How failed runs are tried again; `attempts` counts the first run."""

    attempts: int = 3
    delay: Duration = MINUTE
    factor: float = 2.0
    max_delay: Duration = 15 * MINUTE
    jitter: float = 0.1


@dataclass(frozen=True, slots=True)
class Reaction:
    """What the daemon does about one asset."""

    kind: ReactionKind = ReactionKind.MANUAL
    debounce: Duration = 0
    max_wait: Duration = HOUR
    min_interval: Duration = 0
    updates_on: str | tuple[AssetKey, ...] = "any"
    """`any`, `all`, or the upstreams that must each have a changed update."""
    retry: Retry = Retry()
    go_on: bool = False
    """`on_upstream_failure: go_on`: launch with what there is."""
    policy: str = ""
    """The policy that says so; empty: none does."""
    margin: float = 0.2
    """Just in time: by how much longer than usual a run may take."""
    window: Window | None = None
    """When launches are allowed; None: at all times."""


@dataclass(frozen=True, slots=True)
class LauncherTraits:
    """What the planner must know of a launcher."""

    name: str
    wave: bool = False
    """It orders its own work: several assets go in one run (dbt)."""
    limit: int = 0
    """Runs at one time; 0: no limit."""


@dataclass(frozen=True, slots=True)
class Places:
    """How many of the daemon's runs may go on at one time, whatever their launchers."""

    runs: int = 0
    """Of all; 0: no limit."""
    tags: Mapping[str, int] = field(default_factory=dict)
    """Of assets with a tag."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Named limits of the engine, with the defaults of semantics.md."""

    lost_after: Duration = 6 * HOUR
    reopen: Duration = 10 * MINUTE
    check_wait: Duration = 10 * MINUTE
    catch_up: Duration = 5 * MINUTE
    remember_ids: Duration = 7 * DAY
    remembered_ids: int = 200_000
    history: int = 16
    closed_incidents: int = 1_000


@dataclass(frozen=True, slots=True)
class Charter:
    """Everything the engine is told about the world it keeps fresh."""

    graph: AssetGraph
    policies: Mapping[str, Policy] = field(default_factory=dict)
    selected: Mapping[str, tuple[AssetKey, ...]] = field(default_factory=dict)
    """The assets of each policy, by its name, sorted."""
    reactions: Mapping[AssetKey, Reaction] = field(default_factory=dict)
    """The one reaction of each asset that any policy gives one."""
    launchers: Mapping[str, LauncherTraits] = field(default_factory=dict)
    observe: bool = False
    """`mode: observe`: everything is decided and recorded, nothing launched."""
    limits: Limits = Limits()
    places: Places = Places()
