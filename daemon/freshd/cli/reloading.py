"""`freshd reload`: the running daemon reads its files anew, or says everything that is wrong with them."""

from __future__ import annotations

import typer

from freshd.cli.client import Refused
from freshd.cli.options import ConfigOption, JsonOption, TokenFileOption, UrlOption, client
from freshd.cli.output import DOES_NOT_HOLD, console, counted, errors, print_json, print_problems
from freshd.model.errors import ConfigError


def reload(
    ctx: typer.Context,
    as_json: JsonOption = False,
    url: UrlOption = None,
    token_file: TokenFileOption = None,
    config: ConfigOption = None,
) -> None:
    """Have the daemon read its files anew. Exit 1 with all problems if they are refused; then nothing changes."""
    try:
        answer = client(ctx, url, token_file, config).post("/-/reload", {})
    except Refused as error:
        if as_json:
            print_json(
                {
                    "reloaded": False,
                    "problems": [{"where": one.where, "message": one.message} for one in error.problems],
                }
            )
        else:
            print_problems(ConfigError(error.problems))
            errors().print("refused: the daemon goes on by what it read before")
        raise typer.Exit(DOES_NOT_HOLD) from None
    if as_json:
        print_json({"reloaded": True, **answer})
        return
    out = console()
    out.print(f"reloaded: {counted(answer['assets'], 'asset')}, {counted(answer['policies'], 'policy')}")
    for note in answer["notes"]:
        out.print(f"note: {note['where']}: {note['message']}", markup=False)
    if answer["after_restart"]:
        out.print(f"only after a restart: {', '.join(answer['after_restart'])}")
