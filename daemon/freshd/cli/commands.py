"""The list of commands, in the order in which `freshd --help` shows them.

What a command raises becomes an exit code here and nowhere else.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from freshd.app.parts import VERSION
from freshd.cli import (
    ask,
    backtesting,
    checking,
    declaring,
    demo,
    emitting,
    listing,
    reloading,
    replaying,
    running,
    starting,
    testing,
    wishing,
)
from freshd.cli.options import CONFIG_VARIABLE, Context
from freshd.cli.output import fail_with
from freshd.model.errors import FreshdError


class _Commands(TyperGroup):
    """Turns freshd's own errors into messages and exit codes."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except FreshdError as error:
            raise typer.Exit(fail_with(error)) from None

    def list_commands(self, ctx: Any) -> list[str]:
        return list(self.commands)


app = typer.Typer(
    cls=_Commands,
    name="freshd",
    help="Knows whether data assets are fresh, and makes them so.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _tell_version(asked: bool) -> None:
    if asked:
        typer.echo(f"freshd {VERSION}")
        raise typer.Exit


@app.callback()
def everywhere(
    ctx: typer.Context,
    config: Annotated[
        Path, typer.Option("--config", envvar=CONFIG_VARIABLE, help="freshd's settings.", show_envvar=True)
    ] = Path("freshd.yaml"),
    version: Annotated[
        bool, typer.Option("--version", help="Tell the version and end.", callback=_tell_version, is_eager=True)
    ] = False,
) -> None:
    """Knows whether data assets are fresh, and makes them so."""
    ctx.obj = Context(config)


app.command()(starting.init)
app.command()(checking.check)
app.command()(running.run)
app.command()(ask.status)
app.command()(ask.assets)
app.command()(ask.explain)
app.command()(emitting.emit)
app.command()(wishing.materialize)
app.command()(listing.incidents)
app.command()(listing.runs)
app.command()(listing.events)
app.command()(declaring.ack)
app.command()(declaring.mute)
app.command()(declaring.unmute)
app.command()(declaring.pause)
app.command()(declaring.resume)
app.command()(reloading.reload)
app.command()(replaying.replay)
app.command()(backtesting.backtest)
app.command(name="test")(testing.run_scenarios)
app.command()(ask.unmatched)
app.command()(listing.deadletters)
app.command()(checking.schema)
app.command()(demo.demo)
