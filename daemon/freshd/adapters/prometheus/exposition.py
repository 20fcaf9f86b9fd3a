"""The assets as text format 0.0.4, written by hand: prometheus-client's renderer takes 50 µs a series.

It decides what a series looks like, never what is true: it is handed assessments and incidents. It keeps
true: one family's lines stand together, a series without a value is left out, every instant is a unix time
(never an age), and no label value, whatever characters it holds, breaks a line. The labels of an asset are
escaped once and kept while the asset is the same object.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from freshd.model.assessment import Assessment, IncidentView
from freshd.model.asset import Asset, AssetKey
from freshd.model.policy import Severity, Verdict
from freshd.model.time import FOREVER, NEVER, SECOND, Duration, Instant

Assessed = Sequence[tuple[Asset, Assessment]]

VERDICT_NUMBER: Final[Mapping[Verdict, str]] = {
    Verdict.FRESH: "0",
    Verdict.UNKNOWN: "1",
    Verdict.WARN: "2",
    Verdict.STALE: "3",
}

_FAMILIES: Final[Mapping[str, str]] = {
    "freshd_asset_data_timestamp_seconds": "Point in time up to which the data of the asset is complete.",
    "freshd_asset_updated_timestamp_seconds": "End of the latest update of the asset.",
    "freshd_asset_pending_timestamp_seconds": "End of the first source update that the asset does not reflect yet.",
    "freshd_asset_warn_at_timestamp_seconds": "Instant from which the asset will be, or was, at least warn.",
    "freshd_asset_stale_at_timestamp_seconds": "Instant from which the asset will be, or was, stale.",
    "freshd_asset_verdict": "Verdict of a policy for the asset: 0 fresh, 1 unknown, 2 warn, 3 stale.",
    "freshd_asset_failed": "1 where the runs of the asset have used up their attempts, or a check failed.",
    "freshd_asset_blocked": "1 where the asset waits for a failed upstream.",
    "freshd_asset_muted": "1 where nothing is announced of the asset for a while, because somebody said so.",
    "freshd_asset_in_flight": "1 where a run of the asset is in flight.",
    "freshd_asset_info": "What the asset is.",
    "freshd_feed_last_event_timestamp_seconds": "When the latest event of the feed happened.",
    "freshd_assets": "Assets by policy and verdict.",
    "freshd_policy_active_seconds_total": "Time that counted towards the objective of a policy that has one.",
    "freshd_policy_stale_seconds_total": "Of that, the time in which the policy was stale.",
    "freshd_incident_open": "1 for every open incident.",
    "freshd_incident_opened_timestamp_seconds": "When the incident opened.",
}


@dataclass(frozen=True, slots=True)
class _Labels:
    """An asset's labels, escaped."""

    asset: Asset
    base: str
    """`{asset="…",asset_group="…"` without the closing brace."""
    info: str
    feed: str
    by_policy: dict[tuple[str, Severity | None], str]


class AssetExposition:
    """Renders assets, feeds and incidents; keeps the label blocks between scrapes."""

    def __init__(self) -> None:
        self._kept: dict[AssetKey, _Labels] = {}

    def render(
        self, assessed: Assessed, incidents: Sequence[IncidentView], feed_events: Mapping[str, Instant]
    ) -> Iterable[str]:
        """The text, family by family. `feed_events`: when each feed's latest known event happened."""
        lines: dict[str, list[str]] = {family: [] for family in _FAMILIES}
        counts: dict[tuple[str, str], dict[Verdict, int]] = {}
        objectives: dict[tuple[str, str], list[Duration]] = {}
        feeds = {escape(feed): at for feed, at in feed_events.items()}
        kept: dict[AssetKey, _Labels] = {}
        for asset, state in assessed:
            labels = self._kept.get(asset.key)
            if labels is None or labels.asset is not asset:
                labels = _labels(asset)
            kept[asset.key] = labels
            _asset_lines(lines, labels, state)
            _policy_lines(lines, labels, state, counts)
            _add_objectives(objectives, asset, state)
            if asset.feed and state.updated_at is not None:
                feeds[labels.feed] = max(feeds.get(labels.feed, NEVER), state.updated_at)
        self._kept = kept
        _count_lines(lines["freshd_assets"], counts)
        _objective_lines(lines, objectives)
        owners = {key: labels.asset.owners for key, labels in kept.items()}
        _incident_lines(lines, incidents, owners)
        for feed, at in sorted(feeds.items()):
            lines["freshd_feed_last_event_timestamp_seconds"].append(f'{{feed="{feed}"}} {seconds(at)}')
        for family, found in lines.items():
            if found:
                yield f"# HELP {family} {_FAMILIES[family]}\n# TYPE {family} {_kind(family)}\n{family}"
                yield f"\n{family}".join(found)
                yield "\n"


def escape(value: str) -> str:
    """A label value as it stands between the quotes; what UTF-8 cannot hold becomes `?`."""
    if not value.isascii():
        value = value.encode("utf-8", "replace").decode()
    if "\\" in value or '"' in value or "\n" in value:
        return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return value


