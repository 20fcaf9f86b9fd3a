"""For machines that watch the daemon: /healthz, /readyz, /metrics."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from freshd.adapters.web.answers import answer_json
from freshd.adapters.web.site import Site

SCRAPER: Final = "X-Prometheus-Scrape-Timeout-Seconds"
"""Whoever sends this header reads as Prometheus does."""
PIECE: Final = 1 << 18
"""Bytes of an answer that are handed over at once."""


def healthz(site: Site, request: Request) -> Response:
    """200 while the loop gives signs of life: the store or a broker being away does not change that."""
    ok = site.live()
    return answer_json({"ok": ok}, 200 if ok else 503)


def readyz(site: Site, request: Request) -> Response:
    """200 once the daemon has recovered and can write; the body tells of every part."""
    ok = site.ready()
    return answer_json({"ok": ok, **site.describe()}, 200 if ok else 503)


def metrics(site: Site, request: Request) -> Response:
    """Everything that Prometheus scrapes: text format 0.0.4, or OpenMetrics for who would rather have that.

    Scrapers get it compressed, as it is kept: as gzip members one after the other. The standard has it so, but some
    other clients silently stop after the first; they get the text as it is.
    """
    scraped = site.scrape(site.ask, prefers_openmetrics(request.headers.get("accept", "")))
    headers = {"Vary": f"Accept, Accept-Encoding, {SCRAPER}", "Content-Type": scraped.content_type}
    if SCRAPER not in request.headers or not _takes_gzip(request.headers.get("accept-encoding", "")):
        return StreamingResponse(in_pieces(scraped.text()), headers=headers)
    headers |= {"Content-Encoding": "gzip", "Content-Length": str(sum(len(member) for member in scraped.members))}
    return StreamingResponse(in_pieces(scraped.members), headers=headers)


def in_pieces(parts: Iterable[bytes]) -> Iterator[bytes]:
    """The parts, joined to pieces worth sending."""
    waiting: list[bytes] = []
    size = 0
    for part in parts:
        waiting.append(part)
        size += len(part)
        if size >= PIECE:
            yield b"".join(waiting)
            waiting, size = [], 0
    if waiting:
        yield b"".join(waiting)


def prefers_openmetrics(accepted: str) -> bool:
    """Whether an Accept header asks for OpenMetrics rather than for plain text."""
    best: dict[str, float] = {}
    for part in accepted.lower().split(","):
        name, *parameters = (piece.strip() for piece in part.split(";"))
        kind = {"application/openmetrics-text": "openmetrics", "text/plain": "plain", "text/*": "plain", "*/*": "plain"}
        if name in kind:
            best[kind[name]] = max(best.get(kind[name], 0.0), _quality(parameters))
    return best.get("openmetrics", 0.0) > best.get("plain", 0.0)


def _quality(parameters: Sequence[str]) -> float:
    said = next((piece[2:] for piece in parameters if piece.startswith("q=")), "1")
    try:
        return float(said)
    except ValueError:
        return 0.0


def _takes_gzip(accepted: str) -> bool:
    for part in accepted.lower().split(","):
        coding, *parameters = (piece.strip() for piece in part.split(";"))
        if coding in ("gzip", "*"):
            return _quality(parameters) > 0
    return False
