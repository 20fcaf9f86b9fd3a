"""The JSON Schema of freshd's own event, for editors, producers' tests and `freshd schema event`.

It says by a schema what `own.decode` says by code; a test holds the two together.
"""

from __future__ import annotations

from typing import Any, Final

from freshd.model.inputs import EventKind


def _may(kind: str, said: str = "", **more: Any) -> dict[str, Any]:
    return {"type": [kind, "null"], **({"description": said} if said else {}), **more}


def _instant(said: str) -> dict[str, Any]:
    return _may("string", said, format="date-time")


_PROPERTIES: Final[dict[str, Any]] = {
    "id": _may("string", "Unique within `source`; default: the Idempotency-Key header, or the position in the topic."),
    "type": {"enum": [*(kind.value for kind in EventKind), None], "default": "update"},
    "asset": _may("string", "A key, or a relation, an alias or a dbt unique_id.", minLength=1),
    "assets": _may("array", items={"type": "string", "minLength": 1}, minItems=1),
    "partition": _may("string", default=""),
    "at": _instant("When it happened (of an update: when it was complete); default: its arrival."),
    "started_at": _instant("When the run or sync began reading."),
    "data_time": _instant("Up to when the data of the sources is in it; an observation needs it."),
    "run_id": _may("string"),
    "changed": _may("boolean", "False: an update that found nothing new.", default=True),
    "completeness": _may("number", "The share of the data that is there.", minimum=0, maximum=1),
    "metadata": _may("object", "Whatever else there is to say."),
    "source": _may("string", "Who says so; ids are unique within it."),
    "name": _may("string", "Of a check: its name."),
    "passed": _may("boolean", "Of a check: its result."),
    "value": {"type": ["number", "string", "null"], "description": "Of a check: what it measured."},
    "blocking": _may("boolean", "Of a check: whether its failure holds back what is below."),
    "feed": _may("string", "The connector or connection; a heartbeat needs it."),
}


def _of(kind: EventKind, *needed: str) -> dict[str, Any]:
    there = {name: {"not": {"type": "null"}, "minLength": 1} for name in needed}
    return {
        "if": {"required": ["type"], "properties": {"type": {"const": kind.value}}},
        "then": {"required": list(needed), "properties": there},
    }


EVENT_SCHEMA: Final[dict[str, Any]] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "title": "freshd event",
    "description": "A fact about assets: what POST /events takes, and a topic with `format: freshd`.",
    "oneOf": [{"$ref": "#/$defs/event"}, {"type": "array", "items": {"$ref": "#/$defs/event"}}],
    "$defs": {
        "event": {
            "type": "object",
            "additionalProperties": False,
            "properties": _PROPERTIES,
            "anyOf": [
                {"required": ["asset"], "properties": {"asset": {"type": "string"}}},
                {"required": ["assets"], "properties": {"assets": {"type": "array"}}},
                {"required": ["type"], "properties": {"type": {"const": EventKind.HEARTBEAT.value}}},
            ],
            "allOf": [
                _of(EventKind.OBSERVATION, "data_time"),
                _of(EventKind.CHECK, "name", "passed"),
                _of(EventKind.HEARTBEAT, "feed"),
            ],
        }
    },
}
"""The schema of one own event, or of an array of them."""

FIELDS: Final = frozenset(_PROPERTIES)
"""The fields that an own event may have."""
