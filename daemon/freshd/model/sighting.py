"""What a decoder saw in a message, before anybody knows which asset it is about.

A decoder (adapters/formats) turns one `Message` into `Sighting`s; `model/identify` turns those into
`Event`s by the graph's names and the user's rules.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Any

from freshd.model.errors import DecodeError
from freshd.model.inputs import Check, EventKind, Unmatched
from freshd.model.time import Instant
from freshd.model.values import value


@value(frozen=True, slots=True)
class Message:
    """Bytes as they came, with what the transport knows of them."""

    value: bytes
    arrived_at: Instant
    origin: str
    """topic/partition/offset, or `ingress/NAME#n`: for messages and for making ids."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """Names in lower case."""
    topic: str = ""
    """The Kafka topic, or empty."""
    timestamp: Instant | None = None
    """When the transport was handed it (the Kafka record's timestamp)."""


@value(frozen=True, slots=True)
class Sighting:
    """One thing that happened, about names that may or may not be assets here."""

    kind: EventKind
    format: str
    names: tuple[tuple[str, ...], ...] = ()
    """One tuple per thing it is about: keys, relations, aliases, unique ids; the first that matches counts."""
    fields: Mapping[str, str] = field(default_factory=dict)
    """What `identify` rules match on, by the names of files.md; other dotted paths are looked up in `payload`."""
    each_fields: tuple[Mapping[str, str], ...] = ()
    """Fields that differ per entry of `names` (OpenLineage: namespace and name of each output)."""
    payload: Any = None
    at: Instant | None = None
    """None: its arrival."""
    id: str = ""
    source: str = ""
    partition: str = ""
    started_at: Instant | None = None
    data_time: Instant | None = None
    run_id: str = ""
    changed: bool = True
    completeness: float | None = None
    metadata: Mapping[str, Any] | None = None
    check: Check | None = None
    feed: str = ""
    """The connector or connection that it tells of, as `FORMAT/NAME`."""
    whole_run: bool = False


Seen = Sighting | Unmatched | DecodeError
"""What a message may hold beside sightings: a part that tells nothing, for people to see, and one that is refused."""
