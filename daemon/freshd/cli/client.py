"""The running daemon, asked over HTTP."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import httpx

from freshd.model.errors import FreshdError, PermanentError, Problem

TIMEOUT_S: Final = 30.0
"""How long an answer may take."""


class Unreachable(FreshdError):
    """Nobody answers at that address, or not as freshd would."""


class NotFound(FreshdError):
    """The daemon knows nothing by that name."""


class Misused(PermanentError):
    """The daemon cannot do what it is asked, however often: a wrong selector, event or token."""


class Refused(PermanentError):
    """The daemon found problems in its files."""

    def __init__(self, message: str, problems: Sequence[Problem]) -> None:
        super().__init__(message)
        self.problems = list(problems)


class Client:
    """One command's connection to the daemon."""

    def __init__(self, url: str, token: str = "", transport: httpx.BaseTransport | None = None) -> None:
        self.url = url.rstrip("/")
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._http = httpx.Client(base_url=self.url, headers=headers, timeout=TIMEOUT_S, transport=transport)

    def get(self, path: str, query: Mapping[str, str | int | Sequence[str]] | None = None) -> Any:
        """The JSON answer. Raises Unreachable, NotFound, Misused, or PermanentError with what the daemon said."""
        return self._ask("GET", path, params={k: v for k, v in (query or {}).items() if v not in ("", [], None)})

    def post(self, path: str, body: Any, headers: Mapping[str, str] | None = None) -> Any:
        """As `get`, with a JSON body."""
        return self._ask("POST", path, json=body, headers=dict(headers or {}))

    def _ask(self, method: str, path: str, **more: Any) -> Any:
        try:
            answer = self._http.request(method, path, **more)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            why = str(error) or type(error).__name__
            raise Unreachable(
                f"no daemon answers at {self.url} ({why}); start one with `freshd run`, or give --url"
            ) from None
        if answer.is_success:
            return _content(answer, self.url)
        said = _said(answer)
        if answer.status_code in (502, 503, 504):
            raise Unreachable(f"the daemon at {self.url} cannot answer now: {said}")
        if answer.status_code in (401, 403):
            raise Misused(f"the daemon at {self.url} refuses: {said}; give its token with --token-file")
        if answer.status_code == 404:
            raise NotFound(said)
        if answer.status_code == 422:
            raise Refused(said, _problems(answer))
        if answer.is_client_error:
            raise Misused(said)
        raise PermanentError(said)


def _content(answer: httpx.Response, url: str) -> Any:
    if not answer.content:
        return None
    try:
        return answer.json()
    except ValueError:
        raise Unreachable(f"what answers at {url} is not freshd: {answer.text[:80]!r}") from None


def _problems(answer: httpx.Response) -> list[Problem]:
    try:
        return [Problem(str(one["where"]), str(one["message"])) for one in answer.json()["problems"]]
    except (ValueError, KeyError, TypeError):
        return [Problem("", _said(answer))]


def _said(answer: httpx.Response) -> str:
    try:
        body = answer.json()
    except ValueError:
        return answer.text[:500] or f"HTTP status {answer.status_code}"
    if isinstance(body, dict):
        return str(body.get("error") or body.get("detail") or body.get("message") or body)
    return str(body)
