"""Which files a path or glob of the settings names, and how messages show a file: as it lies below their folder."""

from __future__ import annotations

import glob
from pathlib import Path


def files_named(pattern: str, base: Path) -> list[Path]:
    """The files that a path or glob names, below `base` if it is relative, sorted.

    A path without wildcards names itself, there or not. What begins with a dot fits no wildcard: a mounted ConfigMap
    has its files a second time, under `..data`.
    """
    if not glob.has_magic(pattern):
        return [base / pattern]
    found = glob.glob(pattern, root_dir=base, recursive=True)  # noqa: PTH207  Path.glob takes no absolute pattern
    return sorted(path for name in found if (path := base / name).is_file())


def shown_below(path: Path, base: Path) -> str:
    """A file as messages name it."""
    return str(path.relative_to(base)) if path.is_relative_to(base) else str(path)
