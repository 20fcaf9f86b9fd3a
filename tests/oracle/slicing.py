"""Makes generated scenarios of assets with partitions: by the hour, or fixed ones; the rest stays as it is."""

from __future__ import annotations

from dataclasses import replace
from random import Random
from typing import Any

from tests.oracle.generate import PLAIN, RICH, Flavour, scenario_document

Document = dict[str, Any]

WHOLE_RUNS = replace(PLAIN, failures=0, virtual=0.12, static=0.05)
TROUBLED = replace(RICH, wishes=0, checks=0, observations=0, foreign_runs=0, virtual=0.12, static=0.05)
SLICED: dict[str, Flavour] = {"plain": WHOLE_RUNS, "troubled": TROUBLED}

HOURS = ("2026-03-02T07", "2026-03-02T08", "2026-03-02T09")


def sliced_document(seed: int, flavour: Flavour = WHOLE_RUNS) -> Document:
    """A scenario in which some assets have partitions."""
    document = scenario_document(seed, flavour)
    rng = Random(f"sliced {seed}")
    written: Any = rng.choice([{"by": "hour"}, {"by": "hour", "latest": 2}, ["eu", "us"]])
    cut = {entry["key"] for entry in document["assets"] if not entry.get("virtual") and rng.random() < 0.6}
    hourly = isinstance(written, dict)
    return {
        **document,
        "assets": [_asset(entry, cut, written, rng, hourly) for entry in document["assets"]],
        "policies": [_policy(entry) for entry in document["policies"]],
        "timeline": [_line(line, cut, rng, hourly) for line in document["timeline"]],
    }


def _asset(entry: Document, cut: set[str], written: Any, rng: Random, hourly: bool) -> Document:
    if entry["key"] in cut:
        return {**entry, "partitions": written}
    if hourly and "upstreams" in entry and not entry.get("virtual"):
        ups = [
            {"key": up, "mapping": {"last": 2}} if up in cut and rng.random() < 0.3 else up for up in entry["upstreams"]
        ]
        return {**entry, "upstreams": ups}
    return entry


def _policy(entry: Document) -> Document:
    """`updates_on` names upstreams, and completeness is no matter of partitions."""
    entry = {word: value for word, value in entry.items() if word != "completeness"}
    react = entry.get("react")
    if isinstance(react, dict):
        options = {word: value for word, value in react["eager"].items() if word != "updates_on"}
        entry["react"] = {"eager": options} if options else "eager"
    return entry


def _line(line: Document, cut: set[str], rng: Random, hourly: bool) -> Document:
    key = line.get("update")
    if key not in cut:
        return line
    now = 1 if int(line["at"][:-1]) < 3590 else 2
    name = HOURS[now - rng.choice([0, 0, 0, 1])] if hourly else rng.choice(["eu", "us"])
    return {word: value for word, value in {**line, "update": f"{key}[{name}]"}.items() if word != "completeness"}
