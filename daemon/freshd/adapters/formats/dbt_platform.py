"""The dbt platform's (dbt Cloud's) webhooks: a job began or ended, without a word of what it built.

They come to an entry of the format `dbt` and name a job: an identify rule, or the assets' `feed`, says which
assets the job builds. How a run ended is what its status says, as `job.run.completed` is sent for failed runs too;
a failed run is told twice, and counts once.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from freshd.adapters.formats.fields import inner, missing, shown_facts, text, time_of, unfit
from freshd.model.inputs import EventKind
from freshd.model.sighting import Sighting

_EVENTS: Final = "job.run."
_BY_CODE: Final = {
    1: EventKind.RUN_STARTED,
    2: EventKind.RUN_STARTED,
    3: EventKind.RUN_STARTED,
    10: EventKind.UPDATE,
    20: EventKind.RUN_FAILED,
    30: EventKind.RUN_ENDED,
}
_BY_WORD: Final = {
    "queued": EventKind.RUN_STARTED,
    "starting": EventKind.RUN_STARTED,
    "running": EventKind.RUN_STARTED,
    "success": EventKind.UPDATE,
    "error": EventKind.RUN_FAILED,
    "errored": EventKind.RUN_FAILED,
    "cancelled": EventKind.RUN_ENDED,
    "canceled": EventKind.RUN_ENDED,
}


def is_webhook(payload: Mapping[str, Any]) -> bool:
    """Whether it is the platform that says something, and not an artifact."""
    return "eventType" in payload and "metadata" not in payload


def read_webhook(payload: Mapping[str, Any], origin: str) -> list[Sighting]:
    """The sighting of a job's start or end; nothing for tests and for what is not about a run."""
    if not text(payload, "eventType", origin).startswith(_EVENTS):
        return []
    data = inner(payload, "data", origin)
    code, word = data.get("runStatusCode"), text(data, "runStatus", origin, "data.").lower()
    kind = _BY_CODE.get(code) if type(code) is int else _BY_WORD.get(word)
    if kind is None:
        return []
    job, run = _id(data, "jobId", origin), _id(data, "runId", origin)
    name = text(data, "jobName", origin, "data.")
    started = time_of(data, "runStartedAt", origin, "data.")
    ended = time_of(data, "runFinishedAt", origin, "data.") or time_of(data, "runErroredAt", origin, "data.")
    begins = kind is EventKind.RUN_STARTED
    feed = f"dbt/{job}"
    return [
        Sighting(
            kind=kind,
            format="dbt",
            names=((feed, f"dbt/{name}") if name else (feed,),),
            fields={
                "job": job,
                "job_name": name,
                "environment": text(data, "environmentName", origin, "data."),
                "project": text(data, "projectName", origin, "data."),
            },
            payload=payload,
            at=(started if begins else ended) or time_of(payload, "timestamp", origin),
            id=f"{job}/{run}/{kind.value}",
            source="dbt/platform",
            started_at=started if kind is EventKind.UPDATE else None,
            run_id=run,
            metadata=shown_facts(job=name, status=word),
            feed=feed,
        )
    ]


def _id(data: Mapping[str, Any], name: str, origin: str) -> str:
    """An id, which is written as text or as a number."""
    value = data.get(name)
    if value is None or value == "":
        raise missing(origin, f"data.{name}")
    if type(value) not in (int, str):
        raise unfit(origin, f"data.{name}", "text or a number", value)
    return str(value)
