"""The table of all named limits in docs/operations.md, made from the code: constants that say what they bound.

A limit is a public number at the top of a module with a sentence below it; what has no sentence is a detail.
The engine's limits are those of model/policy.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import fields
from itertools import pairwise
from typing import Any

from tests.docs.pages import ROOT

from freshd.adapters.sql.settings import KeepSettings
from freshd.model import time
from freshd.model.policy import Limits
from freshd.model.time import format_duration

PACKAGE = ROOT / "daemon" / "freshd"
UNITS = {name: getattr(time, name) for name in ("SECOND", "MINUTE", "HOUR", "DAY")}
NO_LIMITS = ("model/time.py", "core/", "cli/demo", "cli/output.py", "adapters/catalog/dbt_policies.py")

_ENGINE = {
    "lost_after": "A run of others of which nothing is heard for this long counts as not run.",
    "reopen": "An incident whose cause comes back within this time is opened again.",
    "check_wait": "How long results of blocking checks are waited for after an update.",
    "catch_up": "How long catching up after a start may take.",
    "remember_ids": "How long ids of events are remembered,",
    "remembered_ids": "and how many of them at most.",
    "history": "Updates that an asset remembers for working out what late events mean.",
    "closed_incidents": "Closed incidents that may be opened again or be told of.",
}


def table() -> str:
    """As Markdown."""
    lines = ["| limit | value | bounds |", "| --- | --- | --- |"]
    lines += [f"| `{name}` | {value} | {meaning} |" for name, value, meaning in (*_engine(), *_kept(), *_constants())]
    return "\n".join(lines)


def _engine() -> Iterator[tuple[str, str, str]]:
    for field in fields(Limits):
        value = getattr(Limits(), field.name)
        yield f"engine: {field.name}", _shown(value, "Duration" in str(field.type), field.name, ""), _ENGINE[field.name]


def _kept() -> Iterator[tuple[str, str, str]]:
    for name, field in KeepSettings.model_fields.items():
        is_duration = not name.endswith(("_rows", "_megabytes"))
        meaning = f"Setting: how long history is kept. {(field.description or '').capitalize()}".strip()
        yield (
            f"store.keep.{name}",
            _shown(field.default, is_duration, name, ""),
            meaning if is_duration else meaning.replace("how long", "how much"),
        )


def _constants() -> Iterator[tuple[str, str, str]]:
    for path in sorted(PACKAGE.rglob("*.py")):
        place = str(path.relative_to(PACKAGE))
        if place.startswith(NO_LIMITS):
            continue
        body = ast.parse(path.read_text(encoding="utf-8")).body
        for node, below in pairwise(body):
            found = _number(node)
            if found is None or not isinstance(below, ast.Expr) or not isinstance(below.value, ast.Constant):
                continue
            name, value, is_duration = found
            meaning = " ".join(str(below.value.value).split())
            yield f"{place.removesuffix('.py')}: {name}", _shown(value, is_duration, name, meaning), meaning


def _number(node: ast.stmt) -> tuple[str, float, bool] | None:
    """(name, value, whether it is a duration) of a public constant that is a number."""
    target = node.targets[0] if isinstance(node, ast.Assign) else getattr(node, "target", None)
    value: Any = getattr(node, "value", None)
    if not isinstance(target, ast.Name) or not target.id.isupper() or target.id.startswith("_") or value is None:
        return None
    try:
        number = eval(compile(ast.Expression(value), "limit", "eval"), dict(UNITS))  # noqa: S307  our own code
    except (NameError, TypeError, SyntaxError, AttributeError):
        return None
    if isinstance(number, bool) or not isinstance(number, int | float):
        return None
    said = ast.unparse(node)
    return target.id, number, "Duration" in said or any(unit in said for unit in UNITS)


def _shown(value: float, is_duration: bool, name: str, meaning: str) -> str:
    if is_duration:
        return format_duration(int(value))
    if name.endswith("_S"):
        return f"{value:g}s"
    if name.endswith("_MS"):
        return f"{value:,}ms"
    if ("BYTES" in name or "byte" in meaning.lower()) and value >= 1024:
        for unit, size in (("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)):
            if value >= size and value % size == 0:
                return f"{int(value) // size} {unit}"
    return f"{value:,}"
