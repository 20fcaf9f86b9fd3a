"""`freshd materialize`: asks the daemon for assets or partitions of them, and watches how far a backfill has come.

The backfill is the daemon's: whoever stops watching stops nothing, and it goes on after the daemon's restart.
"""

from __future__ import annotations

import time
from typing import Annotated, Any, Final

import typer

from freshd.cli.client import Client, NotFound, Unreachable
from freshd.cli.options import ConfigOption, ExcludeOption, JsonOption, TokenFileOption, UrlOption, author, client
from freshd.cli.output import DOES_NOT_HOLD, console, errors, print_json, words
from freshd.cli.progress import progress_bar

LOOK_EVERY_S: Final = 0.5
"""How often a wish is asked after."""

PATIENCE: Final = 120
"""How often in a row the daemon may be out of reach (restarting) while a wish is watched: about a minute."""

SHOWN: Final = 20
"""Assets that are named; of more, how many."""

PartitionsOption = Annotated[
    str,
    typer.Option(
        "--partitions", help="Which partitions: 2026-11-01..2026-11-20, 2026-11-22 or eu,us. Default: the newest."
    ),
]
ParallelOption = Annotated[
    int | None, typer.Option("--parallel", min=1, help="Runs that go on at one time [default: 4 with --partitions]")
]
WaitOption = Annotated[
    bool | None, typer.Option("--wait/--no-wait", help="Wait until it is over [default: with --partitions]")
]


def materialize(
    ctx: typer.Context,
    selectors: Annotated[list[str], typer.Argument(help="What to bring up to date: assets or selectors.")],
    exclude: ExcludeOption = None,
    partitions: PartitionsOption = "",
    parallel: ParallelOption = None,
    wait: WaitOption = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what is selected.")] = False,
    as_json: JsonOption = False,
    url: UrlOption = None,
    token_file: TokenFileOption = None,
    config: ConfigOption = None,
) -> None:
    """Have assets materialised, after what is due above them; with --partitions a backfill."""
    wanted: dict[str, Any] = {
        "select": selectors,
        "exclude": exclude or [],
        "partitions": partitions,
        "dry_run": dry_run,
        "author": author(),
    }
    if parallel is not None:
        wanted["parallel"] = parallel
    asked = client(ctx, url, token_file, config)
    answer = asked.post("/api/materialize", wanted)
    if not as_json:
        _tell_asked(answer)
    waits = bool(partitions) if wait is None else wait
    ended = _watch(asked, answer["wish"]) if waits and not dry_run else None
    if as_json:
        print_json(answer if ended is None else {**answer, **ended})
    elif ended is not None:
        _tell_ended(ended)
    if ended is not None and ended["over"] not in ("done", "observe"):
        raise typer.Exit(DOES_NOT_HOLD)


def _tell_asked(answer: dict[str, Any]) -> None:
    out = console()
    out.print("would be asked for:" if answer["dry_run"] else f"asked for (wish {answer['wish']}):")
    for key in answer["assets"][:SHOWN]:
        out.print(f"  {key}", markup=False)
    if len(answer["assets"]) > SHOWN:
        out.print(f"  and {len(answer['assets']) - SHOWN} more")
    names = answer.get("partitions") or []
    if names:
        shown = names[0] if len(names) == 1 else f"{names[0]} … {names[-1]}"
        out.print(f"  {len(names)} partitions ({shown}), {answer['parallel']} runs at a time", markup=False)


def _watch(asked: Client, wish: str) -> dict[str, Any]:
    """How the wish ended. Raises Unreachable when the daemon stays away, NotFound once nobody knows of the wish."""
    away = 0
    with progress_bar("materialising") as tell:
        while True:
            try:
                found: dict[str, Any] = asked.get(f"/api/wishes/{wish}")
            except Unreachable:
                away += 1
                if away > PATIENCE:
                    raise
            except NotFound:
                errors().print("nobody knows of the wish any longer: `freshd runs` tells what was launched")
                raise
            else:
                away = 0
                tell(found["done"] or 0, found["planned"])
                if found["over"]:
                    return found
            time.sleep(LOOK_EVERY_S)


def _tell_ended(ended: dict[str, Any]) -> None:
    done = f"{ended['done']} of {ended['planned']} materialised"
    if ended["over"] == "done" and ended["planned"] == 0:
        console().print("nothing to build: no launcher builds any of these, nothing above them is due", markup=False)
    elif ended["over"] == "done":
        console().print(f"done: {done}", markup=False)
    elif ended["over"] == "observe":
        console().print("the daemon only observes: nothing was launched", markup=False)
    else:
        console().print(f"{words(ended['over'])}: {ended['cause']} ({done}); the rest was not started", markup=False)
