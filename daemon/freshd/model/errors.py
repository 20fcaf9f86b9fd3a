"""The errors that cross a boundary, typed by what the caller should do about them.

A vendor's exceptions stop at its adapter and become one of these. A message says what, where (file
and line, asset, topic/partition/offset), why, and how to mend it.
"""

from __future__ import annotations

from dataclasses import dataclass

from freshd.model.time import Duration


class FreshdError(Exception):
    """Whatever freshd raises on purpose."""


class TransientError(FreshdError):
    """Try the same thing again, after `retry_after` if it is given."""

    def __init__(self, message: str, retry_after: Duration | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class PermanentError(FreshdError):
    """Trying again cannot help; the message says what would."""


class FencedError(FreshdError):
    """Another daemon has taken over this store: stop without writing anything."""


class DecodeError(FreshdError):
    """This message cannot be understood: it goes to the dead letters with `reason` and the message.

    `reason` is one word for counting (`not_json`, `bad_field`, `from_the_future`, `too_large`, …).
    """

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong with what a person wrote: where, what, and how to mend it."""

    where: str
    """`file:line` where there is one, else the file, the variable or the asset."""
    message: str

    def __str__(self) -> str:
        return f"{self.where}: {self.message}" if self.where else self.message


class ConfigError(FreshdError):
    """What a person wrote is wrong; all problems found at once."""

    def __init__(self, problems: list[Problem] | tuple[Problem, ...] | str) -> None:
        self.problems = [Problem("", problems)] if isinstance(problems, str) else list(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))
