"""What a series looks like: the families' names and help, and the lines of one asset in each of them.

Pure text, never what is true. It keeps true: a series without a value is left out, every instant is a unix time (never
an age), and no label value, whatever characters it holds, breaks a line.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from freshd.model.assessment import Assessment, PolicyView
from freshd.model.asset import Asset
from freshd.model.policy import RANK, Verdict
from freshd.model.time import FOREVER, SECOND, Instant

VERDICT_NUMBER: Final[Mapping[Verdict, str]] = {verdict: str(rank) for verdict, rank in RANK.items()}

PER_ASSET: Final[Mapping[str, str]] = {
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
}
"""Families with series for each asset, in the order of `lines_of`."""

TOGETHER: Final[Mapping[str, str]] = {
    "freshd_feed_last_event_timestamp_seconds": "When the latest event of the feed happened.",
    "freshd_assets": "Assets by policy and verdict.",
    "freshd_policy_active_seconds_total": "Time that counted towards the objective of a policy that has one.",
    "freshd_policy_stale_seconds_total": "Of that, the time in which the policy was stale.",
    "freshd_policy_objective_ratio": "Share of time, or of deadlines, that the policy's objective asks to be good.",
    "freshd_policy_objective_window_seconds": "Time over which the policy's objective is to hold.",
    "freshd_incident_open": "1 for every open incident.",
    "freshd_incident_opened_timestamp_seconds": "When the incident opened.",
}
"""Families of sums, feeds and incidents."""

NO_LINES: Final = (b"",) * len(PER_ASSET)
"""Of an asset that is not to have series of its own."""


def head(family: str, openmetrics: bool = False) -> str:
    """The lines before a family's first sample; OpenMetrics names a counter without its suffix."""
    help_text = PER_ASSET.get(family) or TOGETHER[family]
    name = family.removesuffix("_total") if openmetrics else family
    return f"# HELP {name} {help_text}\n# TYPE {name} {'counter' if family.endswith('_total') else 'gauge'}\n"


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


def team_of(asset: Asset) -> str:
    """The first owner."""
    return asset.owners[0] if asset.owners else ""


def lines_of(asset: Asset, state: Assessment) -> tuple[bytes, ...]:
    """The asset's lines in each family of PER_ASSET, none, one or (by policy) several."""
    base = f'{{asset="{escape(asset.key)}",asset_group="{escape(asset.group)}"'
    team = f'team="{escape(team_of(asset))}"'
    views = [(view, _policy_labels(base, team, view)) for view in state.policies]
    info = f'freshd_asset_info{base},{team},kind="{escape(asset.kind)}",feed="{escape(asset.feed)}"}} 1\n'
    return (
        _instant("freshd_asset_data_timestamp_seconds", base, state.data_time),
        _instant("freshd_asset_updated_timestamp_seconds", base, state.updated_at),
        _instant("freshd_asset_pending_timestamp_seconds", base, state.pending_since),
        _turns("freshd_asset_warn_at_timestamp_seconds", ((labels, view.warn_at) for view, labels in views)),
        _turns("freshd_asset_stale_at_timestamp_seconds", ((labels, view.stale_at) for view, labels in views)),
        "".join([f"freshd_asset_verdict{labels}{VERDICT_NUMBER[view.verdict]}\n" for view, labels in views]).encode(),
        _flag("freshd_asset_failed", base, state.failed),
        _flag("freshd_asset_blocked", base, state.blocked),
        _flag("freshd_asset_muted", base, state.muted),
        _flag("freshd_asset_in_flight", base, bool(state.runs)),
        info.encode(),
    )


def _policy_labels(base: str, team: str, view: PolicyView) -> str:
    severity = view.severity.value if view.severity is not None else ""
    return f'{base},policy="{escape(view.policy)}",{team},severity="{severity}"}} '


def _instant(family: str, base: str, instant: Instant | None) -> bytes:
    return b"" if instant is None else f"{family}{base}}} {instant / SECOND!r}\n".encode()


def _turns(family: str, turns: Iterable[tuple[str, Instant | None]]) -> bytes:
    return "".join(
        [f"{family}{labels}{at / SECOND!r}\n" for labels, at in turns if at is not None and at < FOREVER]
    ).encode()


def _flag(family: str, base: str, holds: bool) -> bytes:
    return f"{family}{base}}} 1\n".encode() if holds else b""
