"""What the daemon's runs of a row have come to, and what holds its next one back. Facts only; runs.py changes them."""

from __future__ import annotations

from array import array

from freshd.model.asset import AssetKey
from freshd.model.time import FOREVER, NEVER, Duration, Instant


def row_key(asset: AssetKey, partition: str) -> str:
    """What a row is known by: the asset's key, with the partition where there is one."""
    return f"{asset}[{partition}]" if partition else asset


def row_keys(assets: tuple[AssetKey, ...], partition: str) -> tuple[str, ...]:
    """The same for several assets."""
    return tuple([row_key(asset, partition) for asset in assets]) if partition else assets


DURATIONS_KEPT = 20
"""Successful runs of an asset whose durations are remembered."""


class OwnRun:
    """One of the daemon's runs, from its request until every member has an outcome."""

    __slots__ = (
        "assets",
        "attempt",
        "finished",
        "launcher",
        "open",
        "partition",
        "reason",
        "requested_at",
        "run_id",
        "wishes",
    )

    def __init__(
        self,
        run_id: str,
        launcher: str,
        assets: tuple[AssetKey, ...],
        requested_at: Instant,
        attempt: int,
        reason: str,
        wishes: tuple[str, ...],
        partition: str = "",
    ) -> None:
        self.run_id = run_id
        self.launcher = launcher
        self.assets = assets
        self.requested_at = requested_at
        self.attempt = attempt
        self.reason = reason
        self.wishes = wishes
        self.partition = partition
        self.open: set[str] = set(row_keys(assets, partition))
        self.finished = False


class Work:
    """What the daemon's runs of one row have come to."""

    __slots__ = (
        "attempts",
        "durations",
        "error",
        "last_end",
        "last_start",
        "queued",
        "requested",
        "retry_at",
        "run",
        "run_start",
        "start_before",
        "stop_release",
        "stopped",
        "unblocked_at",
        "unqueued_at",
        "withheld",
    )

    def __init__(self) -> None:
        self.requested = 0  # runs ever requested
        self.run: OwnRun | None = None
        self.run_start: Instant = NEVER  # when the run in flight began reading
        self.attempts = 0  # failed attempts of the present series
        self.last_start: Instant = NEVER  # of the daemon's last run
        self.start_before: Instant = NEVER  # of the run before that
        self.last_end: Instant = NEVER
        self.retry_at: Instant = NEVER  # a retry waits until then; NEVER: none is owed
        self.stopped = False
        self.stop_release: Instant = FOREVER  # when the stop ends, once newer data has come; NEVER: at once
        self.unblocked_at: Instant = NEVER
        self.unqueued_at: Instant = NEVER
        self.queued = False
        self.withheld: Instant = NEVER  # observe mode: the newest upstream end already decided on
        self.error = ""
        self.durations: array[int] | None = None  # of the last successful runs

    def note_duration(self, duration: Duration) -> None:
        """A run succeeded after so long."""
        if self.durations is None:
            self.durations = array("q")
        self.durations.append(duration)
        if len(self.durations) > DURATIONS_KEPT:
            del self.durations[0]


class Timing:
    """What a row has to do with just-in-time and windows: its own launch, or expectations that others ask about."""

    __slots__ = ("at", "bounds", "held", "look_at", "promised")

    def __init__(self) -> None:
        self.at: Instant = NEVER  # a lower bound of when it is to be launched just in time; NEVER: to be found out
        self.held = False  # by its window, or because it is too early
        self.look_at: Instant = FOREVER  # when that may be otherwise by itself
        self.bounds: dict[float, Instant] = {}  # no later than when a run must begin, by how many p95s one is taken for
        self.promised: Instant = NEVER  # when its own expectations turn stale, as those above were told
