"""HTTP, served from a thread of its own so that the loop never waits for a socket.

The address is bound before anything else starts, so that a port in use is told at once. It knows nothing
of what is served.
"""

from __future__ import annotations

import socket
import threading
from typing import Any, Final

import uvicorn

from freshd.model.errors import ConfigError, PermanentError, Problem

BACKLOG: Final = 512
"""Connections that may wait to be accepted."""

CONCURRENCY: Final = 500
"""Requests at one time; more are answered 503."""

KEEP_ALIVE_S: Final = 30
STOP_LIMIT_S: Final = 5
"""How long requests at hand may take when the server is to stop."""

START_LIMIT_S: Final = 20.0


def bind(listen: str, where: str = "listen") -> socket.socket:
    """A listening socket for `HOST:PORT`. Raises ConfigError that says what is in the way."""
    host, _, port = listen.rpartition(":")
    host = host.strip("[]")
    if not host or not port.isdigit() or int(port) > 65_535:
        raise ConfigError([Problem(where, f"{listen!r} is not an address; write HOST:PORT, like 127.0.0.1:8765")])
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_STREAM)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind((host, int(port)))
    except OSError as error:
        bound.close()
        message = (
            f"cannot listen on {listen}: {error.strerror or error}; is another freshd running? give another address"
        )
        raise ConfigError([Problem(where, message)]) from None
    bound.setblocking(False)
    return bound


class HttpThread:
    """One uvicorn server in a thread."""

    def __init__(self, app: Any, bound: socket.socket, name: str = "http") -> None:
        self._socket = bound
        self._server = uvicorn.Server(
            uvicorn.Config(
                app,
                log_config=None,
                access_log=False,
                lifespan="off",
                backlog=BACKLOG,
                limit_concurrency=CONCURRENCY,
                timeout_keep_alive=KEEP_ALIVE_S,
                timeout_graceful_shutdown=STOP_LIMIT_S,
                server_header=False,
                ws="none",
            )
        )
        self._up = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    @property
    def address(self) -> str:
        """`HOST:PORT` as bound: the port is the one chosen, if 0 was asked for."""
        host, port = self._socket.getsockname()[:2]
        return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"

    def start(self) -> None:
        """Serve; returns once connections are taken. Raises PermanentError if the server does not come up."""
        self._thread.start()
        waited = 0.0
        while not self._server.started:
            if not self._thread.is_alive() or waited > START_LIMIT_S:
                raise PermanentError(f"the HTTP server on {self.address} did not start; see the log above")
            self._up.wait(0.01)
            waited += 0.01

    def stop(self) -> None:
        """Take no more connections, finish the requests at hand, within STOP_LIMIT_S."""
        self._server.should_exit = True
        if self._thread.is_alive():
            self._thread.join(STOP_LIMIT_S + 2)
        self._socket.close()

    def _run(self) -> None:
        self._server.run(sockets=[self._socket])
