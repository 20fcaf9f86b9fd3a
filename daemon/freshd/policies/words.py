"""Words that several parts of the policy language share: shares, figures, dbt's periods."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, WithJsonSchema

from freshd.documents import Closed
from freshd.model.time import DAY, HOUR, MINUTE


def _share(value: Any) -> Any:
    if isinstance(value, str):
        text = value.strip()
        try:
            return float(text.removesuffix("%")) / 100 if text.endswith("%") else float(text)
        except ValueError:
            raise ValueError(f"{value!r} is not a share; write one like 10% or 0.1") from None
    return value


def _figure(value: Any) -> Any:
    if isinstance(value, bool):
        raise ValueError(f"{str(value).lower()} is not a number; write one like 1000 or 50%")
    try:
        return _share(value)
    except ValueError:
        raise ValueError(f"{value!r} is not a number; write one like 1000 or 50%") from None


Share = Annotated[
    float,
    BeforeValidator(_share),
    WithJsonSchema(
        {"anyOf": [{"type": "number", "minimum": 0, "maximum": 1}, {"type": "string"}], "examples": ["10%"]}
    ),
]
"""A share of one: `10%` or `0.1`."""

Figure = Annotated[
    float,
    BeforeValidator(_figure),
    WithJsonSchema({"anyOf": [{"type": "number"}, {"type": "string"}], "examples": [1000, "50%"]}),
]
"""A number, or a percentage."""

_PERIODS = {"minute": MINUTE, "hour": HOUR, "day": DAY}


class Period(Closed):
    """dbt's way to write a duration."""

    count: Annotated[int, Field(ge=0)] | None = None
    period: Literal["minute", "hour", "day"] | None = None

    def duration(self) -> int | None:
        """In microseconds; None if dbt left it open."""
        return None if self.count is None or self.period is None else self.count * _PERIODS[self.period]
