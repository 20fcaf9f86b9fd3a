"""`freshd check` and `freshd schema`: what can be said of files without running anything."""

from __future__ import annotations

from dataclasses import asdict, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from freshd.cli.options import ConfigOption, JsonOption, config_path
from freshd.cli.output import DOES_NOT_HOLD, console, counted, errors, print_json, print_problems
from freshd.model.errors import ConfigError, Problem

if TYPE_CHECKING:
    from freshd.app.project import Project

# What reads files is imported by the commands that need it: it takes a second, which those that only ask a
# running daemon need not spend.


def check(ctx: typer.Context, config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Read settings, catalogue and policies; tell every problem with its file and line, then the coverage."""
    from freshd.app.coverage import coverage_of
    from freshd.app.history import infeasible_notes
    from freshd.app.project import load_project
    from freshd.app.secret_files import secret_problems

    try:
        project = load_project(config_path(ctx, config))
    except ConfigError as error:
        if as_json:
            print_json({"ok": False, "problems": _plain(error.problems), "notes": [], "coverage": None})
        else:
            print_problems(error)
            count = len(error.problems)
            errors().print(f"{counted(count, 'problem')}; coverage is known once {_those(count)} mended")
        raise typer.Exit(DOES_NOT_HOLD) from None
    notes = (*project.notes, *secret_problems(project.settings), *infeasible_notes(project))
    project = replace(project, notes=notes)
    if as_json:
        coverage = asdict(coverage_of(project))
        print_json({"ok": True, "problems": [], "notes": _plain(project.notes), "coverage": coverage})
    else:
        _tell(project)


class SchemaKind(StrEnum):
    """Files that people write, and the event."""

    SETTINGS = "settings"
    CONFIG = "config"
    ASSETS = "assets"
    POLICIES = "policies"
    SCENARIO = "scenario"
    EVENT = "event"


def schema(
    kind: Annotated[SchemaKind, typer.Argument(help="Which file.")],
) -> None:
    """Print the JSON Schema of a kind of file, for editors: settings, assets, policies, scenario, event."""
    print_json(json_schema(kind))


def json_schema(kind: SchemaKind) -> dict[str, Any]:
    """The JSON Schema of a kind of file."""
    from freshd.schemas import schema as schema_of

    return schema_of(kind.value)


def _tell(project: Project) -> None:
    from freshd.app.coverage import coverage_of

    for note in project.notes:
        errors().print(f"note: {note}", markup=False)
    settings, charter = project.settings, project.charter
    out = console()
    out.print(
        f"{project.path}: {counted(len(project.graph), 'asset')}, {counted(len(charter.policies), 'policy')}, "
        f"{counted(len(charter.launchers), 'launcher')}, mode {settings.mode}: no problems",
        markup=False,
    )
    for line in coverage_of(project).lines():
        out.print(line, markup=False)


def _plain(problems: list[Problem] | tuple[Problem, ...]) -> list[dict[str, str]]:
    return [{"where": problem.where, "message": problem.message} for problem in problems]


def _those(count: int) -> str:
    return "it is" if count == 1 else "they are"
