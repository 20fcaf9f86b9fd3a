"""`freshd replay`: does the engine come to every recorded decision again?"""

from __future__ import annotations

from typing import Any

import typer
from rich.markup import escape

from freshd.cli.options import ConfigOption, JsonOption, config_path
from freshd.cli.output import DOES_NOT_HOLD, console, print_json
from freshd.cli.progress import progress_bar
from freshd.model.records import Record
from freshd.model.time import format_instant


def replay(ctx: typer.Context, as_json: JsonOption = False, config: ConfigOption = None) -> None:
    """Tell the engine once more what the store has recorded. Exit 1 if it decides anything else than it did."""
    from freshd.app.replaying import replay as replayed  # not needed by commands that ask a running daemon

    with progress_bar("replaying", shown=not as_json) as progress:
        found = replayed(config_path(ctx, config), progress)
    difference = found.difference
    if as_json:
        print_json(
            {
                "same": difference is None,
                "since": format_instant(found.since),
                "until": format_instant(found.until),
                "steps": found.tally.steps,
                "events": found.tally.events,
                "decisions": found.tally.decisions,
                "lives": found.tally.lives,
                "notes": list(found.notes),
                "difference": None
                if difference is None
                else {
                    "step": difference.step,
                    "at": format_instant(difference.at),
                    "recorded": _record_json(difference.recorded),
                    "replayed": _record_json(difference.replayed),
                },
            }
        )
    else:
        out = console()
        for note in found.notes:
            out.print(f"note: {escape(note)}")
        out.print(
            f"{found.tally.events} events and {found.tally.decisions} decisions in {found.tally.steps} steps, "
            f"{format_instant(found.since)} to {format_instant(found.until)}"
        )
        if difference is None:
            out.print("[green]every decision was come to again[/]")
        else:
            out.print(f"[red]the first difference is in step {difference.step}, {format_instant(difference.at)}[/]")
            out.print(f"  recorded  {_shown(difference.recorded)}", markup=False)
            out.print(f"  replayed  {_shown(difference.replayed)}", markup=False)
    if difference is not None:
        raise typer.Exit(DOES_NOT_HOLD)


def _shown(record: Record | None) -> str:
    return "nothing more" if record is None else repr(record)


def _record_json(record: Record | None) -> dict[str, Any] | None:
    return None if record is None else {"kind": type(record).__name__, "told": repr(record)}
