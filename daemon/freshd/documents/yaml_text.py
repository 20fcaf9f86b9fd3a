"""YAML 1.2 by its core schema: no `on`/`no` booleans, dates stay text, keys are always text, lines are kept.

Values are built straight from the parser's events, so that depth and size have limits and a large file is
read fast. Everything that cannot be read is told at once, where the parser can go on.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import yaml

from freshd.model.errors import ConfigError, Problem

MAX_PARTS: Final = 20_000_000
"""Parts that a document may have once its aliases are written out: what stops a YAML bomb."""

MAX_DEPTH: Final = 100
"""How deep a document may be nested."""

PathPart = str | int
Inside = dict[str, "Place"] | list["Place"] | None
Place = tuple[int, Inside]
"""The line of a part (from 1), and the places inside it."""

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
        raise ConfigError([Problem(shown, "no such file; write it, or mend the path that names it")]) from None
    except OSError as error:
        raise ConfigError([Problem(shown, f"cannot be read: {error.strerror or error}")]) from error
    return parse_yaml(text, shown)


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


def _text_of(text: str, number: int) -> str:
    lines = text.splitlines()
    return lines[number] if number < len(lines) else ""
