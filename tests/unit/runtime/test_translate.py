"""Messages become inputs; what is wrong with one never stops the next."""

from __future__ import annotations

import json
from collections.abc import Sequence

import pytest

from freshd.model.errors import DecodeError
from freshd.model.inputs import DeadLetter, Event, EventKind, Unmatched
from freshd.model.sighting import Message, Seen, Sighting
from freshd.model.time import HOUR, MINUTE, Instant
from freshd.runtime.translate import FUTURE_TOLERANCE, KEPT_PAYLOAD, Decode, Translator

NOW = 1_000 * HOUR


class ByName:
    """Matches a sighting's first name, if it is `raw`."""

    def match(self, sighting: Sighting, arrived_at: Instant, topic: str = "") -> Sequence[Event | Unmatched]:
        at = arrived_at if sighting.at is None else sighting.at
        return [
            Event(sighting.kind, names, at) if names == ("raw",) else Unmatched(sighting.format, names[0], {}, at)
            for names in sighting.names
        ]


def decode(message: Message) -> list[Sighting]:
    try:
        value = json.loads(message.value)
    except ValueError as error:
        raise DecodeError("not_json", f"{message.origin}: {error}") from error
    return [Sighting(EventKind.UPDATE, "plain", names=((name,),), at=value.get("at")) for name in value["names"]]


def translate(value: object, bugs: list[str] | None = None) -> list[object]:
    decoders: dict[str, Decode] = {"plain": decode}
    translator = Translator(
        ByName(), decoders.__getitem__, lambda where, e: (bugs if bugs is not None else []).append(where)
    )
    payload = value if isinstance(value, bytes) else json.dumps(value).encode()
    return list(translator.translate(Message(payload, NOW, "orders/3/1042"), "plain"))


def test_what_matches_becomes_an_event_and_the_rest_is_unmatched_in_order() -> None:
    assert translate({"names": ["raw", "other"]}) == [
        Event(EventKind.UPDATE, ("raw",), NOW),
        Unmatched("plain", "other", {}, NOW),
    ]


@pytest.mark.parametrize(
    ("ahead", "at"),
    [
        (-100 * HOUR, NOW - 100 * HOUR),  # an old one is taken as it is
        (0, NOW),
        (MINUTE, NOW),  # a little ahead counts as its arrival
        (FUTURE_TOLERANCE, NOW),
    ],
)
def test_an_event_is_never_dated_after_its_arrival(ahead: int, at: Instant) -> None:
    (event,) = translate({"names": ["raw"], "at": NOW + ahead})
    assert isinstance(event, Event)
    assert event.at == at


def test_an_event_from_the_future_is_a_dead_letter() -> None:
    good, bad = translate({"names": ["raw"]}), translate({"names": ["raw"], "at": NOW + FUTURE_TOLERANCE + 1})
    assert isinstance(good[0], Event)
    (letter,) = bad
    assert isinstance(letter, DeadLetter)
    assert (letter.reason, letter.origin, letter.format) == ("from_the_future", "orders/3/1042", "plain")
    assert "check the sender's clock" in letter.message


def test_a_part_that_is_refused_or_tells_nothing_does_not_stop_the_others() -> None:
    parts: list[Seen] = [
        DecodeError("bad_field", "orders/3/1042: results[0]: status is missing"),
        Unmatched("plain", "quiet", {"hint": "nothing was seen"}, NOW - HOUR),
        Unmatched("plain", "ahead", {}, NOW + HOUR),
        Sighting(EventKind.UPDATE, "plain", names=(("raw",),)),
    ]
    translator = Translator(ByName(), lambda format: lambda message: parts)
    letter, *rest = translator.translate(Message(b"[]", NOW, "orders/3/1042"), "plain")
    assert letter == DeadLetter(
        "orders/3/1042", "bad_field", "orders/3/1042: results[0]: status is missing", b"[]", "plain"
    )
    assert rest == [
        Unmatched("plain", "quiet", {"hint": "nothing was seen"}, NOW - HOUR),
        Unmatched("plain", "ahead", {}, NOW),
        Event(EventKind.UPDATE, ("raw",), NOW),
    ]


def test_what_cannot_be_decoded_is_a_dead_letter_with_its_reason_and_payload() -> None:
    (letter,) = translate(b"{nope")
    assert isinstance(letter, DeadLetter)
    assert (letter.reason, letter.payload) == ("not_json", b"{nope")
    assert "orders/3/1042" in letter.message


def test_a_dead_letter_keeps_the_beginning_of_a_huge_payload() -> None:
    (letter,) = translate(b"x" * (10 << 20))
    assert isinstance(letter, DeadLetter)
    assert len(letter.payload) == KEPT_PAYLOAD


def test_a_decoder_with_a_bug_stops_nothing_and_is_told_of() -> None:
    bugs: list[str] = []
    (letter,) = translate({"nonames": 1}, bugs)
    assert isinstance(letter, DeadLetter)
    assert letter.reason == "decoder_bug"
    assert bugs == ["plain orders/3/1042"]
