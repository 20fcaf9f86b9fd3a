"""What people ask to be materialised, over HTTP: wishes, backfills of partitions, and how far they have come.

    POST /api/materialize  {"select", "exclude", "partitions", "parallel", "dry_run", "author"}
                           202: {"wish", "assets", "partitions", "parallel", "dry_run"}
    GET  /api/wishes       {"wishes": [WISH]}: the last that ended, then those that go on; with `all=1` also "ended":
                           rows of the store, the latest first
    GET  /api/wishes/{id}  WISH, or 404 if there was none, or the store keeps it no longer

A WISH is {"wish", "assets", "partitions", "parallel", "author", "planned", "done", "running", "over", "cause"}; `over`
is empty while it goes on, else `done` or why it came to nothing; of one that ended before the daemon's last start
`partitions`, `parallel` and `running` are null, and `done` if it came to nothing. Asked-for `partitions` are a text:
`2026-11-01..2026-11-20`, `eu,us`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final
from uuid import uuid4

from starlette.requests import Request
from starlette.responses import Response

from freshd.adapters.web.answers import RequestError, answer_json
from freshd.adapters.web.reading import everything_asked, limit_of, names_in, nothing_selected, selected, wanted_of
from freshd.adapters.web.shapes import rows_json
from freshd.adapters.web.site import Site
from freshd.model.assessment import WishView
from freshd.model.asset import AssetKey
from freshd.model.inputs import Wish
from freshd.model.partitions import partitions_between

PARALLEL: Final = 4
"""Runs of a backfill that go on at one time, if nothing else is asked for."""

PARALLEL_LIMIT: Final = 1_000
_FIELDS: Final = ("select", "exclude", "partitions", "parallel", "dry_run", "author")


def materialize(site: Site, request: Request, body: bytes) -> Response:
    """A person's wish: answered once it is durable; its runs come after."""
    wanted = wanted_of(body, _FIELDS)
    names = names_in(wanted, "select")
    keys = selected(site, names, names_in(wanted, "exclude")) if names else ()
    if not keys:
        raise nothing_selected(names, "shop/orders")
    dry_run = wanted.get("dry_run", False)
    author = wanted.get("author", "")
    if not isinstance(dry_run, bool) or not isinstance(author, str):
        raise RequestError(400, "`dry_run` must be true or false, `author` a text")
    wish_id = request.headers.get("idempotency-key") or uuid4().hex
    if len(wish_id) > 200:
        raise RequestError(400, "the Idempotency-Key is longer than 200 characters")
    partitions = _partitions(site, keys, wanted.get("partitions", ""))
    parallel = _parallel(wanted.get("parallel"), partitions)
    if not dry_run:
        site.wish(Wish(wish_id, tuple(keys), author[:200], partitions, parallel))
    answer = {"wish": wish_id, "assets": list(keys), "partitions": list(partitions), "parallel": parallel}
    return answer_json({**answer, "dry_run": dry_run}, 200 if dry_run else 202)


def wishes(site: Site, request: Request) -> Response:
    """What people have asked for."""
    answer: dict[str, Any] = {"wishes": [wish_json(view) for view in _views(site)]}
    if everything_asked(request):
        rows = rows_json(site.history.wishes(limit_of(request)))
        answer["ended"] = [row for row in rows if row.get("ended_at") is not None]
    return answer_json(answer)


def wish(site: Site, request: Request) -> Response:
    """How far one wish has come."""
    name = request.path_params["wish"]
    for view in _views(site):
        if view.wish == name:
            return answer_json(wish_json(view))
    for row in site.history.wishes(1, name):
        return answer_json(_of_the_store(row))
    raise RequestError(404, f"no wish is called {name}, or it ended longer ago than the store keeps runs")


def wish_json(view: WishView) -> dict[str, Any]:
    """A WISH."""
    return {
        "wish": view.wish,
        "assets": list(view.assets),
        "partitions": list(view.partitions),
        "parallel": view.parallel,
        "author": view.author,
        "planned": view.planned,
        "done": view.done,
        "running": view.running,
        "over": view.over,
        "cause": view.cause,
    }


def _of_the_store(row: Mapping[str, Any]) -> dict[str, Any]:
    """A WISH that the engine knows no longer: it ended before the daemon's last start, or many have ended since."""
    over = row["outcome"] or "lost"
    return {
        "wish": row["wish_id"],
        "assets": list(row["assets"]),
        "partitions": None,
        "parallel": None,
        "author": row["author"],
        "planned": row["planned"],
        "done": row["planned"] if over == "done" else None,
        "running": None,
        "over": over,
        "cause": row["cause"] or "",
    }


def _views(site: Site) -> tuple[WishView, ...]:
    return site.ask(lambda engine, now: engine.wishes())


def _partitions(site: Site, keys: Sequence[AssetKey], text: Any) -> tuple[str, ...]:
    """The partitions that a text names, which all the assets with partitions must have."""
    if not isinstance(text, str):
        raise RequestError(400, '`partitions` must be a text, e.g. "2026-11-01..2026-11-20"')
    if not text.strip():
        return ()
    graph, _ = site.graph()
    sliced = [graph.assets[key] for key in keys if key in graph.assets and graph.assets[key].partitions is not None]
    if not sliced:
        raise RequestError(400, f"partitions are named, and {', '.join(keys[:3])} has none")
    try:
        found = [partitions_between(asset, text) for asset in sliced]
    except ValueError as error:
        raise RequestError(400, f"partitions: {error}") from None
    return found[0]


def _parallel(value: Any, partitions: Sequence[str]) -> int:
    if value is None:
        return PARALLEL if partitions else 0
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= PARALLEL_LIMIT:
        raise RequestError(400, f"`parallel` must be a number from 1 to {PARALLEL_LIMIT}, not {value!r}")
    return value
