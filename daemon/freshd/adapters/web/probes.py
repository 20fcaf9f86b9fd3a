"""For machines that watch the daemon: /healthz, /readyz, /metrics."""

from __future__ import annotations

import gzip
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from freshd.adapters.web.answers import answer_json
from freshd.adapters.web.site import Site
from freshd.model.errors import TransientError

METRICS_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
GZIP_LEVEL: Final = 1
GZIP_FROM: Final = 1_024
"""Bytes below which an answer is not worth compressing."""


def healthz(site: Site, request: Request) -> Response:
    """200 while the loop gives signs of life: the store or a broker being away does not change that."""
    ok = site.live()
    return answer_json({"ok": ok}, 200 if ok else 503)


def readyz(site: Site, request: Request) -> Response:
    """200 once the daemon has recovered and can write; the body tells of every part."""
    ok = site.ready()
    return answer_json({"ok": ok, **site.describe()}, 200 if ok else 503)


def metrics(site: Site, request: Request) -> Response:
    """Everything that Prometheus scrapes, as text format 0.0.4; compressed for those who take that.

    While the loop does not answer, the daemon's own series are served alone: its last turn tells of it.
    """
    try:
        graph, _ = site.graph()
        body = site.metrics(site.assess(list(graph.assets)), site.incidents())
    except TransientError:
        body = site.metrics((), ())
    headers = {"Vary": "Accept-Encoding"}
    if len(body) >= GZIP_FROM and _takes_gzip(request.headers.get("accept-encoding", "")):
        body = gzip.compress(body, GZIP_LEVEL, mtime=0)
        headers["Content-Encoding"] = "gzip"
    return Response(body, headers={**headers, "Content-Type": METRICS_TYPE})


def _takes_gzip(accepted: str) -> bool:
    for part in accepted.lower().split(","):
        coding, *parameters = (piece.strip() for piece in part.split(";"))
        if coding in ("gzip", "*"):
            quality = next((p[2:] for p in parameters if p.startswith("q=")), "1")
            return quality.strip("0.") != ""
    return False
