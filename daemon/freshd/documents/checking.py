"""A document against a model: an instance, or every problem at its line.

Of a union, only the complaints of the branch that was meant are told; secrets are not repeated.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from freshd.documents.models import known_keys, nearest
from freshd.documents.yaml_text import Document, PathPart
from freshd.model.errors import ConfigError, Problem

M = TypeVar("M", bound=BaseModel)
_INSIDE: Final = 2


def validate(model: type[M], document: Document, *path: PathPart) -> M:
    """The part of the document that `path` leads to, as an instance of `model`.

    Raises ConfigError with a Problem at its line for everything that does not fit; an unknown key names
    the nearest known one.
    """
    value = document.at(*path)
    try:
        return model.model_validate(value)
    except ValidationError as error:
        raise ConfigError(explain(error, model, document, path)) from None


def explain(
    error: ValidationError, model: type[BaseModel], document: Document, path: Sequence[PathPart] = ()
) -> list[Problem]:
    """What pydantic complains about, as problems at lines, without the branches of a union that were not meant."""
    value = document.at(*path)
    found: dict[tuple[str, str], None] = {}
    for detail in _meant(error.errors(include_url=False), value):
        real = _real_path(detail["loc"], value)
        where = document.where(*path, *real)
        found[where, _message(detail, real, model)] = None
    return [Problem(where, message) for where, message in found]


def _real_path(loc: Sequence[PathPart], value: Any) -> list[PathPart]:
    """The parts of a pydantic location that are parts of the value: without the names of union branches."""
    real: list[PathPart] = []
    for part in loc:
        known = part in value if isinstance(value, dict) else isinstance(value, list) and part in range(len(value))
        if known:
            value = value[part]
            real.append(part)
    return real


def _meant(details: Sequence[ErrorDetails], value: Any) -> Iterator[ErrorDetails]:
    """The complaints without those of union branches that have another shape than what was written."""
    reals = [tuple(_real_path(detail["loc"], value)) for detail in details]
    best: dict[tuple[PathPart, ...], int] = {}
    for detail, real in zip(details, reals, strict=True):
        for length in range(len(real) + 1):
            closeness = _closeness(detail) if length == len(real) else _INSIDE
            best[real[:length]] = max(best.get(real[:length], 0), closeness)
    for detail, real in zip(details, reals, strict=True):
        of_branch = len(detail["loc"]) > len(real) and detail["type"] not in ("missing", "extra_forbidden")
        if not of_branch or _closeness(detail) == best[real]:
            yield detail


def _closeness(detail: ErrorDetails) -> int:
    """How near the branch of a union that complains is to what was written."""
    if detail["type"] == "literal_error":
        return 1 if isinstance(detail["input"], str) else 0
    return 0 if detail["type"].endswith(("_type", "_parsing")) else _INSIDE


def _message(detail: ErrorDetails, real: Sequence[PathPart], model: type[BaseModel]) -> str:
    loc = detail["loc"]
    shown = ".".join(str(part) for part in real)
    kind, said = detail["type"], detail["msg"]
    if kind == "extra_forbidden":
        return f"unknown key {loc[-1]}{nearest(str(loc[-1]), known_keys(model, loc[:-1]))}"
    if kind == "missing":
        within = f" in {shown}" if shown else ""
        return f"{loc[-1]} is missing{within}"
    if kind == "value_error":
        said = said.removeprefix("Value error, ")
    said = said[:1].lower() + said[1:]
    said = said.replace("input should be", "should be").replace("a valid dictionary or instance of ", "a mapping: ")
    said = (
        said.replace("a valid dictionary", "a mapping")
        .replace("a valid tuple", "a list")
        .replace("a valid list", "a list")
    )
    return f"{shown}: {said}" if shown else said