def seconds(instant: Instant) -> str:
    """An instant as unix time in seconds, to the microsecond."""
    return repr(instant / SECOND)


def _labels(asset: Asset) -> _Labels:
    base = f'{{asset="{escape(asset.key)}",asset_group="{escape(asset.group)}"'
    team = escape(asset.owners[0]) if asset.owners else ""
    info = f'{base},team="{team}",kind="{escape(asset.kind)}",feed="{escape(asset.feed)}"}} 1'
    return _Labels(asset, base, info, escape(asset.feed), {})


def _asset_lines(lines: dict[str, list[str]], labels: _Labels, state: Assessment) -> None:
    base = labels.base
    if state.data_time is not None:
        lines["freshd_asset_data_timestamp_seconds"].append(f"{base}}} {state.data_time / SECOND!r}")
    if state.updated_at is not None:
        lines["freshd_asset_updated_timestamp_seconds"].append(f"{base}}} {state.updated_at / SECOND!r}")
    if state.pending_since is not None:
        lines["freshd_asset_pending_timestamp_seconds"].append(f"{base}}} {state.pending_since / SECOND!r}")
    if state.failed:
        lines["freshd_asset_failed"].append(f"{base}}} 1")
    if state.blocked:
        lines["freshd_asset_blocked"].append(f"{base}}} 1")
    if state.muted:
        lines["freshd_asset_muted"].append(f"{base}}} 1")
    if state.runs:
        lines["freshd_asset_in_flight"].append(f"{base}}} 1")
    lines["freshd_asset_info"].append(labels.info)


def _policy_lines(
    lines: dict[str, list[str]],
    labels: _Labels,
    state: Assessment,
    counts: dict[tuple[str, str], dict[Verdict, int]],
) -> None:
    for view in state.policies:
        block = labels.by_policy.get((view.policy, view.severity))
        if block is None:
            team = escape(labels.asset.owners[0]) if labels.asset.owners else ""
            severity = view.severity.value if view.severity is not None else ""
            block = f'{labels.base},policy="{escape(view.policy)}",team="{team}",severity="{severity}"}} '
            labels.by_policy[view.policy, view.severity] = block
        if view.warn_at is not None and view.warn_at < FOREVER:
            lines["freshd_asset_warn_at_timestamp_seconds"].append(f"{block}{view.warn_at / SECOND!r}")
        if view.stale_at is not None and view.stale_at < FOREVER:
            lines["freshd_asset_stale_at_timestamp_seconds"].append(f"{block}{view.stale_at / SECOND!r}")
        lines["freshd_asset_verdict"].append(block + VERDICT_NUMBER[view.verdict])
        count = counts.setdefault((labels.asset.group, view.policy), dict.fromkeys(Verdict, 0))
        count[view.verdict] += 1


def _count_lines(lines: list[str], counts: Mapping[tuple[str, str], Mapping[Verdict, int]]) -> None:
    for (group, policy), by_verdict in sorted(counts.items()):
        for verdict, count in by_verdict.items():
            lines.append(
                f'{{asset_group="{escape(group)}",policy="{escape(policy)}",verdict="{verdict.value}"}} {count}'
            )


def _add_objectives(objectives: dict[tuple[str, str], list[Duration]], asset: Asset, state: Assessment) -> None:
    for view in state.policies:
        if view.counted is not None and view.counted.active:  # a policy of deadlines counts ticks
            sums = objectives.setdefault((view.policy, asset.group), [0, 0])
            sums[0] += view.counted.active
            sums[1] += view.counted.stale


def _objective_lines(lines: dict[str, list[str]], objectives: Mapping[tuple[str, str], Sequence[Duration]]) -> None:
    for (policy, group), (active, stale) in sorted(objectives.items()):
        labels = f'{{policy="{escape(policy)}",asset_group="{escape(group)}"}}'
        lines["freshd_policy_active_seconds_total"].append(f"{labels} {active / SECOND!r}")
        lines["freshd_policy_stale_seconds_total"].append(f"{labels} {stale / SECOND!r}")


def _kind(family: str) -> str:
    return "counter" if family.endswith("_total") else "gauge"


def _incident_lines(
    lines: dict[str, list[str]], incidents: Sequence[IncidentView], owners: Mapping[AssetKey, tuple[str, ...]]
) -> None:
    for incident in incidents:
        name = f'{{incident="{escape(incident.incident)}"'
        team = (owners.get(incident.cause) or ("",))[0]
        severity = incident.severity.value if incident.severity is not None else ""
        lines["freshd_incident_open"].append(
            f'{name},cause="{escape(incident.cause)}",reason="{escape(incident.reason)}",severity="{severity}",'
            f'team="{escape(team)}"}} 1'
        )
        lines["freshd_incident_opened_timestamp_seconds"].append(f"{name}}} {seconds(incident.opened_at)}")
