"""A small world in virtual time: facts come in, the oracle decides, runs behave as they are told to.

At each instant everything that happens is applied first, then the decisions of that instant are made,
then verdicts are judged, then incidents settled: once. Between instants nothing can change, since every
formula names the next instant at which it may.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace

from tests.oracle.causes import Cause, Causes, Pair
from tests.oracle.decisions import Decisions, Launch
from tests.oracle.declared import Declared, Sight
from tests.oracle.facts import Facts, OwnRun, Update
from tests.oracle.freshness import Freshness
from tests.oracle.incidents import Bad, Incidents
from tests.oracle.laws import Demands, Laws
from tests.oracle.objectives import Objectives
from tests.oracle.verdicts import WORSE, Judge, Shown

from freshd.model.asset import AssetKey
from freshd.model.declarations import Declaration, DeclarationKind
from freshd.model.inputs import Acknowledge, Blind, Event, Sighted, Withdraw
from freshd.model.policy import Policy, Severity, Verdict
from freshd.model.time import FOREVER, Duration, Instant


@dataclass(frozen=True, slots=True)
class Behaviour:
    """How one run goes: how long it takes, whether it succeeds, whether what it made is new."""

    takes: Duration
    succeeds: bool = True
    changed: bool = True


Behaves = Callable[[AssetKey, int], Behaviour]
"""By asset, and which of its runs it is (0 is the first)."""


@dataclass(frozen=True, slots=True)
class Asked:
    """The assets (or their partitions) that a person asks for; `parallel`: how many of its runs may go on at once."""

    keys: tuple[AssetKey, ...]
    parallel: int = 0


Said = Event | Asked | Declaration | Withdraw | Acknowledge | Blind | Sighted
"""An event, the assets that a person asks for, what people declare and know of, what can be seen."""

LOUDNESS = {None: 0, Severity.INFO: 1, Severity.WARNING: 2, Severity.CRITICAL: 3}


@dataclass
class World:
    """Everything the oracle holds true at `now`."""

    charter: Laws
    now: Instant
    behaves: Behaves
    facts: Facts = field(init=False)
    decisions: Decisions = field(init=False)
    incidents: Incidents = field(init=False)
    objectives: Objectives = field(init=False, default_factory=Objectives)
    catching_up: bool = field(init=False, default=False)
    """No verdict gets worse, nothing is launched, nothing announced."""
    shown: dict[Pair, Shown] = field(init=False, default_factory=dict)
    known: dict[AssetKey, Instant] = field(init=False)
    declared: Declared = field(init=False, default_factory=Declared)
    sight: Sight = field(init=False, default_factory=Sight)
    launched: list[OwnRun] = field(init=False, default_factory=list)
    _ends: list[tuple[Instant, int, OwnRun, Behaviour]] = field(init=False, default_factory=list)
    _looks: list[Instant] = field(init=False, default_factory=list)
    _known_facts: int = field(init=False, default=-1)
    _seen: set[tuple[str, str]] = field(init=False, default_factory=set)
    _staying: set[Pair] = field(init=False, default_factory=set)

    def __post_init__(self) -> None:
        graph = self.charter.graph
        self.facts = Facts(graph, completeness=self._completeness(), lost_after=self.charter.limits.lost_after)
        self.known = dict.fromkeys(graph.assets, self.now)
        self.decisions = Decisions(self.charter, self.facts, self.now)
        self.incidents = Incidents(self.charter.limits.reopen)
        self._begin()

    def _completeness(self) -> dict[AssetKey, float]:
        """What an update must declare at least to count, by asset: the highest that any policy asks."""
        asked: dict[AssetKey, float] = {}
        for name, policy in self.charter.policies.items():
            for key in self.charter.selected.get(name, ()):
                asked[key] = max(asked.get(key, 0.0), policy.completeness or 0.0)
        return asked

    def stale_facts(self) -> None:
        """What was worked out from the facts is to be worked out again."""
        self._known_facts = -1

    def _begin(self) -> None:
        """The daemon starts."""
        self.step(())

    # -- what others ask

    @property
    def fresh(self) -> Freshness:
        return self.decisions.fresh

    def verdict(self, key: AssetKey) -> Verdict | None:
        """The worst of the asset's policies'; None without a policy that expects anything."""
        found = [s.verdict for (asset, _), s in self.shown.items() if asset == key]
        return max(found, key=WORSE.__getitem__, default=None)

    # -- time

    def next_instant(self) -> Instant:
        """The next instant at which something may happen without news."""
        ends = [end for end, _, _, _ in self._ends]
        return min([*ends, *self._looks], default=FOREVER)

    def advance(self, until: Instant) -> None:
        """Play everything up to and at `until`."""
        while (following := self.next_instant()) <= until:
            self.now = following
            self.step(())
        self.now = until

    def take(self, at: Instant, said: Iterable[Said]) -> None:
        """Play up to just before `at`, then let these arrive together with whatever else happens then."""
        while (following := self.next_instant()) < at:
            self.now = following
            self.step(())
        self.now = at
        self.step(said)

    def step(self, said: Iterable[Said]) -> None:
        """Everything of one instant: outcomes, then what is said in its order, then decisions, then verdicts."""
        self._end_runs()
        for item in said:
            self._take(item)
        self.incidents.forget_known(self.now)
        while True:
            self._end_runs()
            self._observe()
            self._start_runs()
            if not any(end <= self.now for end, _, _, _ in self._ends):
                break
        self._looks = self.decisions.next_looks() + self.declared.looks()
        self._judge()

    def _take(self, said: Said) -> None:
        if isinstance(said, Declaration | Withdraw):
            self.declared.take(said, self.now)
        elif isinstance(said, Acknowledge):
            self.incidents.acknowledge(said.incident, said.until, self.now)
        elif isinstance(said, Blind | Sighted):
            self.sight.take(said)
        elif not isinstance(said, Event):
            self._observe()
            self._wish(said)
        elif self._first_time(said):
            self.facts.events.append(said)
            self.sight.hear(said)

    def _wish(self, asked: Asked) -> None:
        self.decisions.wish(asked.keys, asked.parallel)

    def _holds(self, kind: DeclarationKind, key: AssetKey) -> bool:
        return self.declared.holds(kind, key, self.now)

    def _start_runs(self) -> list[AssetKey]:
        """Start what is to start now, one after the other, each seen by the next."""
        started = []
        while (launch := self._next_launch()) is not None:
            self._launch(launch)
            self._observe()
            started.append(launch.asset)
        return started

    def _next_launch(self) -> Launch | None:
        return None if self.catching_up else self.decisions.next_launch()

    def _launch(self, launch: Launch) -> None:
        count = len(self.facts.own_runs(launch.asset))
        run = OwnRun(f"{launch.asset}#{count}", launch.asset, launch.attempt, self.now, launch.wishes)
        self.facts.runs.append(run)
        self.launched.append(run)
        behaviour = self.behaves(launch.asset, count)
        self._ends.append((self.now + behaviour.takes, len(self.launched), run, behaviour))

    def _first_time(self, event: Event) -> bool:
        """Ids are unique within their source: a repetition changes nothing."""
        name = (event.source, event.id)
        known = bool(event.id) and name in self._seen
        self._seen.add(name)
        return not known

    def _end_runs(self) -> None:
        for entry in sorted(self._ends, key=lambda e: e[:2]):
            end, _, run, behaviour = entry
            if end <= self.now:
                run.end, run.succeeded, run.changed = end, behaviour.succeeds, behaviour.changed
                run.updates_known = len(self.facts.updates(run.asset))
                self._ends.remove(entry)

    def _observe(self) -> None:
        version = len(self.facts.events) * 1_000_000 + sum(run.end is not None for run in self.facts.runs)
        fresh = self.decisions.fresh
        if version != self._known_facts:
            self._known_facts = version
            updates = {key: self.facts.updates(key) for key in self.charter.graph.assets}
            fresh = self._fresh(updates)
        graph = self.charter.graph
        self.decisions.pause({key for key in graph.assets if self._holds(DeclarationKind.PAUSE, key)}, self.now)
        self.decisions.known = self.known
        self.decisions.observe(self.now, fresh)

    def _fresh(self, updates: dict[AssetKey, list[Update]]) -> Freshness:
        return Freshness(self.charter.graph, updates, self.facts.upstreams_at)

    # -- verdicts and incidents

    def _judge(self) -> None:
        causes = Causes(self.decisions)
        found: dict[Pair, Bad] = {}
        for name, key in self._pairs():
            bad = self._bad(causes, name, key)
            if bad is not None:
                found[key, name] = bad
        collapsed = causes.collapse({pair: bad.cause for pair, bad in found.items()})
        settled = {pair: replace(bad, cause=collapsed[pair]) for pair, bad in found.items()}
        self.incidents.settle(self.now, settled, announce=not self.catching_up)
        self._looks = [look for look in (*self._looks, *self.incidents.looks()) if look > self.now]

    def _pairs(self) -> Iterator[tuple[str, AssetKey]]:
        """(policy, asset) of every policy that expects something, or alerts."""
        for name, policy in self.charter.policies.items():
            for key in self.charter.selected.get(name, ()):
                if self._expects(name, key) or policy.alert is not None:
                    yield name, key

    def _policy(self, name: str, key: AssetKey) -> tuple[Policy, Demands]:
        """What a policy asks of an asset."""
        return self.charter.policies[name], self.charter.demands.get(name, Demands())

    def _expects(self, name: str, key: AssetKey) -> bool:
        policy, demands = self._policy(name, key)
        return bool(policy.limits or demands.deadlines or demands.checks or demands.learned)

    def _rests_on(self, key: AssetKey) -> list[AssetKey]:
        """What is counted above an asset; of a whole its partitions that are looked after."""
        above = self.charter.graph.counted_upstreams(key)
        if not getattr(self.charter.graph.assets[key], "gathers", ""):
            return list(above)
        return [up for up in above if self.fresh.looked_after(up)]  # type: ignore[attr-defined]

    def _bad(self, causes: Causes, name: str, key: AssetKey) -> Bad | None:
        policy, demands = self._policy(name, key)
        shown, was = None, Verdict.FRESH
        unseen = self.sight.unseen(self._rests_on, key)
        if self._expects(name, key):
            shown = self.shown.setdefault((key, name), Shown())
            was = shown.verdict
            told = self.decisions.checks.results(key)
            judge = Judge(policy, demands, self.fresh, key, self.known[key], self.now, told)
            found = judge.levels()
            self._looks += shown.judge(policy, found, self.now, held=self.catching_up, unseen=unseen is not None)
            self.objectives.look((key, name), judge, shown.verdict, self._holds(DeclarationKind.MAINTENANCE, key))
        if self._holds(DeclarationKind.MAINTENANCE, key):
            return None
        alerts = policy.alert is not None and not self._holds(DeclarationKind.MUTE, key)
        severity = LOUDNESS[policy.alert.severity if policy.alert is not None else None]
        failure = self._failure(causes, name, key, shown)
        if shown is not None and unseen is not None and shown.verdict is Verdict.UNKNOWN:
            self._staying.discard((key, name))
            return Bad(failure or Cause(unseen, "blind"), alerts, severity)
        if shown is not None and shown.measure is not None and self._bad_by_verdict(shown.verdict, was, (key, name)):
            failed = None if shown.verdict is Verdict.STALE else self._own_failure(causes, name, key)
            return Bad(failed or self._resting(causes, key, shown), alerts, severity)
        return None if failure is None else Bad(failure, alerts, severity)

    def _resting(self, causes: Causes, key: AssetKey, shown: Shown) -> Cause:
        """The cause of a pair that is not fresh."""
        assert shown.measure is not None
        return causes.of(key, shown.measure)

    def _at(self, name: str) -> frozenset[str]:
        alert = self.charter.policies[name].alert
        return alert.at if alert is not None else frozenset({"stale", "failed"})

    def _failure(self, causes: Causes, name: str, key: AssetKey, shown: Shown | None) -> Cause | None:
        """Why the pair is bad although it is not stale, if it is."""
        failed = self._own_failure(causes, name, key)
        node = self.charter.graph.assets[key]
        if failed is None and "sync_failed" in self._at(name) and getattr(node, "source", not node.upstreams):
            cause = causes.of_source(key)
            return cause if cause.reason == "sync_failed" else None
        return failed

    def _own_failure(self, causes: Causes, name: str, key: AssetKey) -> Cause | None:
        """The asset, if it has failed and its policy calls that bad."""
        failed = "failed" in self._at(name) and self.decisions.failed(key)
        return causes.of_failure(key) if failed else None

    def _bad_by_verdict(self, verdict: Verdict, was: Verdict, pair: Pair) -> bool:
        if verdict is not Verdict.UNKNOWN:
            self._staying.discard(pair)
        if verdict.value in self._at(pair[1]):
            return True
        held = ("stale" in self._at(pair[1]) and was is Verdict.STALE) or pair in self._staying
        stays = verdict is Verdict.UNKNOWN and held and self.incidents.member(pair)
        self._staying.discard(pair)
        if stays:
            self._staying.add(pair)
        return stays
