"""The single values of a model of something people wrote, each with its place: for what is asked of all of a kind."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel

from freshd.documents.yaml_text import PathPart


def parts_of(value: Any, path: tuple[PathPart, ...] = ()) -> Iterator[tuple[tuple[PathPart, ...], Any]]:
    """(path, value) of everything in it that is no model, mapping or list, in the order of its fields."""
    if isinstance(value, BaseModel):
        for name in type(value).model_fields:
            yield from parts_of(getattr(value, name), (*path, name))
    elif isinstance(value, Mapping):
        for key, part in value.items():
            yield from parts_of(part, (*path, key))
    elif isinstance(value, list | tuple):
        for index, part in enumerate(value):
            yield from parts_of(part, (*path, index))
    else:
        yield path, value
