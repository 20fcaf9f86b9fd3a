"""From a message to inputs: decode it, find the assets it is about, and judge its time.

Nothing that comes from outside may stop the stream: what cannot be decoded becomes a `DeadLetter` with
its reason, also when a decoder has a bug; what names no asset becomes `Unmatched`. It keeps true: an
event that passes is dated no later than its arrival. It knows no format and no transport.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final, Protocol

from freshd.model.errors import DecodeError
from freshd.model.inputs import DeadLetter, Event, Input, Unmatched
from freshd.model.sighting import Message, Seen, Sighting
from freshd.model.time import MINUTE, Duration, Instant, format_duration, format_instant

FUTURE_TOLERANCE: Final[Duration] = 5 * MINUTE
"""An event dated up to this long after its arrival counts as at its arrival."""

KEPT_PAYLOAD: Final = 64 * 1024
"""Bytes of a message that a dead letter keeps."""

Decode = Callable[[Message], Sequence[Seen]]


class Matching(Protocol):
    """What the translator needs of model/identify.Matcher."""

    def match(self, sighting: Sighting, arrived_at: Instant, topic: str = "") -> Sequence[Event | Unmatched]: ...


class Translator:
    """Messages to inputs. One for all transports; any thread may call it."""

    def __init__(
        self,
        matcher: Matching,
        decoder: Callable[[str], Decode],
        on_bug: Callable[[str, Exception], None] | None = None,
    ) -> None:
        """`decoder` gives the decoder of a format by its name; `on_bug` hears of errors that no input should cause."""
        self.matcher = matcher
        """Replaced as a whole when the graph or the rules are."""
        self._decoder = decoder
        self._decoders: dict[str, Decode] = {}
        self._on_bug = on_bug

    def translate(self, message: Message, format: str) -> list[Input]:
        """What the message says, as inputs in its order. Never raises for what the message holds."""
        try:
            return self.interpret(self._decode(message, format), message, format)
        except DecodeError as error:
            return [dead_letter(message, format, error.reason, str(error))]
        except Exception as error:
            # A decoder that fails on what it did not expect must not stop the stream behind it.
            if self._on_bug is not None:
                self._on_bug(f"{format} {message.origin}", error)
            return [dead_letter(message, format, "decoder_bug", f"{type(error).__name__}: {error}")]

    def interpret(self, seen: Sequence[Seen], message: Message, format: str) -> list[Input]:
        """What was decoded says; `message` tells when and from where it came. What is refused of it stops no more."""
        inputs: list[Input] = []
        match = self.matcher.match
        for sighting in seen:
            if not isinstance(sighting, Sighting):
                inputs.append(_untold(sighting, message, format))
                continue
            for found in match(sighting, message.arrived_at, message.topic):
                if isinstance(found, Event) and found.at > message.arrived_at:
                    inputs.append(self._dated(found, message, format))
                else:
                    inputs.append(found)
        return inputs

    def _decode(self, message: Message, format: str) -> Sequence[Seen]:
        decode = self._decoders.get(format)
        if decode is None:
            decode = self._decoders[format] = self._decoder(format)
        return decode(message)

    def _dated(self, event: Event, message: Message, format: str) -> Event | DeadLetter:
        arrived = message.arrived_at
        ahead = event.at - arrived
        if ahead <= FUTURE_TOLERANCE:
            return replace(event, at=arrived)
        why = (
            f"its time {format_instant(event.at)} is {format_duration(ahead // 1000 * 1000)} after its arrival at "
            f"{format_instant(arrived)}; at most {format_duration(FUTURE_TOLERANCE)} is taken: check the sender's clock"
        )
        return dead_letter(message, format, "from_the_future", why)


def _untold(seen: Unmatched | DecodeError, message: Message, format: str) -> Unmatched | DeadLetter:
    if isinstance(seen, DecodeError):
        return dead_letter(message, format, seen.reason, str(seen))
    return replace(seen, at=min(seen.at, message.arrived_at))


def dead_letter(message: Message, format: str, reason: str, why: str) -> DeadLetter:
    """A message that goes no further, with where it came from and the beginning of its payload."""
    told = why if why.startswith(message.origin) else f"{message.origin}: {why}"
    return DeadLetter(message.origin, reason, told, message.value[:KEPT_PAYLOAD], format)
