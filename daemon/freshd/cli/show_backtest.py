"""How a backtest looks in a terminal: totals, policies and the assets that differ most, two columns each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from freshd.cli.show import seconds

Json = Mapping[str, Any]

SHOWN: Final = 15
"""Assets, and violations of a kind, that are shown; --json has all."""

SIDES: Final = ("current", "candidate")


def comparison(out: Console, found: Json) -> None:
    """The whole report."""
    out.print(f"{found['events']} events, {found['since']} to {found['until']}")
    for note in found["notes"]:
        out.print(f"note: {note}", markup=False)
    _totals(out, found["totals"])
    _policies(out, found["policies"])
    _assets(out, found["assets"])
    violations = found["violations"]
    _violations(out, "found by the candidate alone", violations["only_candidate"])
    _violations(out, "found by the policies in force alone", violations["only_current"])
    sooner = sum(one["sooner_seconds"] > 0 for one in violations["both"])
    later = sum(one["sooner_seconds"] < 0 for one in violations["both"])
    out.print(f"found by both: {len(violations['both'])}, {sooner} sooner by the candidate, {later} later")


def _totals(out: Console, totals: Json) -> None:
    table = _table("", *SIDES)
    current, candidate = (totals[side] for side in SIDES)
    for label, name in (
        ("violations", "violations"),
        ("incidents", "incidents"),
        ("alerts", "alerts"),
        ("told in threads", "told_in_threads"),
        ("runs", "runs"),
        ("failed runs", "failed_runs"),
    ):
        table.add_row(label, str(current[name]), str(candidate[name]))
    table.add_row("time in runs", seconds(current["run_seconds"]), seconds(candidate["run_seconds"]))
    table.add_row("time stale", seconds(current["stale_seconds"]), seconds(candidate["stale_seconds"]))
    table.add_row("time fresh", _share(current), _share(candidate))
    out.print(table)


def _policies(out: Console, rows: Sequence[Json]) -> None:
    if not rows:
        return
    table = _table("policy", "violations", "candidate", "time fresh", "candidate")
    for row in rows:
        one, other = (row[side] for side in SIDES)
        table.add_row(escape(row["policy"]), _count(one, "violations"), _count(other, "violations"), *_both_shares(row))
    out.print(table)


def _assets(out: Console, rows: Sequence[Json]) -> None:
    differing = [row for row in rows if row["current"] != row["candidate"]]
    if not differing:
        out.print("no asset fares differently")
        return
    table = _table("asset", "violations", "candidate", "runs", "candidate", "time fresh", "candidate")
    for row in sorted(differing, key=_difference)[:SHOWN]:
        one, other = (row[side] for side in SIDES)
        counts = [_count(side, name) for name in ("violations", "runs") for side in (one, other)]
        table.add_row(escape(row["asset"]), *counts, *_both_shares(row))
    out.print(table)
    if len(differing) > SHOWN:
        out.print(f"and {len(differing) - SHOWN} more assets that fare differently")


def _difference(row: Json) -> tuple[int, int, str]:
    """The most different first."""
    one, other = (row[side] or {} for side in SIDES)
    stale = abs(one.get("stale_seconds", 0) - other.get("stale_seconds", 0))
    runs = abs(one.get("run_seconds", 0) - other.get("run_seconds", 0))
    return -stale, -runs, row["asset"]


def _violations(out: Console, title: str, rows: Sequence[Json]) -> None:
    out.print(f"{title}: {len(rows)}")
    for row in rows[:SHOWN]:
        at = f"[{row['partition']}]" if row["partition"] else ""
        lasted = f"for {seconds(row['seconds'])}" if row["seconds"] is not None else "to the end"
        by = f" by {row['measure']}" if row["measure"] else ""
        out.print(f"  {row['since']} {row['asset']}{at} stale{by} {lasted} ({row['policy']})", markup=False)
    if len(rows) > SHOWN:
        out.print(f"  and {len(rows) - SHOWN} more")


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for number, column in enumerate(columns):
        table.add_column(column, justify="left" if number == 0 else "right", no_wrap=number > 0)
    return table


def _count(side: Json | None, name: str) -> str:
    return "–" if not side or name not in side else str(side[name])


def _both_shares(row: Json) -> tuple[str, str]:
    return _share(row["current"]), _share(row["candidate"])


def _share(side: Json | None) -> str:
    share = side.get("fresh_share") if side else None
    return "–" if share is None else f"{100 * share:.2f} %"
