"""The routes of the HTTP side, ready to be mounted beside the ingress."""

from __future__ import annotations

from collections.abc import Callable

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from freshd.adapters.web import api, declaring, page, probes, wishing
from freshd.adapters.web.answers import RequestError, answer_error, blocking, guarded
from freshd.adapters.web.guard import check_write
from freshd.adapters.web.site import Site

View = Callable[[Site, Request], Response]
Change = Callable[[Site, Request, bytes], Response]


def probe_routes(site: Site) -> list[Route]:
    """/healthz, /readyz and /metrics: all that a port of their own (`metrics.listen`) offers."""
    return [
        _at_once("/healthz", probes.healthz, site),
        _at_once("/readyz", probes.readyz, site),
        _get("/metrics", probes.metrics, site),
    ]


def web_routes(site: Site) -> list[Route]:
    """The probes, the API and the page."""
    return [
        *probe_routes(site),
        _get("/", page.overview, site),
        _get("/assets/{key:path}", page.asset, site),
        _get("/api/status", api.status, site),
        _get("/api/assets", api.assets, site),
        _get("/api/assets/{key:path}", api.asset, site),
        _get("/api/incidents", api.incidents, site),
        _get("/api/unmatched", api.unmatched, site),
        _get("/api/deadletters", api.dead_letters, site),
        _get("/api/runs", api.runs, site),
        _get("/api/events", api.events, site),
        _get("/api/declarations", declaring.declarations, site),
        _get("/api/wishes", wishing.wishes, site),
        _get("/api/wishes/{wish}", wishing.wish, site),
        _post("/api/materialize", wishing.materialize, site),
        _post("/api/mute", declaring.mute, site),
        _post("/api/unmute", declaring.unmute, site),
        _post("/api/pause", declaring.pause, site),
        _post("/api/resume", declaring.resume, site),
        _post("/api/ack", declaring.acknowledge, site),
        _post("/-/reload", api.reload, site),
    ]


def _get(path: str, view: View, site: Site) -> Route:
    return Route(path, blocking(lambda request: view(site, request)), methods=["GET"], name=path)


def _at_once(path: str, view: View, site: Site) -> Route:
    """For what never waits: it is answered also while all threads wait for an engine that is held up."""

    async def endpoint(request: Request) -> Response:
        return guarded(lambda asked: view(site, asked), request)

    return Route(path, endpoint, methods=["GET"], name=path)


def _post(path: str, change: Change, site: Site) -> Route:
    """A write: only for those who may, with a bounded body, in a thread of its own."""

    async def endpoint(request: Request) -> Response:
        try:
            check_write(site, request)
            body = await _body(request)
        except RequestError as error:
            return answer_error(error.status, error.message)
        return await run_in_threadpool(guarded, lambda asked: change(site, asked, body), request)

    return Route(path, endpoint, methods=["POST"])


async def _body(request: Request) -> bytes:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > api.BODY_LIMIT:
            raise RequestError(413, f"the body is larger than {api.BODY_LIMIT} bytes")
    return bytes(body)
