"""The overview: what is late, by how much, why and who owns it, on the first screen; below it, how it came to that.

It is read from the recording rules (helm/freshd/rules), so that it costs the same with 100 assets and with 100,000.
"""

from __future__ import annotations

from typing import Any, Final

from grafana_foundation_sdk.models.dashboard import Dashboard
from helm.dashboards import links, words
from helm.dashboards.frame import Row, group, team
from helm.dashboards.frame import dashboard as framed
from helm.dashboards.panels import Column, bars, lines, number, rows

CHOSEN: Final = '{team=~"$team", asset_group=~"$group"}'
COUNTS: Final = "team_group_policy:freshd_asset_verdict:count"
LATE: Final = f"asset:freshd_asset_overdue_seconds:current{CHOSEN}"
LEFT: Final = f"asset:freshd_asset_left_seconds:current{CHOSEN}"
LISTED: Final = 50
"""Rows of a table: more than anybody reads in the morning, few enough for every browser."""

ASSET: Final = Column("asset", "Asset", links=(links.TO_ASSET, links.TO_PAGE))
OWNER: Final = Column("team", "Owner", 190, links=(links.OF_OWNER,))
GROUP: Final = Column("asset_group", "Group", 130, links=(links.OF_GROUP,))
POLICY: Final = Column("policy", "Policy", 180, links=(links.TO_SLO,))


def counted(verdict: str, by: str = "") -> str:
    """Pairs of asset and policy with that verdict."""
    return f'sum{by} ({COUNTS}{{team=~"$team", asset_group=~"$group", verdict="{verdict}"}})'


def _share(by: str = "") -> str:
    """Of the pairs that are fresh; 0, not nothing, where none is."""
    everything = f"sum{by} ({COUNTS}{CHOSEN})"
    return f"({counted('fresh', by)} or 0 * {everything}) / {everything}"


def dashboard() -> Dashboard:
    """The dashboard."""
    return framed(
        words.OVERVIEW,
        "freshd / Overview",
        "What is late, by how much, why, and who owns it.",
        [
            Row(4, _numbers()),
            Row(11, [(15, _late()), (9, _incidents())]),
            Row(8, [(8, _late_by("team", "owner")), (8, _late_by("asset_group", "group")), (8, _at_risk())]),
            Row(8, [(12, _over_time()), (12, _incidents_over_time())], "How it came to that"),
            Row(9, [(12, _shares("team", "Owner")), (12, _shares("asset_group", "Group"))], "By owner and by group"),
            Row(9, [(12, _held()), (12, _silent())], "What holds it up"),
        ],
        [team(), group()],
        since="now-24h",
    )


def _numbers() -> list[tuple[int, Any]]:
    return [
        (
            4,
            number(
                "Late",
                "Assets that are stale now by at least one of their policies.",
                f"count(count by (asset) ({LATE})) or vector(0)",
                "none",
                words.none_is_good(),
            ),
        ),
        (
            4,
            number(
                "Late by at most",
                "How long ago the latest of them should have been fresh.",
                f"max({LATE}) or vector(0)",
                "s",
                words.none_is_good(),
            ),
        ),
        (
            4,
            number(
                "At risk",
                "Assets that are past the warning of a policy and not stale yet.",
                f"count(count by (asset) ({LEFT})) or vector(0)",
                "none",
                words.none_is_good(words.WARN),
            ),
        ),
        (
            4,
            number(
                "Unknown",
                "Pairs of asset and policy of which freshd cannot say whether they are fresh: nothing was ever heard "
                "of them, or what would tell cannot be seen.",
                f"{counted('unknown')} or vector(0)",
                "none",
                words.none_is_good(words.UNKNOWN),
            ),
        ),
        (
            4,
            number(
                "Fresh",
                "Share of all pairs of asset and policy that are fresh now.",
                _share(),
                "percentunit",
                words.steps((None, words.STALE), (0.95, words.WARN), (0.99, words.FRESH)),
                decimals=1,
                nothing="no policy",
            ),
        ),
        (
            4,
            number(
                "Open incidents",
                "Each has one cause, however many assets suffer from it.",
                'count(freshd_incident_open{team=~"$team"}) or vector(0)',
                "none",
                words.none_is_good(),
            ),
        ),
    ]


def _late() -> Any:
    worst = f"topk({LISTED}, {LATE})"
    flags = """
        max by (asset) (4 * freshd_asset_failed) or max by (asset) (3 * freshd_asset_blocked)
        or max by (asset) (2 * freshd_asset_in_flight)
        or max by (asset) (0 * freshd_asset_pending_timestamp_seconds + 1)
    """
    why = f"0 * {worst} + on (asset) group_left () ({flags}) or 0 * {worst}"
    return rows(
        "Late, worst first",
        "Pairs of asset and policy that are stale: by how much, why, and whose they are. An asset leads to its own "
        "dashboard and to the daemon's page of it, which tells the cause in full.",
        [worst, why],
        [
            ASSET,
            Column("Value #A", "Late by", 100, "s", words.none_is_good()),
            Column("Value #B", "Why", 170, words=words.WHY),
            OWNER,
            GROUP,
            POLICY,
        ],
        by="Late by",
        unit="s",
        nothing="Nothing is late.",
    )


