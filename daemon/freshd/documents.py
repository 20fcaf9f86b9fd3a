"""Files that people write: read as YAML 1.2, every value with its line, checked against a model.

What a person wrote is wrong in many places at once, and each should be told with file, line and the
nearest thing that would have been right. So a `Document` keeps, beside its plain value, where each part
of it stands, and `validate` turns what pydantic complains about into `Problem`s at those lines.
The core schema of YAML 1.2 is read: no `on`/`no` booleans, dates stay text; keys are always text. It
must not know what any file means: the models of settings, policies and catalogues say that.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from difflib import get_close_matches
from functools import lru_cache
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Final, TypeVar, Union, get_args, get_origin

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError, WithJsonSchema
from pydantic_core import ErrorDetails

from freshd.model.errors import ConfigError, Problem
from freshd.model.time import parse_duration, parse_instant

MAX_PARTS: Final = 20_000_000
"""Parts that a document may have once its aliases are written out: what stops a YAML bomb."""

MAX_DEPTH: Final = 100
"""How deep a document may be nested."""

_INSIDE: Final = 2
PathPart = str | int
Inside = dict[str, "Place"] | list["Place"] | None
Place = tuple[int, Inside]
"""The line of a part (from 1), and the places inside it."""
M = TypeVar("M", bound=BaseModel)

_INT = re.compile(r"[-+]?[0-9]+")
_BASED = re.compile(r"0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_WORDS: Final[dict[str, Any]] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys((".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF"), math.inf),
    **dict.fromkeys(("-.inf", "-.Inf", "-.INF"), -math.inf),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), math.nan),
}
_TAG: Final = "tag:yaml.org,2002:"


class Closed(BaseModel):
    """A model of something a person writes: what it does not name is an error. Frozen."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


def _duration(value: Any) -> int:
    if isinstance(value, str | int | float) and not isinstance(value, bool):
        return parse_duration(value)
    raise ValueError(f"{value!r} is not a duration; write one like 45s, 1h30m, 2d or 4w")


def _instant(value: Any) -> int:
    if isinstance(value, str):
        return parse_instant(value)
    raise ValueError(f"{value!r} is not an instant; write one like 2026-11-22T08:00:00Z")


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


class Document:
    """One YAML document: its plain value, and where every part of it stands."""

    __slots__ = ("_place", "name", "value")

    def __init__(self, value: Any, name: str, place: Place | None = None) -> None:
        self.value = value
        self.name = name
        self._place = place

    def where(self, *path: PathPart) -> str:
        """`file:line` of the part that `path` leads to, or of the nearest part around it."""
        if self._place is None:
            return self.name
        place: Place = self._place
        for part in path:
            inside = place[1]
            if isinstance(inside, dict):
                place = inside.get(str(part), place)
            elif isinstance(inside, list) and isinstance(part, int) and 0 <= part < len(inside):
                place = inside[part]
        return f"{self.name}:{place[0]}"

    def at(self, *path: PathPart) -> Any:
        """The value that `path` leads to. Raises KeyError or IndexError if there is none."""
        value = self.value
        for part in path:
            value = value[part]
        return value


def parse_yaml(text: str, name: str) -> list[Document]:
    """The documents of a YAML text; empty ones are left out.

    Raises ConfigError with `name:line` of everything that cannot be read: syntax, repeated keys,
    unknown tags, aliases that contain themselves.
    """
    problems: list[Problem] = []
    documents: list[Document] = []
    try:
        reader = _Reader(text, name, problems)
        while True:
            document = reader.document()
            if document is None:
                break
            if document.value is not None:
                documents.append(document)
    except yaml.YAMLError as error:
        problems.append(_syntax_problem(error, name, text))
    if problems:
        raise ConfigError(problems)
    return documents


def read_yaml(path: Path, name: str | None = None) -> list[Document]:
    """The documents of a YAML file, under its path as written or `name`.

    Raises ConfigError if the file is missing, is no UTF-8 text, or cannot be read as YAML.
    """
    shown = name or str(path)
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ConfigError([Problem(shown, f"is not UTF-8 text (byte {error.start}); save it as UTF-8")]) from error
    except FileNotFoundError:
        raise ConfigError([Problem(shown, "no such file")]) from None
    except OSError as error:
        raise ConfigError([Problem(shown, f"cannot be read: {error.strerror or error}")]) from error
    return parse_yaml(text, shown)


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


def nearest(word: str, known: Sequence[str]) -> str:
    """`; did you mean X?` for the known word most like `word`, or what is known if there are few, or nothing."""
    close = get_close_matches(word, known, n=1, cutoff=0.6)
    if close:
        return f"; did you mean {close[0]}?"
    return f"; known are {', '.join(sorted(known))}" if 0 < len(known) <= 12 else ""


