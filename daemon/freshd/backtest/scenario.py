"""A scenario ready to be played: a charter, a time line of what happens, what is expected when, how runs go.

Everything is in the model's words, with instants instead of offsets and keys instead of selectors; each
part keeps the `file:line` it stands at. It must not know how files are read (`written` does) nor play
anything (`play` does).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from freshd.core.work import row_key
from freshd.model.asset import AssetKey
from freshd.model.inputs import Input, RunPhase
from freshd.model.policy import Charter, LauncherTraits
from freshd.model.time import SECOND, Duration, Instant

LAUNCHER: Final = "scenario"
"""The launcher of every derived asset of a scenario: one asset a run, no queue."""

TRAITS: Final = LauncherTraits(LAUNCHER)


@dataclass(frozen=True, slots=True)
class Behaviour:
    """How one run goes."""

    takes: Duration = 30 * SECOND
    outcome: RunPhase = RunPhase.SUCCEEDED
    changed: bool = True
    error: str = ""


@dataclass(frozen=True, slots=True)
class Happening:
    """Something that the daemon hears."""

    at: Instant
    """When it hears of it."""
    input: Input
    where: str


@dataclass(frozen=True, slots=True)
class ExpectedAsset:
    """What one asset partition is to be like; only what `named` holds is looked at."""

    key: AssetKey
    partition: str
    named: Mapping[str, Any]
    """Measures in microseconds, instants as instants; None: it has no value."""
    where: Mapping[str, str]
    """`file:line` of each."""

    @property
    def shown(self) -> str:
        """As the file writes it."""
        return row_key(self.key, self.partition)


@dataclass(frozen=True, slots=True)
class Expectation:
    """What is to hold at an instant, once everything due at it is done."""

    at: Instant
    where: str
    assets: tuple[ExpectedAsset, ...] = ()
    launched: tuple[AssetKey, ...] | None = None
    incidents: tuple[Mapping[str, Any], ...] | None = None
    """Each with what it names of cause, reason and affects."""
    announced: int | None = None
    places: Mapping[str, str] = field(default_factory=dict)
    """`file:line` of launched, incidents and announced."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """One story, with what is to be true along the way."""

    name: str
    where: str
    start: Instant
    charter: Charter
    happenings: tuple[Happening, ...]
    """In the order in which the daemon hears of them; at one instant in the file's order."""
    expectations: tuple[Expectation, ...]
    """In order of time."""
    behaviours: Mapping[AssetKey, tuple[Behaviour, ...]] = field(default_factory=dict)
    """How the runs of an asset, or of one partition, go, one after the other; the last one repeats."""

    def behaviour(self, key: AssetKey, nth: int) -> Behaviour:
        """How the nth run of an asset (or partition with a behaviour of its own) goes, counted from 0."""
        listed = self.behaviours.get(key)
        return listed[min(nth, len(listed) - 1)] if listed else Behaviour()
