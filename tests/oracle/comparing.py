"""Compares the engine with the oracle over whole worlds: same scenario, same instants, every value."""

from __future__ import annotations

from typing import Any

from tests.oracle.engine_world import play_engine
from tests.oracle.playing import asset_value, incidents, launched, play
from tests.oracle.reading import Scenario

from freshd.model.time import format_duration

WORDS = ("updated_at", "data_time", "pending_since", "behind", "verdict", "in_flight", "failed", "blocked", "runs")
WORDS += ("muted", "paused", "maintenance")

OF_WHOLES = ("updated_at", "data_time", "pending_since", "behind", "verdict")


def disagreements(scenario: Scenario) -> list[str]:
    """Where the engine and the oracle differ, at the first instant at which they do."""
    for (line, oracle), (_, engine) in zip(play(scenario), play_engine(scenario), strict=True):
        wrong: list[str] = []
        offset = format_duration(line.at - scenario.start)

        def note(what: str, expected: Any, actual: Any, wrong: list[str] = wrong, offset: str = offset) -> None:
            if expected != actual:
                wrong.append(f"{scenario.name} at {offset}: {what}: oracle {expected}, engine {actual}")

        for key, node in oracle.charter.graph.assets.items():
            for word in WORDS if not getattr(node, "gathers", "") else OF_WHOLES:
                note(f"{key} {word}", asset_value(oracle, key, word), engine.value(key, word))
        note("launched", launched(oracle), engine.launched_keys())
        note("incidents", _as_set(incidents(oracle)), _as_set(engine.incidents()))
        note("announced", oracle.incidents.announced, engine.engine.announced)
        if wrong:
            return wrong
    return []


def _as_set(found: list[dict[str, Any]]) -> list[str]:
    return sorted(f"{x['cause']} {x['reason']} {x['affects']}" for x in found)
