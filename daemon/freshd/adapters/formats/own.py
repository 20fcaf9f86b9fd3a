"""freshd's own event: one object or an array, in a topic with `format: freshd` or posted to /events.

Own events are strict: an unknown field is an error that names the nearest known one, so that a misspelt
`data_time` is not silently left out; what else there is to say belongs into `metadata`. An array counts
as a whole or not at all.
"""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any, Final

from freshd.adapters.formats.fields import load, missing, read_instant, unfit
from freshd.adapters.formats.own_schema import FIELDS
from freshd.model.errors import DecodeError
from freshd.model.inputs import Check, EventKind
from freshd.model.sighting import Message, Sighting
from freshd.model.time import format_instant

_KINDS: Final = {kind.value: kind for kind in EventKind}
_NO_FIELDS: Final[Mapping[str, str]] = {}
_CHECK_FIELDS: Final = ("name", "passed", "value", "blocking")


def decode(message: Message) -> list[Sighting]:
    """The sightings of one own event, or of an array of them."""
    value = load(message)
    key = message.headers.get("idempotency-key", "")
    if type(value) is dict:
        return [_sighting(value, message.origin, key)]
    if type(value) is list:
        return [
            _sighting(event, f"{message.origin}[{number}]", f"{key}/{number}" if key else "")
            for number, event in enumerate(value)
        ]
    raise unfit(message.origin, "the message", "an event object or an array of them", value)


def encode(sighting: Sighting) -> dict[str, Any]:
    """The own event that says what a sighting says; its assets are the first names."""
    event: dict[str, Any] = {"type": sighting.kind.value, "assets": [names[0] for names in sighting.names]}
    for name in ("id", "source", "partition", "run_id", "feed", "completeness", "metadata"):
        value = getattr(sighting, name)
        if value not in ("", None):
            event[name] = dict(value) if name == "metadata" else value
    for name in ("at", "started_at", "data_time"):
        instant = getattr(sighting, name)
        if instant is not None:
            event[name] = format_instant(instant)
    if not sighting.changed:
        event["changed"] = False
    if sighting.check is not None:
        for name in _CHECK_FIELDS:
            event[name] = getattr(sighting.check, name)
    return event


def _sighting(event: Any, origin: str, key: str) -> Sighting:
    if type(event) is not dict:
        raise unfit(origin, "an event", "an object", event)
    if not event.keys() <= FIELDS:
        raise _unknown_field(event, origin)
    get = event.get
    written = get("type")
    kind = EventKind.UPDATE if written is None else _KINDS.get(written) if type(written) is str else None
    if kind is None:
        raise unfit(origin, "type", f"one of {', '.join(_KINDS)}", written)
    at, started, data_time = get("at"), get("started_at"), get("data_time")
    if kind is EventKind.OBSERVATION and data_time is None:
        raise missing(origin, "data_time, which an observation tells,")
    feed = _text(event, "feed", origin)
    if kind is EventKind.HEARTBEAT and not feed:
        raise missing(origin, "feed, of which a heartbeat tells,")
    changed = get("changed")
    if changed is not None and type(changed) is not bool:
        raise unfit(origin, "changed", "true or false", changed)
    metadata = get("metadata")
    if metadata is not None and type(metadata) is not dict:
        raise unfit(origin, "metadata", "an object", metadata)
    completeness = get("completeness")
    is_check = kind is EventKind.CHECK
    check = None if event.keys().isdisjoint(_CHECK_FIELDS) and not is_check else _check(event, origin, is_check)
    return Sighting(
        kind=kind,
        format="freshd",
        names=_names(event, origin, kind),
        fields=_NO_FIELDS,
        payload=event,
        at=None if at is None else read_instant(at, "at", origin),
        id=_text(event, "id", origin) or key,
        source=_text(event, "source", origin),
        partition=_text(event, "partition", origin),
        started_at=None if started is None else read_instant(started, "started_at", origin),
        data_time=None if data_time is None else read_instant(data_time, "data_time", origin),
        run_id=_text(event, "run_id", origin),
        changed=changed is not False,
        completeness=None if completeness is None else _share(completeness, origin),
        metadata=metadata,
        check=check,
        feed=feed,
    )


def _text(event: Mapping[str, Any], name: str, origin: str) -> str:
    value = event.get(name)
    if value is None:
        return ""
    if type(value) is not str:
        raise unfit(origin, name, "text", value)
    return value


def _names(event: Mapping[str, Any], origin: str, kind: EventKind) -> tuple[tuple[str, ...], ...]:
    one, many = event.get("asset"), event.get("assets")
    if one is not None:
        if type(one) is not str or not one:
            raise unfit(origin, "asset", "the name of an asset", one)
        if many is None:
            return ((one,),)
    if many is None:
        if kind is EventKind.HEARTBEAT:
            return ()
        raise missing(origin, "asset (or assets)")
    if type(many) is not list or not many or not all(type(name) is str and name for name in many):
        raise unfit(origin, "assets", "an array of names of assets", many)
    return tuple((name,) for name in dict.fromkeys([one, *many] if one else many))


def _share(value: Any, origin: str) -> float:
    if type(value) not in (int, float) or not 0 <= value <= 1:
        raise unfit(origin, "completeness", "a number from 0 to 1", value)
    return float(value)


def _check(event: Mapping[str, Any], origin: str, needed: bool) -> Check | None:
    """The result of a check; without `needed`, only whether its fields are what they should be."""
    name = _text(event, "name", origin)
    passed, value, blocking = event.get("passed"), event.get("value"), event.get("blocking")
    if passed is not None and type(passed) is not bool:
        raise unfit(origin, "passed", "true or false", passed)
    if value is not None and type(value) not in (int, float, str):
        raise unfit(origin, "value", "a number or text", value)
    if blocking is not None and type(blocking) is not bool:
        raise unfit(origin, "blocking", "true or false", blocking)
    if not needed:
        return None
    if not name:
        raise missing(origin, "name (of the check)")
    if passed is None:
        raise missing(origin, "passed (of the check)")
    return Check(name, passed, value, blocking is True)


def _unknown_field(event: Mapping[str, Any], origin: str) -> DecodeError:
    name = min(event.keys() - FIELDS)
    close = get_close_matches(name, FIELDS, n=1)
    hint = f"did you mean {close[0]}?" if close else "what else there is to say belongs into metadata"
    return DecodeError("unknown_field", f"{origin}: unknown field {name[:80]!r}; {hint}")
