"""A local server that behaves as Slack's API does, as far as freshd talks to it.

It keeps channels and messages, checks the token and the limits of Block Kit, pages its lists, and can be
told to rate limit, to fail, to be slow, or to drop a connection before or after it has done what was asked.
"""

from __future__ import annotations

import json
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl

TOKEN = "xoxb-for-tests-0123456789"


@dataclass
class Fault:
    """What happens to one call of a method instead of, or after, its work."""

    kind: str
    """rate_limit, status, error, drop_before, drop_after, hang_after, garbage."""
    value: Any = None


@dataclass
class SlackServer:
    """The workspace that the server keeps."""

    channels: dict[str, str] = field(
        default_factory=lambda: {"data-freshness": "C0000000001", "finance": "C0000000002"}
    )
    """Ids by name."""
    messages: list[dict[str, Any]] = field(default_factory=list)
    people: dict[str, str] = field(default_factory=dict)
    calls: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    faults: dict[str, deque[Fault]] = field(default_factory=dict)
    page: int = 200
    url: str = ""
    released: threading.Event = field(default_factory=threading.Event)

    def fail(self, method: str, kind: str, value: Any = None, times: int = 1) -> None:
        """Let the next `times` calls of a method go wrong."""
        self.faults.setdefault(method, deque()).extend(Fault(kind, value) for _ in range(times))

    def count(self, method: str) -> int:
        """How often a method was called."""
        return sum(1 for called, _ in self.calls if called == method)

    def roots(self) -> list[dict[str, Any]]:
        """The messages that stand in channels, not in threads."""
        return [message for message in self.messages if "thread_ts" not in message]

    def thread(self, ts: str) -> list[str]:
        """The texts of a message's thread."""
        return [message["text"] for message in self.messages if message.get("thread_ts") == ts]

    # The methods of the API

    def answer(self, method: str, body: dict[str, Any]) -> dict[str, Any]:
        """What a method answers, once it has done its work."""
        methods: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
            "chat.postMessage": self._post,
            "chat.update": self._update,
            "conversations.list": self._list,
            "conversations.history": self._history,
            "conversations.replies": self._replies,
            "users.lookupByEmail": self._lookup,
        }
        return methods[method](body) if method in methods else _error("unknown_method")

    def _post(self, body: dict[str, Any]) -> dict[str, Any]:
        name = str(body.get("channel", ""))
        channel = self.channels.get(name.removeprefix("#"), name)
        if channel not in self.channels.values():
            return _error("channel_not_found")
        wrong = _check(body)
        if wrong:
            return _error(wrong)
        if "thread_ts" in body and not any(message["ts"] == body["thread_ts"] for message in self.messages):
            return _error("thread_not_found")
        ts = f"{1_700_000_000 + len(self.messages)}.{len(self.messages):06d}"
        self.messages.append({**body, "channel": channel, "ts": ts})
        return {"ok": True, "channel": channel, "ts": ts}

    def _update(self, body: dict[str, Any]) -> dict[str, Any]:
        if body.get("channel") not in self.channels.values():
            return _error("channel_not_found")
        wrong = _check(body)
        if wrong:
            return _error(wrong)
        for message in self.messages:
            if message["ts"] == body.get("ts") and message["channel"] == body["channel"]:
                message.update(body)
                return {"ok": True, "channel": message["channel"], "ts": message["ts"]}
        return _error("message_not_found")

    def _list(self, body: dict[str, Any]) -> dict[str, Any]:
        return self._paged("channels", [{"id": key, "name": name} for name, key in self.channels.items()], body)

    def _history(self, body: dict[str, Any]) -> dict[str, Any]:
        if body.get("channel") not in self.channels.values():
            return _error("channel_not_found")
        found = [message for message in self.roots() if message["channel"] == body["channel"]]
        return self._paged("messages", [_seen(message, body) for message in reversed(found)], body)

    def _replies(self, body: dict[str, Any]) -> dict[str, Any]:
        found = [m for m in self.messages if body.get("ts") in (m["ts"], m.get("thread_ts"))]
        return self._paged("messages", [_seen(message, body) for message in found], body)

    def _lookup(self, body: dict[str, Any]) -> dict[str, Any]:
        person = self.people.get(str(body.get("email", "")))
        return {"ok": True, "user": {"id": person}} if person else _error("users_not_found")

    def _paged(self, key: str, items: list[dict[str, Any]], body: dict[str, Any]) -> dict[str, Any]:
        start, size = int(body.get("cursor") or 0), min(self.page, int(body.get("limit") or 100))
        cursor = str(start + size) if start + size < len(items) else ""
        return {"ok": True, key: items[start : start + size], "response_metadata": {"next_cursor": cursor}}


