"""A scenario as people write it: the shape of a scenario file, and its lines as things heard and expected.

It decides what may stand in a scenario and turns offsets into instants. What assets and policies mean is
not its business: they come read, as a charter.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import Field, model_validator

from freshd.backtest.lines import (
    DECLARED,
    OF_PEOPLE,
    WITHDRAWN,
    Expect,
    ExpectAsset,
    Line,
    Moment,
    RunModel,
)
from freshd.backtest.scenario import Behaviour, Expectation, ExpectedAsset, Happening, Scenario
from freshd.core.work import row_key
from freshd.documents import Closed, Document, DurationField, InstantField, PlacesModel, nearest
from freshd.model.asset import AssetKey
from freshd.model.declarations import ACKNOWLEDGED_FOR, Declaration
from freshd.model.errors import ConfigError, Problem
from freshd.model.inputs import (
    Acknowledge,
    Blind,
    Check,
    DeadLetter,
    Event,
    EventKind,
    Input,
    Sighted,
    Wish,
    Withdraw,
)
from freshd.model.partitions import key_problem, partitions_between
from freshd.model.policy import Charter
from freshd.model.select import Selector
from freshd.model.time import (
    FOREVER,
    Instant,
    format_duration,
    format_instant,
)
from freshd.runtime.translate import FUTURE_TOLERANCE


class ScenarioFile(Closed):
    """One scenario: assets, policies, how runs go, and a time line with what is to hold along it."""

    scenario: str
    start: InstantField
    assets: tuple[Any, ...] = Field(default=(), description="as in freshd.yaml's catalog files")
    catalog: tuple[Any, ...] = Field(default=(), description="as in freshd.yaml; paths relative to this file")
    policies: tuple[Any, ...] | str = Field(default=(), description="inline, or paths relative to this file")
    runs: dict[str, RunModel | DurationField | tuple[RunModel | DurationField, ...]] = {}  # noqa: RUF012  frozen
    limits: PlacesModel = Field(default=PlacesModel(), description="of runs at one time, as in freshd.yaml")
    timeline: tuple[Line, ...] = ()

    @model_validator(mode="before")
    @classmethod
    def _without_empty_sections(cls, value: Any) -> Any:
        return {name: part for name, part in value.items() if part is not None} if isinstance(value, dict) else value


def scenario_of(file: ScenarioFile, document: Document, charter: Charter) -> Scenario:
    """The scenario that a file tells, with this charter.

    Raises ConfigError with every line that names no asset, is out of order or cannot be read.
    """
    return _Reading(file, document, charter).read()


class _Reading:
    """Reads one scenario; collects what is wrong with it."""

    def __init__(self, file: ScenarioFile, document: Document, charter: Charter) -> None:
        self._file = file
        self._document = document
        self._charter = charter
        self._selector = Selector(charter.graph)
        self._problems: list[Problem] = []

    def read(self) -> Scenario:
        happenings: list[Happening] = []
        expectations: list[Expectation] = []
        last = self._file.start
        for index, line in enumerate(self._file.timeline):
            at = line.at.after(self._file.start)
            if at < last:
                self._complain(
                    ("timeline", index, "at"),
                    f"the time line is in order of `at`: {self._shown(at)} comes after {self._shown(last)}",
                )
            last = max(last, at)
            if line.expect is not None:
                expectations.append(self._expectation(line.expect, at, index))
            else:
                happenings.append(self._happening(line, at, index))
        behaviours = self._behaviours()
        if self._problems:
            raise ConfigError(self._problems)
        happenings.sort(key=lambda happening: happening.at)
        return Scenario(
            name=self._file.scenario,
            where=self._document.where(),
            start=self._file.start,
            charter=self._charter,
            happenings=tuple(happenings),
            expectations=tuple(expectations),
            behaviours=behaviours,
        )

    def _shown(self, at: Instant) -> str:
        offset = at - self._file.start
        return format_duration(offset) if offset >= 0 else format_instant(at)

    def _complain(self, path: tuple[str | int, ...], message: str) -> None:
        self._problems.append(Problem(self._document.where(*path), message))

    def _known(self, key: str, path: tuple[str | int, ...]) -> AssetKey:
        if key not in self._charter.graph:
            self._complain(path, f"no asset {key}{nearest(key, tuple(self._charter.graph.assets))}")
        return key

    def _placed(self, name: str, path: tuple[str | int, ...]) -> tuple[AssetKey, str]:
        """The asset, and in `asset[partition]` the partition, that a name means."""
        if name in self._charter.graph or not name.endswith("]"):
            return self._known(name, path), ""
        key, _, partition = name[:-1].partition("[")
        if self._known(key, path) in self._charter.graph:
            problem = key_problem(self._charter.graph.assets[key], partition)
            if problem:
                self._complain(path, problem)
        return key, partition

    def _happening(self, line: Line, at: Instant, index: int) -> Happening:
        start = self._file.start
        arrives = at if line.arrives is None else line.arrives.after(start)
        where = self._document.where("timeline", index)
        if line.action in OF_PEOPLE:
            return Happening(arrives, self._word(line, at, index), where)
        if line.action == "blind":
            return Happening(arrives, Blind(line.blind, at, line.reason or "the scenario says so"), where)
        if line.action == "sighted":
            return Happening(arrives, Sighted(line.sighted), where)
        if line.action == "materialize":
            return Happening(arrives, self._wish(line, index), where)
        return Happening(arrives, self._event(line, at, max(arrives, start), index, where), where)

    def _wish(self, line: Line, index: int) -> Wish:
        path = ("timeline", index, "materialize")
        sliced = [name[:-1].partition("[") for name in line.materialize if name.endswith("]")]
        names = [name for name in line.materialize if not name.endswith("]")] + [key for key, _, _ in sliced]
        keys = self._selected(tuple(names), path)
        texts = [text for _, _, text in sliced] + ([line.partitions] if line.partitions else [])
        named: dict[str, None] = {}
        for asset in (self._charter.graph.assets[key] for key in keys if texts):
            if asset.partitions is None and sliced:
                self._complain(path, f"{asset.key} has no partitions")
            elif asset.partitions is not None:
                try:
                    named.update(dict.fromkeys(partitions_between(asset, ",".join(texts))))
                except ValueError as error:
                    self._complain(path, str(error))
        return Wish(f"wish-{index}", keys, "scenario", tuple(named), line.parallel)

    def _word(self, line: Line, at: Instant, index: int) -> Input:
        """What a person declares, withdraws or acknowledges."""
        begins = at if line.begins is None else line.begins.after(self._file.start)
        until = FOREVER if line.lasting is None else begins + line.lasting
        if line.action == "acknowledge":
            until = at + ACKNOWLEDGED_FOR if line.lasting is None else until
            return Acknowledge(line.acknowledge, line.author, line.reason, until)
        names: tuple[str, ...] = getattr(line, line.action)
        everything = names == ("*",) and line.action in ("pause", "resume")
        keys = () if everything else self._selected(names, ("timeline", index, line.action))
        if line.action in WITHDRAWN:
            return Withdraw(WITHDRAWN[line.action], keys, line.author, line.reason)
        kind, name = DECLARED[line.action], f"{line.action}-{index}"
        return Declaration(name, kind, keys, begins, until, line.author, line.reason, " ".join(names))

    def _selected(self, names: tuple[str, ...], path: tuple[str | int, ...]) -> tuple[AssetKey, ...]:
        try:
            keys = self._selector.select(names)
        except ValueError as error:
            self._complain(path, str(error))
            return ()
        if not keys:
            self._complain(path, f"no asset {' '.join(names)}")
        return keys

    def _event(self, line: Line, at: Instant, arrives: Instant, index: int, where: str) -> Input:
        if at > arrives + FUTURE_TOLERANCE:
            told = f"it says that it happened at {format_instant(at)}, but arrived at {format_instant(arrives)}"
            return DeadLetter(where, "from_the_future", told, b"", "freshd")
        start, kind = self._file.start, EventKind(line.action)
        names: tuple[str, ...] = () if kind is EventKind.HEARTBEAT else getattr(line, line.action)
        placed = [self._placed(name, ("timeline", index, line.action)) for name in names]
        partitions = {partition for _, partition in placed if partition} | ({line.partition} - {""})
        if len(partitions) > 1 or (partitions and any(not partition for _, partition in placed) and not line.partition):
            self._complain(
                ("timeline", index, line.action),
                f"one event is about one partition, not {', '.join(sorted(partitions))}",
            )
        check = None
        if kind is EventKind.CHECK:
            check = Check(line.name, bool(line.passed), line.value, line.blocking)
        return Event(
            kind=kind,
            assets=tuple(key for key, _ in placed),
            at=min(at, arrives),
            id=line.id or f"line-{index}",
            source="scenario",
            partition=min(partitions, default=""),
            started_at=None if line.started_at is None else line.started_at.after(start),
            data_time=None if line.data_time is None else line.data_time.after(start),
            run_id=line.run_id,
            changed=line.changed,
            completeness=line.completeness,
            metadata=line.metadata,
            check=check,
            feed=line.heartbeat,
            topic=line.topic,
        )

    def _expectation(self, expect: Expect, at: Instant, index: int) -> Expectation:
        path = ("timeline", index, "expect")
        incidents = None
        if expect.incidents is not None:
            incidents = tuple(
                {name: list(value) if name == "affects" else value for name, value in incident if value is not None}
                for incident in expect.incidents
            )
        for name in expect.launched or ():
            self._placed(name, (*path, "launched"))
        places = {name: self._document.where(*path, name) for name in ("launched", "incidents", "announced")}
        assets = tuple(self._expected(shown, asset, (*path, "assets", shown)) for shown, asset in expect.assets.items())
        return Expectation(
            at, self._document.where(*path), assets, expect.launched, incidents, expect.announced, places
        )

    def _expected(self, shown: str, asset: ExpectAsset, path: tuple[str | int, ...]) -> ExpectedAsset:
        key, partition = self._placed(shown, path)
        named: dict[str, Any] = {}
        for name in (field for field in type(asset).model_fields if field in asset.model_fields_set):
            value = getattr(asset, name)
            named[name] = value.after(self._file.start) if isinstance(value, Moment) else value
        where = {name: self._document.where(*path, name) for name in named}
        return ExpectedAsset(key, partition, named, where)

    def _behaviours(self) -> Mapping[AssetKey, tuple[Behaviour, ...]]:
        """Per asset the first line that selects it; a line that is a key or a partition comes before patterns."""
        behaviours: dict[AssetKey, tuple[Behaviour, ...]] = {}
        graph = self._charter.graph
        exact = [pattern for pattern in self._file.runs if pattern in graph]
        for pattern in (*exact, *(other for other in self._file.runs if other not in graph)):
            listed = self._file.runs[pattern]
            ways = listed if isinstance(listed, tuple) else (listed,)
            if not ways:
                self._complain(("runs", pattern), "an empty list says nothing; write a duration")
                continue
            if pattern.endswith("]"):
                key, partition = self._placed(pattern, ("runs", pattern))
                keys: tuple[str, ...] = (row_key(key, partition),)
            else:
                keys = (pattern,) if pattern in graph else self._selected((pattern,), ("runs", pattern))
            runs = tuple(Behaviour(way) if isinstance(way, int) else way.behaviour() for way in ways)
            for key in keys:
                behaviours.setdefault(key, runs)
        return behaviours
