"""`freshd test`: scenarios, the unit tests of policies."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from freshd.cli.options import JsonOption
from freshd.cli.output import print_json
from freshd.model.errors import ConfigError, Problem


def run_scenarios(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Scenario files, or folders of them.")],
    as_json: JsonOption = False,
    junit: Annotated[Path | None, typer.Option("--junit", help="Write the results as JUnit's XML too.")] = None,
    trace: Annotated[bool, typer.Option("--trace", help="Print every decision with its reason.")] = False,
) -> None:
    """Play scenarios through the real engine, in virtual time. Exit 1 if one does not hold, 2 for a bad file."""
    from freshd.scenarios import run_files  # not needed by commands that ask a running daemon

    report = run_files(files, trace)
    if as_json:
        print_json(report.json())
    else:
        for line in report.text():
            typer.echo(line)
    if junit is not None:
        try:
            junit.write_text(report.junit(), encoding="utf-8")
        except OSError as error:
            raise ConfigError([Problem(str(junit), f"cannot be written: {error.strerror}")]) from None
    raise typer.Exit(report.exit_code)
