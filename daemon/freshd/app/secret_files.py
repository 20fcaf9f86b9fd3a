"""The files that settings name for secrets and certificates: is each there, and does it hold anything?

Asked by `freshd check`, which may run where they are not, and by the start, which does not go on without them: an
empty token would open a door that somebody meant to shut. What they hold is looked at by nobody here.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from freshd.documents import parts_of
from freshd.model.errors import Problem
from freshd.settings import Settings


def secret_problems(settings: Settings) -> list[Problem]:
    """Every such file that cannot be used, at the line or variable that names it."""
    return [
        Problem(settings.where(*path), f"{'.'.join(map(str, path))}: {why}")
        for path, value in parts_of(settings)
        if isinstance(value, Path) and str(path[-1]).endswith("_file")
        for why in _trouble(value)
    ]


def _trouble(file: Path) -> Iterator[str]:
    try:
        text = file.read_text(encoding="utf-8")
    except OSError as error:
        yield f"{file} cannot be read: {error.strerror}; put it there and let freshd read it, or name another file"
    except UnicodeDecodeError:
        yield f"{file} is not text; put the secret there as text, or name another file"
    else:
        if not text.strip():
            yield f"{file} is empty; write the secret into it, or leave this setting out"
