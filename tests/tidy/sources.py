"""The project's files, as the tidy tests look at them."""

from __future__ import annotations

import ast
import os
import subprocess
from functools import cache, lru_cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "daemon" / "freshd"


@lru_cache(maxsize=1)
def tracked() -> tuple[Path, ...]:
    """Every file that git knows or would take, or, without git, every file that is not made."""
    try:
        listed = subprocess.run(
            ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
            cwd=ROOT,
            capture_output=True,
            check=True,
        ).stdout.decode()
    except (OSError, subprocess.CalledProcessError):
        made = (".git", ".venv", ".venv-dbt", "__pycache__", ".mypy_cache", ".ruff_cache", ".hypothesis", "target")
        return tuple(
            Path(folder) / name
            for folder, folders, names in os.walk(ROOT)
            for name in names
            if not set(Path(folder).relative_to(ROOT).parts) & set(made)
        )
    return tuple(path for name in listed.split("\0") if name and (path := ROOT / name).is_file())


def modules(folder: Path = PACKAGE) -> list[Path]:
    """The Python modules of a folder."""
    return sorted(path for path in tracked() if path.suffix == ".py" and path.is_relative_to(folder))


@cache
def tree(path: Path) -> ast.Module:
    """A module, parsed."""
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def name_of(path: Path) -> str:
    """A file's path from the root, for messages."""
    return str(path.relative_to(ROOT))
