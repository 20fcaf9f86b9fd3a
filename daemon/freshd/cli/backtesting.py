"""`freshd backtest`: what other policies would have found, told and run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from freshd.cli import show_backtest
from freshd.cli.options import ConfigOption, JsonOption, config_path
from freshd.cli.output import console, print_json
from freshd.cli.progress import progress_bar
from freshd.model.time import parse_duration, parse_instant


def _instant(text: str) -> int:
    try:
        return parse_instant(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


def _duration(text: str) -> int:
    try:
        return parse_duration(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


def backtest(
    ctx: typer.Context,
    policies: Annotated[list[str], typer.Option("--policies", help="The candidate's policy files; may be repeated.")],
    events: Annotated[
        Path | None, typer.Option("--events", help="freshd's own events, one a line; default: what the store has.")
    ] = None,
    since: Annotated[int | None, typer.Option("--since", parser=_instant, help="Count from this instant on.")] = None,
    until: Annotated[int | None, typer.Option("--until", parser=_instant, help="Play up to this instant.")] = None,
    takes: Annotated[
        int | None, typer.Option("--takes", parser=_duration, help="What a run takes that never ran before (1m).")
    ] = None,
    beat: Annotated[
        int | None, typer.Option("--beat", parser=_duration, help="How often it looks up (1m); 0s: at each instant.")
    ] = None,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Play recorded events through other policies, in virtual time, and compare with those in force."""
    from freshd.app.backtesting import BEAT, Question  # not needed by commands that ask a running daemon
    from freshd.app.backtesting import backtest as tried
    from freshd.backtest.past_runs import USUAL

    question = Question(
        policies, events, since, until, USUAL if takes is None else takes, BEAT if beat is None else beat
    )
    with progress_bar("backtest", shown=not as_json) as progress:
        found = tried(config_path(ctx, config), question, progress)
    if as_json:
        print_json(found)
    else:
        show_backtest.comparison(console(), found)
