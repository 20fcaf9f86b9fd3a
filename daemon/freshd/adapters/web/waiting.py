"""What is answered while the daemon waits for its store or its secrets: it is alive, not ready, why, and as a metric.

An orchestrator then waits with it instead of starting it again and again, and whoever looks finds the reason.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from prometheus_client import CollectorRegistry, Gauge, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from freshd.adapters.web.answers import answer_error, answer_json

RETRY_AFTER_S: Final = 5
"""When whoever asked for more should ask again."""


def waiting_routes(what: str, why: Callable[[], str]) -> list[Route]:
    """/healthz, /readyz and /metrics of a daemon that cannot begin; everything else is answered 503."""
    registry = CollectorRegistry()
    up = Gauge(
        "freshd_up", "0 while what the daemon needs is away: store, kafka, secrets.", ["dependency"], registry=registry
    )
    up.labels(what).set(0)

    async def healthz(request: Request) -> Response:
        return answer_json({"ok": True})

    async def readyz(request: Request) -> Response:
        return answer_json({"ok": False, what: {"ok": False, "trouble": why()}}, 503)

    async def metrics(request: Request) -> Response:
        return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)

    async def anything(request: Request) -> Response:
        answer = answer_error(503, f"the daemon has not begun yet: {why()}")
        answer.headers["Retry-After"] = str(RETRY_AFTER_S)
        return answer

    every = ["GET", "HEAD", "POST", "PUT", "DELETE"]
    return [
        Route("/healthz", healthz),
        Route("/readyz", readyz),
        Route("/metrics", metrics),
        Route("/{rest:path}", anything, methods=every),
    ]
