"""What the demo shows while it plays: a line for everything that changes, as the running daemon tells it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, Final

from rich.console import Console
from rich.markup import escape

from freshd.cli.client import Client, Unreachable
from freshd.cli.demo.story import Alert, Evidence, read_alert
from freshd.cli.output import verdict, words
from freshd.model.errors import FreshdError

ROWS: Final = 1_000
"""Rows of history that are asked for: more than a demo of an hour makes."""


class Watch:
    """Prints what happens, and gathers the evidence."""

    def __init__(self, client: Client, out: Console, elapsed_s: Callable[[], float]) -> None:
        self._client = client
        self._out = out
        self._elapsed_s = elapsed_s
        self._lock = threading.Lock()
        self._verdicts: dict[str, str] = {}
        self._runs: dict[str, int] = {}
        self.alerts: list[Alert] = []

    def line(self, word: str, text: str) -> None:
        """One line: when, what, about what. `text` may have markup."""
        with self._lock:
            self._out.print(f"[dim]{self._elapsed_s():6.1f}s[/]  {word:<8} {text}")

    def hear_daemon(self, line: str) -> None:
        """A line of the daemon's output: its alerts, since there is no Slack token."""
        alert = read_alert(line)
        if alert is not None:
            self.alerts.append(alert)
        style = "bold green" if alert is not None and alert.state == "resolved" else "bold red"
        self.line("[bold]alert[/]   " if alert is not None else "", f"[{style}]{escape(line)}[/]")

    def hear_loader(self, line: str) -> None:
        """A line of the loader's output."""
        self.line("loader", f"[dim]{escape(line)}[/]" if "silent" not in line else f"[bold yellow]{escape(line)}[/]")

    def is_ready(self) -> bool:
        """Whether the daemon takes events."""
        try:
            return bool(self._client.get("/readyz")["ok"])
        except FreshdError:
            return False

    def look(self) -> None:
        """Ask how everything stands, and print what is different."""
        try:
            assets = self._client.get("/api/assets")["assets"]
        except Unreachable:
            return
        for row in assets:
            asset, now, before = row["asset"], row["verdict"], self._verdicts.get(row["asset"])
            if row["runs_started"] > self._runs.get(asset, 0):
                self.line("run", f"[cyan]{asset}[/] (its {_nth(row['runs_started'])})")
            self._runs[asset] = row["runs_started"]
            if now != before:
                cause = f": {row['cause']} {words(row['cause_reason'])}" if row["cause"] and before else ""
                self.line("verdict", f"{asset} {verdict(now)}{escape(cause) if now != 'fresh' else ''}")
            self._verdicts[asset] = now

    def evidence(self) -> Evidence:
        """Everything that the daemon's store tells, at this moment."""
        get = self._client.get
        found = Evidence(assets=get("/api/assets")["assets"], alerts=list(self.alerts))
        found.runs = sorted(get("/api/runs", {"limit": ROWS})["runs"], key=lambda run: str(run["requested_at"]))
        found.open_incidents = get("/api/incidents")["incidents"]
        for row in found.assets:
            key = row["asset"]
            full: Any = get(f"/api/assets/{key}", {"limit": ROWS})
            found.upstreams[key] = full["asset"]["upstreams"]
            found.verdicts[key] = list(reversed(full["verdicts"]))
            if not full["asset"]["upstreams"]:
                found.updates[key] = sum(change["outcome"] == "succeeded" for change in full["history"])
        return found


def _nth(number: int) -> str:
    suffix = "th" if 10 <= number % 100 <= 20 else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{suffix} run"
