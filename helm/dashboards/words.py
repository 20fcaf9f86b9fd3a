"""What looks the same on every dashboard: the colours of verdicts and outcomes, the names of reasons, the addresses.

A colour means one thing. Green, orange, red and grey are verdicts (fresh, warn, stale, unknown) and what is as good or
bad as they are; what is neither good nor bad is blue.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from grafana_foundation_sdk.builders import dashboard as build
from grafana_foundation_sdk.models.dashboard import (
    DynamicConfigValue,
    Threshold,
    ThresholdsMode,
    ValueMap,
    ValueMapping,
    ValueMappingResult,
)

FRESH, UNKNOWN, WARN, STALE = "green", "#8e8e8e", "orange", "red"
NEUTRAL: Final = "blue"

VERDICTS: Final[Mapping[str, str]] = {"fresh": FRESH, "unknown": UNKNOWN, "warn": WARN, "stale": STALE}
"""Colours, in the order of the numbers of `freshd_asset_verdict`."""

OUTCOMES: Final[Mapping[str, str]] = {
    "succeeded": FRESH,
    "failed": STALE,
    "lost": "dark-red",
    "skipped": UNKNOWN,
    "observed": NEUTRAL,
    "delivered": FRESH,
    "taken": FRESH,
    "repeated": NEUTRAL,
    "unmatched": WARN,
    "dead_letter": STALE,
}
"""Colours of what became of runs, messages and events."""

SEVERITIES: Final[Mapping[str, str]] = {"critical": STALE, "warning": WARN, "info": NEUTRAL}

WHY: Final[Mapping[str, tuple[str, str]]] = {
    "4": ("its run failed", STALE),
    "3": ("an upstream failed", STALE),
    "2": ("a run is on its way", NEUTRAL),
    "1": ("new data, not built yet", WARN),
    "0": ("nothing new came", UNKNOWN),
}
"""Why an asset is late, by the number that the overview's query makes of its flags."""

REASONS: Final[Mapping[str, tuple[str, str]]] = {
    "no_update": ("no update came", STALE),
    "sync_failed": ("its sync failed", STALE),
    "never_updated": ("was never updated", UNKNOWN),
    "run_failed": ("its run failed", STALE),
    "check_failed": ("a check failed", STALE),
    "no_result": ("a check told nothing", UNKNOWN),
    "running": ("is being built, late", WARN),
    "not_materialised": ("new data, not built", WARN),
    "old_data": ("brought old data", STALE),
    "blind": ("cannot be seen", UNKNOWN),
}
"""The reasons of incidents in words."""

OVERVIEW, ASSET, SLO, REACTION, DAEMON = (
    "freshd-overview",
    "freshd-asset",
    "freshd-slo",
    "freshd-reaction",
    "freshd-daemon",
)
"""The dashboards' uids: bookmarks and links rest on them, so they never change."""

PAGES: Final = "http://localhost:8765"
"""Where the daemon's own pages are, until somebody says otherwise (the variable `freshd`)."""


def numbered() -> list[ValueMapping]:
    """The numbers of `freshd_asset_verdict` as words with their colours."""
    return mapped({str(number): (verdict, colour) for number, (verdict, colour) in enumerate(VERDICTS.items())})


def mapped(words: Mapping[str, tuple[str, str]]) -> list[ValueMapping]:
    """Values as words with colours."""
    return [
        ValueMap(
            {
                value: ValueMappingResult(text=text, color=colour, index=index)
                for index, (value, (text, colour)) in enumerate(words.items())
            }
        )
    ]


def steps(*bounds: tuple[float | None, str]) -> build.ThresholdsConfig:
    """Colours from a value on; the first value is None."""
    return (
        build.ThresholdsConfig()
        .mode(ThresholdsMode.ABSOLUTE)
        .steps([Threshold(value=bound, color=colour) for bound, colour in bounds])
    )


def one(colour: str) -> build.ThresholdsConfig:
    """The same colour whatever the value."""
    return steps((None, colour))


def verdict_steps() -> build.ThresholdsConfig:
    """For values that are numbers of verdicts."""
    return steps((None, FRESH), (1, UNKNOWN), (2, WARN), (3, STALE))


def none_is_good(bad: str = STALE) -> build.ThresholdsConfig:
    """Green at nothing, bad as soon as there is something."""
    return steps((None, FRESH), (0.000001, bad))


def fixed(colour: str) -> list[DynamicConfigValue]:
    """One series' colour."""
    return [DynamicConfigValue("color", {"mode": "fixed", "fixedColor": colour})]
