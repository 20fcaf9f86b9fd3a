"""A request's body as it was meant: unpacked, never beyond the limit that holds for it."""

from __future__ import annotations

import zlib
from typing import Final

_WINDOWS: Final = {"gzip": 31, "x-gzip": 31, "deflate": 15}


class Refused(Exception):
    """The answer to a request that is not taken."""

    def __init__(self, status: int, error: str, retry_after_s: int = 0) -> None:
        super().__init__(error)
        self.status = status
        self.retry_after_s = retry_after_s


def too_large_text(limit: int) -> str:
    """What somebody is told whose body is larger than that."""
    return f"the body is larger than {limit} bytes; send fewer events at once"


def unpacked(body: bytes, encoding: str, limit: int) -> bytes:
    """The body without its content encoding, at most `limit` bytes of it.

    Raises Refused: 415 for an encoding unknown here, 400 for a body that is not encoded as it says, 413 beyond the
    limit, of which no more is ever unpacked.
    """
    name = encoding.strip().lower()
    if name in ("", "identity"):
        return body
    if name not in _WINDOWS:
        raise Refused(415, f"content encoding {name[:40]!r} is not known here; send gzip, deflate or none")
    inflater = zlib.decompressobj(_WINDOWS[name])
    try:
        plain = inflater.decompress(body, limit + 1)
    except zlib.error as error:
        raise Refused(400, f"the body is not {name}: {error}") from None
    if len(plain) > limit:
        raise Refused(413, too_large_text(limit))
    if not inflater.eof:
        raise Refused(400, f"the body is not whole: its {name} stream does not end")
    return plain
