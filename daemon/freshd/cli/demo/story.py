"""What the demo promises, checked against what the daemon's own store says happened.

Everything here is a plain function over the rows of the API, so that each check can be shown to fail. The
story: every sync of a connector leads to runs below it, in order and once each; the connector of the orders
goes silent; what rests on it turns warn, then stale; one alert names it as the cause; when it is back, all
of it recovers.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

CAUSE: Final = "shop/raw_orders"
"""The source whose connector goes silent."""

LEAF: Final = "shop/sales_dashboard"
"""What is furthest below it."""

FEWEST_ROUNDS: Final = 3
"""Syncs of the orders that must have come through before the demo shows anything."""

_ALERT = re.compile(
    r"ALERT \[(?P<state>\w+)\](?P<again> \(changed\))? (?P<headline>.*?)  \(incident (?P<incident>\S+),"
)

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Alert:
    """One message on the terminal."""

    incident: str
    state: str
    """The severity, or `resolved`."""
    headline: str
    new: bool
    """Not an edit of an earlier message."""


@dataclass(slots=True)
class Evidence:
    """What the demo saw: rows of the API, and the alerts on the terminal."""

    assets: list[Row] = field(default_factory=list)
    """At the end."""
    upstreams: dict[str, list[str]] = field(default_factory=dict)
    runs: list[Row] = field(default_factory=list)
    updates: dict[str, int] = field(default_factory=dict)
    """Syncs taken in, by source."""
    verdicts: dict[str, list[Row]] = field(default_factory=dict)
    """Changes by asset, oldest first."""
    open_incidents: list[Row] = field(default_factory=list)
    alerts: list[Alert] = field(default_factory=list)


def read_alert(line: str) -> Alert | None:
    """The alert that a line of the daemon's output begins, if it does."""
    found = _ALERT.match(line)
    if found is None:
        return None
    new = found["again"] is None and found["state"] != "resolved"
    return Alert(found["incident"], found["state"], found["headline"], new)


def recovered(evidence: Evidence) -> bool:
    """Whether all is well again, and was told: nothing open, everything fresh, every alert resolved."""
    return not list(_recovery(evidence))


def unwell(evidence: Evidence) -> list[str]:
    """The assets that are not fresh."""
    return [row["asset"] for row in evidence.assets if row["verdict"] != "fresh"]


def broken_promises(evidence: Evidence) -> list[str]:
    """Everything that did not happen as promised, in sentences; empty if all did."""
    return [
        *_runs_in_order(evidence),
        *_runs_once(evidence),
        *_turned(evidence, CAUSE),
        *_turned(evidence, LEAF),
        *_one_alert(evidence),
        *_recovery(evidence),
    ]


def broken_end(code: int | None) -> list[str]:
    """What is wrong with how the daemon ended."""
    return [] if code == 0 else [f"the daemon should have stopped with exit code 0, not {code}"]


def _runs_in_order(evidence: Evidence) -> Iterable[str]:
    """No run was requested while a run of one of its upstreams was under way."""
    for run in evidence.runs:
        for asset in run["assets"]:
            for other in evidence.runs:
                above = set(other["assets"]) & set(evidence.upstreams.get(asset, ()))
                if above and other["requested_at"] < run["requested_at"] < (other["ended_at"] or "9"):
                    yield f"{asset} was launched while its upstream {min(above)} was still running ({run['run_id']})"


def _runs_once(evidence: Evidence) -> Iterable[str]:
    """Each sync led to at most one run of each asset below it, no two at once, none failed, and enough of them."""
    syncs = evidence.updates.get(CAUSE, 0)
    if syncs < FEWEST_ROUNDS:
        yield f"only {syncs} syncs of {CAUSE} were taken in, fewer than {FEWEST_ROUNDS}"
    counted = Counter(asset for run in evidence.runs for asset in run["assets"])
    for asset, upstreams in evidence.upstreams.items():
        if not upstreams:
            continue
        most = sum(evidence.updates.get(source, 0) for source in _sources_above(asset, evidence.upstreams))
        if counted[asset] > most:
            yield f"{asset} ran {counted[asset]} times for {most} syncs above it"
        if counted[asset] < FEWEST_ROUNDS:
            yield f"{asset} ran only {counted[asset]} times, fewer than {FEWEST_ROUNDS}"
    for run in evidence.runs:
        if run["outcome"] not in ("succeeded", None):
            yield f"the run {run['run_id']} of {', '.join(run['assets'])} ended as {run['outcome']}"
        for other in evidence.runs:
            same = set(run["assets"]) & set(other["assets"])
            if same and run["requested_at"] < other["requested_at"] < (run["ended_at"] or "9"):
                yield f"two runs of {min(same)} overlapped: {run['run_id']} and {other['run_id']}"


def _turned(evidence: Evidence, asset: str) -> Iterable[str]:
    """It went from fresh by way of warn to stale, and back to fresh."""
    words = [row["new"] for row in evidence.verdicts.get(asset, ())]
    seen = iter(words)
    if not all(word in seen for word in ("fresh", "warn", "stale", "fresh")):
        yield f"{asset} should turn fresh, warn, stale, fresh; it turned {', '.join(words) or 'nothing'}"


def _one_alert(evidence: Evidence) -> Iterable[str]:
    posted = [alert for alert in evidence.alerts if alert.new]
    if len(posted) != 1:
        yield f"there should have been one alert, there were {len(posted)}: {[alert.headline for alert in posted]}"
    if posted and not posted[0].headline.startswith(CAUSE):
        yield f"the alert should name {CAUSE} as the cause; it says: {posted[0].headline}"


def _recovery(evidence: Evidence) -> Iterable[str]:
    told = {alert.incident for alert in evidence.alerts if alert.new}
    closed = {alert.incident for alert in evidence.alerts if alert.state == "resolved"}
    if told - closed:
        yield "the alert was not followed by its recovery"
    for incident in evidence.open_incidents:
        yield f"an incident is still open: {incident['cause']}, {incident['reason']}"
    if left := unwell(evidence):
        yield f"not fresh at the end: {', '.join(left)}"


def _sources_above(asset: str, upstreams: Mapping[str, Sequence[str]]) -> set[str]:
    found: set[str] = set()
    ahead = [asset]
    while ahead:
        above = upstreams.get(ahead.pop(), ())
        for up in above:
            if upstreams.get(up):
                ahead.append(up)
            else:
                found.add(up)
    return found
