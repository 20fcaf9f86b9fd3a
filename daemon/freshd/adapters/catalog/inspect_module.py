"""Run in a process of its own: imports a module of `@asset` functions and prints what it declares, as JSON.

People's modules import pandas and whatever else they like, and may do anything on import; nothing of it
reaches the daemon. What they print goes to stderr. Run as a file, with the standard library and
freshd.assets only, so that it starts quickly: `python -P inspect_module.py MODULE PREFIX PATH`.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import traceback
from typing import Any


def main() -> None:
    """Print {"assets": […]} or {"error": {message, file, line}} to what was stdout."""
    out = os.dup(1)
    os.dup2(2, 1)
    module, prefix, path = sys.argv[1:4]
    sys.path.insert(0, path)
    try:
        answer: dict[str, Any] = {"assets": declared(module, prefix, path)}
    except BaseException as error:
        answer = {"error": told(error, module, path)}
    with os.fdopen(out, "w", encoding="utf-8") as stream:
        json.dump(answer, stream, default=str)
        stream.flush()
        sys.stderr.flush()
        os._exit(0)


def declared(module: str, prefix: str, path: str) -> list[dict[str, Any]]:
    """What the decorated functions of a module, of its submodules that it imports, or named in it, say."""
    from freshd.assets import REGISTRY

    imported = importlib.import_module(module)
    named = {id(value) for value in vars(imported).values()}
    return [
        {
            "key": one.full_key(prefix),
            "upstreams": one.read_upstreams(prefix),
            "description": one.description,
            "owners": list(one.owners),
            "tags": list(one.tags),
            "group": one.group,
            "launcher": one.launcher,
            "relation": one.relation,
            "partitions": one.partitions,
            "hints": {**one.hints(prefix), "path": path, "metadata": dict(one.metadata)},
            "file": one.file,
            "line": one.line,
        }
        for one in REGISTRY
        if one.module == module or one.module.startswith(module + ".") or id(one.function) in named
    ]


def told(error: BaseException, module: str, path: str) -> dict[str, Any]:
    """What went wrong, and where in the person's own files."""
    said = f"{type(error).__name__}: {error}"
    if isinstance(error, ModuleNotFoundError) and error.name and (module + ".").startswith(error.name + "."):
        return {"message": f"there is no module {error.name} in {path}", "file": "", "line": 0}
    if isinstance(error, SyntaxError):
        return {"message": said, "file": error.filename or "", "line": error.lineno or 0}
    frames = traceback.extract_tb(error.__traceback__)
    own = [
        frame for frame in frames if frame.filename.startswith(path + os.sep) and "site-packages" not in frame.filename
    ]
    last = own[-1] if own else None
    return {"message": said, "file": last.filename if last else "", "line": (last.lineno or 0) if last else 0}


if __name__ == "__main__":
    main()
