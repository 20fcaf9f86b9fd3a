"""Fivetran's webhooks: `sync_start` opens a sync of a connector, `sync_end` closes it.

They name a connector and no tables: an identify rule, or the assets' `feed`, says which assets it fills.
Only `sync_end` with the status SUCCESSFUL is an update: a test call has no status, a rescheduled or
cancelled sync ends without new data, every other status is a failure. One sync may be told to have
failed and then to have succeeded, so the status is part of the event's id.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from freshd.adapters.formats.fields import inner, load_object, missing, needed_text, needed_time, shown_facts, text
from freshd.model.inputs import EventKind
from freshd.model.sighting import Message, Sighting
from freshd.model.time import format_instant

_ENDS: Final = {
    "SUCCESSFUL": EventKind.UPDATE,
    "RESCHEDULED": EventKind.RUN_ENDED,
    "CANCELED": EventKind.RUN_ENDED,
    "CANCELLED": EventKind.RUN_ENDED,
}


def decode(message: Message) -> list[Sighting]:
    """The sighting of a sync's start or end; nothing for tests and for events about something else."""
    payload, origin = load_object(message), message.origin
    event = needed_text(payload, "event", origin)
    if event not in ("sync_start", "sync_end"):
        return []
    data = inner(payload, "data", origin)
    status = text(data, "status", origin, "data.").upper()
    if event == "sync_start":
        kind = EventKind.RUN_STARTED
    elif not status:
        return []
    else:
        kind = _ENDS.get(status, EventKind.RUN_FAILED)
    return [_sighting(kind, payload, data, status, origin)]


def _sighting(
    kind: EventKind, payload: Mapping[str, Any], data: Mapping[str, Any], status: str, origin: str
) -> Sighting:
    connector = text(payload, "connector_id", origin) or text(payload, "connection_id", origin)
    if not connector:
        raise missing(origin, "connector_id")
    name = text(payload, "connector_name", origin) or text(payload, "connection_name", origin)
    at = needed_time(payload, "created", origin)
    sync = text(payload, "sync_id", origin) or text(data, "sync_id", origin, "data.")
    feed = f"fivetran/{connector}"
    return Sighting(
        kind=kind,
        format="fivetran",
        names=((feed, f"fivetran/{name}") if name else (feed,),),
        fields={
            "connector": connector,
            "connector_name": name,
            "connector_type": text(payload, "connector_type", origin) or text(payload, "connection_type", origin),
            "destination": text(payload, "destination_group_id", origin) or text(payload, "group_id", origin),
        },
        payload=payload,
        at=at,
        id="/".join((connector, sync or format_instant(at), str(payload["event"]), status)),
        source="fivetran",
        run_id=sync,
        metadata=shown_facts(status=status, reason=data.get("reason")),
        feed=feed,
    )
