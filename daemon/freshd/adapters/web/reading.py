"""What a posted body and a query say: JSON objects with known fields, selectors, bounds."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Final

from starlette.requests import Request

from freshd.adapters.web.answers import RequestError
from freshd.adapters.web.site import Site
from freshd.model.asset import AssetKey

ROWS: Final = 50
ROWS_LIMIT: Final = 1_000


def wanted_of(body: bytes, known: Sequence[str]) -> dict[str, Any]:
    """The object that a body holds. Raises RequestError 400 for anything else, and for fields that are not known."""
    try:
        wanted = json.loads(body)
    except (ValueError, RecursionError):
        raise RequestError(400, 'the body is not JSON; send e.g. {"select": "shop/orders"}') from None
    if not isinstance(wanted, dict):
        raise RequestError(400, 'the body must be an object, e.g. {"select": "shop/orders"}')
    unknown = sorted(wanted.keys() - set(known))
    if unknown:
        raise RequestError(400, f"unknown field {unknown[0]!r}; known are {', '.join(known)}")
    return wanted


def names_in(wanted: dict[str, Any], field: str) -> list[str]:
    """The selectors of a field: one text, or a list of them."""
    value = wanted.get(field) or []
    names = [value] if isinstance(value, str) else value
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise RequestError(400, f"`{field}` must be a selector or a list of them")
    return [name for name in names if name.strip()]


def selected(site: Site, select: Sequence[str], exclude: Sequence[str]) -> Sequence[AssetKey]:
    """The assets that selectors name. Raises RequestError 400 for bad ones."""
    try:
        return site.select(select, exclude)
    except ValueError as error:
        raise RequestError(400, str(error)) from None


def nothing_selected(names: Sequence[str], example: str) -> RequestError:
    """What is answered to selectors that select nothing, or to none."""
    by = f" by {', '.join(names[:3])}" if names else ""
    return RequestError(400, f'nothing is selected{by}: name assets or a selector in `select`, e.g. "{example}"')


def everything_asked(request: Request) -> bool:
    """Whether what is over is asked for too: `?all=1`."""
    return request.query_params.get("all") not in (None, "", "0", "false")


def limit_of(request: Request, default: int = ROWS) -> int:
    """How many rows are asked for. Raises RequestError 400."""
    text = request.query_params.get("limit")
    if text is None:
        return default
    if not text.isdigit() or not 1 <= int(text) <= ROWS_LIMIT:
        raise RequestError(400, f"limit must be a number from 1 to {ROWS_LIMIT}, not {text!r}")
    return int(text)
