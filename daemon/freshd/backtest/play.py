"""Plays a scenario through the real engine and the real loop, and compares what comes out.

What an expectation does not name is not compared. It must not know of files: `Failure` carries the
`file:line` that the scenario brought along.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

from freshd.backtest.memory_journal import MemoryJournal
from freshd.backtest.scenario import Expectation, ExpectedAsset, Scenario
from freshd.backtest.trace import Trace
from freshd.backtest.world import ScriptedPerformer, TimeLine, VirtualClock
from freshd.core.engine import Engine
from freshd.model.assessment import Assessment, IncidentView
from freshd.model.inputs import Started
from freshd.model.time import FOREVER, Instant, format_duration, format_instant
from freshd.runtime.loop import World, drive

MEASURES: Final = ("age", "lag", "behind", "own_lag", "inherited_lag")
INSTANTS: Final = ("updated_at", "data_time", "pending_since")


@dataclass(frozen=True, slots=True)
class Failure:
    """One thing that is not as expected."""

    where: str
    """`file:line` of the expectation."""
    at: Instant
    offset: str
    """From the start of the scenario."""
    what: str
    """The asset and what of it, or launched, incidents, announced."""
    expected: str
    actual: str

    def __str__(self) -> str:
        return f"{self.where}: at {self.offset}: {self.what}: expected {self.expected}, is {self.actual}"


@dataclass(frozen=True, slots=True)
class ScenarioResult:
    """How a scenario came out."""

    name: str
    where: str
    expectations: int
    """How many values were compared."""
    failures: tuple[Failure, ...]
    trace: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        """Whether everything was as expected."""
        return not self.failures


@dataclass(slots=True)
class _Comparing:
    scenario: Scenario
    performer: ScriptedPerformer
    failures: list[Failure] = field(default_factory=list)
    compared: int = 0

    def look(self, expectation: Expectation, engine: Engine, now: Instant) -> None:
        for where, what, expected, actual in self._pairs(expectation, engine, now):
            self.compared += 1
            if expected != actual:
                offset = format_duration(now - self.scenario.start)
                self.failures.append(Failure(where, now, offset, what, expected, actual))

    def _pairs(self, expectation: Expectation, engine: Engine, now: Instant) -> Iterator[tuple[str, str, str, str]]:
        for asset in expectation.assets:
            yield from _asset_pairs(asset, _assessed(asset, engine, now))
        places = expectation.places
        if expectation.launched is not None:
            launched = self.performer.launched
            yield places["launched"], "launched", _listed(expectation.launched), _listed(launched)
        if expectation.incidents is not None:
            expected, actual = _incident_texts(expectation.incidents, engine.incidents())
            yield places["incidents"], "incidents", expected, actual
        if expectation.announced is not None:
            yield places["announced"], "announced", str(expectation.announced), str(engine.announced)


def play(scenario: Scenario, trace: bool = False) -> ScenarioResult:
    """Play it to its last line. Raises RestlessError if the daemon never comes to rest (a defect of freshd)."""
    clock = VirtualClock(scenario.start)
    line = TimeLine(clock)
    performer = ScriptedPerformer(scenario, line, clock)
    comparing = _Comparing(scenario, performer)
    for happening in scenario.happenings:
        line.tell(happening.at, happening.input)
    for expectation in scenario.expectations:
        line.look(expectation.at, partial(comparing.look, expectation))
    told = Trace(scenario, performer.names)
    world = World(
        clock=clock,
        inbox=line,
        journal=MemoryJournal(),
        performer=performer,
        observers=(told.observe,) if trace else (),
        started=Started(catching_up=False),
        checkpoint_records=1 << 60,
        checkpoint_quiet=FOREVER,
    )
    drive(Engine(scenario.charter), world, lambda: line.over)
    return ScenarioResult(
        scenario.name, scenario.where, comparing.compared, tuple(comparing.failures), tuple(told.lines)
    )


def _assessed(asset: ExpectedAsset, engine: Engine, now: Instant) -> Assessment | None:
    try:
        return engine.assess(asset.key, now, asset.partition)
    except KeyError:
        return None  # a partition that nothing ever happened to


def _asset_pairs(expected: ExpectedAsset, found: Assessment | None) -> Iterator[tuple[str, str, str, str]]:
    for name, value in expected.named.items():
        what = f"{expected.shown} {name}"
        yield expected.where[name], what, _shown(name, value), _shown(name, _actual(name, found))


def _actual(name: str, found: Assessment | None) -> Any:
    if found is None:
        return 0 if name == "runs" else None if name in (*MEASURES, *INSTANTS, "verdict") else False
    if name == "runs":
        return found.runs_started
    if name == "verdict":
        return None if found.verdict is None else found.verdict.value
    return getattr(found, name)


def _shown(name: str, value: Any) -> str:
    if value is None:
        return "null"
    if name in MEASURES:
        return format_duration(value)
    if name in INSTANTS:
        return format_instant(value)
    return str(value).lower() if isinstance(value, bool) else str(value)


def _listed(keys: Sequence[str]) -> str:
    return f"[{', '.join(keys)}]"


def _incident_texts(expected: Sequence[Mapping[str, Any]], actual: Sequence[IncidentView]) -> tuple[str, str]:
    """Both sides as text, what no expectation names left out of the incidents that fit; equal iff they agree."""
    left = [
        {
            "cause": view.cause,
            "reason": view.reason,
            "affects": list(view.affects),
            "acknowledged": view.acknowledged,
            "muted": view.muted,
        }
        for view in actual
    ]
    wanted, found = [], []
    for names in sorted(expected, key=len, reverse=True):
        fitting = next((view for view in left if all(view[name] == value for name, value in names.items())), None)
        wanted.append(_incident_text(names))
        if fitting is not None:
            left.remove(fitting)
            found.append(_incident_text(names))
    found += [_incident_text({name: value for name, value in view.items() if value is not False}) for view in left]
    return _listed(sorted(wanted)), _listed(sorted(found))


def _incident_text(view: Mapping[str, Any]) -> str:
    parts = [str(view[name]) for name in ("cause", "reason") if name in view]
    if "affects" in view:
        parts.append(f"affects {_listed(view['affects'])}")
    parts += [f"{'' if view[name] else 'not '}{name}" for name in ("acknowledged", "muted") if name in view]
    return "{" + ", ".join(parts) + "}"
