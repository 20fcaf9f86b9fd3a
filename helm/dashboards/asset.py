"""One asset: is it fresh, how much time is left, what its data's lag did against its limits, what built it and when."""

from __future__ import annotations

from typing import Any, Final

from grafana_foundation_sdk.models.dashboard import Dashboard
from helm.dashboards import links, words
from helm.dashboards.frame import Row, choice, group
from helm.dashboards.frame import dashboard as framed
from helm.dashboards.panels import Column, lines, number, rows, states

IT: Final = '{asset="$asset"}'
DATA: Final = f"max by (asset) (freshd_asset_data_timestamp_seconds{IT})"
FLAGS: Final = {"in_flight": "running", "failed": "failed", "blocked": "blocked", "muted": "muted"}


def dashboard() -> Dashboard:
    """The dashboard."""
    assets = 'label_values(freshd_asset_info{asset_group=~"$group"}, asset)'
    return framed(
        words.ASSET,
        "freshd / Asset",
        "One asset: its verdicts, its lag against its limits, its updates and runs.",
        [
            Row(4, _numbers()),
            Row(9, [(15, _lag()), (9, _policies())]),
            Row(7, [(12, _verdicts()), (12, _runs())]),
            Row(8, [(8, _updates()), (8, _waiting()), (8, _incidents())]),
        ],
        [
            group("freshd_assets"),
            choice("asset", "Asset", assets, "The asset that is shown.", all_of=False),
        ],
        since="now-24h",
    )


def _numbers() -> list[tuple[int, Any]]:
    return [
        (
            4,
            number(
                "Verdict",
                "The worst verdict of its policies.",
                f"max(freshd_asset_verdict{IT})",
                "none",
                words.verdict_steps(),
                mappings=words.numbered(),
                nothing="no policy",
                link={"title": "freshd's page of it", "url": "${freshd}/assets/${asset}", "targetBlank": True},
            ),
        ),
        (
            4,
            number(
                "Time left",
                "Until it is stale by the first of its policies if nothing comes; below zero it is late by that.",
                f"min(freshd_asset_stale_at_timestamp_seconds{IT}) - time()",
                "s",
                words.steps((None, words.STALE), (0, words.FRESH)),
                nothing="no limit",
            ),
        ),
        (
            4,
            number(
                "Lag",
                "Age of the instant up to which its data is complete.",
                f"time() - {DATA}",
                "s",
                words.one(words.NEUTRAL),
                nothing="no data yet",
            ),
        ),
        (
            4,
            number(
                "Updated",
                "When its latest update ended.",
                f"1000 * max(freshd_asset_updated_timestamp_seconds{IT})",
                "dateTimeFromNow",
                words.one(words.NEUTRAL),
                nothing="never",
            ),
        ),
        (
            4,
            number(
                "Owner",
                "Its first owner.",
                f"max by (team) (freshd_asset_info{IT})",
                "none",
                words.one("text"),
                legend="{{team}}",
                names=True,
                nothing="nobody",
            ),
        ),
        (
            4,
            number(
                "What it is",
                "Its kind and its group.",
                f"max by (kind, asset_group) (freshd_asset_info{IT})",
                "none",
                words.one("text"),
                legend="{{kind}} in {{asset_group}}",
                names=True,
                nothing="no such asset",
            ),
        ),
    ]


def _lag() -> Any:
    def limit(kind: str) -> str:
        at = f"max by (asset, policy) (freshd_asset_{kind}_at_timestamp_seconds{IT})"
        return f"{at} - on (asset) group_left () {DATA}"

    return lines(
        "Lag against its limits",
        "How old its data is, and how old it may become by each policy (dashed). Where the line crosses a limit, the "
        "asset is warn or stale.",
        [
            (f"time() - {DATA}", "lag"),
            (limit("warn"), "warn: {{policy}}"),
            (limit("stale"), "stale: {{policy}}"),
        ],
        "s",
        colours={"lag": words.NEUTRAL, "/^warn: /": words.WARN, "/^stale: /": words.STALE},
        dashed=["^(warn|stale): "],
    )


def _policies() -> Any:
    same = "by (policy, severity)"
    return rows(
        "Its policies",
        "The verdict of each policy, and when it changes if nothing comes.",
        [
            f"max {same} (freshd_asset_verdict{IT})",
            f"max {same} (freshd_asset_warn_at_timestamp_seconds{IT}) - time()",
            f"max {same} (freshd_asset_stale_at_timestamp_seconds{IT}) - time()",
        ],
        [
            Column("policy", "Policy", links=(links.TO_SLO,)),
            Column(
                "Value #A",
                "Verdict",
                90,
                "none",
                words={str(at): (name, colour) for at, (name, colour) in enumerate(words.VERDICTS.items())},
            ),
            Column("Value #B", "Warn in", 100, "s", words.steps((None, words.WARN), (0, words.FRESH))),
            Column("Value #C", "Stale in", 100, "s", words.steps((None, words.STALE), (0, words.FRESH))),
            Column("severity", "Severity", 80),
        ],
        by="Stale in",
        down=False,
        unit="s",
        nothing="no policy",
    )


def _verdicts() -> Any:
    return states(
        "Verdict of each policy",
        "What each policy said of it over time.",
        [(f"max by (policy) (freshd_asset_verdict{IT})", "{{policy}}")],
        words.numbered(),
        words.verdict_steps(),
        nothing="no policy",
    )


def _runs() -> Any:
    exists = f"0 * max(freshd_asset_info{IT})"
    return states(
        "Runs",
        "When a run of it was in flight, when it had failed for good, when it waited for a failed upstream, "
        "when it was muted.",
        [(f"max(freshd_asset_{flag}{IT}) or {exists}", legend) for flag, legend in FLAGS.items()],
        words.mapped({"0": ("no", "transparent"), "1": ("yes", words.NEUTRAL)}),
        words.steps((None, "transparent"), (1, words.NEUTRAL)),
    )


def _updates() -> Any:
    return lines(
        "Materialisations",
        "Updates of the asset, by the ends that were seen to change.",
        [(f"sum(changes(freshd_asset_updated_timestamp_seconds{IT}[$__rate_interval]))", "updates")],
        "none",
        colours={"updates": words.FRESH},
        drawn_as_bars=True,
    )


def _waiting() -> Any:
    return lines(
        "New data that waits for it",
        "For how long there has been data above it that it does not reflect yet.",
        [
            (
                f"time() - max(freshd_asset_pending_timestamp_seconds{IT}) or 0 * max(freshd_asset_info{IT})",
                "waiting",
            )
        ],
        "s",
        colours={"waiting": words.WARN},
    )


def _incidents() -> Any:
    return rows(
        "Incidents that it causes",
        "Open incidents whose cause is this asset.",
        [
            'freshd_incident_open{cause="$asset"} * on (incident) group_left () '
            "(time() - max by (incident) (freshd_incident_opened_timestamp_seconds))"
        ],
        [
            Column("reason", "Reason", words=words.REASONS),
            Column("Value", "For", 100, "s"),
            Column("team", "Owner", 150),
        ],
        by="For",
        unit="s",
        nothing="It causes none.",
    )
