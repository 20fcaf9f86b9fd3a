"""How commands print: tables for people, JSON for scripts, problems to standard error."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Final

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from freshd.cli.client import Misused, NotFound, Unreachable
from freshd.model.errors import ConfigError, FreshdError

DOES_NOT_HOLD: Final = 1
WRONG_USE: Final = 2
UNREACHABLE: Final = 3

VERDICT_STYLES: Final = {"fresh": "green", "unknown": "dim", "warn": "yellow", "stale": "bold red"}


def console() -> Console:
    """Standard output. Made anew each time: tests and pipes change what it is."""
    return Console(soft_wrap=True, highlight=False)


def errors() -> Console:
    """Standard error."""
    return Console(stderr=True, soft_wrap=True, highlight=False)


def print_json(value: Any) -> None:
    """One JSON document on standard output."""
    console().out(json.dumps(value, indent=2, ensure_ascii=False, default=str), highlight=False)


def print_problems(error: ConfigError) -> None:
    """Every problem on a line of its own, as `file:line: what`."""
    out = errors()
    for problem in error.problems:
        where = f"[bold]{escape(problem.where)}[/]: " if problem.where else ""
        out.print(f"{where}{escape(problem.message)}")


def fail_with(error: FreshdError) -> int:
    """Tell what went wrong; returns the exit code for it."""
    if isinstance(error, ConfigError):
        print_problems(error)
        return WRONG_USE
    errors().print(f"[red]{escape(str(error))}[/]")
    if isinstance(error, Unreachable):
        return UNREACHABLE
    return WRONG_USE if isinstance(error, NotFound | Misused) else DOES_NOT_HOLD


def counted(number: int, word: str) -> str:
    """`1 policy`, `2 policies`."""
    several = word[:-1] + "ies" if word.endswith("y") else word + "s"
    return f"{number} {word if number == 1 else several}"


def words(reason: Any) -> str:
    """A reason as people read it: `run failed`; empty for none."""
    return str(reason or "").replace("_", " ")


def table(*columns: str, narrow: Sequence[str] = ()) -> Table:
    """A plain table; the `narrow` columns are never broken."""
    made = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        made.add_column(column, overflow="fold", no_wrap=column in narrow)
    return made


def moment(instant: str | None) -> str:
    """An instant of the API to the second, for tables."""
    text = instant or ""
    whole, point, _ = text.partition(".")
    return f"{whole}Z" if point and text.endswith("Z") else text


def verdict(word: str | None) -> str:
    """A verdict in its colour; a dash for none."""
    if not word:
        return "[dim]–[/]"
    return f"[{VERDICT_STYLES.get(word, '')}]{word}[/]" if word in VERDICT_STYLES else word
