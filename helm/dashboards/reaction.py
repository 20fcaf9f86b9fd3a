"""How freshd reacts: from the event to the launch, what became of the runs, what is on its way and what waits."""

from __future__ import annotations

from typing import Any, Final

from grafana_foundation_sdk.builders import dashboard as build
from grafana_foundation_sdk.builders import heatmap
from grafana_foundation_sdk.models.dashboard import Dashboard
from grafana_foundation_sdk.models.heatmap import HeatmapColorMode
from grafana_foundation_sdk.models.prometheus import PromQueryFormat
from helm.dashboards import links, words
from helm.dashboards.frame import SOURCE, Row, choice
from helm.dashboards.frame import dashboard as framed
from helm.dashboards.panels import Column, ask, lines, number, rows

CHOSEN: Final = '{launcher=~"$launcher"}'
BUCKETS: Final = "sum by (le) (rate(freshd_event_to_launch_seconds_bucket[$__rate_interval]))"
LATENCY_STEPS: Final = ((None, words.FRESH), (60, words.WARN), (600, words.STALE))
FAILED_STEPS: Final = ((None, words.FRESH), (0.01, words.WARN), (0.1, words.STALE))
ENDED: Final = 'launcher=~"$launcher", outcome!="observed"'


def dashboard() -> Dashboard:
    """The dashboard."""
    launchers = 'label_values({__name__=~"freshd_runs_total|freshd_runs_in_flight"}, launcher)'
    return framed(
        words.REACTION,
        "freshd / Reaction",
        "From event to launch, launches and failures, what is on its way and what waits.",
        [
            Row(4, _numbers()),
            Row(9, [(12, _latency()), (12, _spread())]),
            Row(8, [(8, _outcomes()), (8, _why()), (8, _failing())]),
            Row(8, [(8, _in_flight()), (8, _queue()), (8, _waiting())]),
        ],
        [choice("launcher", "Launcher", launchers, "What starts the runs; `observed` runs were started by others.")],
        since="now-6h",
    )


def _numbers() -> list[tuple[int, Any]]:
    return [
        (
            5,
            number(
                "Event to launch, 95 %",
                "So long it took at most, for 95 of 100 launches of the time shown, from the first event not built to "
                "the request of the run, waits included.",
                "histogram_quantile(0.95, sum by (le) (rate(freshd_event_to_launch_seconds_bucket[$__range])))",
                "s",
                words.steps(*LATENCY_STEPS),
                nothing="no launch",
            ),
        ),
        (
            5,
            number(
                "Runs that ended",
                "Runs that freshd launched and that ended in the time shown.",
                f"sum(increase(freshd_runs_total{{{ENDED}}}[$__range]))",
                "none",
                words.one(words.NEUTRAL),
                decimals=0,
            ),
        ),
        (
            5,
            number(
                "Of these failed",
                "Share of these runs that failed or were lost.",
                f'(sum(increase(freshd_runs_total{{launcher=~"$launcher", outcome=~"failed|lost"}}[$__range])) '
                f"or vector(0)) / (sum(increase(freshd_runs_total{{{ENDED}}}[$__range])) > 0)",
                "percentunit",
                words.steps(*FAILED_STEPS),
                decimals=1,
                nothing="no run",
            ),
        ),
        (
            4,
            number(
                "In flight",
                "Runs that were requested and are not over.",
                f"sum(freshd_runs_in_flight{CHOSEN}) or vector(0)",
                "none",
                words.one(words.NEUTRAL),
            ),
        ),
        (
            5,
            number(
                "Waiting to be built",
                "Assets above which there is new data that they do not reflect yet, whatever holds them back.",
                "sum(group:freshd_asset_pending:count) or vector(0)",
                "none",
                words.one(words.NEUTRAL),
            ),
        ),
    ]


def _latency() -> Any:
    shares = {"0.5": "half", "0.95": "95 %", "0.99": "99 %"}
    return lines(
        "Event to launch",
        "From the first event not built yet to the request of the run that builds it, waits included.",
        [(f"histogram_quantile({share}, {BUCKETS})", name) for share, name in shares.items()],
        "s",
        thresholds=words.steps(*LATENCY_STEPS),
    )


def _spread() -> Any:
    buckets = "sum by (le) (increase(freshd_event_to_launch_seconds_bucket[$__rate_interval]))"
    return (
        heatmap.Panel()
        .title("Event to launch, all launches")
        .description("How many launches took how long: a second band is a second reason to wait.")
        .datasource(SOURCE)
        .unit("s")
        .thresholds(words.steps(*LATENCY_STEPS))
        .with_target(ask(buckets, "{{le}}").format(PromQueryFormat.HEATMAP).ref_id("A"))
        .color(
            heatmap.HeatmapColorOptions().mode(HeatmapColorMode.SCHEME).scheme("Blues").steps(32).fill(words.NEUTRAL)
        )
        .color_scheme(build.FieldColor())
        .y_axis(heatmap.YAxisConfig().unit("s"))
        .show_legend()
    )


def _outcomes() -> Any:
    return lines(
        "What became of runs",
        "Runs that ended, by outcome.",
        [(f"sum by (outcome) (increase(freshd_runs_total{CHOSEN}[$__rate_interval]))", "{{outcome}}")],
        "none",
        colours=words.OUTCOMES,
        stacked=True,
        drawn_as_bars=True,
        nothing="No run ended.",
    )


def _why() -> Any:
    return lines(
        "Why they were launched",
        "Runs that ended, by the reason to launch.",
        [(f"sum by (reason) (increase(freshd_runs_total{{{ENDED}}}[$__rate_interval]))", "{{reason}}")],
        "none",
        stacked=True,
        drawn_as_bars=True,
        nothing="No run ended.",
    )


def _failing() -> Any:
    return lines(
        "Share that failed",
        "Of the runs of the hour before each instant, those that failed or were lost.",
        [(f"launcher:freshd_runs_failed:ratio_rate1h{CHOSEN}", "{{launcher}}")],
        "percentunit",
        thresholds=words.steps(*FAILED_STEPS),
        nothing="No run failed.",
    )


def _in_flight() -> Any:
    return lines(
        "In flight",
        "Runs that were requested and not over, by launcher.",
        [(f"sum by (launcher) (freshd_runs_in_flight{CHOSEN})", "{{launcher}}")],
        "none",
        stacked=True,
    )


def _queue() -> Any:
    flags = {"pending": "waiting to be built", "failed": "failed", "blocked": "blocked"}
    return lines(
        "Waiting, failed, blocked",
        "Assets with new data above them, whose attempts are used up, or that wait for a failed upstream.",
        [(f"sum(group:freshd_asset_{flag}:count) or vector(0)", name) for flag, name in flags.items()],
        "none",
        colours={"waiting to be built": words.NEUTRAL, "failed": words.STALE, "blocked": words.WARN},
    )


def _waiting() -> Any:
    return rows(
        "Waiting the longest",
        "Assets above which new data has waited longest to be built.",
        ["topk(50, time() - max by (asset, asset_group) (freshd_asset_pending_timestamp_seconds))"],
        [
            Column("asset", "Asset", links=(links.TO_ASSET, links.TO_PAGE)),
            Column("Value", "Waiting for", 110, "s"),
            Column("asset_group", "Group", 110, links=(links.OF_GROUP,)),
        ],
        by="Waiting for",
        unit="s",
        nothing="Nothing waits.",
    )
