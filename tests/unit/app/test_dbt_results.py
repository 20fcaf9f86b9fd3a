"""dbt's results that come in: what they say of tests is about the nodes that the manifest says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from freshd.app.parts import decoders
from freshd.app.project import load_project
from freshd.model.inputs import Check, Event, EventKind
from freshd.model.sighting import Message
from freshd.runtime.translate import Translator

RESULTS = {
    "metadata": {
        "dbt_schema_version": "https://schemas.getdbt.com/dbt/run-results/v6.json",
        "generated_at": "2026-11-22T09:00:00Z",
        "invocation_id": "i",
    },
    "results": [
        {"unique_id": "test.p.unique_orders_id.abc", "status": "fail", "failures": 3},
        {"unique_id": "test.p.nobody_knows.def", "status": "pass"},
    ],
}


def node(unique_id: str, *upstreams: str) -> dict[str, Any]:
    kind, package, name = unique_id.split(".")[:3]
    made = {"unique_id": unique_id, "resource_type": kind, "package_name": package, "name": name}
    return {**made, "original_file_path": "m.sql", "depends_on": {"nodes": [*upstreams]}, "config": {}}


def test_tests_in_results_that_come_in_are_checks_of_the_nodes_that_they_are_about(tmp_path: Path) -> None:
    nodes = [node("model.p.orders"), node("test.p.unique_orders_id.abc", "model.p.orders")]
    manifest = {"metadata": {}, "nodes": {one["unique_id"]: one for one in nodes}, "sources": {}}
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    (tmp_path / "freshd.yaml").write_text("catalog:\n  - {dbt: manifest.json}\n")
    project = load_project(tmp_path / "freshd.yaml")
    translator = Translator(project.matcher, decoders(lambda: project))
    message = Message(json.dumps(RESULTS).encode(), 1_900_000_000_000_000, "ingress/dbt#1")
    [event] = translator.translate(message, "dbt")
    assert isinstance(event, Event)
    assert (event.kind, event.assets) == (EventKind.CHECK, ("p/orders",))
    assert event.check == Check("unique_orders_id", False, 3, False)
    [own] = translator.translate(Message(b'{"asset": "p/orders"}', 5, "ingress/events#1"), "freshd")
    assert isinstance(own, Event) and own.assets == ("p/orders",)
