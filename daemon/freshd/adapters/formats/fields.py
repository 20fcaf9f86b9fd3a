"""Reading JSON strictly where it matters: every complaint names the field, what it should be and what it was.

The readers take the object, the field's name and the message's origin, return plain values, and raise
DecodeError. A field that is null counts as absent, as producers use both.
"""

from __future__ import annotations

from codecs import BOM_UTF8
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any, Final

import orjson

from freshd.model.errors import DecodeError
from freshd.model.sighting import Message, Seen
from freshd.model.time import Instant, parse_instant

REFUSALS_TOLD: Final = 20
"""Things in one message that are refused each by itself; those beyond are one refusal."""

DIGITS: Final = 18
"""Of the largest count that is believed; the store holds no more in a number."""

SHOWN: Final = 60
"""Characters of an unfit value that a message shows."""

NOTHING: Final[Mapping[str, Any]] = MappingProxyType({})

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DAYS: Final = ((datetime.min.replace(tzinfo=UTC) - _EPOCH).days, (datetime.max.replace(tzinfo=UTC) - _EPOCH).days)
"""A zone's offset may lead out of the years that can be shown."""
_NAMES: Final = {
    dict: "an object",
    list: "an array",
    str: "text",
    bool: "a boolean",
    int: "a number",
    float: "a number",
}


def load(message: Message) -> Any:
    """The message's value as JSON. Raises DecodeError `empty` or `not_json`."""
    if not message.value:
        raise DecodeError("empty", f"{message.origin}: the message is empty, an event was expected")
    try:
        return orjson.loads(message.value.removeprefix(BOM_UTF8))  # some senders write one, and JSON lets it pass
    except orjson.JSONDecodeError as error:
        raise DecodeError("not_json", f"{message.origin}: not JSON: {error}") from None


def load_object(message: Message) -> dict[str, Any]:
    """The message's value as a JSON object. Raises DecodeError also if it is another kind of JSON."""
    value = load(message)
    if type(value) is not dict:
        raise unfit(message.origin, "the message", "an object", value)
    return value


def unfit(origin: str, name: str, wanted: str, value: Any) -> DecodeError:
    """The error that says that a field is not what it should be; for the caller to raise."""
    was = _NAMES.get(type(value), "null")
    shown = "" if isinstance(value, dict | list) or value is None else f" {str(value)[:SHOWN]!r}"
    return DecodeError("bad_field", f"{origin}: {name} must be {wanted}, not {was}{shown}")


def missing(origin: str, name: str) -> DecodeError:
    """The error that says that a field is not there; for the caller to raise."""
    return DecodeError("bad_field", f"{origin}: {name} is missing")


def text(holder: Mapping[str, Any], name: str, origin: str, within: str = "") -> str:
    """A text, or empty if there is none."""
    value = holder.get(name)
    if value is None:
        return ""
    if type(value) is not str:
        raise unfit(origin, within + name, "text", value)
    return value


def needed_text(holder: Mapping[str, Any], name: str, origin: str, within: str = "") -> str:
    """A text that must be there and not be empty."""
    value = text(holder, name, origin, within)
    if not value:
        raise missing(origin, within + name)
    return value


def inner(holder: Mapping[str, Any], name: str, origin: str, within: str = "") -> Mapping[str, Any]:
    """An object inside, or an empty one if there is none."""
    value = holder.get(name)
    if value is None:
        return NOTHING
    if type(value) is not dict:
        raise unfit(origin, within + name, "an object", value)
    return value


def items(holder: Mapping[str, Any], name: str, origin: str, within: str = "") -> list[Any]:
    """An array inside, or an empty one if there is none."""
    value = holder.get(name)
    if value is None:
        return []
    if type(value) is not list:
        raise unfit(origin, within + name, "an array", value)
    return value


def time_of(holder: Mapping[str, Any], name: str, origin: str, within: str = "") -> Instant | None:
    """An instant (RFC 3339, a missing zone means UTC), or None if there is none."""
    value = holder.get(name)
    if value is None:
        return None
    return read_instant(value, within + name, origin)


def needed_time(holder: Mapping[str, Any], name: str, origin: str, within: str = "") -> Instant:
    """An instant that must be there."""
    value = holder.get(name)
    if value is None:
        raise missing(origin, within + name)
    return read_instant(value, within + name, origin)


def read_instant(value: Any, name: str, origin: str) -> Instant:
    """The instant that a value names; the usual shape is read without the regular expression of model/time."""
    if type(value) is not str:
        raise unfit(origin, name, "an RFC 3339 instant", value)
    try:
        if len(value) >= 16 and value[4] == "-" and value[10] in "Tt " and value[13] == ":":
            moment = datetime.fromisoformat(value if value[-1] != "]" else _without_zone_name(value))
            delta = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - _EPOCH
            if not _DAYS[0] <= delta.days <= _DAYS[1]:
                raise unfit(origin, name, "an instant of the years 1 to 9999 in UTC", value)
            return (delta.days * 86_400 + delta.seconds) * 1_000_000 + delta.microseconds
    except (ValueError, OverflowError):
        pass
    try:
        return parse_instant(value)
    except (ValueError, OverflowError):
        raise unfit(origin, name, "an instant like 2026-11-22T08:00:00Z", value) from None


def count(value: Any) -> int | None:
    """A number of things, also where it is written as text or with a fraction of nothing; None for what is none."""
    digits = type(value) is str and value.isascii() and value.isdigit() and len(value) <= DIGITS
    if digits or (type(value) is float and value.is_integer()):
        value = int(value)
    return value if type(value) is int and 0 <= value < 10**DIGITS else None


def _without_zone_name(value: str) -> str:
    """What stands before the name of a zone in brackets (RFC 9557, Java), if that tells the instant by itself."""
    instant = value.partition("[")[0]
    if instant[-1] not in "Zz" and instant[-6:-5] not in ("+", "-"):
        raise ValueError(value)
    return instant


def one_by_one(things: list[Any], read: Callable[[Any, int], Sequence[Seen]], origin: str) -> list[Seen]:
    """What many things tell, read with their numbers; one that cannot be understood is refused alone."""
    found: list[Seen] = []
    refusals = 0
    for number, thing in enumerate(things):
        try:
            found.extend(read(thing, number))
        except DecodeError as refused:
            refusals += 1
            if refusals <= REFUSALS_TOLD:
                found.append(refused)
    if refusals > REFUSALS_TOLD:
        more = f"{refusals - REFUSALS_TOLD} more of {len(things)} cannot be understood"
        found.append(DecodeError("bad_field", f"{origin}: {more}"))
    return found


def shown_facts(**facts: Any) -> dict[str, Any] | None:
    """Metadata of the facts that are there; None if none is."""
    there = {name: value for name, value in facts.items() if value is not None and value != ""}
    return there or None
