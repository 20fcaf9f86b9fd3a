"""The routes of the ingress: a request is checked, read, understood, and answered once what it says is durable.

202 means that it will not be lost. Whatever cannot be taken now is answered 503 with Retry-After, what can never be
taken 400 or 413 with the reason, what shows the wrong secret 401 and nothing else. What cannot be understood also
goes to the dead letters, since few read their sender's log. It knows no engine and no store.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import secrets
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Protocol

import structlog
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from freshd.adapters.access import is_bearer
from freshd.adapters.ingress.body import Refused, too_large_text, unpacked
from freshd.adapters.ingress.proof import objection, shows_signature, shows_token
from freshd.adapters.ingress.settings import IngressSettings, paths_of
from freshd.model.errors import TransientError
from freshd.model.inputs import DeadLetter, Input, Unmatched
from freshd.model.sighting import Message
from freshd.model.time import SECOND, Instant

ANSWER_WITHIN_S: Final = 10.0
"""How long a sender waits for its events to become durable; then it is asked to come again."""

BODY_WITHIN_S: Final = 30.0
"""How long a sender may take to send a body."""

IN_HAND_BYTES: Final = 64 * 1024 * 1024
"""Bytes of all bodies in hand at one time; more are asked to come again."""

READ_ON_BYTES: Final = 64 * 1024 * 1024
"""Bytes of a refused body that are read so that its sender gets the answer; behind them the connection is cut."""

QUICK_BYTES: Final = 32 * 1024
"""Bodies up to this are understood at once, larger ones in a thread, so that other requests are not held up."""

RETRY_AFTER_S: Final = 5
REASONS_SHOWN: Final = 20
_OPEN: Final = "writes beyond loopback need a token"
_PRIVATE_HEADERS: Final = frozenset(["authorization", "cookie", "proxy-authorization", "x-fivetran-signature-256"])

Translate = Callable[[Message, str], Sequence[Input]]

log = structlog.get_logger(__name__)


class Put(Protocol):
    """Takes inputs, at once or not at all (TransientError after `timeout` seconds), and tells when they are durable."""

    def __call__(
        self,
        inputs: Sequence[Input],
        *,
        on_durable: Callable[[], None],
        on_failed: Callable[[Exception], None],
        timeout: float,
    ) -> None: ...


class Ingress:
    """Takes requests for all entries, and for POST /events in freshd's own format."""

    def __init__(
        self,
        entries: Mapping[str, IngressSettings],
        translate: Translate,
        put: Put,
        now: Callable[[], Instant],
        *,
        token: str = "",
        loopback: bool = True,
        answer_within_s: float = ANSWER_WITHIN_S,
        body_within_s: float = BODY_WITHIN_S,
    ) -> None:
        """`token` guards POST /events; empty: requests that name loopback may write there, if the server is bound to
        nothing else (`loopback`).
        """
        self._entries = dict(entries)
        self._translate = translate
        self._put = put
        self._now = now
        self._token = token
        self._loopback = loopback
        self._answer_within_s = answer_within_s
        self._body_within_s = body_within_s
        self._life = secrets.token_hex(4)
        self._numbers = itertools.count(1)
        self._in_hand = 0
        self._requests: Counter[tuple[str, int]] = Counter()

    def routes(self) -> list[BaseRoute]:
        """All routes, those with a path of their own first."""
        own = IngressSettings(format="freshd")
        routes: list[BaseRoute] = []
        paths = paths_of(self._entries)
        for name, entry in self._entries.items():
            for path in paths[name]:
                full = f"{path}/{{token}}" if entry.in_url else path
                routes.append(Route(full, self._endpoint(name, entry), methods=["POST"]))
                if entry.in_url:
                    routes.append(Route(path, self._endpoint(name, entry), methods=["POST"]))
        routes.append(Route("/events", self._endpoint("", own), methods=["POST"]))
        routes += [Route(f"/events/{rest}", self._unknown, methods=["POST"]) for rest in ("{name}", "{name}/{token}")]
        return routes

    def requests(self) -> Mapping[tuple[str, int], int]:
        """How many there were, by (entry's name, empty for POST /events; status of the answer)."""
        return self._requests.copy()

    def _unknown(self, request: Request) -> Response:
        """A sender's URL that nothing stands behind; strangers are not told what does."""
        name = request.path_params["name"]
        return JSONResponse({"error": f"nothing takes events here: add {name} to `ingress` in freshd.yaml"}, 404)

    def _endpoint(self, name: str, entry: IngressSettings) -> Callable[[Request], Any]:
        async def receive(request: Request) -> Response:
            try:
                answer = await self._receive(name, entry, request)
            except Refused as refused:
                if refused.status != 408:
                    await self._let_it_end(request)
                headers = {"Retry-After": str(refused.retry_after_s)} if refused.retry_after_s else {}
                if refused.status == 401:
                    headers["WWW-Authenticate"] = "Bearer"
                answer = JSONResponse({"error": str(refused)}, refused.status, headers)
            except TransientError as trouble:
                wait = max(1, (trouble.retry_after or RETRY_AFTER_S * SECOND) // SECOND)
                log.warning("ingress.not_taken", ingress=name or "events", error=str(trouble))
                answer = JSONResponse(
                    {"error": "cannot be taken now; come again, with the same ids"}, 503, {"Retry-After": str(wait)}
                )
            self._requests[name, answer.status_code] += 1
            return answer

        return receive

    async def _receive(self, name: str, entry: IngressSettings, request: Request) -> Response:
        where = f"ingress.{name}"
        headers = {key.lower(): value for key, value in request.headers.items()}
        if name or entry.guarded:
            known = shows_token(entry, headers, request.path_params.get("token", ""), where)
        else:
            known = not self._token or is_bearer(headers, self._token)
        if not known:
            raise _not_authorised()
        if not entry.guarded and (name or not self._token):
            reason = objection(headers, request.url.hostname or "") if self._loopback else _OPEN
            if reason:
                raise Refused(403, reason)
        body = await self._body(request, entry.max_body_bytes)
        held = len(body)
        try:
            if not shows_signature(entry, headers, body, where):
                raise _not_authorised()
            plain = unpacked(body, headers.get("content-encoding", ""), entry.max_body_bytes)
            if plain is not body:
                held += len(plain)
                self._in_hand += len(plain)
                if self._in_hand > IN_HAND_BYTES:
                    raise Refused(503, "too much at once", RETRY_AFTER_S)
            return await self._take(name, entry, headers, plain)
        finally:
            self._in_hand -= held

    async def _body(self, request: Request, limit: int) -> bytes:
        """The body, counted as in hand; whoever gets it must count it off again."""
        declared = request.headers.get("content-length", "")
        too_large = Refused(413, too_large_text(limit))
        if declared.isdigit() and int(declared) > limit:
            raise too_large
        parts: list[bytes] = []
        size = 0
        try:
            async with asyncio.timeout(self._body_within_s):
                async for part in request.stream():
                    size += len(part)
                    self._in_hand += len(part)
                    if size > limit:
                        raise too_large
                    if self._in_hand > IN_HAND_BYTES:
                        raise Refused(503, "too much at once", RETRY_AFTER_S)
                    parts.append(part)
        except TimeoutError:
            self._in_hand -= size
            raise Refused(408, f"the body did not come within {self._body_within_s:g} s") from None
        except ClientDisconnect:
            self._in_hand -= size
            raise Refused(400, "the connection ended before the body did") from None
        except BaseException:
            self._in_hand -= size
            raise
        return b"".join(parts)

    async def _let_it_end(self, request: Request) -> None:
        """Reads on what is refused, and keeps none of it: most senders read no answer before they have sent all."""
        if "expect" in request.headers:
            return  # it asked before it sends
        left = READ_ON_BYTES
        with contextlib.suppress(TimeoutError, ClientDisconnect, RuntimeError):  # the last: it was read to its end
            async with asyncio.timeout(self._body_within_s):
                async for part in request.stream():
                    left -= len(part)
                    if left < 0:
                        break

    async def _take(self, name: str, entry: IngressSettings, headers: Mapping[str, str], body: bytes) -> Response:
        origin = f"ingress/{name or 'events'}#{self._life}-{next(self._numbers)}"
        shown = {key: value for key, value in headers.items() if key not in _PRIVATE_HEADERS}
        message = Message(body, self._now(), origin, shown)
        if len(body) <= QUICK_BYTES:
            inputs = self._translate(message, entry.format)
        else:
            inputs = await run_in_threadpool(self._translate, message, entry.format)
        letters = [each for each in inputs if isinstance(each, DeadLetter)]
        if letters and not name:
            inputs = letters  # the sender is told, and nothing of the rest counts
        if inputs:
            await self._until_durable(inputs)
        if letters and len(letters) >= len(inputs):
            return JSONResponse({"error": letters[0].message, "reasons": _reasons(letters)}, 400)
        unmatched = [each.name for each in inputs if isinstance(each, Unmatched)]
        answer: dict[str, Any] = {"accepted": len(inputs) - len(letters) - len(unmatched)}
        if unmatched:
            answer["unmatched"] = unmatched[:REASONS_SHOWN]
        if letters:
            answer["reasons"] = _reasons(letters)
        return JSONResponse(answer, 202)

    async def _until_durable(self, inputs: Sequence[Input]) -> None:
        loop = asyncio.get_running_loop()
        durable: asyncio.Future[None] = loop.create_future()

        def settle(error: Exception | None) -> None:
            if not durable.done():
                durable.set_result(None) if error is None else durable.set_exception(error)

        def tell(error: Exception | None = None) -> None:
            with contextlib.suppress(RuntimeError):  # the server has ended, and nobody waits
                loop.call_soon_threadsafe(settle, error)

        self._put(inputs, on_durable=tell, on_failed=tell, timeout=0.0)
        try:
            await asyncio.wait_for(durable, self._answer_within_s)
        except TimeoutError:
            raise TransientError(f"not durable within {self._answer_within_s:g} s") from None
        except TransientError:
            raise
        except Exception as error:
            raise TransientError(f"could not be made durable: {error}") from error


def _not_authorised() -> Refused:
    return Refused(401, "not authorised")


def _reasons(letters: Sequence[DeadLetter]) -> list[dict[str, str]]:
    return [{"reason": letter.reason, "message": letter.message} for letter in letters[:REASONS_SHOWN]]
