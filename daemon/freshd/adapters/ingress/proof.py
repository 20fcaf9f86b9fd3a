"""Whether a request comes from whom its entry expects.

Everything is compared in constant time and over the raw bytes of the body; whoever fails learns nothing about why.
Secrets in files are read for each request, so that they can be changed under way.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from pydantic import SecretStr

from freshd.adapters.access import is_bearer, is_loopback, is_of_another_site
from freshd.adapters.ingress.settings import IngressSettings
from freshd.documents import secret_text
from freshd.model.errors import ConfigError, TransientError

_SIGNATURE_HEADERS: Final = {"fivetran": "x-fivetran-signature-256", "dbt": "authorization"}


def shows_token(entry: IngressSettings, headers: Mapping[str, str], url_token: str, where: str) -> bool:
    """Whether the bearer and URL tokens are right, as far as the entry has any: what can be known before the body.

    Raises TransientError when a secret's file cannot be read.
    """
    right = True
    bearer = _secret(entry.bearer, entry.bearer_file, f"{where}.bearer_file")
    if bearer is not None:
        right &= is_bearer(headers, bearer)
    token = _secret(entry.url_token, entry.url_token_file, f"{where}.url_token_file")
    if token is not None:
        right &= hmac.compare_digest(url_token.encode(), token.encode()) and bool(token)
    return right


def shows_signature(entry: IngressSettings, headers: Mapping[str, str], body: bytes, where: str) -> bool:
    """Whether the body is signed with the entry's secret, if it has one: hex HMAC-SHA256, in either case.

    Raises TransientError when the secret's file cannot be read.
    """
    secret = _secret(entry.secret, entry.secret_file, f"{where}.secret_file")
    if secret is None:
        return True
    expected = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    given = headers.get(_SIGNATURE_HEADERS[entry.format], "").strip().lower()
    return hmac.compare_digest(given.encode(), expected.encode()) and bool(secret)


def objection(headers: Mapping[str, str], host: str) -> str:
    """Why a request that needs to show nothing is refused all the same; empty if it is not.

    A page open in a browser of this machine may post to loopback too, unless what it sends needs the browser's consent.
    """
    if not is_loopback(host):
        return "without a token, requests must name this machine as 127.0.0.1 or localhost"
    if is_of_another_site(headers):
        return "requests from another site's page need a token"
    if "json" not in headers.get("content-type", "").lower() and "ce-specversion" not in headers:
        return "without a token, the content type must be application/json"
    return ""


def _secret(given: SecretStr | None, file: Path | None, setting: str) -> str | None:
    try:
        return secret_text(given, file, setting)
    except ConfigError as error:  # it was there at the start, and may be again
        raise TransientError(str(error)) from error
