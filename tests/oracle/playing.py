"""Plays a scenario through the oracle and compares what an `expect` names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import groupby
from typing import Any

from tests.oracle.nodes import base
from tests.oracle.reading import Line, Scenario, _instant
from tests.oracle.sliced import SlicedWorld
from tests.oracle.world import World

from freshd.model.asset import AssetKey
from freshd.model.declarations import DeclarationKind
from freshd.model.time import Instant, format_duration, parse_duration

DECLARED = {
    "muted": DeclarationKind.MUTE,
    "paused": DeclarationKind.PAUSE,
    "maintenance": DeclarationKind.MAINTENANCE,
}


def play(scenario: Scenario) -> Iterator[tuple[Line, World]]:
    """The world at each `expect`, with its line."""
    kind = SlicedWorld if scenario.charter.slicings else World
    world = kind(scenario.charter, scenario.start, scenario.behaves)
    for at, lines_at in groupby(scenario.lines, key=lambda line: line.at):
        lines = list(lines_at)
        said = [one for line in lines for one in (line.event or line.wish or line.said,) if one]
        if said:
            world.take(at, said)
        world.advance(at)
        for line in lines:
            if line.expect is not None:
                yield line, world


def differences(scenario: Scenario) -> list[str]:
    """What does not hold, one line each."""
    wrong = []
    for line, world in play(scenario):
        offset = format_duration(line.at - scenario.start)
        for what, expected, actual in compare(line.expect or {}, world, scenario):
            if expected != actual:
                wrong.append(f"{scenario.name} at {offset}: {what}: expected {expected}, oracle says {actual}")
    return wrong


def compare(expect: Mapping[str, Any], world: World, scenario: Scenario) -> Iterator[tuple[str, Any, Any]]:
    """(what, expected, actual) of everything that an `expect` names."""
    for key, named in expect.get("assets", {}).items():
        for word, value in named.items():
            expected = _normal(word, value, scenario)
            yield f"{key} {word}", expected, asset_value(world, key, word)
    if "launched" in expect:
        yield "launched", expect["launched"], launched(world)
    if "announced" in expect:
        yield "announced", expect["announced"], world.incidents.announced
    if "incidents" in expect:
        yield "incidents", _sorted(expect["incidents"]), _sorted(incidents(world))


def _normal(word: str, value: Any, scenario: Scenario) -> Any:
    if value is None:
        return None
    if word in ("age", "lag", "behind"):
        return parse_duration(value)
    if word in ("updated_at", "data_time", "pending_since"):
        return _instant(value, scenario.start)
    return value


def asset_value(world: World, key: AssetKey, word: str) -> Any:
    """One named value of an asset, as the oracle has it."""
    fresh, now = world.fresh, world.now
    if word in ("age", "lag", "behind"):
        since = _reference(world, key, word)
        if word == "behind":
            return None if fresh.updated_at(key, now) is None else 0 if since is None else now - since
        return None if since is None else now - since
    if word in ("updated_at", "data_time", "pending_since"):
        return _reference(world, key, word)
    if word == "verdict":
        verdict = world.verdict(key)
        return None if verdict is None else verdict.value
    if word == "runs":
        return len(world.facts.own_runs(key))
    flags = {
        "in_flight": world.decisions.in_flight,
        "failed": world.decisions.failed,
        "blocked": world.decisions.blocked,
    }
    if word in DECLARED:
        return world.declared.holds(DECLARED[word], base(key), now)
    return flags[word](key)


def _reference(world: World, key: AssetKey, word: str) -> Instant | None:
    if word in ("age", "updated_at"):
        return world.fresh.updated_at(key, world.now)
    if word in ("lag", "data_time"):
        return world.fresh.data_time(key, world.now)
    return world.fresh.pending_since(key, world.now)


def launched(world: World) -> list[AssetKey]:
    """All runs since the start, in order of start (ties by key)."""
    return [run.asset for run in sorted(world.launched, key=lambda run: (run.start, run.asset))]


def incidents(world: World) -> list[dict[str, Any]]:
    """The open incidents, as an `expect` writes them."""
    return [{"cause": x.main, "reason": x.reason, "affects": x.affects} for x in world.incidents.open]


def _sorted(found: list[dict[str, Any]]) -> list[tuple[tuple[str, str], ...]]:
    return sorted(tuple(sorted((k, str(v)) for k, v in entry.items())) for entry in found)
