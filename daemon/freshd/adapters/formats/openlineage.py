"""OpenLineage run events: which datasets a run wrote, and how it ended.

Only COMPLETE is success. Outputs may be named at the start, at the end or in between, so the ones named
early become started runs, and the end of a run is told of every asset in flight under its id
(`whole_run`) as well as of the outputs that it names; a start that names none tells when the run began.
Nothing has to be remembered here. Inputs are
reads; dataset and job events have no run and report no completion. Dropping, emptying, renaming or
altering a table is no refresh. dbt's own id of a node is preferred to names, but not in its test jobs,
which carry the id of the node that they test.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from freshd.adapters.formats.datasets import dataset_names
from freshd.adapters.formats.fields import (
    count,
    inner,
    items,
    load,
    missing,
    needed_text,
    needed_time,
    one_by_one,
    shown_facts,
    text,
    unfit,
)
from freshd.model.inputs import EventKind
from freshd.model.sighting import Message, Seen, Sighting
from freshd.model.time import Instant

ERROR_SHOWN: Final = 2_000
"""Characters of a failed run's error that are kept."""

_NO_REFRESH: Final = frozenset({"DROP", "TRUNCATE", "RENAME", "ALTER"})
_DBT_NODES: Final = ("model.", "seed.", "snapshot.")
_DBT_BUILDS: Final = frozenset({"MODEL", "SEED", "SNAPSHOT", ""})


@dataclass(frozen=True, slots=True)
class _Output:
    names: tuple[str, ...]
    fields: Mapping[str, str]
    refreshed: bool
    facts: Mapping[str, Any] | None


@dataclass(frozen=True, slots=True)
class _Run:
    event: Mapping[str, Any]
    run_id: str
    state: str
    at: Instant
    fields: Mapping[str, str]

    def sighting(
        self, kind: EventKind, outputs: list[_Output], part: str = "", whole: bool = False, error: str = ""
    ) -> Sighting:
        facts = dict(outputs[0].facts or {}) if len(outputs) == 1 else {}
        return Sighting(
            kind=kind,
            format="openlineage",
            names=tuple(output.names for output in outputs),
            fields=self.fields,
            each_fields=tuple(output.fields for output in outputs),
            payload=self.event,
            at=self.at,
            id=f"{self.run_id}/{self.state}/{self.at}{part}",
            source="openlineage",
            run_id=self.run_id,
            metadata=shown_facts(**facts, error=error),
            whole_run=whole,
        )


def decode(message: Message) -> Sequence[Seen]:
    """The sightings of one run event, or of a batch; nothing for events without a run and for other states."""
    value = load(message)
    if type(value) is not list:
        return _decoded(value, message.origin)
    return one_by_one(value, lambda event, number: _decoded(event, f"{message.origin}[{number}]"), message.origin)


def _decoded(event: Any, origin: str) -> list[Sighting]:
    if type(event) is not dict:
        raise unfit(origin, "an event", "an object", event)
    if event.get("run") is None:
        if event.get("dataset") is None and event.get("job") is None:
            raise missing(origin, "run (or job, or dataset)")
        return []
    run_id = needed_text(inner(event, "run", origin), "runId", origin, "run.")
    state = text(event, "eventType", origin).upper() or "OTHER"
    at = needed_time(event, "eventTime", origin)
    job = inner(event, "job", origin)
    if not job:
        raise missing(origin, "job")
    fields = {"job_namespace": text(job, "namespace", origin, "job."), "job_name": text(job, "name", origin, "job.")}
    run = _Run(event, run_id, state, at, fields)
    outputs = _outputs(event, job, fields["job_name"], origin)
    if state in ("START", "RUNNING"):
        writing = [output for output in outputs if output.refreshed]
        if not writing and (outputs or state == "RUNNING"):
            return []
        return [run.sighting(EventKind.RUN_STARTED, writing, whole=not outputs)]
    if state in ("FAIL", "ABORT"):
        return [run.sighting(EventKind.RUN_FAILED, outputs, whole=True, error=_error(event, origin))]
    return _completed(run, outputs) if state == "COMPLETE" else []


