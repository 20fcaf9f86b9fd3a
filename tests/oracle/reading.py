"""Scenario files into charters and time lines, read by means of its own: PyYAML and a few patterns.

It reads what the shared files and the generator write, and no more; the product's own reading (with its
file:line messages) is another program on purpose.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import yaml
from tests.oracle.laws import Laws, every, read_bounds
from tests.oracle.nodes import base, node_key, read_slicing
from tests.oracle.world import Asked, Behaves, Behaviour

from freshd.model.asset import Asset, AssetKey
from freshd.model.declarations import Declaration, DeclarationKind
from freshd.model.graph import AssetGraph, build_graph
from freshd.model.inputs import Blind, Check, Event, EventKind, Sighted, Withdraw
from freshd.model.policy import (
    Alert,
    LauncherTraits,
    Limit,
    Measure,
    Policy,
    Reaction,
    ReactionKind,
    Retry,
    Severity,
)
from freshd.model.time import FOREVER, MINUTE, Duration, Instant, parse_duration, parse_instant

LAUNCHER = "scenario"


class _Loader(yaml.SafeLoader):
    """Dates stay text."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the time line, by when the daemon hears of it."""

    at: Instant
    order: int
    event: Event | None = None
    wish: Asked | None = None
    said: Declaration | Withdraw | Blind | Sighted | None = None
    """What people declare, and what can be seen."""
    expect: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Scenario:
    """One scenario, read."""

    name: str
    start: Instant
    charter: Laws
    lines: tuple[Line, ...]
    behaves: Behaves
    document: Mapping[str, Any] = field(default_factory=dict)


def read_documents(path: Path) -> list[dict[str, Any]]:
    """The YAML documents of a file."""
    return [document for document in yaml.load_all(path.read_text(encoding="utf-8"), Loader=_Loader) if document]


def read_scenario(document: Mapping[str, Any]) -> Scenario:
    """A scenario from its document."""
    start = parse_instant(document["start"])
    graph = build_graph(_asset(entry) for entry in document["assets"])
    cuts = {entry["key"]: read_slicing(entry.get("partitions")) for entry in document["assets"]}
    charter = read_charter(graph, document.get("policies", []))
    charter = replace(charter, slicings={key: cut for key, cut in cuts.items() if cut is not None})
    lines = [_line(entry, order, start, charter) for order, entry in enumerate(document["timeline"])]
    lines.sort(key=lambda line: (line.at, line.expect is not None, line.order))
    behaves = _behaviours(document.get("runs", {}))
    return Scenario(str(document["scenario"]), start, charter, tuple(lines), behaves, document)


def _asset(entry: Mapping[str, Any]) -> Asset:
    upstreams = tuple(up if isinstance(up, str) else up["key"] for up in entry.get("upstreams", ()))
    virtual = bool(entry.get("virtual", False))
    launcher = entry.get("launcher", LAUNCHER if upstreams and not virtual else "")
    return Asset(
        key=entry["key"],
        upstreams=upstreams,
        virtual=virtual,
        static=bool(entry.get("static", False)),
        watermark_only=entry.get("data_time") == "watermark",
        launcher=launcher,
        feed=entry.get("feed", ""),
        tags=tuple(entry.get("tags", ())),
        mappings={up["key"]: up["mapping"] for up in entry.get("upstreams", ()) if "mapping" in up},
    )


def select(graph: AssetGraph, patterns: str | Sequence[str]) -> tuple[AssetKey, ...]:
    """Keys and globs, united."""
    words = patterns.split() if isinstance(patterns, str) else [w for p in patterns for w in p.split()]
    return tuple(sorted(k for k in graph.assets if any(k == w or w == "**" or fnmatchcase(k, w) for w in words)))


def read_charter(graph: AssetGraph, entries: Sequence[Mapping[str, Any]]) -> Laws:
    """Policies and reactions."""
    policies: dict[str, Policy] = {}
    selected: dict[str, tuple[AssetKey, ...]] = {}
    reactions: dict[AssetKey, Reaction] = {}
    bounds = {}
    for entry in entries:
        policy = _policy(entry)
        policies[policy.name] = policy
        selected[policy.name] = select(graph, entry["select"])
        if "react" in entry:
            reaction = _reaction(entry)
            reactions.update(dict.fromkeys(selected[policy.name], reaction))
            bounds.update(dict.fromkeys(selected[policy.name], read_bounds(entry)))
    traits = {LAUNCHER: LauncherTraits(LAUNCHER)}
    return Laws(graph, policies, selected, reactions, traits, demands=every(entries), bounds=bounds)


def _policy(entry: Mapping[str, Any]) -> Policy:
    expect = entry.get("expect", {})
    limits = tuple(
        Limit(
            measure,
            _duration(expect[measure].get("warn")),
            _duration(expect[measure].get("stale")),
            expect[measure].get("per") == "partition",
        )
        for measure in (Measure.LAG, Measure.BEHIND, Measure.AGE)
        if measure in expect
    )
    alert = entry.get("alert")
    never = expect.get("never_updated", {}).get("stale")
    return Policy(
        name=entry["name"],
        limits=limits,
        never_updated=_duration(never),
        sustain=_duration(entry.get("sustain")) or 0,
        completeness=entry.get("completeness"),
        alert=None if alert is None else _alert(alert),
    )


