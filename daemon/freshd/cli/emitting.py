"""`freshd emit`: say to the daemon what happened, from a shell, a cron job or a pipeline's last step."""

from __future__ import annotations

import json
import sys
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final
from urllib.parse import quote

import orjson
import typer

from freshd.adapters.clock import SystemClock
from freshd.adapters.formats import dbt as dbt_results
from freshd.adapters.formats.own import encode
from freshd.cli.client import Client, NotFound
from freshd.cli.options import ConfigOption, JsonOption, TokenFileOption, UrlOption, client
from freshd.cli.output import DOES_NOT_HOLD, console, errors, print_json
from freshd.model.errors import ConfigError, DecodeError, Problem
from freshd.model.inputs import HINT, EventKind, Unmatched
from freshd.model.sighting import Message, Sighting

POSTED_AT_ONCE: Final = 500
"""Events in one request."""


def emit(
    ctx: typer.Context,
    assets: Annotated[list[str] | None, typer.Argument(help="What it is about: keys, relations, aliases.")] = None,
    kind: Annotated[EventKind, typer.Option("--type", help="What happened.")] = EventKind.UPDATE,
    id: Annotated[str, typer.Option(help="Unique within its source; default: made up.")] = "",
    at: Annotated[str, typer.Option(help="When it happened (RFC 3339); default: now.")] = "",
    started_at: Annotated[str, typer.Option(help="When its run or sync began reading.")] = "",
    data_time: Annotated[str, typer.Option(help="The instant up to which the data reaches.")] = "",
    partition: Annotated[str, typer.Option(help="The partition it is about.")] = "",
    run_id: Annotated[str, typer.Option(help="The run it belongs to.")] = "",
    unchanged: Annotated[bool, typer.Option("--unchanged", help="The sync found nothing new.")] = False,
    completeness: Annotated[float | None, typer.Option(min=0, max=1, help="How much of the data came.")] = None,
    metadata: Annotated[list[str] | None, typer.Option("--metadata", "-m", help="NAME=VALUE, repeatable.")] = None,
    source: Annotated[str, typer.Option(help="Who says so.")] = "",
    feed: Annotated[str, typer.Option(help="Of a heartbeat: the feed that lives.")] = "",
    name: Annotated[str, typer.Option(help="Of a check: its name.")] = "",
    passed: Annotated[bool | None, typer.Option("--passed/--failed", help="Of a check: its result.")] = None,
    file: Annotated[Path | None, typer.Option("--file", "-f", help="Events in freshd's format; - reads stdin.")] = None,
    dbt: Annotated[
        Path | None, typer.Option("--dbt", help="The results of a dbt invocation: target/run_results.json.")
    ] = None,
    as_json: JsonOption = False,
    url: UrlOption = None,
    token_file: TokenFileOption = None,
    config: ConfigOption = None,
) -> None:
    """Tell the daemon that something happened: an update of an asset, a run, a check, dbt's results."""
    if sum((bool(assets) or bool(feed), file is not None, dbt is not None)) != 1:
        raise typer.BadParameter("say what it is about: ASSETS (or --feed), or --file, or --dbt; one of them")
    if dbt is not None:
        events = dbt_events(dbt)
    elif file is not None:
        events = _read_events(file)
    else:
        event = {
            "id": id or f"emit-{uuid.uuid4()}",
            "type": kind.value,
            "at": at,
            "started_at": started_at,
            "data_time": data_time,
            "partition": partition,
            "run_id": run_id,
            "completeness": completeness,
            "metadata": _pairs(metadata or []),
            "source": source,
            "feed": feed,
            "name": name,
        }
        events = [{key: value for key, value in event.items() if value not in ("", None, {})}]
        if unchanged:
            events[0]["changed"] = False
        if passed is not None:
            events[0]["passed"] = passed
    daemon = client(ctx, url, token_file, config)
    if assets:
        events[0]["assets"] = [_resolved(daemon, name) for name in assets]
    _tell(daemon, events, _post(daemon, events), as_json)


