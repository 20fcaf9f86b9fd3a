"""`make bench-queries`: what each query of the dashboards and each rule costs a real Prometheus at 100,000 assets.

The series are made by the daemon's own exposition from assets that nobody runs, served as the daemon serves them, and
scraped for a while, with the rules evaluated. Then Prometheus is told to do nothing by itself any more, and every query
of every panel (with all values of its variables) and every rule's expression is asked as of the end of that time, some
times. What counts is the CPU time of Prometheus's process, the median. Queries over a range are asked over the time for
which there are samples.
"""

from __future__ import annotations

import argparse
import json
import random
import signal
import tempfile
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import yaml
from tests.integration.monitoring import Prometheus, prometheus_over

from bench.idle import cpu_s, settle
from bench.measure import ROOT, Goal, conclude, median, rounded
from freshd.adapters.prometheus import DaemonMetrics
from freshd.model.assessment import Assessment, IncidentView, Moved, PolicyView, RunView
from freshd.model.asset import Asset, AssetKey
from freshd.model.graph import AssetGraph
from freshd.model.objective import Totals
from freshd.model.policy import Charter, Severity, Slo, Verdict
from freshd.model.time import DAY, HOUR, MINUTE, SECOND, Instant

ASSETS = 100_000
GROUPS, TEAMS, POLICIES, FEEDS, INCIDENTS = 60, 25, 6, 200, 100
GOAL_S = 1.0
EVERY_S = 20
FED_S = 90
FIRST_S = 300
"""How long the first scrape may take: all series are new then."""
ROUNDS = 5
RULES = sorted((ROOT / "helm" / "freshd" / "rules").glob("*.yaml"))
DASHBOARDS = sorted((ROOT / "helm" / "freshd" / "dashboards").glob("*.json"))
AGES = {Verdict.FRESH: 10 * MINUTE, Verdict.WARN: 50 * MINUTE, Verdict.STALE: 3 * HOUR, Verdict.UNKNOWN: 2 * MINUTE}


