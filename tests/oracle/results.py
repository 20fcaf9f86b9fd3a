"""Results of checks: of each name all that was told, the one that counts, and whether it is as a rule asks.

A result is told by a check event, or by the metadata of an update under a name that some rule asks for.
Must not know what follows from a violation.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from tests.oracle.facts import Facts
from tests.oracle.laws import CheckRule, Demands, Laws
from tests.oracle.nodes import base

from freshd.model.asset import AssetKey
from freshd.model.inputs import Check, Event, EventKind
from freshd.model.time import Instant


@dataclass(frozen=True, slots=True)
class Result:
    """One result."""

    at: Instant
    order: int
    """In which order they were told."""
    check: Check


def results(facts: Facts, keys: Collection[AssetKey], asked: Collection[str]) -> dict[str, list[Result]]:
    """All results of some nodes by name, in order of time; `asked`: the names that rules ask metadata for."""
    found: dict[str, list[Result]] = {}
    told = (event for event in facts.events if event.kind in (EventKind.CHECK, EventKind.UPDATE))
    for order, event in enumerate(told):
        for key in [key for key in event.assets if key in keys]:
            for check in _told_by(facts, key, event, asked):
                found.setdefault(check.name, []).append(Result(event.at, order, check))
    return {name: sorted(found[name], key=lambda r: (r.at, r.order)) for name in sorted(found)}


def _told_by(facts: Facts, key: AssetKey, event: Event, asked: Collection[str]) -> list[Check]:
    if event.check is not None:
        return [event.check]
    if event.kind is EventKind.CHECK or not facts.complete(event, key):
        return []
    told: list[Check] = []
    for name, value in (event.metadata or {}).items():
        if name in asked and isinstance(value, bool):
            told.append(Check(name, value))
        elif name in asked and isinstance(value, int | float | str):
            told.append(Check(name, True, value))
    return told


def holds(rule: CheckRule, told: list[Result], among: list[Result] | None = None) -> bool | None:
    """Whether the latest result is as the rule asks; None: there is none, or nothing to compare.

    `among`: the results that it is compared with, if others than those of its own (of a partition: of all).
    """
    if not told:
        return None
    latest = told[-1]
    if not latest.check.passed:
        return False
    value = latest.check.value
    if rule.equals is not None:
        return None if value is None else value == rule.equals
    if rule.min is None and rule.max is None:
        return True
    if isinstance(value, str) or value is None:
        return None
    scale = 1.0
    if rule.last:
        before = {
            r.at: r.check.value for r in among or told if r.at < latest.at and isinstance(r.check.value, int | float)
        }
        numbers = [float(before[at]) for at in sorted(before)][-rule.last :]
        if len(numbers) < rule.last:
            return None
        scale = sum(numbers) / len(numbers)
    return (rule.min is None or value >= rule.min * scale) and (rule.max is None or value <= rule.max * scale)


class Checks:
    """What the results of checks of every asset come to at one instant."""

    def __init__(self, facts: Facts) -> None:
        self._facts = facts
        self._laws: Laws | None = None
        self._results: dict[AssetKey, dict[str, list[Result]]] = {}
        self._rules: dict[AssetKey, list[CheckRule]] = {}

    def observe(self, laws: Laws) -> None:
        """More may be known than before."""
        self._results = {}
        if laws is not self._laws:
            self._laws, self._rules = laws, {}

    def results(self, key: AssetKey) -> dict[str, list[Result]]:
        """All results of checks of an asset, by name."""
        if key not in self._results:
            node = self._facts.graph.assets[key]
            keys = node.upstreams if getattr(node, "gathers", "") else (key,)
            self._results[key] = results(self._facts, keys, {rule.name for rule in self.rules(key)})
        return self._results[key]

    def latest(self, key: AssetKey) -> list[Result]:
        """The results that count."""
        return [told[-1] for told in self.results(key).values()]

    def rules(self, key: AssetKey) -> list[CheckRule]:
        """The rules of all policies that select an asset."""
        known = self._rules
        if key not in known:
            known[key] = self._find_rules(key)
        return known[key]

    def _find_rules(self, key: AssetKey) -> list[CheckRule]:
        assert self._laws is not None
        return [
            rule
            for name, keys in self._laws.selected.items()
            if base(key) in keys
            for rule in self._laws.demands.get(name, Demands()).checks
        ]

    def violated(self, key: AssetKey) -> bool:
        """Whether any rule is violated."""
        told = self.results(key)
        return any(holds(rule, told.get(rule.name, [])) is False for rule in self.rules(key))

    def blocks(self, key: AssetKey) -> bool:
        """Whether its latest result of a blocking check failed, or a blocking rule is violated."""
        told = self.results(key)
        if any(last[-1].check.blocking and not last[-1].check.passed for last in told.values()):
            return True
        among = self.results(base(key))
        return any(
            rule.blocking and holds(rule, told.get(rule.name, []), among.get(rule.name)) is False
            for rule in self.rules(key)
        )
