"""dbt's artifacts: run_results.json and sources.json, told apart by what their metadata says.

A result names its node by dbt's unique_id; one that cannot be understood is refused alone, the others count.
Success of a model, seed or snapshot is an update (of a view it moves nothing, which the graph knows); an
error is a failed run; what was skipped says nothing. Nor do `dbt compile`, `dbt docs generate` and the like,
which leave run results of nodes that they did not build. A source's result is a look at its data: an
observation that carries the newest load; a look that saw nothing (`runtime error`) is listed with what dbt
says of it. Of freshness.json, which dbt 2 writes as well, only the sources are read. Tests name no asset; who
has the manifest gives `tested`, the nodes by test, and gets their results as checks.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from freshd.adapters.formats.dbt_platform import is_webhook, read_webhook
from freshd.adapters.formats.fields import (
    NOTHING,
    count,
    inner,
    items,
    load_object,
    needed_text,
    one_by_one,
    shown_facts,
    text,
    time_of,
    unfit,
)
from freshd.model.errors import DecodeError
from freshd.model.inputs import HINT, Check, EventKind, Unmatched
from freshd.model.sighting import Message, Seen, Sighting
from freshd.model.time import FOREVER, Instant

_REFRESHED: Final = ("model.", "seed.", "snapshot.")
_TESTS: Final = ("test.", "unit_test.")
_BUILDS_NOTHING: Final = frozenset({"compile", "generate", "docs.generate", "show", "list", "ls", "parse"})
"""Commands that write run results with the status success for what they only compile."""

_FAILURES: Final = frozenset({"error", "fail", "partial success", "runtime error"})
_PASSED: Final = frozenset({"pass", "success", "warn"})
_SAID: Final = 300
"""Characters that are shown of why dbt could not look at a source."""


def decode(message: Message, tested: Mapping[str, str] = NOTHING) -> list[Seen]:
    """What one artifact tells, result by result, or one webhook of the dbt platform; `tested` as below."""
    payload = load_object(message)
    if is_webhook(payload):
        return [*read_webhook(payload, message.origin)]
    return read_artifact(payload, message.origin, tested)


def read_artifact(artifact: Mapping[str, Any], origin: str, tested: Mapping[str, str] = NOTHING) -> list[Seen]:
    """What a parsed artifact tells; `tested` gives the unique_id of the node that a test is about.

    Raises DecodeError for what is neither run results nor source freshness results.
    """
    metadata = inner(artifact, "metadata", origin)
    schema = text(metadata, "dbt_schema_version", origin, "metadata.")
    sources = "/sources/" in schema or "/freshness/" in schema
    if not sources and "/run-results/" not in schema:
        raise DecodeError(
            "not_dbt", f"{origin}: neither run_results.json nor sources.json of dbt (its schema is {schema[:80]!r})"
        )
    made_at = time_of(metadata, "generated_at", origin, "metadata.")
    invocation = text(metadata, "invocation_id", origin, "metadata.")
    if not sources and _builds_nothing(artifact):
        return []

    def read(result: Any, number: int) -> list[Seen]:
        if type(result) is not dict:
            raise unfit(origin, f"results[{number}]", "an object", result)
        within = f"{origin}: results[{number}]"
        node = needed_text(result, "unique_id", within)
        if sources:
            seen = _look(result, node, invocation, made_at, within)
        else:
            seen = _outcome(result, node, invocation, made_at, within, tested)
        return [] if seen is None else [seen]

    return one_by_one(items(artifact, "results", origin), read, origin)


def _builds_nothing(artifact: Mapping[str, Any]) -> bool:
    args = artifact.get("args")
    if type(args) is not dict:
        return False
    command = args.get("which") or args.get("rpc_method")
    return args.get("empty") is True or (type(command) is str and command in _BUILDS_NOTHING)


def _look(result: Mapping[str, Any], node: str, invocation: str, made_at: Instant | None, origin: str) -> Seen | None:
    if not node.startswith("source."):
        return None  # how new a model's rows are says nothing of what it was made from
    if result.get("max_loaded_at") in (None, ""):
        error = result.get("error")
        why = f": {' '.join(error.split())[:_SAID]}" if type(error) is str and error else ", without max_loaded_at"
        hint = f"dbt could not look at it: {text(result, 'status', origin) or 'no status'}{why}"
        return Unmatched("dbt", node, {"unique_id": node, HINT: hint}, FOREVER if made_at is None else made_at)
    return Sighting(
        kind=EventKind.OBSERVATION,
        format="dbt",
        names=((node,),),
        fields={"unique_id": node},
        payload=result,
        at=time_of(result, "snapshotted_at", origin) or made_at,
        id=f"{invocation}/{node}/looked",
        source="dbt",
        data_time=time_of(result, "max_loaded_at", origin),
        metadata=shown_facts(status=result.get("status")),
    )


def _outcome(
    result: Mapping[str, Any],
    node: str,
    invocation: str,
    made_at: Instant | None,
    origin: str,
    tested: Mapping[str, str],
) -> Sighting | None:
    status = needed_text(result, "status", origin).lower()
    check: Check | None = None
    about = node
    if node.startswith(_TESTS):
        about = tested.get(node, "")
        if not about or (status not in _PASSED and status not in _FAILURES):
            return None
        kind = EventKind.CHECK
        check = Check(node.split(".", 2)[-1].partition(".")[0], status in _PASSED, _failures(result), blocking=False)
    elif not node.startswith(_REFRESHED):
        return None
    elif status == "success":
        kind = EventKind.UPDATE
    elif status in _FAILURES:
        kind = EventKind.RUN_FAILED
    else:
        return None
    began, ended = _execution(result, origin)
    answer = inner(result, "adapter_response", origin)
    message = result.get("message")
    return Sighting(
        kind=kind,
        format="dbt",
        names=(_names(about, result, origin),),
        fields={"unique_id": about},
        payload=result,
        at=ended or made_at,
        id=f"{invocation}/{node}/{status}",
        source="dbt",
        started_at=began if kind is EventKind.UPDATE else None,
        run_id="" if check else invocation,
        metadata=shown_facts(
            row_count=count(answer.get("rows_affected")),
            seconds=result.get("execution_time"),
            error=message if kind is EventKind.RUN_FAILED else None,
        ),
        check=check,
    )


def _names(about: str, result: Mapping[str, Any], origin: str) -> tuple[str, ...]:
    relation = text(result, "relation_name", origin)
    return (about, relation) if relation and not result["unique_id"].startswith(_TESTS) else (about,)


def _execution(result: Mapping[str, Any], origin: str) -> tuple[Instant | None, Instant | None]:
    for step in items(result, "timing", origin):
        if type(step) is dict and step.get("name") == "execute":
            return time_of(step, "started_at", origin, "timing."), time_of(step, "completed_at", origin, "timing.")
    return None, None


def _failures(result: Mapping[str, Any]) -> float | None:
    value = result.get("failures")
    return value if type(value) in (int, float) else None
