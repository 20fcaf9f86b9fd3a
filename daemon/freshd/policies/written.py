"""A policy as people write it: the shape of `policies:`, and where each one stands.

It decides what may be written in a policy file; anything else is refused at its line, never ignored. It must not
know of the graph: what a selector selects, and what follows for each asset, is worked out in `charter`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, ValidationInfo, field_validator, model_validator

from freshd.documents import Closed, Document, DurationField, PathPart, files_named, read_yaml, shown_below, validate
from freshd.model.errors import ConfigError, Problem
from freshd.model.time import HOUR, MINUTE
from freshd.policies.expectations import CalendarModel, ExpectModel, SloModel
from freshd.policies.words import Share

DEFAULT_MARGIN = 0.2
"""Of just_in_time: by how much longer than usual a run may take."""

Selection = str | tuple[str, ...]


class WindowModel(Closed):
    """When launches are allowed: from each tick on, for so long."""

    cron: str
    timezone: str = "UTC"
    lasting: Annotated[DurationField, Field(gt=0, alias="for", description="how long it stays open")]


class _Bounds(Closed):
    """What any launch of its own accord is bound to."""

    debounce: DurationField = 0
    max_wait: DurationField = HOUR
    min_interval: DurationField = 0
    updates_on: Literal["any", "all"] | tuple[str, ...] = "any"
    window: WindowModel | None = None


class EagerModel(_Bounds):
    """Launched as soon as it is due and nothing that it waits for is on its way."""


class JustInTimeModel(_Bounds):
    """Launched as late as what is expected of it and below it allows."""

    margin: Annotated[Share, Field(ge=0, le=10, description="by how much longer than usual a run may take")] = (
        DEFAULT_MARGIN
    )


class ReactModel(Closed):
    """One kind of reaction with its bounds."""

    eager: EagerModel | None = None
    manual: dict[str, Any] | None = Field(default=None, max_length=0)
    just_in_time: JustInTimeModel | None = None

    @model_validator(mode="after")
    def _is_one(self) -> Self:
        if len(self.model_fields_set) != 1:
            raise ValueError(
                "names not exactly one reaction; write eager, just_in_time, manual, or {eager: {debounce: 30s}}"
            )
        return self


class RetryModel(Closed):
    """How failed runs are tried again."""

    attempts: int = Field(default=3, ge=1, le=1000, description="counts the first run")
    delay: DurationField = MINUTE
    factor: float = Field(default=2.0, ge=1, le=1000)
    max_delay: DurationField = 15 * MINUTE
    jitter: Annotated[Share, Field(ge=0, le=1)] = 0.1


class AlertModel(Closed):
    """Whom to tell, and of what."""

    severity: Literal["info", "warning", "critical"] = "warning"
    at: tuple[Literal["stale", "failed", "warn", "sync_failed"], ...] = ("stale", "failed")
    channel: str = ""
    mention: str | tuple[str, ...] = Field(default=(), description="people or groups; `owners`: those of the assets")

    @property
    def mentions(self) -> tuple[str, ...]:
        """One or several, as a tuple."""
        return (self.mention,) if isinstance(self.mention, str) else self.mention


class PolicyModel(Closed):
    """What is expected of the selected assets, what the daemon does about it, whom it tells."""

    name: Annotated[str, Field(min_length=1, max_length=200)]
    select: Selection
    exclude: Selection = ()
    expect: ExpectModel = ExpectModel()
    calendar: CalendarModel | None = None
    sustain: DurationField = 0
    completeness: Annotated[Share, Field(gt=0, le=1)] | None = None
    react: Literal["eager", "manual", "just_in_time"] | ReactModel | None = None
    retry: RetryModel = RetryModel()
    on_upstream_failure: Literal["wait", "go_on"] = "wait"
    alert: AlertModel | None = None
    slo: SloModel | None = None
    priority: int = 0

    @field_validator("calendar", "slo", mode="after")
    @classmethod
    def _rests_on_expectations(cls, value: Any, info: ValidationInfo) -> Any:
        expect = info.data.get("expect")  # not there if it is wrong itself
        if value is None or expect is None or expect.measured:
            return value
        if info.field_name == "calendar":
            raise ValueError(
                "says when time counts, but nothing here is measured in time; expect lag, age, behind, deadline or"
                " learned, or remove it"
            )
        if not expect.checks:
            raise ValueError(
                "says how often the policy is to hold, but nothing is expected; add `expect`, or remove it"
            )
        return value


class PolicyFile(Closed):
    """A file of policies."""

    policies: tuple[PolicyModel, ...] = ()


@dataclass(frozen=True, slots=True)
class WrittenPolicy:
    """A policy that fits the language, and the place to point at."""

    model: PolicyModel
    document: Document
    path: tuple[PathPart, ...] = ()

    def where(self, *path: PathPart) -> str:
        """`file:line` of a part of it."""
        return self.document.where(*self.path, *path)

    @property
    def deadline_places(self) -> list[tuple[PathPart, ...]]:
        """Where each of its deadlines stands in it."""
        deadline = self.model.expect.deadline
        if isinstance(deadline, tuple):
            return [("expect", "deadline", index) for index in range(len(deadline))]
        return [] if deadline is None else [("expect", "deadline")]


def policies_at(
    document: Document, *path: PathPart, only: Sequence[int] | None = None, problems: list[Problem] | None = None
) -> list[WrittenPolicy]:
    """The policies in the list that `path` leads to, or `only` some of its items.

    Raises ConfigError with every problem of every one; with `problems` they go there instead.
    """
    items = document.at(*path)
    if not isinstance(items, list):
        raise ConfigError([Problem(document.where(*path), "policies should be a list; begin each with a dash")])
    found: list[WrittenPolicy] = []
    wrong: list[Problem] = []
    for index in range(len(items)) if only is None else only:
        try:
            found.append(WrittenPolicy(validate(PolicyModel, document, *path, index), document, (*path, index)))
        except ConfigError as error:
            wrong += error.problems
    return _told(found, wrong, problems)


def policies_of(document: Document, problems: list[Problem] | None = None) -> list[WrittenPolicy]:
    """The policies of a policy file. Raises ConfigError with every problem in it; with `problems` they go there."""
    if not isinstance(document.value, dict) or document.value.keys() - {"policies", "$schema"}:
        validate(PolicyFile, document)
    return policies_at(document, "policies", problems=problems) if document.value.get("policies") is not None else []


def load_policies(
    patterns: str | Sequence[str], base: Path, problems: list[Problem] | None = None
) -> list[WrittenPolicy]:
    """The policies of the files that the patterns name (relative to `base`), in order of pattern, then file.

    Raises ConfigError with the problems of all files; with `problems` they go there, and what is right is returned. A
    pattern without `*` must name a file.
    """
    found: list[WrittenPolicy] = []
    wrong: list[Problem] = []
    for pattern in (patterns,) if isinstance(patterns, str) else patterns:
        for path in files_named(pattern, base):
            try:
                for document in read_yaml(path, shown_below(path, base)):
                    found += policies_of(document, wrong)
            except ConfigError as error:
                wrong += error.problems
    return _told(found, wrong, problems)


def _told(found: list[WrittenPolicy], wrong: list[Problem], problems: list[Problem] | None) -> list[WrittenPolicy]:
    if wrong and problems is None:
        raise ConfigError(wrong)
    if problems is not None:
        problems += wrong
    return found
