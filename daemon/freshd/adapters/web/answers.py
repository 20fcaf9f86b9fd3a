"""How requests are answered: JSON, errors in one shape, and work that blocks kept off the event loop."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable
from typing import Any, TypeAlias

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from freshd.model.errors import FreshdError, TransientError

Work: TypeAlias = Callable[[Request], Response]


class RequestError(Exception):
    """The request cannot be served; `message` says why and how to mend it."""

    def __init__(self, status: int, message: str, **more: Any) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.more = more


def answer_json(value: Any, status: int = 200) -> Response:
    """`value` as JSON; what JSON has no word for becomes text."""
    body = json.dumps(value, ensure_ascii=False, default=str, allow_nan=False).encode("utf-8", "replace")
    return Response(body, status, media_type="application/json", headers={"Cache-Control": "no-store"})


def answer_error(status: int, message: str, **more: Any) -> Response:
    """`{"error": message}`, with more beside it."""
    return answer_json({"error": message, **more}, status)


def blocking(work: Work) -> Callable[[Request], Any]:
    """An endpoint from work that may wait for the engine or the store: it runs in a thread of its own."""

    @functools.wraps(work)
    async def endpoint(request: Request) -> Response:
        return await run_in_threadpool(guarded, work, request)

    return endpoint


def guarded(work: Work, request: Request) -> Response:
    """What `work` answers, its errors turned into answers too."""
    try:
        return work(request)
    except RequestError as error:
        return answer_error(error.status, error.message, **error.more)
    except TransientError as error:
        return answer_error(503, str(error))
    except FreshdError as error:
        return answer_error(500, str(error))
