"""The oracle beside the engine: it takes the same inputs at the same instants and must come to the same.

It decides by semantics.md alone; a launch that only one of the two decides is a violation at once. The run
ids are the engine's, since outcomes are reported by them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from tests.oracle.comparing import OF_WHOLES
from tests.oracle.decisions import Launch
from tests.oracle.facts import OwnRun
from tests.oracle.laws import Laws
from tests.oracle.nodes import base, node_key
from tests.oracle.playing import asset_value
from tests.oracle.sliced import SlicedWorld
from tests.oracle.waves import joins
from tests.oracle.world import Asked, Behaviour, Said, World
from tests.sim.stage import Violation

from freshd.core.engine import Engine
from freshd.model.assessment import Assessment
from freshd.model.asset import AssetKey
from freshd.model.declarations import Declaration
from freshd.model.inputs import (
    Acknowledge,
    Blind,
    CaughtUp,
    Event,
    Input,
    RunPhase,
    RunReport,
    Sighted,
    Started,
    Wish,
    Withdraw,
)
from freshd.model.policy import Verdict
from freshd.model.records import DaemonCaughtUp, Record, RunRequested
from freshd.model.time import NEVER, Instant

WORDS = ("updated_at", "data_time", "pending_since", "behind", "verdict", "in_flight", "failed", "blocked")


def _no_behaviour(_key: AssetKey, _nth: int) -> Behaviour:
    raise AssertionError("the shadow is told how runs go")


class Shadow(World):
    """A world of the oracle whose runs are the engine's."""

    def __init__(self, charter: Laws, now: Instant) -> None:
        self._requested: dict[AssetKey, str] = {}
        self._turned = False
        super().__init__(charter, now, _no_behaviour)

    def _begin(self) -> None:
        """Nothing happens before the first durable step."""

    def turn(self, now: Instant, inputs: Sequence[Input], records: Sequence[Record]) -> None:
        """Everything of one durable step of the engine."""
        self.now = now
        self._requested = {
            node_key(key, r.run.partition): r.run.run_id
            for r in records
            if isinstance(r, RunRequested)
            for key in r.run.assets
        }
        self.decisions.told_to_launch = frozenset(self._requested)
        for said in inputs:
            if isinstance(said, Started):
                self._start(said)
            elif isinstance(said, CaughtUp):
                self.catching_up = False
            elif isinstance(said, RunReport):
                self._outcome(said)
        too_long = self.catching_up and any(isinstance(record, DaemonCaughtUp) for record in records)
        self.catching_up = self.catching_up and not too_long
        heard: list[Said] = []
        for said in inputs:
            if isinstance(said, Event):
                known = tuple(key for key in said.assets if key in self.charter.graph)
                heard.append(replace(said, assets=known))
            elif isinstance(said, Wish) and self._first_wish(said):
                heard.append(self._asked(said))
            elif isinstance(said, Declaration | Withdraw | Acknowledge | Blind | Sighted):
                heard.append(said)
            elif isinstance(said, CaughtUp):
                heard.append(Sighted(""))
        heard += [Blind("", now, "it has not caught up in time")] if too_long else []
        self.step(heard)
        if self._requested:
            raise Violation(f"the engine launched what the oracle does not: {sorted(self._requested)}")

    def adopt(self, charter: Laws, now: Instant) -> None:
        """From this instant on the world is this one; what is gone is forgotten."""
        if charter is self.charter:
            return
        self.now = now
        for key, name in self.objectives.sums:
            self.objectives.settle((key, name), self.charter.demands[name], now)
        before, graph = self.charter.graph, charter.graph
        self.charter = self.decisions.charter = self.decisions.wishes.charter = charter
        self.facts.graphs = [*(self.facts.graphs or [(NEVER, before)]), (self.now, graph)]
        self.facts.graph = graph
        self.facts.ask(self._completeness())
        for key in graph.assets:
            self.known.setdefault(key, self.now)
        for key in before.assets:
            if key not in graph:
                self.known.pop(key)
                self.decisions.forget(key)
                self.facts.forget(key)
        pairs = {(key, name) for name in charter.policies for key in charter.selected.get(name, ())}
        self.shown = {pair: shown for pair, shown in self.shown.items() if pair in pairs}
        self.objectives.keep(pairs)
        self.stale_facts()

    def _asked(self, wish: Wish) -> Asked:
        return Asked(wish.assets, wish.parallel)

    def _first_wish(self, wish: Wish) -> bool:
        known = ("wish", wish.id) in self._seen
        self._seen.add(("wish", wish.id))
        return not known

    def _start(self, said: Started) -> None:
        if not self._turned:
            self.known = dict.fromkeys(self.charter.graph.assets, self.now)
        self._turned = True
        self.decisions.started = self.now
        self.catching_up = said.catching_up

    def _outcome(self, told: RunReport) -> None:
        """A report counts for the members of the run that have no outcome yet."""
        if told.phase not in (RunPhase.QUEUED, RunPhase.STARTED):
            self.facts.orphans.discard(told.run_id)
        for run in list(self.facts.runs):
            if run.run_id != told.run_id or run.end is not None or told.asset not in ("", base(run.asset)):
                continue
            if told.phase is RunPhase.STARTED:
                run.began = min(told.started_at if told.started_at is not None else told.at, self.now)
            elif told.phase in (RunPhase.SKIPPED, RunPhase.FINISHED):
                self.facts.runs.remove(run)
            elif told.phase is not RunPhase.QUEUED:
                if told.started_at is not None:
                    run.began = told.started_at
                run.end = min(told.at, self.now)
                run.succeeded, run.changed = told.phase is RunPhase.SUCCEEDED, told.changed
                run.updates_known = len(self.facts.updates(run.asset))
                if not run.succeeded and not self._tried_again(run):
                    self.decisions.dropped_retry.add(run.name)

    def _tried_again(self, run: OwnRun) -> bool:
        """Whether its failure counts: by what was told before it, in this step too, its asset is due or wished for."""
        decisions = self.decisions
        if run.attempt >= decisions.attempts(run) or run.asset in decisions.became_due:
            return True
        if decisions.wishes.wanted(run.asset):
            return True
        decisions.fresh = self._fresh({key: self.facts.updates(key) for key in self.charter.graph.assets})
        return decisions.due(run.asset)

    def _end_runs(self) -> None:
        """Outcomes are told."""

    def _start_runs(self) -> list[AssetKey]:
        """With a wave launcher, what the run itself will make due goes with it."""
        run = set(super()._start_runs())
        if run and any(traits.wave for traits in self.charter.launchers.values()):
            for key in self.charter.graph.assets:
                if joins(self.decisions, key, run):
                    run.add(key)
                    self._launch(Launch(key, self.decisions.next_attempt(key)))
            self._observe()
        return sorted(run)

    def _launch(self, launch: Launch) -> None:
        run_id = self._requested.pop(launch.asset, None)
        if run_id is None:
            raise Violation(f"the oracle launches {launch}, the engine does not")
        run = OwnRun(run_id, launch.asset, launch.attempt, self.now, launch.wishes)
        self.facts.runs.append(run)
        self.launched.append(run)

    def compare(self, engine: Engine) -> None:
        """The engine says of every asset and incident what the oracle says."""
        for key, node in self.charter.graph.assets.items():
            asset = base(key)
            seen: Any = engine.assess(asset, self.now, key[len(asset) + 1 : -1])
            for word in OF_WHOLES if getattr(node, "gathers", "") else WORDS:
                expected = asset_value(self, key, word)
                actual = getattr(seen, word)
                actual = actual.value if isinstance(actual, Verdict) else actual
                if expected != actual:
                    raise Violation(f"{key} {word}: the oracle says {expected}, the engine {actual}")
            self._compare_sums(key, seen)
        ours = sorted((x.main, x.reason, tuple(x.affects), x.known_until is not None) for x in self.incidents.open)
        theirs = sorted((x.cause, x.reason, x.affects, x.acknowledged) for x in engine.incidents())
        if ours != theirs:
            raise Violation(f"incidents: the oracle says {ours}, the engine {theirs}")
        if self.incidents.announced != engine.announced:
            raise Violation(f"announced: the oracle says {self.incidents.announced}, the engine {engine.announced}")

    def _compare_sums(self, key: AssetKey, seen: Assessment) -> None:
        for view in seen.policies:
            sums, counted = self.objectives.sums.get((key, view.policy)), view.counted
            expected = None if sums is None else sums.told(self.charter.demands[view.policy], self.now)
            actual = None if counted is None else (counted.active, counted.stale, counted.ticks, counted.met)
            if expected != actual:
                raise Violation(f"{key} objective of {view.policy}: the oracle says {expected}, the engine {actual}")


class SlicedShadow(Shadow, SlicedWorld):
    """The same where assets have partitions; its graph stays what it is."""

    def __init__(self, charter: Laws, now: Instant) -> None:
        self._given = charter
        super().__init__(charter, now)

    def adopt(self, charter: Laws, now: Instant) -> None:
        if charter is not self._given:
            raise AssertionError("worlds of partitions keep their graph")

    def _asked(self, wish: Wish) -> Asked:
        cuts = self.charter.slicings
        named = [
            node_key(key, partition)
            for key in wish.assets
            for partition in (wish.partitions if key in cuts and wish.partitions else ("",))
        ]
        return Asked(tuple(named), wish.parallel)

    def _launch(self, launch: Launch) -> None:
        super()._launch(launch)
        self._happened.add(launch.asset)
