"""The lines of a scenario's time line as people write them, and what they may expect.

It decides which words a line may hold, and which go together. What they mean for a graph is written.py's business.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal, Self

from pydantic import BeforeValidator, Field, PlainValidator, WithJsonSchema, model_validator
from pydantic_core import PydanticCustomError

from freshd.backtest.scenario import Behaviour
from freshd.documents import Closed, DurationField
from freshd.model.declarations import DeclarationKind
from freshd.model.inputs import EventKind, RunPhase
from freshd.model.policy import Verdict
from freshd.model.time import Instant, parse_duration, parse_instant

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
    """An offset from the start (`-5m` is before it), or an instant."""

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
            return Moment(_offset(value), absolute=False)
        except ValueError:
            pass
        try:
            return Moment(parse_instant(str(value)), absolute=True)
        except ValueError:
            pass
    raise PydanticCustomError(
        "moment_type", "{given} is neither an offset from the start, like 1h30m, nor an instant", {"given": repr(value)}
    )


def _offset(value: str | int | float) -> int:
    text = str(value).strip()
    return -parse_duration(text[1:]) if text.startswith("-") else parse_duration(value)


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

    assets: dict[str, ExpectAsset] = Field(default_factory=dict)
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
    partitions: str = Field(default="", description="of a backfill: which partitions, like 2026-11-01..2026-11-20")
    parallel: int = Field(default=0, ge=0, description="of a backfill: how many runs may go on at one time")
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
