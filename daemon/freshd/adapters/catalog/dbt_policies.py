"""dbt's own freshness as policies: what it asks of sources (dbt 2: of models too) as lag, `build_after` as a reaction.

Nodes that say the same share a policy, so that there are as few as a person would have written. Their
priority is -1: what a person writes about the same assets counts more. What `meta.freshd` of a node says in
the words of a policy is one that a person wrote.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from freshd.adapters.catalog import dbt_fields as dbt
from freshd.adapters.catalog.dbt_manifest import DbtProject
from freshd.adapters.catalog.settings import POLICY_FIELDS
from freshd.model.asset import Asset, AssetKey
from freshd.model.time import Duration, format_duration

PRIORITY: Final = -1
"""Below every policy that a person writes without one."""


@dataclass(frozen=True, slots=True)
class PolicyDraft:
    """A policy that a catalogue suggests, in the shape of one item of `policies:`."""

    value: Mapping[str, Any]
    origin: str


def meta_policies(project: DbtProject, assets: Mapping[AssetKey, Asset]) -> list[PolicyDraft]:
    """The policies that nodes bring along in `meta.freshd`; those that say the same share one."""
    said: dict[str, tuple[dict[str, Any], str, list[AssetKey]]] = {}
    for unique_id, node in project.nodes.items():
        asset = assets.get(project.keys[unique_id])
        meta = dbt.mapping(dbt.meta(node), "freshd")
        policy = {name: meta[name] for name in POLICY_FIELDS if meta.get(name) is not None}
        if asset is not None and asset.unique_id == unique_id and policy:
            text = json.dumps(policy, sort_keys=True, default=str)
            said.setdefault(text, (policy, f"{project.name}: {unique_id}: meta.freshd", []))[2].append(asset.key)
    return [
        PolicyDraft({"name": f"meta.freshd of {min(keys)}", "select": sorted(keys), **policy}, origin)
        for policy, origin, keys in said.values()
    ]


def dbt_policies(project: DbtProject, assets: Mapping[AssetKey, Asset]) -> list[PolicyDraft]:
    """The policies of a manifest, for the assets as they stand after merging."""
    lags: dict[tuple[str, Duration | None, Duration | None], list[AssetKey]] = {}
    builds: dict[tuple[Duration, str], list[AssetKey]] = {}
    for unique_id, node in project.nodes.items():
        asset = assets.get(project.keys[unique_id])
        if asset is None or asset.unique_id != unique_id:
            continue
        said = dbt.freshness(node)
        warn, stale = dbt.period(said.get("warn_after")), dbt.period(said.get("error_after"))
        if warn is not None and stale is not None and warn > stale:
            warn = None  # dbt looks at the error first, so this one is never told
        if warn is not None or stale is not None:
            whose = f"{asset.package}/{asset.source_name}" if asset.source_name else f"{asset.package}'s models"
            lags.setdefault((whose, warn, stale), []).append(asset.key)
        if asset.launcher and not asset.virtual and asset.upstreams:
            after = dbt.mapping(said, "build_after")
            interval = dbt.period(after)
            if interval is not None:
                builds.setdefault((interval, _updates_on(after)), []).append(asset.key)
    return [*_lag_policies(lags, project.name), *_build_policies(builds, project.name)]


def _updates_on(after: Mapping[str, Any]) -> str:
    return "all" if after.get("updates_on") == "all" else "any"


def _lag_policies(
    lags: Mapping[tuple[str, Duration | None, Duration | None], list[AssetKey]], origin: str
) -> Iterable[PolicyDraft]:
    counts = Counter(source for source, _, _ in lags)
    for (source, warn, stale), keys in lags.items():
        lag = {name: format_duration(value) for name, value in (("warn", warn), ("stale", stale)) if value is not None}
        suffix = f" ({'/'.join(lag.values())})" if counts[source] > 1 else ""
        yield PolicyDraft(
            {
                "name": f"dbt freshness of {source}{suffix}",
                "select": sorted(keys),
                "expect": {"lag": lag},
                "alert": {"severity": "warning"},
                "priority": PRIORITY,
            },
            origin,
        )


def _build_policies(builds: Mapping[tuple[Duration, str], list[AssetKey]], origin: str) -> Iterable[PolicyDraft]:
    for (interval, updates_on), keys in builds.items():
        eager = {"min_interval": format_duration(interval), "updates_on": updates_on}
        yield PolicyDraft(
            {
                "name": f"dbt build_after {format_duration(interval)} ({updates_on})",
                "select": sorted(keys),
                "react": {"eager": eager},
                "priority": PRIORITY,
            },
            origin,
        )


def distinct(drafts: Sequence[PolicyDraft]) -> list[PolicyDraft]:
    """The policies of several manifests: of each asset what the last says, each with a name of its own."""
    last: dict[tuple[frozenset[str], AssetKey], PolicyDraft] = {}
    for draft in drafts:
        last.update({(frozenset(draft.value), key): draft for key in draft.value["select"]})
    found: list[PolicyDraft] = []
    names: set[str] = set()
    for draft in drafts:
        keys = [key for key in draft.value["select"] if last[frozenset(draft.value), key] is draft]
        if not keys:
            continue
        name = wanted = draft.value["name"]
        number = 1
        while name in names:
            number += 1
            name = f"{wanted} [{number}]"
        names.add(name)
        found.append(replace(draft, value={**draft.value, "name": name, "select": keys}))
    return found
