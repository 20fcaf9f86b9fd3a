"""Decoders: one module per event format, each a pure function from a message to sightings.

A decoder says what a message reports and under which names; which assets those are is found out later
(model/identify). It keeps no state, reads no clock, takes vendors' additional fields as they come, is
strict about the fields that it uses, and answers what it cannot understand with a DecodeError.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from freshd.adapters.formats import airbyte, cloudevents, dbt, fivetran, openlineage, own
from freshd.model.errors import ConfigError
from freshd.model.sighting import Message, Seen

Decoder = Callable[[Message], Sequence[Seen]]

_DECODERS: Final[dict[str, Decoder]] = {
    "airbyte": airbyte.decode,
    "cloudevents": cloudevents.decode,
    "dbt": dbt.decode,
    "fivetran": fivetran.decode,
    "freshd": own.decode,
    "openlineage": openlineage.decode,
}

FORMATS: Final = tuple(sorted(_DECODERS))
"""The names of all formats, as settings write them."""


def decoder(format: str) -> Decoder:
    """The decoder of a format; it raises DecodeError for a message that it cannot understand.

    Of a message with many events or results, one that it cannot understand is a DecodeError among the others,
    except in freshd's own format, where an array counts as a whole.

    Raises ConfigError for a format that does not exist.
    """
    try:
        return _DECODERS[format]
    except KeyError:
        raise ConfigError(f"unknown format {format!r}; known are {', '.join(FORMATS)}") from None


__all__ = ["FORMATS", "Decoder", "decoder"]
