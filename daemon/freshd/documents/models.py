"""What a pydantic model knows: the keys at a place of it, and whether that place holds several values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel

from freshd.documents.yaml_text import PathPart


def nearest(word: str, known: Sequence[str]) -> str:
    """`; did you mean X?` for the known word most like `word`, or what is known if there are few, or nothing."""
    close = get_close_matches(word, known, n=1, cutoff=0.6)
    if close:
        return f"; did you mean {close[0]}?"
    return f"; known are {', '.join(sorted(known))}" if 0 < len(known) <= 12 else ""


def known_keys(model: type[BaseModel], loc: Sequence[PathPart]) -> list[str]:
    """The keys that the models at a pydantic location know, by the names people write."""
    names: dict[str, None] = {}
    for kind in _types_at(model, loc):
        for found in _models(kind):
            names.update((field.alias or name, None) for name, field in found.model_fields.items())
    return list(names)


def known_tags(model: type[BaseModel], loc: Sequence[PathPart], name: str) -> list[str]:
    """The words that may stand under `name` at a pydantic location, where they tell which model is meant."""
    found = [one for kind in _types_at(model, loc) for one in _models(kind)]
    fields = [one.model_fields[name] for one in found if name in one.model_fields]
    return [str(word) for field in fields for word in get_args(field.annotation)]


def takes_list(model: type[BaseModel], path: Sequence[PathPart]) -> bool:
    """Whether the field that a path leads to holds several values."""
    kinds = [arg for kind in _types_at(model, path) for arg in (kind, *get_args(kind))]
    return bool(path) and any(get_origin(kind) in (list, tuple, set, frozenset) for kind in kinds)


def _types_at(model: type[BaseModel], loc: Sequence[PathPart]) -> list[Any]:
    types: list[Any] = [model]
    for part in loc:
        types = [inner for outer in types for inner in _inside(outer, part)] or types
    return types


def _inside(kind: Any, part: PathPart) -> Iterator[Any]:
    """The types of the part `part` of a value of type `kind`; nothing if `part` names a branch of it."""
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        for name, field in kind.model_fields.items():
            if part in (name, field.alias):
                yield field.annotation
        return
    origin, args = get_origin(kind), get_args(kind)
    if origin in (Union, UnionType):
        for arg in args:
            yield from _inside(arg, part)
    elif origin is Annotated:
        meant = [
            model for model in _models(args[0]) if _is_branch(model, getattr(args[1], "discriminator", None), part)
        ]
        yield from meant or _inside(args[0], part)
    elif isinstance(origin, type) and issubclass(origin, Mapping):
        yield args[1]
    elif isinstance(origin, type) and isinstance(part, int) and args:
        yield args[0]


def _is_branch(model: type[BaseModel], discriminator: Any, part: PathPart) -> bool:
    """Whether a discriminated union calls this model `part`."""
    field = model.model_fields.get(discriminator) if isinstance(discriminator, str) else None
    return field is not None and part in get_args(field.annotation)


def _models(kind: Any) -> Iterator[type[BaseModel]]:
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        yield kind
    elif get_origin(kind) in (Union, UnionType):
        for arg in get_args(kind):
            yield from _models(arg)
    elif get_origin(kind) is Annotated:
        yield from _models(get_args(kind)[0])
