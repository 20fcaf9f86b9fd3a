"""HTTP from a thread: the address is taken at once, and let go of when it stops."""

from __future__ import annotations

import httpx
import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from freshd.app.serving import HttpThread, bind
from freshd.model.errors import ConfigError


def site() -> Starlette:
    return Starlette(routes=[Route("/", lambda request: PlainTextResponse("here"))])


def test_it_serves_until_it_is_stopped() -> None:
    server = HttpThread(site(), bind("127.0.0.1:0"))
    server.start()
    url = f"http://{server.address}/"
    assert httpx.get(url).text == "here"
    server.stop()
    with pytest.raises(httpx.TransportError):
        httpx.get(url)


def test_an_address_in_use_is_told_with_what_to_do() -> None:
    first = bind("127.0.0.1:0")
    first.listen()
    port = first.getsockname()[1]
    with pytest.raises(ConfigError, match=rf"listen: cannot listen on 127.0.0.1:{port}: .* another freshd"):
        bind(f"127.0.0.1:{port}")
    first.close()


@pytest.mark.parametrize("listen", ["8765", "127.0.0.1", "127.0.0.1:http", "127.0.0.1:99999", ":"])
def test_what_is_no_address_is_told(listen: str) -> None:
    with pytest.raises(ConfigError, match="is not an address"):
        bind(listen)
