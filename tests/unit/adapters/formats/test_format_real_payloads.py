"""Real payloads, where they are beside the project: every one is understood, or refused for a known reason."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from freshd.adapters.formats import decoder
from freshd.model.errors import DecodeError
from freshd.model.inputs import EventKind
from freshd.model.sighting import Message

EVENTS = Path(__file__).parents[4].parent / "shared" / "data" / "events"
pytestmark = pytest.mark.skipif(not EVENTS.is_dir(), reason=f"no real payloads at {EVENTS}")


def records(name: str) -> Iterator[tuple[dict[str, Any], Message]]:
    for number, line in enumerate((EVENTS / f"{name}.jsonl").read_text().splitlines()):
        record = json.loads(line)
        payload = record["payload"]
        body = record.get("raw_body") or (payload if isinstance(payload, str) else json.dumps(payload))
        headers = {key.lower(): str(value) for key, value in record["headers"].items()}
        yield record, Message(body.encode(), 0, f"{name}#{number}", headers, record.get("topic") or "")


def outcomes(name: str, format: str, only: str = "") -> Counter[str]:
    counted: Counter[str] = Counter()
    for record, message in records(name):
        if only and record["format"] != only:
            continue
        try:
            kinds = [sighting.kind.value for sighting in decoder(format)(message)]
        except DecodeError as error:
            kinds = [error.reason]
        counted.update(kinds or ["nothing"])
    return counted


def test_fivetran() -> None:
    found = outcomes("fivetran", "fivetran", only="fivetran")
    assert found == {"update": 1, "run_failed": 2, "run_started": 1, "run_ended": 1, "nothing": 2, "bad_field": 1}


def test_airbyte() -> None:
    assert outcomes("airbyte", "airbyte") == {"update": 2, "run_failed": 1, "nothing": 1}


def test_cloudevents_of_every_kind_are_updates() -> None:
    assert set(outcomes("cloudevents", "cloudevents")) == {"update"}


def test_dbt_artifacts() -> None:
    assert set(outcomes("dbt_artifacts", "dbt")) == {"update", "run_failed", "observation"}


def test_openlineage_understands_all_and_takes_only_completed_runs_for_updates() -> None:
    for record, message in records("openlineage"):
        payload = record["payload"]
        sightings = decoder("openlineage")(message)
        updates = [sighting for sighting in sightings if sighting.kind is EventKind.UPDATE]
        completed = payload.get("eventType") == "COMPLETE" and "run" in payload
        assert bool(updates) == completed, record["source"]
        assert len({sighting.id for sighting in sightings}) == len(sightings)


def test_openlineage_ids_tell_the_events_of_real_runs_apart() -> None:
    ids: dict[str, str] = {}
    for record, message in records("openlineage"):
        if not record["source"].startswith("produced"):
            continue
        for sighting in decoder("openlineage")(message):
            body = json.dumps(record["payload"], sort_keys=True)
            assert ids.setdefault(sighting.id, body) == body, sighting.id
    assert len(ids) > 100
