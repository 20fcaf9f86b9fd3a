"""Commands by which people declare something for a while: ack, mute, unmute, pause, resume."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from freshd.cli.options import ConfigOption, ExcludeOption, JsonOption, TokenFileOption, UrlOption, author, client
from freshd.cli.output import console, print_json

SelectorsArgument = Annotated[list[str], typer.Argument(help="Assets or selectors, e.g. shop/orders+ or tag:tier1.")]
MaybeSelectorsArgument = Annotated[
    list[str] | None, typer.Argument(help="Assets or selectors; without any: everything.")
]
ReasonOption = Annotated[str, typer.Option("--reason", help="Why; others will read it.")]
MaybeReasonOption = Annotated[str, typer.Option("--reason", help="Why.")]
AuthorOption = Annotated[str | None, typer.Option("--author", help="Who says so (default: your user name).")]


def ack(
    ctx: typer.Context,
    incident: Annotated[str, typer.Argument(help="Its id (freshd incidents), or its cause.")],
    reason: ReasonOption,
    lasting: Annotated[str, typer.Option("--for", help="How long, e.g. 4h.")] = "24h",
    said_by: AuthorOption = None,
    as_json: JsonOption = False,
    url: UrlOption = None,
    token_file: TokenFileOption = None,
    config: ConfigOption = None,
) -> None:
    """Say that you know of an incident: its message says so, and nothing is told in its thread until it grows worse."""
    said = {"incident": incident, "for": lasting, "reason": reason, "author": said_by or author()}
    answer = client(ctx, url, token_file, config).post("/api/ack", said)
    if as_json:
        print_json(answer)
    else:
        console().print(f"acknowledged {answer['incident']} ({answer['cause']}) until {answer['until']}", markup=False)


def mute(
    ctx: typer.Context,
    selectors: SelectorsArgument,
    lasting: Annotated[str, typer.Option("--for", help="How long, e.g. 2h.")],
    reason: ReasonOption,
    begins: Annotated[str | None, typer.Option("--from", help="When it begins (default: now).")] = None,
    maintenance: Annotated[
        bool, typer.Option("--maintenance", help="Declare maintenance: nothing becomes bad, and no objective suffers.")
    ] = False,
    exclude: ExcludeOption = None,
    said_by: AuthorOption = None,
    as_json: JsonOption = False,
    url: UrlOption = None,
    token_file: TokenFileOption = None,
    config: ConfigOption = None,
) -> None:
    """Announce nothing of these assets for a while; their incidents go on."""
    said = _said(selectors, exclude, reason, said_by) | {"for": lasting, "maintenance": maintenance}
    answer = client(ctx, url, token_file, config).post("/api/mute", said | ({"from": begins} if begins else {}))
    _tell(answer, as_json, "under maintenance" if maintenance else "muted")


def unmute(
    ctx: typer.Context,
    selectors: SelectorsArgument,
    reason: MaybeReasonOption = "",
    exclude: ExcludeOption = None,
    said_by: AuthorOption = None,
    as_json: JsonOption = False,
    url: UrlOption = None,
    token_file: TokenFileOption = None,
    config: ConfigOption = None,
) -> None:
    """End mutes and maintenance of these assets."""
    said = _said(selectors, exclude, reason, said_by)
    _tell(client(ctx, url, token_file, config).post("/api/unmute", said), as_json, "no longer muted")


def pause(
    ctx: typer.Context,
    reason: ReasonOption,
    selectors: MaybeSelectorsArgument = None,
    lasting: Annotated[str | None, typer.Option("--for", help="How long (default: until resumed).")] = None,
    exclude: ExcludeOption = None,
    said_by: AuthorOption = None,
    as_json: JsonOption = False,
    url: UrlOption = None,
    token_file: TokenFileOption = None,
    config: ConfigOption = None,
) -> None:
    """Launch these assets, or everything, only when somebody asks for it."""
    said = _said(selectors, exclude, reason, said_by) | ({"for": lasting} if lasting else {})
    _tell(client(ctx, url, token_file, config).post("/api/pause", said), as_json, "paused")


def resume(
    ctx: typer.Context,
    selectors: MaybeSelectorsArgument = None,
    reason: MaybeReasonOption = "",
    exclude: ExcludeOption = None,
    said_by: AuthorOption = None,
    as_json: JsonOption = False,
    url: UrlOption = None,
    token_file: TokenFileOption = None,
    config: ConfigOption = None,
) -> None:
    """Launch them by themselves again."""
    said = _said(selectors, exclude, reason, said_by)
    _tell(client(ctx, url, token_file, config).post("/api/resume", said), as_json, "no longer paused")


def _said(selectors: list[str] | None, exclude: list[str] | None, reason: str, said_by: str | None) -> dict[str, Any]:
    return {
        "select": selectors or [],
        "exclude": exclude or [],
        "reason": reason,
        "author": said_by or author(),
    }


def _tell(answer: Any, as_json: bool, state: str) -> None:
    if as_json:
        print_json(answer)
        return
    out = console()
    begins = f" from {answer['begins_at']}" if answer.get("holds") is False else ""
    until = f" until {answer['until']}" if answer.get("until") else ""
    out.print(f"{state}{begins}{until}:")
    for key in answer["assets"]:
        out.print(f"  {key}", markup=False)
    if not answer["assets"]:
        out.print("  everything")