class _Reader:
    """Builds plain values, and the places of their parts, straight from the parser's events."""

    def __init__(self, text: str, name: str, problems: list[Problem]) -> None:
        loader = yaml.CSafeLoader(text)
        self._next: Callable[[], Any] = loader.get_event
        self._name = name
        self._problems = problems
        self._anchors: dict[str, tuple[Any, Place, int] | None] = {}
        self._parts = 0

    def document(self) -> Document | None:
        """The next document; None at the end of the text."""
        while True:
            event = self._next()
            if isinstance(event, yaml.StreamEndEvent):
                return None
            if isinstance(event, yaml.DocumentStartEvent):
                break
        self._anchors.clear()
        self._parts = 0
        event = self._next()
        value, inside = self._build(event, 0)
        return Document(value, self._name, (_line(event), inside))

    def _build(self, event: Any, depth: int) -> tuple[Any, Inside]:
        self._parts += 1
        if isinstance(event, yaml.ScalarEvent):
            value = self._scalar(event)
            if event.anchor is not None:
                self._anchors[event.anchor] = (value, (_line(event), None), 1)
            return value, None
        if isinstance(event, yaml.AliasEvent):
            return self._alias(event)
        if depth >= MAX_DEPTH:
            raise yaml.MarkedYAMLError(problem=f"nested more than {MAX_DEPTH} deep", problem_mark=event.start_mark)
        before, anchor = self._parts, event.anchor
        if anchor is not None:
            self._anchors[anchor] = None
        value, inside = (self._mapping if isinstance(event, yaml.MappingStartEvent) else self._sequence)(depth + 1)
        if anchor is not None:
            self._anchors[anchor] = (value, (_line(event), inside), self._parts - before)
        return value, inside

    def _mapping(self, depth: int) -> tuple[dict[str, Any], Inside]:
        value: dict[str, Any] = {}
        inside: dict[str, Place] = {}
        while True:
            event = self._next()
            if isinstance(event, yaml.MappingEndEvent):
                return value, inside
            if not isinstance(event, yaml.ScalarEvent):
                self._complain(event, "a key must be text; quote it if it begins with {, [ or *")
                self._build(event, depth)
                self._build(self._next(), depth)
                continue
            key: str = event.value
            if key in value:
                first = inside[key][0]
                self._complain(event, f"the key {key} is given twice, first in line {first}; remove one")
                self._build(self._next(), depth)
                continue
            value[key], below = self._build(self._next(), depth)
            inside[key] = (_line(event), below)

    def _sequence(self, depth: int) -> tuple[list[Any], Inside]:
        value: list[Any] = []
        inside: list[Place] = []
        while True:
            event = self._next()
            if isinstance(event, yaml.SequenceEndEvent):
                return value, inside
            part, below = self._build(event, depth)
            value.append(part)
            inside.append((_line(event), below))

    def _alias(self, event: Any) -> tuple[Any, Inside]:
        if event.anchor not in self._anchors:
            self._complain(event, f"the alias *{event.anchor} names no anchor before it")
            return None, None
        meant = self._anchors[event.anchor]
        if meant is None:
            self._complain(event, "an alias that contains itself; write the value out")
            return None, None
        value, place, parts = meant
        self._parts += parts
        if self._parts > MAX_PARTS:
            raise yaml.MarkedYAMLError(problem=f"more than {MAX_PARTS} parts", problem_mark=event.start_mark)
        return value, place[1]

    def _scalar(self, event: Any) -> Any:
        text: str = event.value
        tag = event.tag
        if tag is None:
            return plain_scalar(text) if event.implicit[0] else text
        if tag == _TAG + "str" or tag == "!":
            return text
        if tag in (_TAG + "int", _TAG + "float", _TAG + "bool", _TAG + "null"):
            return plain_scalar(text)
        self._complain(event, f"the tag {tag} means nothing here; remove it")
        return text

    def _complain(self, event: Any, message: str) -> None:
        self._problems.append(Problem(f"{self._name}:{_line(event)}", message))


def _line(event: Any) -> int:
    line: int = event.start_mark.line
    return line + 1


@lru_cache(maxsize=4096)
def plain_scalar(text: str) -> Any:
    """What an unquoted scalar means by the core schema of YAML 1.2."""
    if text in _WORDS:
        return _WORDS[text]
    if text[0] in "+-.0123456789":
        if _INT.fullmatch(text):
            return int(text) if len(text) <= 4000 else text
        if _BASED.fullmatch(text):
            return int(text[2:], 8 if text[1] == "o" else 16)
        if _FLOAT.fullmatch(text):
            return float(text)
    return text


def _syntax_problem(error: yaml.YAMLError, name: str, text: str) -> Problem:
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    said = [str(part) for part in (getattr(error, "problem", None), getattr(error, "context", None)) if part]
    if mark is not None:
        hint = "; use spaces, not tabs" if "\t" in _text_of(text, mark.line) else ""
        line = max(1, min(mark.line + 1, len(text.splitlines())))
        return Problem(f"{name}:{line}", f"cannot be read as YAML: {' '.join(said)}{hint}")
    position = getattr(error, "position", None)
    if isinstance(position, int):
        line = text.count("\n", 0, position) + 1
        return Problem(f"{name}:{line}", f"cannot be read as YAML: {getattr(error, 'reason', error)}")
    return Problem(name, f"cannot be read as YAML: {error}")


def known_keys(model: type[BaseModel], loc: Sequence[PathPart]) -> list[str]:
    """The keys that the models at a pydantic location know, by the names people write."""
    names: dict[str, None] = {}
    for kind in _types_at(model, loc):
        for found in _models(kind):
            names.update((field.alias or name, None) for name, field in found.model_fields.items())
    return list(names)


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


def _text_of(text: str, number: int) -> str:
    lines = text.splitlines()
    return lines[number] if number < len(lines) else ""


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
