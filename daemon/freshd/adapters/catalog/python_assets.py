"""Assets declared by `@asset` functions: their module is imported by another process, never by the daemon."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import orjson
from pydantic import ValidationError

from freshd.adapters.catalog import inspect_module
from freshd.adapters.catalog.settings import AssetItem, PythonEntry
from freshd.adapters.catalog.written import Definition, asset_fields
from freshd.documents import Document, explain, shown_below
from freshd.model.errors import ConfigError, Problem

IMPORT_TIMEOUT_S: Final = 120
"""How long a module may take to be imported."""

TAIL: Final = 2_000
"""Characters of what a failed import printed that are shown."""

_FRESHD: Final = str(Path(inspect_module.__file__).parents[3])
_NOT_FIELDS: Final = frozenset({"hints", "file", "line"})


def read_python(entry: PythonEntry, base: Path) -> list[Definition]:
    """The assets that a module declares. Raises ConfigError with file and line of what failed."""
    path = (base / entry.path).resolve()
    answer = _inspect(entry, path)
    error = answer.get("error")
    if error:
        file = shown_below(Path(error["file"]), path)
        where = f"{file}:{error['line']}" if error["file"] else f"python: {entry.python}"
        raise ConfigError([Problem(where, f"the module {entry.python} cannot be read: {error['message']}")])
    if not answer["assets"]:
        raise ConfigError(
            [Problem(f"python: {entry.python}", "no function in it is an asset; decorate one with @asset of freshd")]
        )
    problems: list[Problem] = []
    definitions: list[Definition] = []
    first: dict[str, str] = {}
    for declared in answer["assets"]:
        origin = f"{shown_below(Path(declared['file']), path)}:{declared['line']}"
        try:
            definition = _definition(declared, entry, origin)
        except ConfigError as wrong:
            problems.extend(wrong.problems)
            continue
        if definition.key in first:
            problems.append(
                Problem(origin, f"asset {definition.key} is declared twice, first at {first[definition.key]}")
            )
        first[definition.key] = origin
        definitions.append(definition)
    if problems:
        raise ConfigError(problems)
    return definitions


def _definition(declared: dict[str, Any], entry: PythonEntry, origin: str) -> Definition:
    said = {name: value for name, value in declared.items() if name not in _NOT_FIELDS and value not in ("", [], None)}
    try:
        item = AssetItem.model_validate(said)
        fields, _ = asset_fields(item)
    except ValidationError as error:
        raise ConfigError(explain(error, AssetItem, Document(said, origin))) from None
    except ValueError as error:
        raise ConfigError([Problem(origin, str(error))]) from None
    fields.setdefault("launcher", entry.launcher)
    fields.setdefault("upstreams", ())
    fields.update(
        kind="python",
        hints=declared["hints"],
        path=origin.rpartition(":")[0],
        package=entry.python.partition(".")[0],
    )
    return Definition(item.key or "", fields, origin)


def _inspect(entry: PythonEntry, path: Path) -> dict[str, Any]:
    script = str(Path(inspect_module.__file__))
    argv = [sys.executable, "-P", script, entry.python, entry.prefix.strip("/"), str(path)]
    where = f"python: {entry.python}"
    found_in = os.pathsep.join([_FRESHD, *filter(None, [os.environ.get("PYTHONPATH")])])
    environment = {**os.environ, "PYTHONPATH": found_in}
    try:
        done = subprocess.run(
            argv, capture_output=True, timeout=IMPORT_TIMEOUT_S, cwd=path, env=environment, check=False
        )
    except subprocess.TimeoutExpired:
        raise ConfigError([Problem(where, f"its import did not end within {IMPORT_TIMEOUT_S} s")]) from None
    except OSError as error:
        raise ConfigError([Problem(where, f"{path} cannot be imported from: {error.strerror or error}")]) from error
    try:
        answer: dict[str, Any] = orjson.loads(done.stdout)
    except orjson.JSONDecodeError:
        said = done.stderr.decode(errors="replace").strip()[-TAIL:]
        raise ConfigError([Problem(where, f"its import ended with status {done.returncode}: {said}")]) from None
    return answer