def _alert(entry: Mapping[str, Any]) -> Alert:
    return Alert(Severity(entry.get("severity", "warning")), frozenset(entry.get("at", ("stale", "failed"))))


def _reaction(entry: Mapping[str, Any]) -> Reaction:
    react = entry["react"]
    kind, options = (react, {}) if isinstance(react, str) else next(iter(react.items()))
    retry = entry.get("retry", {})
    updates_on = options.get("updates_on", "any")
    default = Retry()
    return Reaction(
        kind=ReactionKind(kind),
        debounce=_duration(options.get("debounce")) or 0,
        max_wait=parse_duration(options.get("max_wait", "1h")),
        min_interval=_duration(options.get("min_interval")) or 0,
        updates_on=updates_on if isinstance(updates_on, str) else tuple(updates_on),
        retry=Retry(
            retry.get("attempts", default.attempts),
            parse_duration(retry.get("delay", "1m")),
            float(retry.get("factor", default.factor)),
            parse_duration(retry.get("max_delay", "15m")),
            float(str(retry.get("jitter", "10%")).rstrip("%")) / 100,
        ),
        go_on=entry.get("on_upstream_failure") == "go_on",
        policy=entry["name"],
    )


def _duration(text: str | int | None) -> Duration | None:
    return None if text is None else parse_duration(text)


def _instant(text: str | int, start: Instant) -> Instant:
    try:
        return start + parse_duration(text)
    except ValueError:
        return parse_instant(str(text))


WITHDRAWN = {
    "unmute": (DeclarationKind.MUTE, DeclarationKind.MAINTENANCE),
    "resume": (DeclarationKind.PAUSE,),
}
KINDS = tuple(kind.value for kind in EventKind)


def _wish(entry: Mapping[str, Any], laws: Laws) -> Asked:
    """`asset[a..b]` names the windows from a to b."""
    named: list[str] = []
    for key in entry["materialize"]:
        partition = key[len(base(key)) + 1 : -1]
        first, _, last = partition.partition("..")
        cut = laws.slicings.get(base(key))
        named += [node_key(base(key), name) for name in cut.between(first, last)] if last and cut else [key]
    return Asked(tuple(named), entry.get("parallel", 0))


def _line(entry: Mapping[str, Any], order: int, start: Instant, laws: Laws) -> Line:
    at = _instant(entry["at"], start)
    if "expect" in entry:
        return Line(at, order, expect=entry["expect"])
    if "materialize" in entry:
        return Line(at, order, wish=_wish(entry, laws))
    said = _said(entry, at, order, start)
    if said is not None:
        return Line(at, order, said=said)
    kind = EventKind(next(word for word in KINDS if word in entry))
    arrives = _instant(entry["arrives"], start) if "arrives" in entry else at
    check = None
    if kind is EventKind.CHECK:
        check = Check(entry["name"], bool(entry["passed"]), entry.get("value"), bool(entry.get("blocking", False)))
    event = Event(
        kind=kind,
        assets=(base(entry[kind.value]),),
        at=min(at, arrives),
        id=str(entry.get("id", f"line-{order}")),
        source="scenario",
        partition=entry[kind.value][len(base(entry[kind.value])) + 1 : -1],
        started_at=None if entry.get("started_at") is None else _instant(entry["started_at"], start),
        data_time=None if entry.get("data_time") is None else _instant(entry["data_time"], start),
        run_id=str(entry.get("run_id", "")),
        changed=bool(entry.get("changed", True)),
        completeness=entry.get("completeness"),
        metadata=entry.get("metadata"),
        check=check,
        topic=entry.get("topic", ""),
    )
    return Line(arrives, order, event)


def _said(
    entry: Mapping[str, Any], at: Instant, order: int, start: Instant
) -> Declaration | Withdraw | Blind | Sighted | None:
    if "blind" in entry:
        return Blind(entry["blind"], at, "the scenario says so")
    if "sighted" in entry:
        return Sighted(entry["sighted"])
    for word, kinds in WITHDRAWN.items():
        if word in entry:
            return Withdraw(kinds, tuple(entry[word]))
    begins = _instant(entry["from"], start) if "from" in entry else at
    until = begins + parse_duration(entry["for"]) if "for" in entry else FOREVER
    for kind in DeclarationKind:
        if kind.value in entry:
            return Declaration(f"{kind.value}-{order}", kind, tuple(entry[kind.value]), begins, until)
    return None


def _behaviours(entries: Mapping[str, Any]) -> Behaves:
    ordered = sorted(entries.items(), key=lambda item: any(c in item[0] for c in "*?["))

    def behaves(key: AssetKey, nth: int) -> Behaviour:
        for pattern, listed in ordered:
            if pattern in (key, "*", "**") or fnmatchcase(key, pattern):
                ways = listed if isinstance(listed, list) else [listed]
                return _behaviour(ways[min(nth, len(ways) - 1)])
        return Behaviour(MINUTE // 2)

    return behaves


def _behaviour(way: str | int | Mapping[str, Any]) -> Behaviour:
    if not isinstance(way, Mapping):
        return Behaviour(parse_duration(way))
    takes = parse_duration(way.get("takes", "30s"))
    return Behaviour(takes, way.get("outcome", "succeeded") not in ("failed", "lost"), bool(way.get("changed", True)))
