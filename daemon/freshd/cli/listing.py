"""Commands that list what the daemon has recorded: incidents, runs, events, deadletters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Final

import typer
from rich.console import Console
from rich.markup import escape

from freshd.cli import show
from freshd.cli.options import ConfigOption, JsonOption, TokenFileOption, UrlOption, client
from freshd.cli.output import console, moment, print_json, table, words

LimitOption = Annotated[int, typer.Option("--limit", "-n", min=1, max=1_000, help="How many at most, the newest.")]
AssetArgument = Annotated[str | None, typer.Argument(help="Only of this asset.")]

MOMENTS: Final = ("ended_at", "started_at", "data_time")

Json = Mapping[str, Any]


def incidents(
    ctx: typer.Context,
    every: Annotated[bool, typer.Option("--all", help="Those that are closed too.")] = False,
    limit: LimitOption = 50,
    as_json: JsonOption = False,
    url: UrlOption = None,
    token_file: TokenFileOption = None,
    config: ConfigOption = None,
) -> None:
    """What is wrong now, and since when; with --all what was."""
    query: dict[str, str | int] = {"limit": limit, "all": "1" if every else ""}
    answer = client(ctx, url, token_file, config).get("/api/incidents", query)
    if as_json:
        print_json(answer)
        return
    out = console()
    show.incidents(out, answer["incidents"])
    rows = answer.get("closed") or []
    if rows:
        _table(
            out,
            ("incident", "cause", "reason", "opened", "closed", "affected"),
            [
                (
                    r["incident"],
                    r["cause"],
                    words(r["reason"]),
                    moment(r["opened_at"]),
                    moment(r["closed_at"]),
                    _assets(r),
                )
                for r in rows
            ],
        )


def runs(
    ctx: typer.Context,
    asset: AssetArgument = None,
    limit: LimitOption = 50,
    as_json: JsonOption = False,
    url: UrlOption = None,
    token_file: TokenFileOption = None,
    config: ConfigOption = None,
) -> None:
    """The daemon's own runs, the latest first."""
    answer = client(ctx, url, token_file, config).get("/api/runs", {"asset": asset or "", "limit": limit})
    if as_json:
        print_json(answer)
        return
    rows = [
        (r["run_id"], ", ".join(r["assets"]), words(r["reason"]), r["attempt"], moment(r["requested_at"]), _outcome(r))
        for r in answer["runs"]
    ]
    _table(console(), ("run", "assets", "reason", "attempt", "requested", "outcome"), rows)


def events(
    ctx: typer.Context,
    asset: AssetArgument = None,
    limit: LimitOption = 50,
    as_json: JsonOption = False,
    url: UrlOption = None,
    token_file: TokenFileOption = None,
    config: ConfigOption = None,
) -> None:
    """What was told of assets: updates, materialisations and failed runs, the latest first."""
    answer = client(ctx, url, token_file, config).get("/api/events", {"asset": asset or "", "limit": limit})
    if as_json:
        print_json(answer)
        return
    rows = [
        (_named(r), _update(r), *(moment(r[name]) for name in MOMENTS), r["source"] or r["run_id"])
        for r in answer["events"]
    ]
    _table(console(), ("asset", "event", "ended", "started", "data time", "from"), rows)


def deadletters(
    ctx: typer.Context,
    limit: LimitOption = 50,
    as_json: JsonOption = False,
    url: UrlOption = None,
    token_file: TokenFileOption = None,
    config: ConfigOption = None,
) -> None:
    """Messages that could not be understood, the latest first: from where (topic/partition/offset) and why."""
    answer = client(ctx, url, token_file, config).get("/api/deadletters", {"limit": limit})
    if as_json:
        print_json(answer)
        return
    rows = [(moment(r["at"]), r["origin"], r["format"], r["reason"], r["message"]) for r in answer["dead_letters"]]
    _table(console(), ("at", "origin", "format", "reason", "message"), rows, "every message so far was understood")


def _table(out: Console, columns: Sequence[str], rows: Sequence[Sequence[Any]], without: str = "none") -> None:
    if not rows:
        out.print(without)
        return
    shown = table(*columns)
    for row in rows:
        shown.add_row(*(escape("" if cell is None else str(cell)) for cell in row))
    out.print(shown)


def _assets(row: Json) -> str:
    keys = sorted({member["asset"] for member in row.get("affected") or []})
    return ", ".join(keys[:5]) + (f" and {len(keys) - 5} more" if len(keys) > 5 else "")


def _named(row: Json) -> str:
    return f"{row['asset']}[{row['partition']}]" if row.get("partition") else str(row["asset"])


def _update(row: Json) -> str:
    if row["outcome"] != "succeeded":
        return str(row["outcome"])
    return "update" if row["changed"] else "update, nothing new"


def _outcome(row: Json) -> str:
    if row.get("observed"):
        return "would launch"
    outcome, ended = row.get("outcome"), row.get("ended_at")
    if outcome:
        return f"{outcome} at {moment(ended)}" if ended else str(outcome)
    return f"running since {moment(row['started_at'])}" if row.get("started_at") else "requested"
