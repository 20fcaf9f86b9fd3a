"""Options that several commands share, and what they stand for when they are not given."""

from __future__ import annotations

import getpass
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final

import typer

from freshd.cli.client import Client
from freshd.documents import read_yaml, secret_text
from freshd.model.errors import ConfigError

CONFIG_VARIABLE: Final = "FRESHD_CONFIG"
URL_VARIABLE: Final = "FRESHD_URL"
TOKEN_VARIABLE: Final = "FRESHD_TOKEN"
TOKEN_FILE_VARIABLE: Final = "FRESHD_TOKEN_FILE"
DEFAULT_LISTEN: Final = "127.0.0.1:8765"

ConfigOption = Annotated[
    Path | None, typer.Option("--config", help=f"freshd's settings (default: freshd.yaml, ${CONFIG_VARIABLE}).")
]
UrlOption = Annotated[str | None, typer.Option("--url", envvar=URL_VARIABLE, help="Where the daemon listens.")]
TokenFileOption = Annotated[
    Path | None, typer.Option("--token-file", envvar=TOKEN_FILE_VARIABLE, help="A file with the API's token.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")]
SelectOption = Annotated[
    list[str] | None, typer.Option("--select", "-s", help="Only what this selects, e.g. tag:tier1 or +orders.")
]
ExcludeOption = Annotated[list[str] | None, typer.Option("--exclude", help="Without what this selects.")]


@dataclass(frozen=True, slots=True)
class Context:
    """What was said before the command's name."""

    config: Path


def config_path(ctx: typer.Context, given: Path | None) -> Path:
    """The settings file: as given to the command, else before it, else by the environment, else freshd.yaml."""
    if given is not None:
        return given
    context = ctx.find_object(Context)
    return context.config if context is not None else Path("freshd.yaml")


def client(ctx: typer.Context, url: str | None, token_file: Path | None, config: Path | None = None) -> Client:
    """A client of the running daemon: by --url, else where the settings file says that it listens."""
    listen, file_of_settings = _from_settings(config_path(ctx, config))
    token = os.environ.get(TOKEN_VARIABLE, "")
    file = token_file or (None if token else file_of_settings)
    if file is not None:
        token = secret_text(None, file, "--token-file or api.token_file") or ""
    return Client(url or f"http://{_reachable(listen)}", token)


def author() -> str:
    """Who is asking: the user's name, or empty."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return ""


def _from_settings(path: Path) -> tuple[str, Path | None]:
    """`listen` and `api.token_file`, read without judging the rest: it may be the settings of a daemon elsewhere."""
    listen, token_file = os.environ.get("FRESHD_LISTEN", ""), None
    try:
        (document, *_) = read_yaml(path)
        listen = listen or str(document.value.get("listen") or "")
        named = (document.value.get("api") or {}).get("token_file")
        token_file = path.parent / named if named else None
    except (OSError, ConfigError, ValueError, AttributeError):
        pass  # without readable settings the default address is as good as any
    return listen or DEFAULT_LISTEN, token_file


def _reachable(listen: str) -> str:
    host, _, port = listen.rpartition(":")
    return f"127.0.0.1:{port}" if host in ("0.0.0.0", "", "[::]", "*") else listen