@contextmanager
def slack_server() -> Iterator[SlackServer]:
    """A server on a free port of loopback."""
    workspace = SlackServer()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(workspace))
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    workspace.url = f"http://127.0.0.1:{server.server_port}/api/"
    try:
        yield workspace
    finally:
        workspace.released.set()
        server.shutdown()
        server.server_close()


def _handler(workspace: SlackServer) -> type[BaseHTTPRequestHandler]:
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            method = self.path.rpartition("/")[2].partition("?")[0]
            raw = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
            as_json = "json" in (self.headers.get("Content-Type") or "")
            body = dict(parse_qsl(self.path.partition("?")[2]))
            body |= (json.loads(raw) if as_json else dict(parse_qsl(raw))) if raw else {}
            with lock:
                workspace.calls.append((method, body))
                queue = workspace.faults.get(method)
                fault = queue.popleft() if queue else Fault("")
                if fault.kind == "drop_before":
                    return self._drop()
                if fault.kind == "rate_limit":
                    return self._say(429, _error("ratelimited"), {"Retry-After": str(fault.value)})
                if fault.kind == "status":
                    return self._say(fault.value, None)
                if fault.kind == "error":
                    return self._say(200, fault.value if isinstance(fault.value, dict) else _error(fault.value))
                if self.headers.get("Authorization") != f"Bearer {TOKEN}":
                    return self._say(200, _error("invalid_auth"))
                answer = workspace.answer(method, body)
            if fault.kind == "drop_after":
                return self._drop()
            if fault.kind == "hang_after":
                workspace.released.wait(60)
                return self._drop()
            return self._say(200, None if fault.kind == "garbage" else answer)

        def _say(self, status: int, answer: dict[str, Any] | None, headers: dict[str, str] | None = None) -> None:
            content = b"<html>gateway</html>" if answer is None else json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Type", "text/html" if answer is None else "application/json; charset=utf-8")
            self.send_header("Content-Length", str(len(content)))
            for name, value in (headers or {}).items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        def _drop(self) -> None:
            self.close_connection = True
            self.connection.close()

        def log_message(self, format: str, *args: Any) -> None:
            pass

    return Handler


def _seen(message: dict[str, Any], body: dict[str, Any]) -> dict[str, Any]:
    if body.get("include_all_metadata") in ("true", "1", True):
        return message
    return {key: value for key, value in message.items() if key != "metadata"}


def _error(code: str) -> dict[str, Any]:
    return {"ok": False, "error": code}


def _check(body: dict[str, Any]) -> str:
    """Slack's word for what is wrong with a message; empty if nothing is."""
    blocks = body.get("blocks") or []
    if not body.get("text") and not blocks:
        return "no_text"
    if len(blocks) > 50 or any(_block_is_wrong(block) for block in blocks):
        return "invalid_blocks"
    return "msg_blocks_too_long" if len(json.dumps(blocks, ensure_ascii=False)) > 13_200 else ""


def _block_is_wrong(block: dict[str, Any]) -> bool:
    if block["type"] == "section":
        fields = block.get("fields", [])
        texts = [block["text"]["text"]] if "text" in block else []
        return (
            not (texts or fields)
            or any(not 0 < len(text) <= 3_000 for text in texts)
            or len(fields) > 10
            or any(not 0 < len(item["text"]) <= 2_000 for item in fields)
        )
    if block["type"] == "header":
        return block["text"]["type"] != "plain_text" or not 0 < len(block["text"]["text"]) <= 150
    return block["type"] != "context" or not 0 < len(block["elements"]) <= 10
