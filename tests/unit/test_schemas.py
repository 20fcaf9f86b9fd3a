"""The schemas that editors use say what the readers say, and the committed one is up to date."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from freshd.documents import parse_yaml, read_yaml
from freshd.model.asset import Asset
from freshd.model.graph import build_graph
from freshd.policies import build_charter, load_policies
from freshd.schemas import KINDS, schema

ROOT = Path(__file__).resolve().parents[2]
COMMITTED = ROOT / "policies" / "policies.schema.json"
EXAMPLES = sorted((ROOT / "policies").glob("*.yaml"))


def fits(kind: str, value: Any) -> bool:
    return bool(jsonschema.Draft202012Validator(schema(kind)).is_valid(value))


@pytest.mark.parametrize("kind", KINDS)
def test_every_schema_is_one_and_refuses_unknown_keys(kind: str) -> None:
    made = schema(kind)
    jsonschema.Draft202012Validator.check_schema(made)
    assert made["title"] and not fits(kind, {"xyz": 1})
    json.dumps(made)


@pytest.mark.parametrize(
    ("kind", "text", "good"),
    [
        ("config", "store: sqlite:///x.db", True),
        ("config", "store: {url: 'postgresql://u@h/d', password_file: p}", True),
        ("config", "kafka: {bootstrap_servers: [a:9092], topics: {t: {format: freshd, heartbeat: 5m}}}", True),
        ("config", "catalog: [{dbt: target/manifest.json}, assets/*.yaml]", True),
        ("config", "mode: acting", False),
        ("config", "ingress: {f: {format: fivetran, secret_file: s}}", True),
        ("config", "ingress: {f: {format: fivetrann, secret_file: s}}", False),
        ("config", "kafka: {bootstrap_servers: [a:9092], topics: {t: {format: text}}}", False),
        ("config", "identify: [{match: {name: x}, assets: y}, {format: dbt, match: {name: x}, assets: y}]", True),
        ("config", "identify: [{format: dbtt, match: {name: x}, assets: y}]", False),
        ("config", "{listen: '[::]:8765', metrics: {listen: ''}}", True),
        ("config", "{listen: 0.0.0.0:8765, metrics: {listen: localhost:1}}", True),
        ("config", "listen: 0.0.0.0", False),
        ("config", "metrics: {listen: '9765'}", False),
        ("policies", "policies: [{name: p, select: x, react: {eager: {debounce: 3s}}, retry: {jitter: 10%}}]", True),
        ("policies", "policies: [{name: p, select: x, react: eager, expect: {lag: {stale: 1h}}}]", True),
        ("policies", "policies: [{name: p, select: x, expect: {learned: {k: 1}}}]", False),
        ("policies", "policies: [{name: p}]", False),
        ("assets", "assets: [{key: a/b, upstreams: [c]}]", True),
        (
            "scenario",
            "{scenario: s, start: 2026-01-01T00:00:00Z, assets: [{key: a}], timeline: [{at: 0s, update: a}]}",
            True,
        ),
        ("scenario", "{scenario: s, start: 2026-01-01T00:00:00Z, timeline: [{at: 0s, updat: a}]}", False),
        ("event", "{asset: a}", True),
    ],
)
def test_what_fits(kind: str, text: str, good: bool) -> None:
    (document,) = parse_yaml(text, "x")
    assert fits(kind, document.value) == good


def test_an_unknown_kind_names_the_known_ones() -> None:
    with pytest.raises(ValueError, match="did you mean policies"):
        schema("polices")


def test_the_committed_schema_of_policies_is_up_to_date() -> None:
    made = json.dumps(schema("policies"), indent=1, sort_keys=True) + "\n"
    if os.environ.get("FRESHD_TEST_GOLDEN") == "write":
        COMMITTED.write_text(made, encoding="utf-8")
    assert COMMITTED.read_text(encoding="utf-8") == made, "run the test with FRESHD_TEST_GOLDEN=write"


@pytest.mark.parametrize("path", EXAMPLES, ids=[path.name for path in EXAMPLES])
def test_the_example_policies_fit_schema_and_language(path: Path) -> None:
    assert path.read_text(encoding="utf-8").startswith("# yaml-language-server: $schema=policies.schema.json\n")
    for document in read_yaml(path):
        assert fits("policies", document.value)
    graph = build_graph(
        [
            Asset("s", kind="source", source_name="stripe", tags=("tier1",), group="master_data"),
            Asset("m", ("s",), kind="model", tags=("wide",), group="finance"),
        ]
    )
    build_charter(graph, load_policies(path.name, path.parent), partial=True, notes=[])


def test_all_example_policies_can_stand_together() -> None:
    assert len(EXAMPLES) >= 6
    load_policies("*.yaml", ROOT / "policies")
