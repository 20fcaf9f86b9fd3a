"""Expectations as people write them: the shapes of `expect:`, `calendar:` and `slo:` in a policy.

It decides what may stand there and says what to write instead. Whether it fits the selected assets is
worked out where policies meet the graph.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, field_validator, model_validator

from freshd.adapters.calendar import check_holidays, parse_closed, parse_days, parse_hours, zone_named
from freshd.documents import Closed, DurationField
from freshd.model.time import DAY, HOUR, WEEK, format_duration
from freshd.policies.words import Figure, Period, Share

Texts = str | tuple[str, ...]


class LimitModel(Closed):
    """Limits of one measure: from when it warns, from when it is stale."""

    warn: DurationField | None = None
    stale: DurationField | None = None
    warn_after: Period | None = Field(default=None, description="dbt's way to write `warn`")
    error_after: Period | None = Field(default=None, description="dbt's way to write `stale`")
    filter: str | None = Field(default=None, description="dbt's; it matters only to dbt's own query")
    per: Literal["partition"] | None = Field(default=None, description="judge each partition by itself")

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if (self.warn is not None and self.warn_after) or (self.stale is not None and self.error_after):
            raise ValueError("the same limit is given twice, in freshd's words and in dbt's; keep one")
        warn, stale = self.warn_limit, self.stale_limit
        if warn is None and stale is None:
            raise ValueError("has no limit; write {warn: 45m, stale: 1h} or one of them")
        if warn is not None and stale is not None and warn > stale:
            shown = f"warn ({format_duration(warn)}) comes after stale ({format_duration(stale)})"
            raise ValueError(f"{shown}; make it the smaller one")
        return self

    @property
    def warn_limit(self) -> int | None:
        """In microseconds, whichever way it is written."""
        return self.warn_after.duration() if self.warn_after else self.warn

    @property
    def stale_limit(self) -> int | None:
        """In microseconds, whichever way it is written."""
        return self.error_after.duration() if self.error_after else self.stale


class DeadlineModel(Closed):
    """At each tick of the schedule the data must be this young, or the partition that the tick names be there."""

    cron: str = Field(description="five fields: minute hour day month weekday")
    timezone: str = "UTC"
    max_lag: DurationField | None = Field(default=None, description="not for assets partitioned by time")
    grace: DurationField = 0
    warn_before: DurationField = 0
    offset: DurationField = Field(default=0, description="how long before the tick the partition's window must end")
    per: Literal["partition"] | None = Field(default=None, description="judge each partition by itself")


class NeverUpdatedModel(Closed):
    """How long an asset may be without a value before that counts as stale."""

    stale: DurationField


class LearnedModel(Closed):
    """Limits learned from the asset's own rhythm."""

    sensitivity: Literal["high", "medium", "low"] = "medium"


class CheckModel(Closed):
    """What the latest result of a check, or a metadata key of updates, must be."""

    name: Annotated[str, Field(min_length=1, max_length=200)]
    min: Figure | None = None
    max: Figure | None = None
    equals: bool | float | str | None = None
    last: Annotated[int, Field(ge=1, le=100)] | None = Field(
        default=None, description="min and max are shares of the mean of so many values before"
    )
    passed: Literal[True] | None = Field(default=None, description="that it passed; always asked for")
    level: Literal["warn", "stale"] = "stale"
    blocking: bool = Field(default=False, description="a violation holds back what is built from the asset")

    @model_validator(mode="after")
    def _makes_sense(self) -> Self:
        ranged = self.min is not None or self.max is not None
        if self.last is not None and not ranged:
            raise ValueError("last says what min and max are relative to; add them: {last: 7, min: 50%, max: 200%}")
        if self.equals is not None and ranged:
            raise ValueError("equals and a range ask for two things; keep equals, or min and max")
        if self.min is not None and self.max is not None and self.min > self.max:
            raise ValueError(f"min ({self.min:g}) is greater than max ({self.max:g}); turn them round")
        return self


class ExpectModel(Closed):
    """What is expected; all of it must hold."""

    age: LimitModel | None = None
    lag: LimitModel | None = None
    behind: LimitModel | None = None
    deadline: DeadlineModel | tuple[DeadlineModel, ...] | None = None
    never_updated: NeverUpdatedModel | None = None
    learned: LearnedModel | Literal["high", "medium", "low"] | None = None
    checks: tuple[CheckModel, ...] = ()

    @property
    def deadlines(self) -> tuple[DeadlineModel, ...]:
        """One or several, as a tuple."""
        if self.deadline is None:
            return ()
        return self.deadline if isinstance(self.deadline, tuple) else (self.deadline,)

    @property
    def sensitivity(self) -> str:
        """Of `learned`, whichever way it is written; empty: nothing is learned."""
        if self.learned is None:
            return ""
        return self.learned if isinstance(self.learned, str) else self.learned.sensitivity

    @property
    def measured(self) -> bool:
        """Whether anything with a value in time is expected."""
        return bool(self.age or self.lag or self.behind or self.deadlines or self.learned)

    @model_validator(mode="after")
    def _has_a_measure(self) -> Self:
        if self.never_updated and not self.measured:
            raise ValueError(
                "never_updated says from when a missing value is stale; add the expectation whose value it is:"
                " lag, age, behind or deadline"
            )
        return self


def _texts(value: Texts) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else value


class CalendarModel(Closed):
    """Open time: outside of it limits do not come nearer, and ticks of deadlines do not exist."""

    days: Texts = Field(default="mon-sun", description="weekdays, like mon-fri or mon,wed")
    hours: Texts = Field(default="00:00-24:00", description="like 08:00-20:00; 22:00-06:00 goes across midnight")
    timezone: str = "UTC"
    holidays: Texts = Field(default=(), description="countries or parts of them whose public holidays are closed")
    closed: Texts = Field(default=(), description="closed days: 2026-12-24, or 2026-12-24..2027-01-01")

    @field_validator("days", "hours", "timezone", "holidays", "closed", mode="after")
    @classmethod
    def _is_understood(cls, value: Texts, info: Any) -> Texts:
        read: dict[str, Callable[[Any], object]] = {
            "days": parse_days,
            "hours": parse_hours,
            "timezone": zone_named,
            "holidays": lambda names: check_holidays(_texts(names)),
            "closed": parse_closed,
        }
        read[info.field_name](value)
        return value

    @model_validator(mode="after")
    def _closes_at_all(self) -> Self:
        if not self.model_fields_set - {"timezone"}:
            raise ValueError("is open all the time; say when it is: {days: mon-fri, hours: '08:00-20:00'}")
        return self

    @property
    def words(self) -> tuple[tuple[str, ...], tuple[str, ...], str, tuple[str, ...], tuple[str, ...]]:
        """Days, hours, zone, holidays and closed days, as `business_calendar` takes them."""
        return _texts(self.days), _texts(self.hours), self.timezone, _texts(self.holidays), _texts(self.closed)


def _below_all(share: float) -> float:
    if not 0 < share < 1:
        raise ValueError("no share that can be missed; write one between 0% and 100%, like 99.5%")
    return share


class SloModel(Closed):
    """The share of time, or of deadlines, that is to be good over a window."""

    target: Annotated[Share, AfterValidator(_below_all)]
    window: Annotated[DurationField, Field(ge=HOUR, le=366 * DAY)] = 4 * WEEK
