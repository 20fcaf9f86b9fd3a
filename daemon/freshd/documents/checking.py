"""A document against a model: an instance, or every problem at its line.

Of a union, only the complaints of the branch that was meant are told; secrets are not repeated.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from freshd.documents.models import known_keys, known_tags, nearest
from freshd.documents.yaml_text import Document, PathPart
from freshd.model.errors import ConfigError, Problem

M = TypeVar("M", bound=BaseModel)
Loc = tuple[PathPart, ...]
_Complaint = tuple[Loc, ErrorDetails]
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
    told: dict[tuple[str, str], None] = {}
    misspelt: set[tuple[str, str]] = set()
    for detail in _meant([(detail["loc"], detail) for detail in error.errors(include_url=False)], value):
        where = document.where(*path, *_real_path(detail["loc"], value))
        message = _message(detail, _real_path(detail["loc"], value), model)
        told[where, message] = None
        _, _, meant = message.partition("; did you mean ")
        if meant:
            misspelt.add((document.where(*path, *_real_path(detail["loc"][:-1], value)), meant.removesuffix("?")))
    return [
        Problem(where, message)
        for where, message in told
        if (where, message.removesuffix(" is missing").partition(" is missing in ")[0]) not in misspelt
    ]


def _real_path(loc: Sequence[PathPart], value: Any) -> list[PathPart]:
    """The parts of a pydantic location that are parts of the value: without the names of union branches."""
    real: list[PathPart] = []
    for part in loc:
        known = part in value if isinstance(value, dict) else isinstance(value, list) and part in range(len(value))
        if known:
            value = value[part]
            real.append(part)
    return real


def _meant(complaints: Sequence[_Complaint], value: Any) -> Iterator[ErrorDetails]:
    """The complaints, of each union only those of the branch that was meant: the nearest, with the fewest."""
    unions: dict[tuple[PathPart, ...], dict[PathPart, list[_Complaint]]] = {}
    for loc, detail in complaints:
        site = _union_site(loc, detail, value)
        if site is None:
            yield detail
        else:
            inside = ((*loc[:site], *loc[site + 1 :]), detail)
            unions.setdefault(loc[:site], {}).setdefault(loc[site], []).append(inside)
    for path, branches in unions.items():
        scores = {
            name: (-max(_closeness(loc, detail, len(path)) for loc, detail in told), len(told))
            for name, told in branches.items()
        }
        for name, told in branches.items():
            if scores[name] == min(scores.values()):
                yield from _meant(told, value)


def _union_site(loc: Loc, detail: ErrorDetails, value: Any) -> int | None:
    """Which part of a location names the branch of a union rather than a part of the value, the first such."""
    parts = loc[:-1] if detail["type"] == "missing" else loc
    real = _real_path(parts, value)
    return next((index for index, part in enumerate(parts) if index >= len(real) or real[index] != part), None)


def _closeness(loc: Loc, detail: ErrorDetails, depth: int) -> int:
    """How near the branch of a union that complains is to what was written at that depth."""
    if len(loc) > depth:
        return _INSIDE
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
    if kind == "union_tag_invalid":
        given = detail["ctx"]
        known = [name.strip("' ") for name in given["expected_tags"].split(",")]
        name = given["discriminator"].strip("'")
        return f"{shown}: unknown {name} {given['tag']}{nearest(given['tag'], known)}"
    if kind == "union_tag_not_found":
        name = detail["ctx"]["discriminator"].strip("'")
        return f"{shown}: {name} is missing; known are {', '.join(known_tags(model, loc, name))}"
    if kind == "model_type" and (keys := known_keys(model, loc)):
        said = f"should be a mapping; known keys are {', '.join(keys)}"
    if kind == "value_error":
        said = said.removeprefix("Value error, ")
    said = said[:1].lower() + said[1:]
    said = said.replace("input should be", "should be").replace("a valid dictionary or instance of ", "a mapping: ")
    said = (
        said.replace("a valid dictionary", "a mapping")
        .replace("a mapping or object to extract fields from", "a mapping")
        .replace(" after validation", "")
        .replace("a valid tuple", "a list")
        .replace("a valid list", "a list")
        .replace("should be True", "should be true")
    )
    return f"{shown}: {said}" if shown else said