def _incidents() -> Any:
    return rows(
        "Open incidents and their causes",
        "Mend the cause, and what rests on it becomes fresh.",
        [
            f'topk({LISTED}, freshd_incident_open{{team=~"$team"}} * on (incident) group_left () '
            "(time() - max by (incident) (freshd_incident_opened_timestamp_seconds)))"
        ],
        [
            Column("cause", "Cause", links=(links.TO_CAUSE, links.TO_CAUSE_PAGE)),
            Column("reason", "Reason", 150, words=words.REASONS),
            Column("Value", "For", 85, "s"),
            Column("team", "Owner", 170, links=(links.OF_OWNER,)),
            Column("severity", "Severity", 80, words={name: (name, at) for name, at in words.SEVERITIES.items()}),
        ],
        by="For",
        unit="s",
        nothing="No incident is open.",
    )


def _late_by(label: str, word: str) -> Any:
    return bars(
        f"Late by {word}",
        f"Assets of each {word} that are stale now.",
        f"topk(15, count by ({label}) (count by ({label}, asset) ({LATE})))",
        f"{{{{{label}}}}}",
        words.none_is_good(),
        nothing="Nothing is late.",
        link=links.of_series(label),
    )


def _at_risk() -> Any:
    return rows(
        "At risk, soonest first",
        "Pairs of asset and policy past their warning, and how long until they are stale if nothing comes.",
        [f"bottomk({LISTED}, {LEFT})"],
        [ASSET, Column("Value", "Stale in", 90, "s", words.one(words.WARN)), Column("team", "Owner", 150)],
        by="Stale in",
        down=False,
        unit="s",
        nothing="Nothing is at risk.",
    )


def _over_time() -> Any:
    return lines(
        "Verdicts over time",
        "Pairs of asset and policy that were not fresh, by verdict.",
        [(f'sum by (verdict) ({COUNTS}{{team=~"$team", asset_group=~"$group", verdict!="fresh"}})', "{{verdict}}")],
        "none",
        colours=words.VERDICTS,
        stacked=True,
    )


def _incidents_over_time() -> Any:
    return lines(
        "Open incidents over time",
        "Incidents open at each instant, by severity.",
        [('count by (severity) (freshd_incident_open{team=~"$team"})', "{{severity}}")],
        "none",
        colours=words.SEVERITIES,
        stacked=True,
        nothing="No incident was open.",
    )


def _shares(label: str, word: str) -> Any:
    by = f" by ({label})"
    per_verdict = [f"{counted(verdict, by)}" for verdict in ("stale", "warn", "unknown")]
    column = OWNER if label == "team" else GROUP
    return rows(
        f"Fresh by {word.lower()}",
        f"Share of pairs of asset and policy of each {word.lower()} that are fresh, and how many are not.",
        [_share(by), *per_verdict],
        [
            Column(label, word, links=column.links),
            Column(
                "Value #A",
                "Fresh",
                90,
                "percentunit",
                words.steps((None, words.STALE), (0.95, words.WARN), (0.99, words.FRESH)),
            ),
            Column("Value #B", "Stale", 80, "none", words.none_is_good()),
            Column("Value #C", "Warn", 80, "none", words.none_is_good(words.WARN)),
            Column("Value #D", "Unknown", 90, "none", words.none_is_good(words.UNKNOWN)),
        ],
        by="Fresh",
        down=False,
        nothing="no policy",
    )


def _held() -> Any:
    flags = ("failed", "blocked", "in_flight", "pending", "muted")
    return lines(
        "Failed, blocked, on its way",
        "Assets whose runs have used up their attempts, that wait for a failed upstream, are being built, have new "
        "data not built yet, or are muted.",
        [(f'sum(group:freshd_asset_{flag}:count{{asset_group=~"$group"}}) or vector(0)', flag) for flag in flags],
        "none",
        colours={
            "failed": words.STALE,
            "blocked": words.WARN,
            "in_flight": words.NEUTRAL,
            "pending": "purple",
            "muted": words.UNKNOWN,
        },
    )


def _silent() -> Any:
    return rows(
        "Feeds, the longest silent first",
        "How long ago the latest event of each connector, connection or rule happened.",
        [f"topk({LISTED}, time() - max by (feed) (freshd_feed_last_event_timestamp_seconds))"],
        [Column("feed", "Feed"), Column("Value", "Silent for", 140, "s")],
        by="Silent for",
        unit="s",
        nothing="No feed was heard of.",
    )
