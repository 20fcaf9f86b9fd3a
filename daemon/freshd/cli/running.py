"""`freshd run`: the daemon, in the foreground, until it is told to stop."""

from __future__ import annotations

import typer

from freshd.cli.options import ConfigOption, config_path


def run(ctx: typer.Context, config: ConfigOption = None) -> None:
    """Run the daemon. SIGINT and SIGTERM stop it, SIGHUP has it read its files anew."""
    # Imported here: the other commands need no server and no store.
    from freshd.app.command import run_daemon

    run_daemon(config_path(ctx, config))
