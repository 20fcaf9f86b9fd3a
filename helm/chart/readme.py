"""The table of values: each key of values.yaml with the comment above it and its default."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, Final

import yaml

LONGEST_DEFAULT: Final = 60
_COMMENT: Final = re.compile(r"^\s*# -- (?P<text>.+)$")
_KEY: Final = re.compile(r"^(?P<indent> *)(?P<name>[A-Za-z]\w*):")


def described(text: str) -> Iterator[tuple[tuple[str, ...], str]]:
    """Every key that has a comment of its own, as a path, in the file's order."""
    path: list[tuple[int, str]] = []
    comment = ""
    for line in text.splitlines():
        if found := _COMMENT.match(line):
            comment = found["text"]
        elif found := _KEY.match(line):
            indent = len(found["indent"])
            path = [item for item in path if item[0] < indent] + [(indent, found["name"])]
            if comment:
                yield tuple(name for _, name in path), comment
            comment = ""


def table(text: str) -> str:
    """The rows in Markdown, head included."""
    values = yaml.safe_load(text)
    rows = [f"| `{'.'.join(path)}` | {_default(values, path)} | {told} |\n" for path, told in described(text)]
    return "| value | default | what it is |\n| --- | --- | --- |\n" + "".join(rows)


def _default(values: Any, path: tuple[str, ...]) -> str:
    for name in path:
        values = values[name]
    text = json.dumps(values)
    return f"`{text}`" if len(text) <= LONGEST_DEFAULT else "see values.yaml"
