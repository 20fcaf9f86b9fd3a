"""CloudEvents 0.3 and 1.0, over Kafka and HTTP: binary (attributes in headers), structured and batched.

Any CloudEvent is taken: it is an update of what its subject (else its source and type) names, unless
the last words of its type say that something began, failed or was removed. An event with a null value
in a topic is a tombstone and tells nothing. Rules see the attributes, and the data under `data`.
Debezium's events name their table in extensions.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final
from urllib.parse import unquote

import orjson

from freshd.adapters.formats.fields import load, one_by_one, read_instant, shown_facts, unfit
from freshd.model.errors import DecodeError
from freshd.model.inputs import EventKind
from freshd.model.sighting import Message, Seen, Sighting

_REMOVED: Final = frozenset(
    ["deleted", "removed", "archived", "expired", "dropped", "truncated", "purged", "metadataupdated"]
)
_FAILED: Final = frozenset(
    ["failed", "failure", "fail", "errored", "error", "errors", "aborted", "crashed", "timeout", "timedout"]
)
_ENDED: Final = frozenset(["cancelled", "canceled", "skipped"])
_BEGUN: Final = frozenset(
    ["started", "start", "starting", "queued", "scheduled", "pending", "requested", "running", "submitted"]
)
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
_VERSION = re.compile(r"v?\d[\d.]*")
_QUOTED = re.compile(r'"(?P<text>(?:[^"\\]|\\.)*)"')
_ESCAPED = re.compile(r"\\(.)")


def decode(message: Message) -> Sequence[Seen]:
    """The sightings of one CloudEvent, or of a batch."""
    content = message.headers.get("content-type", "").partition(";")[0].strip().lower()
    if content.startswith("application/cloudevents"):
        if not content.endswith("json"):
            raise DecodeError(
                "unsupported", f"{message.origin}: {content} is not supported; send application/cloudevents+json"
            )
        return _structured(load(message), message)
    if "ce_specversion" in message.headers:
        return _binary(message, "ce_", content)
    if "ce-specversion" in message.headers:
        return _binary(message, "ce-", content)
    if not message.value and message.topic:
        return []
    return _structured(load(message), message)


def _structured(value: Any, message: Message) -> Sequence[Seen]:
    if type(value) is dict:
        return _sightings(_attributes(value), message, message.origin)
    if type(value) is not list:
        raise unfit(message.origin, "the message", "a CloudEvent or an array of them", value)

    def read(event: Any, number: int) -> list[Sighting]:
        origin = f"{message.origin}[{number}]"
        if type(event) is not dict:
            raise unfit(origin, "an event", "an object", event)
        return _sightings(_attributes(event), message, origin)

    return one_by_one(value, read, message.origin)


def _attributes(event: dict[str, Any]) -> dict[str, Any]:
    """The event with its data decoded, if it is JSON behind base64; anything else stays as it is."""
    encoded = event.get("data_base64")
    if encoded is None and str(event.get("datacontentencoding", "")).lower() == "base64":
        encoded = event.get("data")
    if type(encoded) is not str or "json" not in str(event.get("datacontenttype") or "json"):
        return event
    try:
        return {**event, "data": orjson.loads(base64.b64decode(encoded, validate=True))}
    except (binascii.Error, orjson.JSONDecodeError):
        return event


def _binary(message: Message, prefix: str, content: str) -> list[Sighting]:
    if not message.value and message.topic:
        return []
    event: dict[str, Any] = {}
    for name, value in message.headers.items():
        if name.startswith(prefix):
            event[name[len(prefix) :]] = _from_http(value) if prefix == "ce-" else value
    if message.value and (not content or "json" in content):
        try:
            event["data"] = orjson.loads(message.value)
        except orjson.JSONDecodeError:
            event["data"] = None
    return _sightings(event, message, message.origin)


def _from_http(value: str) -> str:
    """A header's value as it was meant: quotes and escapes undone first, then the percent-encoding."""
    quoted = _QUOTED.fullmatch(value)
    return unquote(_ESCAPED.sub(r"\1", quoted["text"]) if quoted else value)


def _sightings(event: Mapping[str, Any], message: Message, origin: str) -> list[Sighting]:
    version = _attribute(event, "specversion", origin)
    if not version:
        raise DecodeError("not_a_cloudevent", f"{origin}: specversion is missing: this is no CloudEvent")
    if version != "0.3" and not version.startswith("1."):
        raise DecodeError("unsupported", f"{origin}: CloudEvents {version[:20]} is not supported; 0.3 and 1.0 are")
    identity, source, type_ = (_attribute(event, name, origin) for name in ("id", "source", "type"))
    for name, value in (("id", identity), ("source", source), ("type", type_)):
        if not value:
            raise DecodeError("bad_field", f"{origin}: {name} is missing")
    subject = _attribute(event, "subject", origin)
    time = event.get("time")
    kind = _kind(type_)
    if kind is None:
        return []
    return [
        Sighting(
            kind=kind,
            format="cloudevents",
            names=(_names(event, source, type_, subject),),
            fields={"type": type_, "source": source, "subject": subject},
            payload=event,
            at=message.timestamp if time in (None, "") else read_instant(time, "time", origin),
            id=identity,
            source=source,
            metadata=shown_facts(type=type_, subject=subject),
        )
    ]


def _attribute(event: Mapping[str, Any], name: str, origin: str) -> str:
    value = event.get(name)
    if value is None:
        return ""
    if type(value) is not str:
        raise unfit(origin, name, "text", value)
    return value


def _names(event: Mapping[str, Any], source: str, type_: str, subject: str) -> tuple[str, ...]:
    names = [subject, f"{source.rstrip('/')}/{subject}"] if subject else [f"{source}/{type_}", source]
    table = [event.get(f"iodebezium{part}") for part in ("db", "schema", "table")]
    known = [part for part in table if type(part) is str and part]
    if known and known[-1] == table[-1]:
        names.append(".".join(known))
    return tuple(names)


def _kind(type_: str) -> EventKind | None:
    """What the type says; None for what brings no data."""
    segments = [part for part in type_.split(".") if part and not _VERSION.fullmatch(part)]
    last = segments[-1] if segments else ""
    words = {word.lower() for word in _WORD.findall(last)[-1:]} | {last.lower()}
    if words & _REMOVED:
        return None
    if words & _FAILED:
        return EventKind.RUN_FAILED
    if words & _ENDED:
        return EventKind.RUN_ENDED
    return EventKind.RUN_STARTED if words & _BEGUN else EventKind.UPDATE
