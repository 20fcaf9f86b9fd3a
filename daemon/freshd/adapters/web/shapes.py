"""The JSON that the API answers with.

Instants are RFC 3339 texts in UTC, durations numbers of seconds in fields named `…_seconds`, and what has no
value is null. An ASSET is

    {"asset", "partition", "kind", "group", "owners", "tags", "feed", "launcher", "virtual", "static",
     "verdict": "fresh" | "unknown" | "warn" | "stale" | null,
     "policies": [{"policy", "verdict", "measure", "warn_at", "stale_at", "severity", "incident", "since",
                   "complaints"}], "infeasible": [{"policy", "measure", "target_seconds", "takes_seconds"}],
     "updated_at", "data_time", "pending_since", "age_seconds", "lag_seconds", "behind_seconds", "own_lag_seconds",
     "inherited_lag_seconds", "in_flight", "runs": [{"run_id", "own", "started_at", "attempt"}], "runs_started",
     "failed", "blocked", "due", "muted", "paused", "maintenance", "declared": [DECLARATION, without its assets],
     "blind", "last_error", "next_launch", "waiting_for", "cause", "cause_reason", "path"}

and an INCIDENT

    {"incident", "cause", "reason", "severity", "opened_at", "announced", "muted",
     "acknowledged": {"author", "reason", "at", "until"} | null, "affects",
     "members": [{"policy", "asset", "partition", "state"}]}
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from freshd.model.assessment import Assessment, IncidentView, PolicyView
from freshd.model.asset import Asset
from freshd.model.declarations import Acknowledgement, Declaration
from freshd.model.graph import AssetGraph
from freshd.model.policy import Verdict
from freshd.model.time import FOREVER, NEVER, SECOND, Duration, Instant, format_instant

PAYLOAD_SHOWN: Final = 2_000
"""Characters of a dead letter's payload that are shown."""
_INSTANTS: Final = frozenset({"at", "now", "since", "data_time", "pending_since"})
_ROWS_INSIDE: Final = frozenset({"members", "affected"})
"""What holds further rows: the assets of a run, the pairs of an incident."""


def instant(value: Instant | None) -> str | None:
    """An instant as text; None for none and for those that never come."""
    return None if value is None or not NEVER < value < FOREVER else format_instant(value)


def seconds(value: Duration | None) -> float | None:
    """A duration as a number of seconds."""
    return None if value is None else value / SECOND


def asset_json(asset: Asset, state: Assessment) -> dict[str, Any]:
    """An ASSET."""
    return {
        "asset": asset.key,
        "partition": state.partition,
        "kind": asset.kind,
        "group": asset.group,
        "owners": list(asset.owners),
        "tags": list(asset.tags),
        "feed": asset.feed,
        "launcher": asset.launcher,
        "virtual": asset.virtual,
        "static": state.static,
        "verdict": None if state.verdict is None else state.verdict.value,
        "policies": [_policy_json(view) for view in state.policies],
        "updated_at": instant(state.updated_at),
        "data_time": instant(state.data_time),
        "pending_since": instant(state.pending_since),
        "age_seconds": seconds(state.age),
        "lag_seconds": seconds(state.lag),
        "behind_seconds": seconds(state.behind),
        "own_lag_seconds": seconds(state.own_lag),
        "inherited_lag_seconds": seconds(state.inherited_lag),
        "in_flight": state.in_flight,
        "runs": [
            {"run_id": run.run_id, "own": run.own, "started_at": instant(run.started_at), "attempt": run.attempt}
            for run in state.runs
        ],
        "runs_started": state.runs_started,
        "failed": state.failed,
        "blocked": state.blocked,
        "muted": state.muted,
        "paused": state.paused,
        "maintenance": state.maintenance,
        "declared": [declaration_json(said, True, brief=True) for said in state.declared],
        "blind": state.blind,
        "infeasible": [
            {
                "policy": one.policy,
                "measure": one.measure.value,
                "target_seconds": seconds(one.target),
                "takes_seconds": seconds(one.takes),
            }
            for one in state.infeasible
        ],
        "due": state.due,
        "last_error": state.last_error,
        "next_launch": instant(state.next_launch),
        "waiting_for": list(state.waiting_for),
        "cause": state.cause,
        "cause_reason": state.cause_reason,
        "path": list(state.path),
    }


