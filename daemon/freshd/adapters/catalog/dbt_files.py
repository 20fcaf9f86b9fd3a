"""Where dbt's files come from: a path or URL, plain or gzip. What cannot be had is told with how to mend it."""

from __future__ import annotations

import gzip
import zlib
from hashlib import blake2b
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import httpx
import orjson

from freshd.model.errors import ConfigError, Problem

FETCH_TIMEOUT_S: Final = 30.0
"""How long the server of a manifest may be silent."""

MAX_BYTES: Final = 1 << 30
"""The largest file that is read, once unpacked."""

_GZIP: Final = b"\x1f\x8b"
_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"


def is_url(place: str) -> bool:
    """Whether a place is to be fetched rather than opened."""
    return place.startswith(("http://", "https://"))


def shown(place: str) -> str:
    """A place as messages show it: a URL without user, password and query, which may be secrets."""
    if not is_url(place):
        return place
    parts = urlsplit(place)
    return f"{parts.scheme}://{parts.hostname or ''}{f':{parts.port}' if parts.port else ''}{parts.path}"


def read_json(place: str, base: Path, hint: str = "") -> dict[str, Any]:
    """The JSON object at a path or URL. Raises ConfigError; `hint` says how to make a missing file."""
    return parse_json(read_bytes(place, base, hint), place)


def read_bytes(place: str, base: Path, hint: str = "") -> bytes:
    """What lies at a path or URL, as it is. Raises ConfigError."""
    name = shown(place)
    return _fetched(place, name) if is_url(place) else _opened(base / place, name, hint)


def digest_of(raw: bytes) -> str:
    """What tells these bytes from others."""
    return blake2b(raw, digest_size=16).hexdigest()


def digest_of_url(place: str) -> str:
    """The digest of what a URL holds now. Raises ConfigError if it cannot be fetched."""
    return digest_of(_fetched(place, shown(place)))


def parse_json(raw: bytes, place: str) -> dict[str, Any]:
    """The JSON object that was read at a place. Raises ConfigError."""
    name = shown(place)
    try:
        written = _unpacked(raw).removeprefix(_BYTE_ORDER_MARK)
        if not written.strip():
            raise ConfigError([Problem(name, "is empty; have dbt write it anew")])
        value = orjson.loads(written)
    except (orjson.JSONDecodeError, OSError, EOFError, zlib.error) as error:
        message = f"cannot be read as JSON: {error}; it may be cut off or still being written: have dbt write it anew"
        raise ConfigError([Problem(name, message)]) from None
    if not isinstance(value, dict):
        raise ConfigError([Problem(name, "is no JSON object, so it is none of dbt's files")])
    return value


def _opened(path: Path, name: str, hint: str) -> bytes:
    try:
        if path.stat().st_size > MAX_BYTES:
            raise ConfigError([Problem(name, f"is larger than {MAX_BYTES >> 20} MiB")])
        return path.read_bytes()
    except FileNotFoundError:
        raise ConfigError([Problem(name, f"no such file{f'; {hint}' if hint else ''} (looked for {path})")]) from None
    except OSError as error:
        raise ConfigError([Problem(name, f"cannot be read: {error.strerror or error}")]) from error


def _fetched(place: str, name: str) -> bytes:
    try:
        with httpx.stream("GET", place, timeout=FETCH_TIMEOUT_S, follow_redirects=True) as answer:
            answer.raise_for_status()
            body = bytearray()
            for part in answer.iter_bytes():
                body += part
                if len(body) > MAX_BYTES:
                    raise ConfigError([Problem(name, f"is larger than {MAX_BYTES >> 20} MiB")])
    except httpx.HTTPStatusError as error:
        raise ConfigError([Problem(name, f"the server answered {error.response.status_code}")]) from None
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise ConfigError([Problem(name, f"cannot be fetched: {type(error).__name__}")]) from None
    return bytes(body)


def _unpacked(raw: bytes) -> bytes:
    if not raw.startswith(_GZIP):
        return raw
    unpacker = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
    unpacked = unpacker.decompress(raw, MAX_BYTES)
    if unpacker.unconsumed_tail:
        raise gzip.BadGzipFile(f"it is larger than {MAX_BYTES >> 20} MiB when unpacked")
    return unpacked
