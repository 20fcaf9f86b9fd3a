"""How the daemon's answers look in a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from freshd.cli import show_explanation
from freshd.cli.output import table, verdict, words
from freshd.model.time import SECOND, format_duration

Json = Mapping[str, Any]

HISTORY_SHOWN: Final = 5
"""Updates, and decisions, of an asset that are shown."""


def status(out: Console, answer: Json) -> None:
    """The daemon at a glance."""
    assets = answer["assets"]
    state = "ready" if answer["ready"] else "[red]not ready[/]"
    mode = "" if answer["mode"] == "act" else f" · [yellow]mode {answer['mode']}: nothing is launched[/]"
    out.print(f"freshd {answer['version']} · {state}{mode} · started {answer['started_at']}")
    trouble = answer.get("health", {}).get("trouble")
    if trouble:
        out.print(f"[red]{escape(str(trouble))}[/]")
    counted = [f"{assets[word]} {verdict(word)}" for word in ("stale", "warn", "unknown", "fresh") if assets[word]]
    counted += [
        f"{assets[word]} {word.replace('_', ' ')}"
        for word in ("in_flight", "failed", "blocked", "infeasible")
        if assets.get(word)
    ]
    if assets["without_policy"]:
        counted.append(f"{assets['without_policy']} without a policy")
    out.print(f"{assets['total']} assets: {', '.join(counted) or 'none'}")
    for blind in answer.get("blind") or []:
        named = f"topic {blind['topic']}" if blind["topic"] else "Kafka"
        out.print(f"[red]{escape(named)} cannot be seen[/] since {blind['since']}: {escape(blind['why'])}")
    for said in answer.get("declarations") or []:
        out.print(escape(_declared(said)))
    incidents(out, answer["incidents"])


def incidents(out: Console, found: Sequence[Json]) -> None:
    """One paragraph per open incident."""
    if not found:
        out.print("no open incidents")
    for incident in found:
        severity = f"[{incident['severity']}] " if incident["severity"] else ""
        out.print(
            f"[bold red]{escape(severity)}{escape(incident['cause'])}[/] {words(incident['reason'])} "
            f"since {incident['opened_at']}, affects {_some(incident['affects'])} ({incident['incident']})"
        )
        known = incident.get("acknowledged")
        if known:
            out.print(escape(f"  acknowledged by {known['author']} until {known['until']}: {known['reason']}"))
        if incident.get("muted"):
            out.print("  muted")


def assets(out: Console, rows: Sequence[Json]) -> None:
    """One line per asset, the worst first."""
    figures = ("verdict", "lag", "age", "behind")
    shown = table("asset", *figures, "state", "cause", narrow=figures)
    for row in sorted(rows, key=_worst_first):
        shown.add_row(
            escape(row["asset"]),
            verdict(row["verdict"]),
            seconds(row["lag_seconds"]),
            seconds(row["age_seconds"]),
            seconds(row["behind_seconds"]),
            _state(row),
            _cause(row),
        )
    out.print(shown)
    out.print(f"{len(rows)} asset{'' if len(rows) == 1 else 's'}")


def explain(out: Console, answer: Json) -> None:
    """One asset in full: what it is, how it stands, why, and what comes next."""
    asset = answer["asset"]
    out.print(f"[bold]{escape(asset['asset'])}[/]  {verdict(asset['verdict'])}  {_state(asset)}".rstrip())
    if asset["description"]:
        out.print(escape(asset["description"]))
    facts = Table(box=None, pad_edge=False, show_header=False)
    facts.add_column(style="dim")
    facts.add_column(overflow="fold")
    for name, value in _facts(asset):
        if value:
            facts.add_row(name, escape(value))
    out.print(facts)
    for policy in asset["policies"]:
        measure = f" by {policy['measure']}" if policy["measure"] else ""
        since = f" since {policy['since']}" if policy["since"] else ""
        ahead = [f"{word} at {policy[f'{word}_at']}" for word in ("warn", "stale") if policy[f"{word}_at"]]
        out.print(
            f"policy {escape(policy['policy'])}: {verdict(policy['verdict'])}{measure}{since}"
            + (f" ({', '.join(ahead)})" if ahead else "")
        )
        for complaint in policy.get("complaints") or []:
            out.print(f"  {escape(complaint)}")
    for objective in answer.get("objectives") or []:
        out.print(escape(_objective(objective)))
    why = answer.get("explanation")
    for line in (*reasons(asset), *(show_explanation.lines(asset, why) if why else ())):
        out.print(escape(line))
    _history(out, answer)


def _objective(objective: Json) -> str:
    """How a policy stands against its objective."""
    over = format_duration(round(objective["window_seconds"] * SECOND))
    if objective["attainment"] is None:
        return f"objective of {objective['policy']}: {objective['target']:.3%} over {over}, nothing has counted yet"
    burning = [f"{rate:.1f} in {name}" for name, rate in objective["burn_rates"].items() if rate is not None]
    return (
        f"objective of {objective['policy']}: {objective['attainment']:.3%} of {objective['target']:.3%} over {over}, "
        f"{objective['budget_left']:.0%} of the error budget left"
        + (f", burning {', '.join(burning)}" if burning else "")
    )


def reasons(asset: Json) -> list[str]:
    """In sentences: why it is not fresh."""
    lines = []
    if asset["cause"] and asset["verdict"] not in (None, "fresh"):
        where = "itself" if asset["cause"] == asset["asset"] else asset["cause"]
        lines.append(f"cause: {where}, {words(asset['cause_reason'])}")
        if len(asset["path"]) > 1:
            lines.append("by way of: " + " <- ".join(asset["path"]))
    lines += [_declared(said) for said in asset.get("declared") or []]
    if asset.get("blind"):
        lines.append(f"{asset['blind']} cannot be seen, so nothing is known of what rests on it")
    lines += [_infeasible(one) for one in asset.get("infeasible") or []]
    if asset["failed"]:
        lines.append("failed: " + (asset["last_error"].strip() or "its runs used up their attempts"))
    elif asset["last_error"]:
        lines.append("its last run failed: " + asset["last_error"].strip())
    return lines


def _infeasible(one: Json) -> str:
    """A promise that cannot be kept, with both figures."""
    takes = "a run of it takes" if one["measure"] == "age" else "the runs on the path to it take"
    return (
        f"infeasible: policy {one['policy']} has its {one['measure']} stale after {_plain(one['target_seconds'])}, but "
        f"{takes} {_plain(one['takes_seconds'])} (p95); allow more time"
    )


def unmatched(out: Console, rows: Sequence[Json]) -> None:
    """What named no asset, with the rule that would map each."""
    if not rows:
        out.print("every event so far named an asset that is known here")
        return
    shown = table("format", "name", "events", "last")
    for row in rows:
        shown.add_row(
            escape(str(row.get("format", ""))), escape(str(row.get("name", ""))), str(row.get("count", "")), _last(row)
        )
    out.print(shown)
    out.print("\nrules that would map them, for freshd.yaml (check what they guess):")
    out.print("identify:", highlight=False)
    for row in rows:
        out.print(f"  {row['rule']}", markup=False)


def seconds(value: float | None) -> str:
    """A number of seconds as a duration in at most two units; a dash for none."""
    if value is None:
        return "[dim]–[/]"
    whole = int(value)
    unit = 60 if whole >= 3_600 else 1
    if whole >= 86_400:
        unit = 3_600
    return format_duration(whole // unit * unit * SECOND)


def _facts(asset: Json) -> Iterable[tuple[str, str]]:
    yield "updated", asset["updated_at"] or "never"
    yield "data time", asset["data_time"] or ""
    yield "lag", _plain(asset["lag_seconds"]) + _own(asset)
    yield "age", _plain(asset["age_seconds"])
    yield "behind", _plain(asset["behind_seconds"])
    yield "upstreams", ", ".join(asset["upstreams"])
    yield "downstreams", _some(asset["downstreams"])
    yield "launcher", asset["launcher"]
    yield "feed", asset["feed"]
    yield "owners", ", ".join(asset["owners"])
    yield "runs", ", ".join(f"{run['run_id']} since {run['started_at']}" for run in asset["runs"])
    yield "defined in", asset["origin"]


def _own(asset: Json) -> str:
    own, lag = asset["own_lag_seconds"], asset["lag_seconds"]
    if own is None or lag is None or not asset["upstreams"]:
        return ""
    return f" ({_plain(own)} its own, {_plain(max(lag - own, 0))} inherited)"


def _history(out: Console, answer: Json) -> None:
    """The latest updates and decisions, each with the reason that was recorded."""
    updates = [
        ", ".join(f"{key} {row[key]}" for key in ("ended_at", "outcome", "run_id") if row.get(key))
        for row in list(answer.get("history") or [])[:HISTORY_SHOWN]
    ]
    decisions = [show_explanation.decision(run) for run in list(answer.get("runs") or [])[:HISTORY_SHOWN]]
    for title, told in (("latest:", updates), ("decided:", decisions)):
        if told:
            out.print(f"[dim]{title}[/]")
        for line in told:
            out.print("  " + escape(line))


def _worst_first(row: Json) -> tuple[int, str]:
    order = {"stale": 0, "warn": 1, "unknown": 2, "fresh": 3}
    return order.get(row["verdict"] or "", 4), row["asset"]


def _state(row: Json) -> str:
    words = [word for word in ("failed", "blocked", "muted", "paused", "maintenance", "infeasible") if row.get(word)]
    if row["in_flight"]:
        words.append("running")
    elif row["due"]:
        words.append("due")
    if row["static"]:
        words.append("static")
    return ", ".join(words)


def _cause(row: Json) -> str:
    if not row["cause"] or row["verdict"] in (None, "fresh"):
        return ""
    where = "" if row["cause"] == row["asset"] else f"{row['cause']}: "
    return escape(f"{where}{words(row['cause_reason'])}")


def _some(names: Sequence[str], shown: int = 8) -> str:
    more = len(names) - shown
    return ", ".join(names[:shown]) + (f" and {more} more" if more > 0 else "")


def _plain(value: float | None) -> str:
    return "" if value is None else seconds(value)


def _declared(said: Json) -> str:
    """`muted until … by ada: the shop moves (shop/orders+)`."""
    state = {"mute": "muted", "maintenance": "under maintenance", "pause": "paused"}[said["kind"]]
    begins = "" if said["holds"] else f" from {said['begins_at']}"
    until = f" until {said['until']}" if said["until"] else " until resumed"
    by = f" by {said['author']}" if said["author"] else ""
    about = said["select"] or f"{said['asset_count']} assets"
    return f"{state}{begins}{until}{by}: {said['reason']} ({about})"


def _last(row: Json) -> str:
    return str(row.get("last_at") or row.get("last_seen_at") or row.get("at") or "")
