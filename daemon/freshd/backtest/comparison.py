"""Two trials side by side, as plain values: what a report shows and `--json` prints.

Times are in seconds, instants in RFC 3339. A violation is one of both sides if the asset partition is stale
under both at one time, whatever the policy is called and whoever finds it sooner.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from freshd.backtest.ledger import Spent, Standing, Violation
from freshd.backtest.trial import Trial
from freshd.model.policy import Verdict
from freshd.model.time import SECOND, Duration, format_instant

CURRENT: Final = "current"
CANDIDATE: Final = "candidate"
SIDES: Final = (CURRENT, CANDIDATE)


def comparison(trials: Mapping[str, Trial]) -> dict[str, Any]:
    """Everything that came of both, by side."""
    one = trials[CURRENT]
    return {
        "since": format_instant(one.since),
        "until": format_instant(one.until),
        "events": one.heard,
        "totals": {side: _totals(trial) for side, trial in trials.items()},
        "policies": _by(trials, lambda key: key[0], "policy"),
        "assets": _with_runs(_by(trials, lambda key: key[1], "asset"), trials),
        "violations": _violations(trials),
        "incidents": {side: _incidents(trial) for side, trial in trials.items()},
    }


def _totals(trial: Trial) -> dict[str, Any]:
    ledger = trial.ledger
    lasted = _sum(trial.standings.values())
    spent = ledger.spent.values()
    return {
        "violations": len(ledger.violations),
        "incidents": len(ledger.incidents),
        "alerts": ledger.messages.total(),
        "alerts_by_channel": dict(sorted(ledger.messages.items())),
        "told_in_threads": ledger.told,
        "runs": sum(one.runs for one in spent),
        "failed_runs": sum(one.failed for one in spent),
        "run_seconds": sum(one.took for one in spent) // SECOND,
        "runs_by_reason": dict(sorted(ledger.reasons.items())),
        **_shares(lasted),
    }


def _by(trials: Mapping[str, Trial], of: Any, name: str) -> list[dict[str, Any]]:
    """The standings grouped, both sides beside each other."""
    found: dict[str, dict[str, dict[str, Any]]] = {}
    for side, trial in trials.items():
        groups: dict[str, list[Standing]] = {}
        for key, standing in trial.standings.items():
            groups.setdefault(of(key), []).append(standing)
        counts: dict[str, int] = {}
        for violation in trial.ledger.violations:
            group = of((violation.policy, violation.asset, violation.partition))
            counts[group] = counts.get(group, 0) + 1
        for group, standings in groups.items():
            told = {"pairs": len(standings), "violations": counts.get(group, 0), **_shares(_sum(standings))}
            found.setdefault(group, {})[side] = told
    return [{name: group, **{side: sides.get(side) for side in SIDES}} for group, sides in sorted(found.items())]


def _with_runs(rows: list[dict[str, Any]], trials: Mapping[str, Trial]) -> list[dict[str, Any]]:
    known = {row["asset"]: row for row in rows}
    for side, trial in trials.items():
        for key, spent in trial.ledger.spent.items():
            row = known.setdefault(key, {"asset": key, **dict.fromkeys(SIDES)})
            row[side] = {**(row[side] or {}), **_spent(spent)}
    return [known[key] for key in sorted(known)]


def _spent(spent: Spent) -> dict[str, int]:
    return {"runs": spent.runs, "failed_runs": spent.failed, "run_seconds": spent.took // SECOND}


def _sum(standings: Iterable[Standing]) -> dict[Verdict, Duration]:
    lasted = dict.fromkeys(Verdict, 0)
    for standing in standings:
        for verdict, time in standing.lasted.items():
            lasted[verdict] += time
    return lasted


def _shares(lasted: Mapping[Verdict, Duration]) -> dict[str, Any]:
    """Seconds of each verdict, and the share of time not stale of the time in which anything was known."""
    known = sum(time for verdict, time in lasted.items() if verdict is not Verdict.UNKNOWN)
    return {
        **{f"{verdict.value}_seconds": lasted[verdict] // SECOND for verdict in Verdict},
        "fresh_share": None if not known else round(lasted[Verdict.FRESH] / known, 6),
    }


def _violations(trials: Mapping[str, Trial]) -> dict[str, Any]:
    """Those of both sides at one time, with how much sooner the candidate found them, and those of one side alone."""
    found = {side: sorted(trial.ledger.violations, key=_place) for side, trial in trials.items()}
    there = {side: _by_asset(violations) for side, violations in found.items()}
    both: list[dict[str, Any]] = []
    alone: dict[str, list[dict[str, Any]]] = {side: [] for side in SIDES}
    for side, other in ((CURRENT, CANDIDATE), (CANDIDATE, CURRENT)):
        for one in found[side]:
            same = [two for two in there[other].get((one.asset, one.partition), ()) if _overlap(one, two)]
            if not same:
                alone[side].append(_violation(one))
            elif side == CANDIDATE:
                both.append({**_violation(one), "sooner_seconds": (same[0].since - one.since) // SECOND})
    return {"both": both, "only_current": alone[CURRENT], "only_candidate": alone[CANDIDATE]}


def _by_asset(violations: Iterable[Violation]) -> dict[tuple[str, str], list[Violation]]:
    found: dict[tuple[str, str], list[Violation]] = {}
    for one in violations:
        found.setdefault((one.asset, one.partition), []).append(one)
    return found


def _overlap(one: Violation, other: Violation) -> bool:
    return (other.until is None or one.since < other.until) and (one.until is None or other.since < one.until)


def _place(one: Violation) -> tuple[int, str, str, str]:
    return one.since, one.asset, one.partition, one.policy


def _violation(one: Violation) -> dict[str, Any]:
    return {
        "policy": one.policy,
        "asset": one.asset,
        "partition": one.partition,
        "measure": one.measure,
        "since": format_instant(one.since),
        "until": None if one.until is None else format_instant(one.until),
        "seconds": None if one.until is None else (one.until - one.since) // SECOND,
    }


def _incidents(trial: Trial) -> list[dict[str, Any]]:
    return [
        {"opened_at": format_instant(at), "cause": cause, "reason": reason}
        for at, cause, reason in sorted(trial.ledger.incidents.values())
    ]
