"""Who may write: those with the token, or, where none is set, only this machine.

Without a token a web page in a browser on this machine is the attacker to think of: it may post to loopback
without being asked. So such a write must be JSON by its content type, name a loopback host, and come from no
foreign origin. All refusals of a token look the same.
"""

from __future__ import annotations

from starlette.requests import Request

from freshd.adapters.access import is_bearer, is_loopback, is_of_another_site
from freshd.adapters.web.answers import RequestError
from freshd.adapters.web.site import Site


def check_write(site: Site, request: Request) -> None:
    """Raises RequestError 401 or 403 unless this request may change something."""
    if site.token:
        if not is_bearer(request.headers, site.token):
            raise RequestError(401, "a valid token is needed: send Authorization: Bearer TOKEN (api.token_file)")
        return
    if not site.loopback:
        raise RequestError(403, "writes beyond loopback need a token: set api.token_file, or listen on 127.0.0.1")
    if not is_loopback(request.url.hostname or ""):
        raise RequestError(403, "writes without a token must name this machine as 127.0.0.1 or localhost")
    if is_of_another_site(request.headers):
        raise RequestError(403, "writes from another site's page need a token: set api.token_file")
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise RequestError(403, "writes without a token must have the content type application/json")
