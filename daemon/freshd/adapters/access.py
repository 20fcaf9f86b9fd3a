"""What lets somebody write over HTTP: the token where one is set, else being on this machine.

`ingress` and `web` ask it, and know nothing of each other. Without a token a web page in a browser of this machine is
the attacker to think of: it may post to loopback without being asked.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Mapping
from ipaddress import ip_address
from urllib.parse import urlsplit


def is_bearer(headers: Mapping[str, str], token: str) -> bool:
    """Whether the Authorization header carries this token; compared in constant time."""
    scheme, _, given = headers.get("authorization", "").partition(" ")
    return scheme.lower() == "bearer" and hmac.compare_digest(given.strip().encode(), token.encode()) and bool(token)


def is_loopback(listen: str) -> bool:
    """Whether HOST or HOST:PORT means this machine alone."""
    host = listen.rpartition(":")[0] if re.search(r"(^[^:]*|\]):\d+$", listen) else listen
    host = host.strip("[]")
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def is_of_another_site(headers: Mapping[str, str]) -> bool:
    """Whether a browser says that a page from elsewhere sends this."""
    origin = headers.get("origin", "")
    return bool(origin) and not is_loopback(urlsplit(origin).hostname or "")
