"""The command line: one small module per group of commands, all thin over `freshd.app` and the daemon's API.

Exit codes: 0 done; 1 what was asked about does not hold; 2 wrong use, also a configuration that cannot be
used; 3 the daemon cannot be reached. What commands print goes to standard output, what went wrong to
standard error.
"""

from __future__ import annotations

from freshd.cli.commands import app

__all__ = ["app", "main"]


def main() -> None:
    """Run the command that the arguments name; never returns."""
    app(prog_name="freshd")
