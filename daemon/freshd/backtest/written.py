"""A scenario as people write it: the shape of a scenario file, and its lines as things heard and expected.

It decides what may stand in a scenario and turns offsets into instants. What assets and policies mean is
not its business: they come read, as a charter.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal, Self

from pydantic import BeforeValidator, Field, PlainValidator, WithJsonSchema, model_validator
from pydantic_core import PydanticCustomError

from freshd.backtest.scenario import Behaviour, Expectation, ExpectedAsset, Happening, Scenario
from freshd.documents import Closed, Document, DurationField, InstantField, nearest
from freshd.model.asset import AssetKey
from freshd.model.errors import ConfigError, Problem
from freshd.model.declarations import ACKNOWLEDGED_FOR, Declaration, DeclarationKind
from freshd.model.inputs import (
    Acknowledge,
    Blind,
    Check,
    DeadLetter,
    Event,
    EventKind,
    Input,
    RunPhase,
    Sighted,
    Wish,
    Withdraw,
)
from freshd.model.policy import Charter, Verdict
from freshd.model.select import Selector
from freshd.model.time import (
    FOREVER,
    MINUTE,
    Duration,
    Instant,
    format_duration,
    format_instant,
    parse_duration,
    parse_instant,
)

FUTURE: Final[Duration] = 5 * MINUTE
"""How long after its arrival an event may say that it happened; later is a dead letter."""

DECLARED: Final = {
    "mute": DeclarationKind.MUTE,
    "maintenance": DeclarationKind.MAINTENANCE,
    "pause": DeclarationKind.PAUSE,
}
WITHDRAWN: Final = {
    "unmute": (DeclarationKind.MUTE, DeclarationKind.MAINTENANCE),
    "resume": (DeclarationKind.PAUSE,),
}
OF_PEOPLE: Final = (*DECLARED, *WITHDRAWN, "acknowledge")
OF_SIGHT: Final = ("blind", "sighted")
ACTIONS: Final = (*(kind.value for kind in EventKind), "materialize", *OF_PEOPLE, *OF_SIGHT, "expect")
"""What a line of the time line can be, by its key."""


@dataclass(frozen=True, slots=True)
class Moment:
    """An offset from the start, or an instant."""

    value: int
    absolute: bool

    def after(self, start: Instant) -> Instant:
        """The instant meant."""
        return self.value if self.absolute else start + self.value


def _moment(value: Any) -> Moment:
    if isinstance(value, Moment):
        return value
    if isinstance(value, str | int | float) and not isinstance(value, bool):
        try:
            return Moment(parse_duration(value), absolute=False)
        except ValueError:
            pass
        try:
            return Moment(parse_instant(str(value)), absolute=True)
        except ValueError:
            pass
    raise PydanticCustomError(
        "moment_type", "{given} is neither an offset from the start, like 1h30m, nor an instant", {"given": repr(value)}
    )


def _one_or_many(value: Any) -> Any:
    return (value,) if isinstance(value, str) else value


MomentField = Annotated[
    Moment,
    PlainValidator(_moment),
    WithJsonSchema({"type": ["string", "number"], "description": "an offset from start, or an instant"}),
]
Names = Annotated[
    tuple[str, ...],
    BeforeValidator(_one_or_many),
    WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}),
]


class RunModel(Closed):
    """How one run goes."""

    takes: DurationField = 30_000_000
    outcome: Literal["succeeded", "failed", "lost"] = "succeeded"
    changed: bool = True
    error: str = ""

    def behaviour(self) -> Behaviour:
        """In the model's words."""
        return Behaviour(self.takes, RunPhase(self.outcome), self.changed, self.error)


class ExpectAsset(Closed):
    """What an asset is to be like; null: it has no value. What is not named is not compared."""

    verdict: Verdict | None = None
    runs: int | None = Field(default=None, ge=0)
    in_flight: bool = False
    failed: bool = False
    blocked: bool = False
    muted: bool = False
    paused: bool = False
    maintenance: bool = False
    due: bool = False
    age: DurationField | None = None
    lag: DurationField | None = None
    behind: DurationField | None = None
    own_lag: DurationField | None = None
    inherited_lag: DurationField | None = None
    updated_at: MomentField | None = None
    data_time: MomentField | None = None
    pending_since: MomentField | None = None


class ExpectIncident(Closed):
    """An incident that is to be open."""

    cause: str | None = None
    reason: str | None = None
    affects: tuple[str, ...] | None = None
    acknowledged: bool | None = None
    muted: bool | None = None


class Expect(Closed):
    """What is to hold at an instant."""

    assets: dict[str, ExpectAsset] = {}  # noqa: RUF012  frozen
    launched: tuple[str, ...] | None = None
    incidents: tuple[ExpectIncident, ...] | None = None
    announced: int | None = Field(default=None, ge=0)