class World:
    """Assets that stand as in a morning with some trouble: 4 % warn, 3 % stale, 3 % unknown; each has six series."""

    def __init__(self, assets: int) -> None:
        self.charter = Charter(AssetGraph({}))
        self._chance = random.Random(7)
        self._slo = {f"policy {n}": Slo(0.995, 28 * DAY) for n in range(POLICIES)}
        self._assets = [self._asset(number) for number in range(assets)]
        self._verdicts = self._chance.choices(list(AGES), [90, 4, 3, 3], k=assets)
        self._coming: Iterator[int] = iter(())
        self._begun = time.time_ns() // 1_000

    def _asset(self, number: int) -> Asset:
        return Asset(
            f"shop/area_{number % 500:03d}/mart_{number:06d}",
            group=f"group {number % GROUPS}",
            owners=(f"team{number % TEAMS}@shop.example",),
            kind="model",
            feed=f"fivetran/{number % FEEDS}",
        )

    def __call__(self, question: Any) -> Any:
        """As LiveInbox.ask."""
        return question(self, time.time_ns() // 1_000)

    def moved(self, now: Instant, most: int, anew: bool = False) -> Moved:
        """Everything the first time, a hundredth at each scrape."""
        first = self._coming_is_over() and not self._told()
        if self._coming_is_over():
            count = len(self._assets)
            self._coming = iter(range(count) if first else self._chance.sample(range(count), count // 100))
        numbers = [number for _, number in zip(range(most), self._coming, strict=False)]
        told = tuple((n, self._assets[n], self._state(n, now)) for n in numbers)
        self._more = len(numbers) == most
        return Moved(now, told, self._more, {}, self._slo, anew=len(self._assets) if first else None)

    _more = False
    _first = False

    def _coming_is_over(self) -> bool:
        return not self._more

    def _told(self) -> bool:
        told, self._first = self._first, True
        return told

    def _state(self, number: int, now: Instant) -> Assessment:
        verdict = self._verdicts[number]
        reached = now - AGES[verdict] - self._chance.randrange(MINUTE)
        policy = f"policy {number % POLICIES}"
        severity = Severity.CRITICAL if number % 4 == 0 else Severity.WARNING
        since = now - self._begun
        counted = Totals(now, "active", since, since if verdict is Verdict.STALE else 0, 0, 0)
        view = PolicyView(
            policy, verdict, "lag", reached + 45 * MINUTE, reached + HOUR, severity, "", now, counted=counted
        )
        pending = now - MINUTE if number % 20 == 0 else None
        runs = (RunView("r", True, now, 1),) if number % 100 == 0 else ()
        return Assessment(
            asset=self._assets[number].key, partition="", at=now, verdict=verdict, policies=(view,),
            updated_at=reached + SECOND, data_time=reached, pending_since=pending, age=None, lag=None, behind=None,
            runs=runs, runs_started=0, failed=number % 200 == 0, blocked=number % 150 == 0, due=False, static=False,
            last_error="", next_launch=None, waiting_for=(), cause="", cause_reason="", path=(), own_lag=None,
        )  # fmt: skip

    def incidents(self, brief: bool = False) -> tuple[IncidentView, ...]:
        """Some that are open."""
        return tuple(
            IncidentView(f"inc-{n}", self._assets[n].key, "no_update", Severity.CRITICAL, self._begun, True, ())
            for n in range(INCIDENTS)
        )

    def example(self) -> AssetKey:
        """An asset for the dashboard of one."""
        return self._assets[7].key


def serve(world: World) -> ThreadingHTTPServer:
    """The page that Prometheus scrapes."""
    metrics = DaemonMetrics("bench", loop_last=lambda: time.time_ns() // 1_000)
    metrics.scrape(world)

    class Page(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            scraped = metrics.scrape(world)
            self.send_response(200)
            self.send_header("Content-Type", scraped.content_type)
            self.send_header("Content-Encoding", "gzip")
            self.end_headers()
            self.wfile.write(b"".join(scraped.members))

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Page)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


def panels(dashboard: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """(title, target) of every query."""
    found = list(dashboard["panels"])
    while found:
        panel = found.pop(0)
        found += panel.get("panels", [])
        for target in panel.get("targets", []):
            yield panel["title"], target


def filled(expression: str, dashboard: dict[str, Any], asset: AssetKey) -> str:
    """With what its variables stand for: everything, and one asset."""
    names = {variable["name"]: ".*" for variable in dashboard["templating"]["list"]} | {"asset": asset}
    names |= {"__rate_interval": "1m", "__range": "6h", "__interval": "1m"}
    for name in sorted(names, key=len, reverse=True):
        expression = expression.replace(f"${{{name}}}", names[name]).replace(f"${name}", names[name])
    return expression


class Asker:
    """Asks a Prometheus that does nothing else, as of an instant."""

    def __init__(self, prometheus: Prometheus, at: float) -> None:
        self._prometheus = prometheus
        self._at = at
        self._client = httpx.Client(timeout=130)

    def cost_s(self, expression: str, over: bool) -> float:
        """Seconds of CPU time, the median of some tries; `over`: over a range.

        Prometheus tidies up in between, for seconds: what seems dear is asked again once it has come to rest.
        """
        cost = self._median_s(expression, over)
        if cost < GOAL_S / 2:
            return cost
        settle(self._prometheus.process.pid)
        return min(cost, self._median_s(expression, over))

    def _median_s(self, expression: str, over: bool) -> float:
        given = {"query": expression}
        given |= {"start": str(self._at - FED_S), "end": str(self._at), "step": str(EVERY_S)} if over else {}
        given |= {} if over else {"time": str(self._at)}
        costs = []
        for _ in range(ROUNDS):
            before = cpu_s(self._prometheus.process.pid)
            url = f"{self._prometheus.url}/api/v1/{'query_range' if over else 'query'}"
            answer = self._client.post(url, data=given)
            assert answer.is_success, f"{expression}: {answer.text}"
            costs.append(cpu_s(self._prometheus.process.pid) - before)
            self.empty = not answer.json()["data"]["result"]
        return median(costs)

    empty = False
    """Whether the last answer was."""


def quiet(prometheus: Prometheus, folder: Path) -> float:
    """Have it scrape and evaluate no more; the instant before that."""
    at = time.time() - 1
    (folder / "prometheus.yml").write_text("global: {scrape_interval: 1h}\n", encoding="utf-8")
    prometheus.process.send_signal(signal.SIGHUP)
    while prometheus.get("targets")["activeTargets"] or prometheus.get("rules")["groups"]:
        time.sleep(0.5)
    settle(prometheus.process.pid)
    return at


def rule_costs(asker: Asker) -> dict[str, float]:
    """Seconds of each rule."""
    costs: dict[str, float] = {}
    for path in RULES:
        for group in yaml.safe_load(path.read_text(encoding="utf-8"))["groups"]:
            for rule in group["rules"]:
                words = (rule.get("record") or rule["alert"], *rule.get("labels", {}).values())
                costs[f"rule {' '.join(words)}"] = asker.cost_s(rule["expr"], False)
    return costs


def query_costs(asker: Asker, asset: AssetKey) -> tuple[dict[str, float], int]:
    """Seconds of every panel's every query, and how many had no answer in this world."""
    costs: dict[str, float] = {}
    empty = 0
    for path in DASHBOARDS:
        dashboard = json.loads(path.read_text(encoding="utf-8"))
        for title, target in panels(dashboard):
            expression = filled(target["expr"], dashboard, asset)
            costs[f"{path.stem}: {title}: {expression}"] = asker.cost_s(expression, not target.get("instant"))
            empty += asker.empty
    return costs, empty


def main() -> int:
    """Print the goals and the line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--assets", type=int, default=ASSETS)
    given = parser.parse_args()
    world = World(given.assets)
    page = serve(world)
    with tempfile.TemporaryDirectory(prefix="freshd-bench-") as name:
        folder, targets = Path(name), {"freshd": [f"127.0.0.1:{page.server_address[1]}"]}
        with prometheus_over(folder, targets, RULES, every=f"{EVERY_S}s") as prometheus:
            begun = time.monotonic()
            while not prometheus.value("scrape_samples_scraped > 1000"):
                assert time.monotonic() < begun + FIRST_S, "Prometheus has not taken the series in"
                time.sleep(1)
            time.sleep(FED_S)
            samples = prometheus.value("scrape_samples_scraped") or 0
            asker = Asker(prometheus, quiet(prometheus, folder))
            rules = rule_costs(asker)
            queries, empty = query_costs(asker, world.example())
    page.shutdown()
    dearest = sorted((rules | queries).items(), key=lambda item: -item[1])
    for what, seconds in dearest[:10]:
        print(f"{seconds:6.3f} s  {what}")
    goals = [Goal("CPU seconds of the dearest query or rule", dearest[0][1], GOAL_S)]
    figures: dict[str, Any] = {
        "queries": len(queries), "rules": len(rules), "samples": samples, "empty": empty,
        "all_rules_s": rounded(sum(rules.values())),
        "dearest": {what: rounded(seconds) for what, seconds in dearest[:10]},
    }  # fmt: skip
    return conclude("queries", goals, figures)


if __name__ == "__main__":
    raise SystemExit(main())
