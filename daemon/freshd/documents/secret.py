"""A secret that settings give: written in them, or in a file of its own, which is read when it is needed.

So a secret that is renewed in its mounted file needs no restart where it is asked for again. It never comes into a
message: those name the file, and the setting that names it.
"""

from __future__ import annotations

from pathlib import Path

from pydantic import SecretStr

from freshd.model.errors import ConfigError, Problem


def secret_text(given: SecretStr | None, file: Path | None, setting: str) -> str | None:
    """The secret without white space around it; None if the settings have none.

    `setting` is the name of the one that names the file. Raises ConfigError if that cannot be read.
    """
    if given is not None:
        return given.get_secret_value().strip()
    if file is None:
        return None
    try:
        return file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not text"
        raise ConfigError([Problem(str(file), f"cannot be read: {why}; name a readable file in {setting}")]) from None