def asset_detail(asset: Asset, state: Assessment, graph: AssetGraph) -> dict[str, Any]:
    """An ASSET with its neighbours and what its definition says."""
    return asset_json(asset, state) | {
        "description": asset.description,
        "upstreams": list(asset.upstreams),
        "downstreams": list(graph.readers.get(asset.key, ())),
        "relation": asset.relation,
        "aliases": list(asset.aliases),
        "unique_id": asset.unique_id,
        "path_of_definition": asset.path,
        "origin": asset.origin,
    }


def incident_json(incident: IncidentView) -> dict[str, Any]:
    """An INCIDENT."""
    return {
        "incident": incident.incident,
        "cause": incident.cause,
        "reason": incident.reason,
        "severity": None if incident.severity is None else incident.severity.value,
        "opened_at": instant(incident.opened_at),
        "announced": incident.announced,
        "muted": incident.muted,
        "acknowledged": _acknowledgement(incident.acknowledgement),
        "affects": list(incident.affects),
        "members": [
            {"policy": policy, "asset": asset, "partition": partition, "state": state}
            for policy, asset, partition, state in incident.members
        ],
    }


def declaration_json(said: Declaration, holds: bool, brief: bool = False) -> dict[str, Any]:
    """A DECLARATION; without `assets` it is about all of them. In brief: only how many assets it is about."""
    about = {} if brief else {"assets": list(said.assets)}
    return {
        "id": said.id,
        "kind": said.kind.value,
        "select": said.select or ("" if said.assets else "everything"),
        **about,
        "asset_count": len(said.assets) if said.assets else None,
        "begins_at": instant(said.begins),
        "until": instant(said.until),
        "holds": holds,
        "author": said.author,
        "reason": said.reason,
    }


def blind_json(blind: Iterable[tuple[str, Instant, str]]) -> list[dict[str, Any]]:
    """The topics that cannot be seen; an empty topic stands for all."""
    return [{"topic": topic, "since": instant(since), "why": why} for topic, since, why in blind]


def totals(assessed: Iterable[tuple[Asset, Assessment]]) -> dict[str, int]:
    """How many assets stand how."""
    verdicts: Counter[Verdict | None] = Counter()
    in_flight = failed = blocked = infeasible = 0
    for _, state in assessed:
        verdicts[state.verdict] += 1
        in_flight += bool(state.runs)
        failed += state.failed
        blocked += state.blocked
        infeasible += bool(state.infeasible)
    by_verdict = {verdict.value: verdicts[verdict] for verdict in Verdict}
    return {
        "total": verdicts.total(),
        **by_verdict,
        "without_policy": verdicts[None],
        "in_flight": in_flight,
        "failed": failed,
        "blocked": blocked,
        "infeasible": infeasible,
    }


def rows_json(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Rows of the history, and the rows inside them: instants as text, durations in seconds, bytes as text, cut."""
    return [dict(_cell(key, value) for key, value in row.items()) for row in rows]


def _acknowledgement(known: Acknowledgement | None) -> dict[str, Any] | None:
    if known is None:
        return None
    return {"author": known.author, "reason": known.reason, "at": instant(known.at), "until": instant(known.until)}


def _policy_json(view: PolicyView) -> dict[str, Any]:
    return {
        "policy": view.policy,
        "verdict": view.verdict.value,
        "measure": view.measure,
        "warn_at": instant(view.warn_at),
        "stale_at": instant(view.stale_at),
        "severity": None if view.severity is None else view.severity.value,
        "incident": view.incident,
        "since": instant(view.since),
        "complaints": list(view.complaints),
    }


def _cell(key: str, value: Any) -> tuple[str, Any]:
    if key == "duration":
        return "duration_seconds", None if value is None else value / SECOND
    return key, _shown(key, value)


def _shown(key: str, value: Any) -> Any:
    if isinstance(value, bool):
        return value
    if key in _ROWS_INSIDE:
        return rows_json(value)
    if isinstance(value, int) and (key in _INSTANTS or key.endswith("_at")):
        return instant(value)
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, bytes | memoryview):
        return bytes(value[: 4 * PAYLOAD_SHOWN]).decode("utf-8", "replace")[:PAYLOAD_SHOWN]
    return value
