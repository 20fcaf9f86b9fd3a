"""Random small scenarios, by seed, in the shape of files.md: graphs, policies, failing runs, late events, wishes.

`scenario_document(seed)` gives the document without expectations; `with_expectations` adds what the oracle
says at random instants, so that what it writes is a scenario file that `freshd test` can run.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Any

from tests.oracle.playing import DECLARED, asset_value, incidents, launched, play
from tests.oracle.reading import read_scenario

from freshd.model.time import format_duration

START = "2026-03-02T08:00:10Z"
Document = dict[str, Any]
Maker = Callable[[int, list[Document]], list[Document]]


@dataclass(frozen=True, slots=True)
class Flavour:
    """What kind of worlds to make."""

    span_s: int = 5400
    events: tuple[int, int] = (5, 22)
    sources: tuple[int, int] = (1, 3)
    derived: tuple[int, int] = (1, 6)
    grid_s: int = 1
    """Instants are multiples of this: large for many things at one instant."""
    late: float = 0.3
    repeats: float = 0.1
    wishes: float = 0.08
    checks: float = 0.07
    observations: float = 0.07
    foreign_runs: float = 0.15
    failures: float = 0.25
    virtual: float = 0.22
    static: float = 0.08


PLAIN = Flavour(wishes=0, checks=0, observations=0, foreign_runs=0, repeats=0)
RICH = Flavour()
CROWDED = Flavour(span_s=2400, events=(15, 40), derived=(4, 9), late=0.5, foreign_runs=0.25)
MEETING = Flavour(span_s=1800, grid_s=20, events=(10, 30), derived=(2, 6))
BIG = Flavour(span_s=20_000, events=(40, 90), sources=(2, 5), derived=(8, 16))
"""Twice the assets, and half a day."""
FLAVOURS = {"plain": PLAIN, "rich": RICH, "crowded": CROWDED, "meeting": MEETING}


def scenario_document(seed: int, flavour: Flavour = RICH, probes: int = 8) -> Document:
    """A scenario without expectations: `expect: {}` marks the instants to ask at."""
    draw = _Draw(Random(f"scenario {seed}"), flavour)
    assets = draw.assets()
    timeline = draw.timeline(assets, probes)
    return {
        "scenario": f"seed {seed}",
        "start": START,
        "assets": assets,
        "policies": draw.policies(assets),
        "runs": draw.runs(assets),
        "timeline": timeline,
    }


def rewired(document: Document, rng: Random) -> Document:
    """The same world after somebody changed its graph: assets rewired, perhaps one added, perhaps one removed."""
    assets: list[Document] = []
    for entry in document["assets"]:
        above = [other["key"] for other in assets]
        if entry.get("upstreams") and rng.random() < 0.5:
            entry = {**entry, "upstreams": rng.sample(above, min(len(above), rng.choice([1, 2, 3])))}
        assets.append(entry)
    read = {up for entry in assets for up in entry.get("upstreams", ())}
    leaves = [entry for entry in assets if entry["key"] not in read and entry.get("upstreams")]
    if leaves and rng.random() < 0.4:
        assets.remove(rng.choice(leaves))
    if rng.random() < 0.4:
        assets.append({"key": "mart/new", "upstreams": [rng.choice(assets)["key"]]})
    static: set[str] = set()
    for entry in assets:
        above = entry.get("upstreams", ())
        if entry.get("static") or (entry.get("virtual") and above and static.issuperset(above)):
            static.add(entry["key"])
    ups = {entry["key"]: set(entry.get("upstreams", ())) - static for entry in assets}
    return {**document, "assets": assets, "policies": [_still_valid(entry, ups) for entry in document["policies"]]}


def _still_valid(policy: Document, ups: dict[str, set[str]]) -> Document:
    """`updates_on` may name only upstreams that are there and not static."""
    react = policy.get("react")
    if not isinstance(react, dict):
        return policy
    kind, options = next(iter(react.items()))
    named = options.get("updates_on")
    if not isinstance(named, list) or set(named) <= ups.get(policy["select"], set()):
        return policy
    left = {word: value for word, value in options.items() if word != "updates_on"}
    return {**policy, "react": {kind: left} if left else kind}


def with_expectations(document: Document) -> Document:
    """The same document, every `expect` filled in with what the oracle says."""
    scenario = read_scenario(document)
    timeline = [dict(entry) for entry in document["timeline"]]
    for line, world in play(scenario):
        assets: dict[str, dict[str, Any]] = {}
        for key, asset in world.charter.graph.assets.items():
            words = ["verdict", "age", "lag", "behind"]
            words += [] if getattr(asset, "gathers", "") else ["in_flight", "failed", "blocked"]
            words += [word for word, kind in DECLARED.items() if world.declared.holds(kind, key, world.now)]
            words += ["runs"] if asset.launcher else []
            assets[key] = {word: _text(word, asset_value(world, key, word)) for word in words}
        timeline[line.order]["expect"] = {
            "assets": assets,
            "launched": launched(world),
            "incidents": incidents(world),
            "announced": world.incidents.announced,
        }
    return {**document, "timeline": timeline}


def _text(word: str, value: Any) -> Any:
    return format_duration(value) if word in ("age", "lag", "behind") and value is not None else value


class _Draw:
    """One seed's choices."""

    def __init__(self, rng: Random, flavour: Flavour) -> None:
        self.rng = rng
        self.flavour = flavour
        self._ids = 0
        self._static: set[str] = set()
        self._looked_at: set[str] = set()
        self._run_by_others: set[str] = set()
        """Not both for one asset: a start told late could make an old look at the data tell something after all."""
        self._unnamed: set[str] = set()
        """Assets with a run of others that has no id: a second one could not be told from it."""

    def chance(self, share: float) -> bool:
        return self.rng.random() < share

    def seconds(self, low: int, high: int) -> int:
        grid = self.flavour.grid_s
        return self.rng.randint(low // grid, max(low, high) // grid) * grid

    # -- the graph

    def assets(self) -> list[Document]:
        rng, flavour = self.rng, self.flavour
        found: list[Document] = []
        for n in range(rng.randint(*flavour.sources)):
            source: Document = {"key": f"src/s{n}"}
            if self.chance(0.4):
                source["feed"] = rng.choice(["fivetran/one", "fivetran/two"])
            if self.chance(0.1):
                source["data_time"] = "watermark"
            if self.chance(flavour.static / 2):
                source["static"] = True
            found.append(source)
        for n in range(rng.randint(*flavour.derived)):
            above = [entry["key"] for entry in found]
            ups = rng.sample(above, min(len(above), rng.choice([1, 1, 2, 2, 3])))
            derived: Document = {"key": f"mart/m{n}", "upstreams": ups}
            if self.chance(flavour.virtual):
                derived["virtual"] = True
            elif self.chance(flavour.static):
                derived["static"] = True
            found.append(derived)
        self._static = {entry["key"] for entry in found if entry.get("static")}
        for entry in found:
            if entry.get("virtual") and self._static.issuperset(entry["upstreams"]):
                self._static.add(entry["key"])
        return found

    # -- policies

    def policies(self, assets: list[Document]) -> list[Document]:
        rng = self.rng
        keys = [entry["key"] for entry in assets]
        found: list[Document] = []
        for n in range(rng.choice([1, 1, 2])):
            selected = sorted(rng.sample(keys, rng.randint(1, len(keys))))
            entry: Document = {"name": f"expectations {n}", "select": " ".join(selected), "expect": self._expect()}
            if self.chance(0.7):
                entry["alert"] = self._alert()
            if self.chance(0.15):
                entry["sustain"] = f"{rng.choice([30, 120, 300])}s"
            if self.chance(0.15):
                entry["completeness"] = 0.9
            found.append(entry)
        found += [self._react(entry) for entry in assets if entry.get("upstreams") and not entry.get("virtual")]
        return [entry for entry in found if entry]

    def _alert(self) -> Document:
        entry: Document = {"severity": self.rng.choice(["warning", "critical"])}
        if self.chance(0.25):
            entry["at"] = self.rng.choice(
                [
                    ["stale"],
                    ["failed"],
                    ["warn", "stale"],
                    ["stale", "failed", "sync_failed"],
                    ["warn", "stale", "failed"],
                ]
            )
        return entry

    def _expect(self) -> Document:
        rng = self.rng
        expect: Document = {}
        for measure in rng.sample(["lag", "age", "behind", "deadline"], rng.choice([1, 1, 2, 2, 3])):
            stale = rng.choice([300, 600, 1200, 2400])
            if measure == "deadline":
                expect[measure] = {
                    "cron": f"*/{rng.choice([10, 15, 20])} * * * *",
                    "timezone": "UTC",
                    "max_lag": f"{rng.choice([300, 600])}s",
                    "grace": f"{rng.choice([0, 30, 120])}s",
                }
                if self.chance(0.5):
                    expect[measure]["warn_before"] = "60s"
            else:
                expect[measure] = {"stale": f"{stale}s"}
                if self.chance(0.5):
                    expect[measure]["warn"] = f"{stale // 2}s"
        if self.chance(0.25):
            expect["never_updated"] = {"stale": f"{rng.choice([600, 2000])}s"}
        return expect

    def _react(self, asset: Document) -> Document:
        rng = self.rng
        if self.chance(0.2):
            return {}
        options: Document = {}
        if self.chance(0.3):
            options["debounce"] = f"{rng.choice([20, 60, 120])}s"
        if self.chance(0.5):
            options["max_wait"] = f"{rng.choice([60, 180, 600])}s"
        if self.chance(0.4):
            options["min_interval"] = f"{rng.choice([120, 400])}s"
        if self.chance(0.35):
            moving = [key for key in asset["upstreams"] if key not in self._static]
            options["updates_on"] = rng.choice(["all", [rng.choice(moving)] if moving else "any"])
        entry: Document = {
            "name": f"react {asset['key']}",
            "select": asset["key"],
            "react": {"eager": options} if options else "eager",
            "retry": {
                "attempts": rng.choice([1, 1, 2, 3]),
                "delay": f"{rng.choice([30, 60])}s",
                "factor": 2,
                "max_delay": f"{rng.choice([90, 300, 900])}s",
                "jitter": "0%",
            },
        }
        if self.chance(0.2):
            entry["on_upstream_failure"] = "go_on"
        if self.chance(0.2):
            entry["alert"] = {"severity": "warning"}
        return entry

    def runs(self, assets: list[Document]) -> Document:
        rng = self.rng
        found: Document = {}
        for entry in assets:
            if entry.get("upstreams") and self.chance(0.7):
                found[entry["key"]] = [self._way() for _ in range(rng.randint(1, 4))]
        found["*"] = "30s"
        return found

    def _way(self) -> Document:
        takes = self.rng.choice([11, 23, 47, 95, 200])
        way: Document = {"takes": f"{max(1, takes // self.flavour.grid_s) * self.flavour.grid_s}s"}
        if self.chance(self.flavour.failures):
            way["outcome"] = "failed"
        return way

    # -- the time line

    def timeline(self, assets: list[Document], probes: int) -> list[Document]:
        flavour = self.flavour
        lines: list[Document] = []
        for _ in range(self.rng.randint(*flavour.events)):
            lines += self._happening(assets)
        lines = [line for line in lines if int(line["at"][:-1]) <= flavour.span_s]
        lines += [
            {**line, "arrives": f"{self._arrival(line) + self.seconds(0, 300)}s"}
            for line in lines
            if "id" in line and self.chance(flavour.repeats)
        ]
        lines += [{"at": f"{self.seconds(60, flavour.span_s)}s", "expect": {}} for _ in range(probes)]
        lines.append({"at": f"{flavour.span_s}s", "expect": {}})
        return sorted(lines, key=lambda line: (int(line["at"][:-1]), "expect" in line))

    @staticmethod
    def _arrival(line: Document) -> int:
        arrival: str = line.get("arrives") or line["at"]
        return int(arrival[:-1])

    def _happening(self, assets: list[Document]) -> list[Document]:
        flavour, at = self.flavour, self.seconds(5, self.flavour.span_s - 5)
        share = self.rng.random()
        makers: tuple[tuple[float, Maker], ...] = (
            (flavour.wishes, self._wish),
            (flavour.checks, self._check),
            (flavour.observations, self._observation),
            (flavour.foreign_runs, self._foreign_run),
        )
        for odds, make in makers:
            if share < odds:
                return make(at, assets)
            share -= odds
        return [self._update(at, self._updatable(assets))]

    def _updatable(self, assets: list[Document]) -> str:
        sources = [entry["key"] for entry in assets if not entry.get("upstreams")]
        solid = [entry["key"] for entry in assets if entry.get("upstreams") and not entry.get("virtual")]
        return str(self.rng.choice(solid if solid and self.chance(0.15) else sources))

    def _late(self, line: Document, at: int) -> Document:
        if self.chance(self.flavour.late):
            line["arrives"] = f"{at + self.rng.choice([self.seconds(1, 60), self.seconds(60, 700)])}s"
        return line

    def _id(self) -> str:
        self._ids += 1
        return f"event-{self._ids}"

    def _update(self, at: int, key: str) -> Document:
        line: Document = {"at": f"{at}s", "update": key, "id": self._id()}
        if self.chance(0.4):
            line["started_at"] = f"{max(0, at - self.seconds(0, 130))}s"
        if self.chance(0.3):
            line["data_time"] = f"{max(0, at - self.seconds(0, 200))}s"
        if self.chance(0.2):
            line["changed"] = False
        if self.chance(0.08):
            line["completeness"] = self.rng.choice([0.5, 1.0])
        return self._late(line, at)

    def _wish(self, at: int, assets: list[Document]) -> list[Document]:
        derived = [entry["key"] for entry in assets if entry.get("upstreams")]
        return [
            {
                "at": f"{at}s",
                "materialize": sorted(self.rng.sample(derived, min(len(derived), self.rng.choice([1, 1, 2])))),
            }
        ]

    def _check(self, at: int, assets: list[Document]) -> list[Document]:
        solid = [entry["key"] for entry in assets if not entry.get("virtual")]
        line: Document = {
            "at": f"{at}s",
            "check": self.rng.choice(solid),
            "name": self.rng.choice(["rows", "nulls"]),
            "passed": self.chance(0.6),
            "id": self._id(),
        }
        if self.chance(0.6):
            line["blocking"] = True
        return [self._late(line, at)]

    def _observation(self, at: int, assets: list[Document]) -> list[Document]:
        sources = [entry["key"] for entry in assets if not entry.get("upstreams")]
        key = self.rng.choice(sources)
        if key in self._run_by_others:
            return [self._update(at, key)]
        self._looked_at.add(key)
        line: Document = {
            "at": f"{at}s",
            "observation": key,
            "id": self._id(),
            "data_time": f"{max(0, at - self.seconds(0, 600))}s",
        }
        return [self._late(line, at)]

    def _foreign_run(self, at: int, assets: list[Document]) -> list[Document]:
        """A run of others: its start, and often its end, in any order of arrival."""
        key = self._updatable(assets)
        if key in self._looked_at:
            return [self._update(at, key)]
        self._run_by_others.add(key)
        end = at + self.seconds(5, 400)
        run = {} if key not in self._unnamed and self.chance(0.2) else {"run_id": f"job-{self._id()}"}
        if not run:
            self._unnamed.add(key)
        lines: list[Document] = []
        if self.chance(0.8):
            lines.append(self._late({"at": f"{at}s", "run_started": key, "id": self._id(), **run}, at))
        share = self.rng.random()
        ended: Document = {"at": f"{end}s", "id": self._id(), **({} if self.chance(0.15) else run)}
        if share < 0.45:
            ended["update"] = key
        elif share < 0.75:
            ended["run_failed"] = key
        elif share < 0.9:
            ended["run_ended"] = key
        if share < 0.9:
            lines.append(self._late(ended, end))
        return lines
