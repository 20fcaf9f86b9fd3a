"""Airbyte's notifications: the end of one job of a connection.

They name a connection and no streams: an identify rule, or the assets' `feed`, says which assets it
fills. Bodies without `data.success` (tests, schema changes, disabled connections) are texts for people.
A failed job is no update even if it committed records; a job that committed none found nothing new.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from freshd.adapters.formats.fields import inner, load_object, missing, needed_time, shown_facts, text, time_of, unfit
from freshd.model.inputs import EventKind
from freshd.model.sighting import Message, Sighting


def decode(message: Message) -> list[Sighting]:
    """The sighting of a job's end; nothing for notifications of another kind."""
    payload, origin = load_object(message), message.origin
    data = inner(payload, "data", origin)
    success = data.get("success")
    if success is None:
        return []
    if type(success) is not bool:
        raise unfit(origin, "data.success", "true or false", success)
    fields = _fields(data, origin)
    if not fields["connection"]:
        raise missing(origin, "data.connection.id")
    job = data.get("jobId")
    if job is not None and type(job) not in (int, str):
        raise unfit(origin, "data.jobId", "a number", job)
    records = data.get("recordsCommitted")
    if records is not None and type(records) not in (int, float):
        raise unfit(origin, "data.recordsCommitted", "a number", records)
    feed = f"airbyte/{fields['connection']}"
    name = fields["connection_name"]
    return [
        Sighting(
            kind=EventKind.UPDATE if success else EventKind.RUN_FAILED,
            format="airbyte",
            names=((feed, f"airbyte/{name}") if name else (feed,),),
            fields=fields,
            payload=payload,
            at=needed_time(data, "finishedAt", origin, "data."),
            id="" if job is None else f"{fields['connection']}/{job}/{'ok' if success else 'failed'}",
            source="airbyte",
            started_at=time_of(data, "startedAt", origin, "data."),
            run_id="" if job is None else str(job),
            changed=records != 0,
            metadata=shown_facts(
                row_count=records, bytes=data.get("bytesCommitted"), error=data.get("errorMessage") or None
            ),
            feed=feed,
        )
    ]


def _fields(data: Mapping[str, Any], origin: str) -> dict[str, str]:
    fields: dict[str, str] = {}
    for part in ("connection", "source", "destination", "workspace"):
        named = inner(data, part, origin, "data.")
        fields[part] = text(named, "id", origin, f"data.{part}.")
        fields[f"{part}_name"] = text(named, "name", origin, f"data.{part}.")
    return fields