class Line(Closed):
    """One line of the time line: something that happens, a wish, or an expectation."""

    at: MomentField
    arrives: MomentField | None = None
    update: Names = ()
    observation: Names = ()
    run_started: Names = ()
    run_failed: Names = ()
    run_ended: Names = ()
    check: Names = ()
    heartbeat: str = ""
    materialize: Names = ()
    mute: Names = ()
    maintenance: Names = ()
    pause: Names = ()
    unmute: Names = ()
    resume: Names = ()
    acknowledge: str = Field(default="", description="the main cause of the incident that somebody knows of")
    blind: str = Field(default="", description="a topic that cannot be seen from now on")
    sighted: str = ""
    expect: Expect | None = None
    lasting: DurationField | None = Field(default=None, alias="for", description="how long a person's word holds")
    begins: MomentField | None = Field(default=None, alias="from", description="when it begins to hold; default: at")
    author: str = "somebody"
    reason: str = ""
    topic: str = Field(default="", description="the Kafka topic that the event comes from")
    started_at: MomentField | None = None
    data_time: MomentField | None = None
    partition: str = ""
    changed: bool = True
    completeness: float | None = Field(default=None, ge=0, le=1)
    run_id: str = ""
    metadata: dict[str, Any] | None = None
    id: str = ""
    name: str = ""
    passed: bool | None = None
    value: float | str | None = None
    blocking: bool = False

    @property
    def action(self) -> str:
        """Which of ACTIONS it is."""
        return next(action for action in ACTIONS if action in self.model_fields_set)

    @model_validator(mode="after")
    def _is_one_thing(self) -> Self:
        actions = [action for action in ACTIONS if action in self.model_fields_set]
        if len(actions) != 1:
            named = f"both {' and '.join(actions)}" if actions else "nothing"
            raise ValueError(f"a line is one thing, this is {named}; write one of {', '.join(ACTIONS)}")
        if actions == ["check"] and (not self.name or self.passed is None):
            raise ValueError(
                "a check has a name and says whether it passed: {check: orders, name: rows, passed: false}"
            )
        if actions == ["observation"] and self.data_time is None:
            raise ValueError("an observation carries a data_time")
        if actions[0] in ("mute", "maintenance") and self.lasting is None:
            raise ValueError(f"{actions[0]} lasts for a while: add `for: 2h`")
        return self


class ScenarioFile(Closed):
    """One scenario: assets, policies, how runs go, and a time line with what is to hold along it."""

    scenario: str
    start: InstantField
    assets: tuple[Any, ...] = Field(default=(), description="as in freshd.yaml's catalog files")
    catalog: tuple[Any, ...] = Field(default=(), description="as in freshd.yaml; paths relative to this file")
    policies: tuple[Any, ...] | str = Field(default=(), description="inline, or paths relative to this file")
    runs: dict[str, RunModel | DurationField | tuple[RunModel | DurationField, ...]] = {}  # noqa: RUF012  frozen
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
            wish = Wish(
                f"wish-{index}", self._selected(line.materialize, ("timeline", index, "materialize")), "scenario"
            )
            return Happening(arrives, wish, where)
        return Happening(arrives, self._event(line, at, max(arrives, start), index, where), where)

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
        if at > arrives + FUTURE:
            told = f"it says that it happened at {format_instant(at)}, but arrived at {format_instant(arrives)}"
            return DeadLetter(where, "from_the_future", told, b"", "freshd")
        start, kind = self._file.start, EventKind(line.action)
        names: tuple[str, ...] = () if kind is EventKind.HEARTBEAT else getattr(line, line.action)
        check = None
        if kind is EventKind.CHECK:
            check = Check(line.name, bool(line.passed), line.value, line.blocking)
        return Event(
            kind=kind,
            assets=tuple(self._known(name, ("timeline", index, line.action)) for name in names),
            at=min(at, arrives),
            id=line.id or f"line-{index}",
            source="scenario",
            partition=line.partition,
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
        for key in expect.launched or ():
            self._known(key, (*path, "launched"))
        places = {name: self._document.where(*path, name) for name in ("launched", "incidents", "announced")}
        assets = tuple(self._expected(shown, asset, (*path, "assets", shown)) for shown, asset in expect.assets.items())
        return Expectation(
            at, self._document.where(*path), assets, expect.launched, incidents, expect.announced, places
        )

    def _expected(self, shown: str, asset: ExpectAsset, path: tuple[str | int, ...]) -> ExpectedAsset:
        key, partition = shown, ""
        if shown not in self._charter.graph and shown.endswith("]"):
            key, _, partition = shown[:-1].partition("[")
        named: dict[str, Any] = {}
        for name in (field for field in type(asset).model_fields if field in asset.model_fields_set):
            value = getattr(asset, name)
            named[name] = value.after(self._file.start) if isinstance(value, Moment) else value
        where = {name: self._document.where(*path, name) for name in named}
        return ExpectedAsset(self._known(key, path), partition, named, where)

    def _behaviours(self) -> Mapping[AssetKey, tuple[Behaviour, ...]]:
        """Per asset the first line that selects it; a line that is a key comes before patterns."""
        behaviours: dict[AssetKey, tuple[Behaviour, ...]] = {}
        graph = self._charter.graph
        exact = [pattern for pattern in self._file.runs if pattern in graph]
        for pattern in (*exact, *(other for other in self._file.runs if other not in graph)):
            listed = self._file.runs[pattern]
            ways = listed if isinstance(listed, tuple) else (listed,)
            if not ways:
                self._complain(("runs", pattern), "an empty list says nothing; write a duration")
                continue
            keys = (pattern,) if pattern in graph else self._selected((pattern,), ("runs", pattern))
            runs = tuple(Behaviour(way) if isinstance(way, int) else way.behaviour() for way in ways)
            for key in keys:
                behaviours.setdefault(key, runs)
        return behaviours
