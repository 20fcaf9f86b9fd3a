"""Commands that ask the running daemon: status, assets, explain, unmatched."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated
from urllib.parse import quote

import typer

from freshd.cli import show
from freshd.cli.options import ConfigOption, ExcludeOption, JsonOption, SelectOption, TokenFileOption, UrlOption, client
from freshd.cli.output import DOES_NOT_HOLD, console, errors, print_json


class FailOn(StrEnum):
    """From which verdict on a command fails."""

    WARN = "warn"
    UNKNOWN = "unknown"
    STALE = "stale"


FailOnOption = Annotated[
    FailOn | None, typer.Option("--fail-on", help="Exit 1 if an asset is at least that: unknown < warn < stale.")
]
_AT_LEAST = {
    FailOn.UNKNOWN: {"unknown", "warn", "stale"},
    FailOn.WARN: {"warn", "stale"},
    FailOn.STALE: {"stale"},
}


def status(
    ctx: typer.Context,
    fail_on: FailOnOption = None,
    as_json: JsonOption = False,
    url: UrlOption = None,
    token_file: TokenFileOption = None,
    config: ConfigOption = None,
) -> None:
    """The daemon at a glance: how many assets stand how, and the open incidents."""
    answer = client(ctx, url, token_file, config).get("/api/status")
    if as_json:
        print_json(answer)
    else:
        show.status(console(), answer)
    _judge(fail_on, [word for word, count in answer["assets"].items() if count])


def assets(
    ctx: typer.Context,
    select: SelectOption = None,
    exclude: ExcludeOption = None,
    fail_on: FailOnOption = None,
    as_json: JsonOption = False,
    url: UrlOption = None,
    token_file: TokenFileOption = None,
    config: ConfigOption = None,
) -> None:
    """The assets as they stand, the worst first."""
    answer = client(ctx, url, token_file, config).get("/api/assets", {"select": select or [], "exclude": exclude or []})
    if as_json:
        print_json(answer)
    else:
        show.assets(console(), answer["assets"])
    if not answer["assets"] and (select or exclude):
        errors().print("note: this selects no asset; `freshd assets` lists what there is", markup=False)
    _judge(fail_on, [row["verdict"] for row in answer["assets"]])


def explain(
    ctx: typer.Context,
    asset: Annotated[str, typer.Argument(help="Its key, or its last segment where that is unique.")],
    as_json: JsonOption = False,
    url: UrlOption = None,
    token_file: TokenFileOption = None,
    config: ConfigOption = None,
) -> None:
    """Why an asset stands as it does, and what will happen next."""
    answer = client(ctx, url, token_file, config).get(f"/api/assets/{quote(asset)}")
    if as_json:
        print_json(answer)
    else:
        show.explain(console(), answer)


def unmatched(
    ctx: typer.Context,
    as_json: JsonOption = False,
    url: UrlOption = None,
    token_file: TokenFileOption = None,
    config: ConfigOption = None,
) -> None:
    """Events that named no known asset, and the rule that would map each."""
    answer = client(ctx, url, token_file, config).get("/api/unmatched")
    if as_json:
        print_json(answer)
    else:
        show.unmatched(console(), answer["unmatched"])


def _judge(fail_on: FailOn | None, verdicts: list[str | None]) -> None:
    if fail_on is not None and any(word in _AT_LEAST[fail_on] for word in verdicts if word):
        raise typer.Exit(DOES_NOT_HOLD)
