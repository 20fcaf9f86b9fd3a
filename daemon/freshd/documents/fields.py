"""What models of files are made of: a base that refuses unknown keys, durations and instants as people write them."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, WithJsonSchema
from pydantic_core import PydanticCustomError

from freshd.model.time import parse_duration, parse_instant


class Closed(BaseModel):
    """A model of something a person writes: what it does not name is an error. Frozen."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


def _duration(value: Any) -> int:
    if isinstance(value, str | int | float) and not isinstance(value, bool):
        return parse_duration(value)
    raise PydanticCustomError("duration_type", "should be a duration; write one like 45s, 1h30m, 2d or 4w")


def _instant(value: Any) -> int:
    if isinstance(value, str):
        return parse_instant(value)
    raise PydanticCustomError("instant_type", "should be an instant; write one like 2026-11-22T08:00:00Z")


DurationField = Annotated[
    int,
    BeforeValidator(_duration),
    WithJsonSchema({"type": ["string", "number"], "description": "a duration", "examples": ["45s", "1h30m", "2d"]}),
]
"""A duration as people write it (a bare number is seconds), read as microseconds."""

InstantField = Annotated[
    int,
    BeforeValidator(_instant),
    WithJsonSchema({"type": "string", "description": "an RFC 3339 instant", "examples": ["2026-11-22T08:00:00Z"]}),
]
"""An RFC 3339 instant, read as microseconds since 1970."""
