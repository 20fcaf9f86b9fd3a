"""The API under /api: what the CLI and other people's tools ask of a running daemon. Shapes: see shapes.py.

    GET  /api/status                       {"version", "mode", "now", "started_at", "ready", "health",
                                            "assets": {"total", "fresh", "unknown", "warn", "stale", "without_policy",
                                            "in_flight", "failed", "blocked", "infeasible"}, "incidents": [INCIDENT],
                                            "declarations", "blind": see declaring.py}
    GET  /api/assets?select=&exclude=      {"now", "assets": [ASSET]}; both may be repeated
    GET  /api/assets/{key}, {key}[{name}]  {"now", "asset": ASSET and more, "explanation": see explaining.py,
                                            "history", "verdicts", "runs"}: rows (of the partition);
                                           and "objectives": [OBJECTIVE] (objectives.py)
    GET  /api/incidents?all=1              {"now", "incidents": [INCIDENT], "closed": rows (with all)}
    GET  /api/unmatched, /api/deadletters  {"unmatched": rows, each with the "rule" for it}, {"dead_letters": rows}
    GET  /api/runs?asset=                  {"runs": rows}
    GET  /api/events?asset=                {"events": rows}: updates, materialisations and failures of runs
    POST /-/reload                         {"assets", "policies", "notes", "after_restart"}; refused: 422 {"problems"}

Rows stand newest first. What cannot be served is answered with {"error": …} and 400, 401, 403, 404, 413 or 503.
"""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from freshd.adapters.web.answers import RequestError, answer_error, answer_json
from freshd.adapters.web.explaining import explanation_json
from freshd.adapters.web.objectives import objectives_json
from freshd.adapters.web.reading import everything_asked, limit_of, selected
from freshd.adapters.web.shapes import (
    asset_detail,
    asset_json,
    blind_json,
    declaration_json,
    incident_json,
    instant,
    rows_json,
    totals,
)
from freshd.adapters.web.site import Site
from freshd.model.asset import AssetKey
from freshd.model.errors import ConfigError
from freshd.model.propose import propose_rule

BODY_LIMIT: Final = 1 << 20
"""Bytes that a posted body may have."""


def status(site: Site, request: Request) -> Response:
    """The daemon at a glance."""
    mode, keys, now = site.ask(
        lambda engine, now: ("observe" if engine.charter.observe else "act", list(engine.charter.graph.assets), now)
    )
    declared, blind = site.ask(lambda engine, now: (engine.declarations(), engine.blind()))
    return answer_json(
        {
            "version": site.version,
            "mode": mode,
            "now": instant(now),
            "started_at": instant(site.started_at),
            "ready": site.ready(),
            "health": site.describe(),
            "assets": totals(site.assess(keys)),
            "incidents": [incident_json(incident) for incident in site.incidents()],
            "declarations": [declaration_json(one, holds, brief=True) for one, holds in declared],
            "blind": blind_json(blind),
        }
    )


def assets(site: Site, request: Request) -> Response:
    """The assets that the selectors name, as they stand."""
    query = request.query_params
    keys = selected(site, query.getlist("select"), query.getlist("exclude"))
    _, now = site.graph()
    return answer_json({"now": instant(now), "assets": [asset_json(*found) for found in site.assess(keys)]})


def asset(site: Site, request: Request) -> Response:
    """One asset in full, with its history."""
    key, partition = _placed(site, request.path_params["key"])
    found = site.explain(key, partition)
    if found is None:
        raise RequestError(404, f"{key} has no partition {partition} that is in use" if partition else f"{key} is gone")
    limit = limit_of(request)
    return answer_json(
        {
            "now": instant(found.state.at),
            "asset": asset_detail(found.asset, found.state, found.charter.graph),
            "explanation": explanation_json(found.why, found.charter, key),
            "history": rows_json(site.history.materialisations(key, limit, partition)),
            "verdicts": rows_json(site.history.verdicts(key, limit, partition)),
            "runs": rows_json(site.history.runs(key, limit, partition)),
            "objectives": objectives_json(site, found.state),
        }
    )


def incidents(site: Site, request: Request) -> Response:
    """The open incidents; with `all`, those of the store as well."""
    _, now = site.graph()
    answer: dict[str, Any] = {"now": instant(now), "incidents": [incident_json(one) for one in site.incidents()]}
    if everything_asked(request):
        rows = rows_json(site.history.incidents(limit=limit_of(request)))
        answer["closed"] = [row for row in rows if row.get("closed_at") is not None]
    return answer_json(answer)


def unmatched(site: Site, request: Request) -> Response:
    """What named no asset known here."""
    graph, _ = site.graph()
    rows = rows_json(site.history.unmatched(limit_of(request, 200)))
    for row in rows:
        row["rule"] = propose_rule(row.get("format", ""), row.get("name", ""), row.get("fields") or {}, graph)
    return answer_json({"unmatched": rows})


def dead_letters(site: Site, request: Request) -> Response:
    """What could not be understood."""
    return answer_json({"dead_letters": rows_json(site.history.dead_letters(limit_of(request)))})


def runs(site: Site, request: Request) -> Response:
    """The daemon's runs, newest first."""
    name = request.query_params.get("asset", "")
    key = known_asset(site, name) if name else ""
    return answer_json({"runs": rows_json(site.history.runs(key, limit_of(request)))})


def events(site: Site, request: Request) -> Response:
    """What was told of assets: updates, materialisations and failed runs, newest first."""
    name = request.query_params.get("asset", "")
    key = known_asset(site, name) if name else ""
    return answer_json({"events": rows_json(site.history.materialisations(key, limit_of(request)))})


def reload(site: Site, request: Request, body: bytes) -> Response:
    """Have the files read anew: answered once the daemon goes by them, or 422 with all that is wrong with them."""
    try:
        return answer_json(site.reload())
    except ConfigError as error:
        problems = [{"where": problem.where, "message": problem.message} for problem in error.problems]
        return answer_error(422, "the files were refused, and what was in force stays", problems=problems)


def _placed(site: Site, name: str) -> tuple[AssetKey, str]:
    """The asset and, as in `shop/orders[2026-03-01]`, the partition that a request names."""
    if name.endswith("]") and "[" in name:
        key, _, partition = name[:-1].partition("[")
        return known_asset(site, key), partition
    return known_asset(site, name), ""


def known_asset(site: Site, name: str) -> AssetKey:
    """The asset that a request names. Raises RequestError 404 with the nearest keys."""
    key = site.resolve(name)
    if key is not None:
        return key
    graph, _ = site.graph()
    last = name.rpartition("/")[2]
    same = [other for other in graph.assets if other.rpartition("/")[2] == last][:5]
    nearest = same or _alike(name, list(graph.assets)[:20_000])
    hint = f"; did you mean {', '.join(nearest)}?" if nearest else ""
    raise RequestError(404, f"no asset is called {name}{hint}", nearest=nearest)


def _alike(name: str, keys: Sequence[AssetKey]) -> list[AssetKey]:
    """At most three keys that are spelt like the name, or end like it where it is a last segment alone."""
    if alike := get_close_matches(name, keys, 3):
        return alike
    lasts = {key.rpartition("/")[2]: key for key in reversed(keys)}
    return [] if "/" in name else [lasts[last] for last in get_close_matches(name, lasts, 3)]
