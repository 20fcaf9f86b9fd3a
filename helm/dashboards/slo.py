"""Objectives of policies: what was attained, what is left of the budget, how fast it burns, and where the time went.

The shares come from the recording rules. Objectives of deadlines count deadlines, not time: the API tells them.
"""

from __future__ import annotations

from typing import Any, Final

from grafana_foundation_sdk.models.dashboard import Dashboard
from helm.dashboards import words
from helm.dashboards.frame import Row, choice
from helm.dashboards.frame import dashboard as framed
from helm.dashboards.panels import Column, bars, lines, number, rows

CHOSEN: Final = '{policy=~"$policy"}'
ASKED: Final = f"max by (policy) (freshd_policy_objective_ratio{CHOSEN})"
SPENT: Final = (
    f"sum by (policy) (sum_over_time(policy:freshd_policy_stale_seconds:rate5m{CHOSEN}[$__range])) "
    f"/ (sum by (policy) (sum_over_time(policy:freshd_policy_active_seconds:rate5m{CHOSEN}[$__range])) > 0)"
)
LEFT: Final = f"1 - ({SPENT}) / (1 - {ASKED})"
LEFT_STEPS: Final = ((None, words.STALE), (0, words.WARN), (0.25, words.FRESH))
BURN_STEPS: Final = ((None, words.FRESH), (1, words.WARN), (6, words.STALE))


def burn(window: str) -> str:
    """How fast the budget is spent: 1 spends it in just the objective's window."""
    return f"policy:freshd_policy_burn:ratio_rate{window}{CHOSEN}"


def dashboard() -> Dashboard:
    """The dashboard."""
    policies = "label_values(freshd_policy_objective_ratio, policy)"
    return framed(
        words.SLO,
        "freshd / Objectives",
        "Attainment, error budget and burn of the policies that have an objective. All shares are of the time shown: "
        "choose the objective's window as the time range.",
        [
            Row(4, _numbers()),
            Row(9, [(24, _objectives())]),
            Row(9, [(12, _attained()), (12, _burn())]),
            Row(9, [(12, _stale()), (12, _where())]),
        ],
        [choice("policy", "Policy", policies, "Policies that have an objective.")],
        since="now-28d",
    )


def _numbers() -> list[tuple[int, Any]]:
    return [
        (
            6,
            number(
                "Budgets spent",
                "Objectives that were missed over the time shown.",
                f"count(({LEFT}) < 0) or vector(0)",
                "none",
                words.none_is_good(),
            ),
        ),
        (
            6,
            number(
                "Least budget left",
                "Of the time that may be stale, what is left of the policy with the least; below zero it is overspent.",
                f"min({LEFT})",
                "percentunit",
                words.steps(*LEFT_STEPS),
                decimals=1,
                nothing="no objective",
            ),
        ),
        (
            6,
            number(
                "Fastest burn of the last hour",
                "1 spends the budget in just the objective's window; 14.4 spends 2 % of 30 days in an hour.",
                f"max({burn('1h')})",
                "none",
                words.steps(*BURN_STEPS),
                decimals=2,
                nothing="no objective",
            ),
        ),
        (
            6,
            number(
                "Objectives",
                "Policies that have an objective.",
                f"count({ASKED})",
                "none",
                words.one(words.NEUTRAL),
                nothing="no objective",
            ),
        ),
    ]


def _objectives() -> Any:
    return rows(
        "Objectives, least budget first",
        "What each policy asks for, what was attained over the time shown, what is left of its budget, and how fast it "
        "burns.",
        [
            f"1 - ({SPENT})",
            ASKED,
            LEFT,
            f"max by (policy) ({burn('1h')})",
            f"max by (policy) ({burn('6h')})",
            f"max by (policy) ({burn('3d')})",
            f"max by (policy) (freshd_policy_objective_window_seconds{CHOSEN})",
        ],
        [
            Column("policy", "Policy"),
            Column("Value #A", "Attained", 130, "percentunit"),
            Column("Value #B", "Objective", 130, "percentunit"),
            Column("Value #C", "Budget left", 130, "percentunit", words.steps(*LEFT_STEPS)),
            Column("Value #D", "Burn 1 h", 110, "none", words.steps(*BURN_STEPS)),
            Column("Value #E", "Burn 6 h", 110, "none", words.steps(*BURN_STEPS)),
            Column("Value #F", "Burn 3 d", 110, "none", words.steps(*BURN_STEPS)),
            Column("Value #G", "Window", 110, "s"),
        ],
        by="Budget left",
        down=False,
        nothing="No policy has an objective.",
    )


def _attained() -> Any:
    return lines(
        "Attained over a day",
        "Share of the last day's time that was not stale, and the objective (dashed).",
        [
            (f"1 - policy:freshd_policy_stale:ratio_rate1d{CHOSEN}", "{{policy}}"),
            (ASKED, "objective: {{policy}}"),
        ],
        "percentunit",
        colours={"/^objective: /": words.UNKNOWN},
        dashed=["^objective: "],
        zero=False,
    )


def _burn() -> Any:
    return lines(
        "Burn",
        "How fast budgets are spent, over an hour and over six. freshd pages at 14.4 and 6, tickets at 3 and 1.",
        [(burn("1h"), "{{policy}}, 1 h"), (burn("6h"), "{{policy}}, 6 h")],
        "none",
        dashed=[", 6 h$"],
        thresholds=words.steps(*BURN_STEPS),
    )


def _stale() -> Any:
    return lines(
        "Stale, hour by hour",
        "Share of time that was stale, over the hour before each instant.",
        [(f"policy:freshd_policy_stale:ratio_rate1h{CHOSEN}", "{{policy}}")],
        "percentunit",
    )


def _where() -> Any:
    per_group = f"sum by (policy, asset_group) (increase(freshd_policy_stale_seconds_total{CHOSEN}[1h]))"
    return bars(
        "Where the last hour's stale time was",
        "Stale time of all assets of a group together, by policy and group.",
        f"topk(20, {per_group})",
        "{{policy}}, {{asset_group}}",
        words.none_is_good(),
        unit="s",
        nothing="No time was stale.",
    )