def _tell(daemon: Client, events: list[dict[str, Any]], unmatched: list[str], as_json: bool) -> None:
    if as_json:
        print_json({"events": events, "unmatched": unmatched})
    else:
        console().print(f"{len(events)} event{'' if len(events) == 1 else 's'} taken by {daemon.url}")
    if unmatched:
        errors().print(f"no asset is known by: {', '.join(unmatched)} (see freshd unmatched)", markup=False)
        raise typer.Exit(DOES_NOT_HOLD)


def _post(daemon: Client, events: list[dict[str, Any]]) -> list[str]:
    """Hand the events over, a bounded number at once; returns the names that no asset has."""
    unmatched: list[str] = []
    for start in range(0, len(events), POSTED_AT_ONCE):
        answer = daemon.post("/events", events[start : start + POSTED_AT_ONCE])
        unmatched += answer.get("unmatched", []) if isinstance(answer, dict) else []
    return unmatched


def _resolved(daemon: Client, name: str) -> str:
    """The key of the asset that the daemon knows by this last segment; the name itself if there is none."""
    if not name.strip():
        raise typer.BadParameter("the name of an asset is empty: write its key, like shop/orders")
    if "/" in name:
        return name
    try:
        return str(daemon.get(f"/api/assets/{quote(name)}")["asset"]["asset"])
    except (NotFound, KeyError, TypeError):
        return name


def dbt_events(path: Path) -> list[dict[str, Any]]:
    """dbt's results as freshd's own events. Raises ConfigError if the file cannot be read as such.

    A result that says nothing, or that cannot be understood, is told and left out.
    """
    try:
        message = Message(path.read_bytes(), SystemClock().now(), str(path))
        seen = dbt_results.decode(message, _tested(path.with_name("manifest.json")))
    except OSError as error:
        raise ConfigError([Problem(str(path), f"cannot be read: {error.strerror}")]) from None
    except DecodeError as error:
        raise ConfigError([Problem("", str(error))]) from None
    for one in seen:
        if isinstance(one, Unmatched):
            errors().print(f"note: {path}: {one.name}: {one.fields[HINT]}", markup=False)
        elif isinstance(one, DecodeError):
            errors().print(f"left out: {one}", markup=False)
    return [encode(one) for one in seen if isinstance(one, Sighting)]


def _tested(manifest: Path) -> Mapping[str, str]:
    """The nodes by test, as the manifest beside the results says; none if there is none that can be read."""
    from freshd.adapters.catalog.dbt_files import read_json
    from freshd.adapters.catalog.dbt_manifest import read_manifest

    if not manifest.exists():
        return {}
    try:
        return read_manifest(read_json(str(manifest), Path()), str(manifest)).tested
    except ConfigError as error:
        errors().print(f"note: {error.problems[0]}; what the results say of tests is left out", markup=False)
        return {}


def _read_events(path: Path) -> list[dict[str, Any]]:
    """One event, an array of them, or one a line."""
    try:
        text = sys.stdin.read() if str(path) == "-" else path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError([Problem(str(path), f"cannot be read: {error}")]) from None
    try:
        value = orjson.loads(text)
    except ValueError:
        value = [_line(path, number, line) for number, line in enumerate(text.splitlines(), 1) if line.strip()]
    events = value if isinstance(value, list) else [value]
    if not events:
        errors().print(f"note: {path}: no events in it", markup=False)
    # What is dated gets the same id each time, so that emitting a file again after a failure repeats nothing.
    return [event if not isinstance(event, dict) else {"id": _made_up(event), **event} for event in events]


def _made_up(event: dict[str, Any]) -> str:
    if "at" not in event:
        return f"emit-{uuid.uuid4()}"
    return f"emit-{uuid.uuid5(uuid.NAMESPACE_OID, json.dumps(event, sort_keys=True))}"


def _line(path: Path, number: int, line: str) -> Any:
    try:
        return orjson.loads(line)
    except ValueError as error:
        raise ConfigError([Problem(f"{path}:{number}", f"not JSON: {error}")]) from None


def _pairs(texts: list[str]) -> dict[str, Any]:
    pairs: dict[str, Any] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise typer.BadParameter(f"--metadata {text}: write NAME=VALUE")
        try:
            pairs[name] = orjson.loads(value)
        except ValueError:
            pairs[name] = value
    return pairs