def _completed(run: _Run, outputs: list[_Output]) -> list[Sighting]:
    """What ended without a refresh first, so that the end of the whole run does not count for it."""
    sightings: list[Sighting] = []
    ended = [output for output in outputs if not output.refreshed]
    written = [output for output in outputs if output.refreshed]
    if ended:
        sightings.append(run.sighting(EventKind.RUN_ENDED, ended, "/ended"))
    if len(written) > 1 and any(output.facts for output in written):
        for number, output in enumerate(written[:-1]):
            sightings.append(run.sighting(EventKind.UPDATE, [output], f"/{number}"))
        written = written[-1:]
    sightings.append(run.sighting(EventKind.UPDATE, written, whole=True))
    return sightings


def _outputs(event: Mapping[str, Any], job: Mapping[str, Any], job_name: str, origin: str) -> list[_Output]:
    node = _dbt_node(job, job_name, origin)
    outputs = items(event, "outputs", origin)
    if node and not outputs:
        return [_Output((node,), {}, True, None)]
    found: list[_Output] = []
    for number, output in enumerate(outputs):
        within = f"outputs[{number}]"
        if type(output) is not dict:
            raise unfit(origin, within, "an object", output)
        name = needed_text(output, "name", origin, f"{within}.")
        namespace = text(output, "namespace", origin, f"{within}.")
        facets = inner(output, "facets", origin, f"{within}.")
        names = [node] if node and len(outputs) == 1 else []
        names.extend(dataset_names(namespace, name))
        names.extend(_symlinks(facets, origin, f"{within}.facets."))
        change = inner(facets, "lifecycleStateChange", origin, f"{within}.facets.").get("lifecycleStateChange")
        found.append(
            _Output(
                names=tuple(dict.fromkeys(names)),
                fields={"namespace": namespace, "name": name},
                refreshed=not (type(change) is str and change.upper() in _NO_REFRESH),
                facts=_facts(output),
            )
        )
    return found


def _dbt_node(job: Mapping[str, Any], job_name: str, origin: str) -> str:
    facets = inner(job, "facets", origin, "job.")
    kind = text(inner(facets, "jobType", origin, "job.facets."), "jobType", origin, "job.facets.jobType.").upper()
    if kind not in _DBT_BUILDS:
        return ""
    node = text(inner(facets, "dbt_node", origin, "job.facets."), "unique_id", origin, "job.facets.dbt_node.")
    if not node and job_name.startswith(_DBT_NODES) and job_name.count(".") in (2, 3) and kind:
        node = job_name
    return node if node.startswith(_DBT_NODES) else ""


def _symlinks(facets: Mapping[str, Any], origin: str, within: str) -> list[str]:
    names: list[str] = []
    links = inner(facets, "symlinks", origin, within)
    for number, link in enumerate(items(links, "identifiers", origin, f"{within}symlinks.")):
        inside = f"{within}symlinks.identifiers[{number}]"
        if type(link) is not dict:
            raise unfit(origin, inside, "an object", link)
        name = needed_text(link, "name", origin, f"{inside}.")
        is_table = text(link, "type", origin, f"{inside}.").upper() == "TABLE"
        names.extend(dataset_names(text(link, "namespace", origin, f"{inside}."), name, table=is_table))
    return names


def _facts(output: Mapping[str, Any]) -> Mapping[str, Any] | None:
    facets = output.get("outputFacets")
    statistics = facets.get("outputStatistics") if type(facets) is dict else None
    if type(statistics) is not dict:
        return None
    return shown_facts(row_count=count(statistics.get("rowCount")), bytes=count(statistics.get("size")))


def _error(event: Mapping[str, Any], origin: str) -> str:
    facets = inner(inner(event, "run", origin), "facets", origin, "run.")
    said = facets.get("errorMessage")
    error = said.get("message") if type(said) is dict else None
    return error[:ERROR_SHOWN] if type(error) is str else ""
