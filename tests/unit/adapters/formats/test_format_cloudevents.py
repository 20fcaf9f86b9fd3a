"""CloudEvents in every mode and version, over Kafka and HTTP."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from freshd.adapters.formats.cloudevents import decode
from freshd.model.errors import DecodeError
from freshd.model.inputs import EventKind
from freshd.model.sighting import Message, Sighting
from freshd.model.time import parse_instant

EVENT = {
    "specversion": "1.0",
    "id": "A-1",
    "type": "com.example.table.loaded",
    "source": "/loader",
    "subject": "raw.shop.orders",
    "time": "2026-11-22T08:00:00Z",
}
STRUCTURED = "application/cloudevents+json; charset=UTF-8"


def seen(
    value: Any, headers: dict[str, str] | None = None, topic: str = "", timestamp: int | None = None
) -> list[Sighting]:
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    found = decode(Message(raw, 0, "t/0/1", headers or {}, topic, timestamp))
    assert all(isinstance(one, Sighting) for one in found)
    return [one for one in found if isinstance(one, Sighting)]


def binary(prefix: str = "ce_", **changes: str | None) -> dict[str, str]:
    attributes = {name: text for name, text in {**EVENT, **changes}.items() if text is not None}
    return {f"{prefix}{name}": text for name, text in attributes.items()}


@pytest.mark.parametrize(
    "sightings",
    [
        seen(EVENT, {"content-type": STRUCTURED}),
        seen(EVENT, {"content-type": "Application/CloudEvents+JSON"}),
        seen(EVENT, {"content-type": "application/json"}, topic="t"),
        seen(EVENT),
        seen(b"\xef\xbb\xbf" + json.dumps(EVENT).encode()),
        seen({"rows": 5}, {**binary(), "content-type": "application/json"}, topic="t"),
        seen({"rows": 5}, {**binary("ce-"), "content-type": "application/json"}),
        seen(b"\x00avro", {**binary(), "content-type": "application/avro"}, topic="t"),
        seen(b"", binary("ce-")),
        seen({**EVENT, "specversion": "0.3", "schemaurl": "x"}, {"content-type": STRUCTURED}),
    ],
)
def test_the_same_event_in_every_mode(sightings: list[Sighting]) -> None:
    [sighting] = sightings
    assert (sighting.kind, sighting.id, sighting.source) == (EventKind.UPDATE, "A-1", "/loader")
    assert sighting.at == parse_instant("2026-11-22T08:00:00Z")
    assert sighting.names == (("raw.shop.orders", "/loader/raw.shop.orders"),)
    assert sighting.fields == {
        "type": "com.example.table.loaded",
        "source": "/loader",
        "subject": "raw.shop.orders",
    }


def test_a_batch_is_its_events() -> None:
    batch = [EVENT, {**EVENT, "id": "A-2"}]
    found = seen(batch, {"content-type": "application/cloudevents-batch+json"})
    assert [sighting.id for sighting in found] == ["A-1", "A-2"]


def test_one_event_of_a_batch_that_cannot_be_understood_is_refused_alone() -> None:
    batch = [EVENT, 5, {**EVENT, "specversion": "9"}, {**EVENT, "id": "A-2"}]
    headers = {"content-type": "application/cloudevents-batch+json"}
    found = decode(Message(json.dumps(batch).encode(), 0, "ingress/bus#1", headers))
    assert [one.id if isinstance(one, Sighting) else str(one) for one in found] == [
        "A-1",
        "ingress/bus#1[1]: an event must be an object, not a number '5'",
        "ingress/bus#1[2]: CloudEvents 9 is not supported; 0.3 and 1.0 are",
        "A-2",
    ]


def test_a_null_value_in_a_topic_is_a_tombstone() -> None:
    assert seen(b"", binary(), topic="t") == []
    assert seen(b"", topic="t") == []


def test_without_a_subject_source_and_type_name_it_and_without_a_time_the_record_dates_it() -> None:
    [sighting] = seen({**EVENT, "subject": None, "time": None}, topic="t", timestamp=77)
    assert sighting.names == (("/loader/com.example.table.loaded", "/loader"),)
    assert sighting.at == 77
    assert seen({**EVENT, "time": None})[0].at is None


def test_headers_over_http_are_percent_encoded_and_over_kafka_they_are_not() -> None:
    assert seen({}, binary("ce-", subject="a%20b"))[0].fields["subject"] == "a b"
    assert seen({}, binary("ce_", subject="a%20b"), topic="t")[0].fields["subject"] == "a%20b"


@pytest.mark.parametrize(
    ("written", "subject"),
    [
        ('"raw.shop.orders"', "raw.shop.orders"),
        ('"a \\"b\\" \\\\ c"', 'a "b" \\ c'),
        ('"Euro%20%E2%82%AC"', "Euro €"),
        ('"open', '"open'),
        ('"', '"'),
    ],
)
def test_headers_over_http_may_be_quoted(written: str, subject: str) -> None:
    assert seen({}, binary("ce-", subject=written))[0].fields["subject"] == subject
    assert seen({}, binary("ce_", subject=written), topic="t")[0].fields["subject"] == written


@pytest.mark.parametrize(
    ("type_", "kind"),
    [
        ("com.example.sync.completed", EventKind.UPDATE),
        ("com.example.sync.failed", EventKind.RUN_FAILED),
        ("com.example.syncFailed.v1", EventKind.RUN_FAILED),
        ("com.example.sync.started", EventKind.RUN_STARTED),
        ("com.example.sync.cancelled", EventKind.RUN_ENDED),
        ("google.cloud.storage.object.v1.finalized", EventKind.UPDATE),
        ("google.cloud.storage.object.v1.deleted", None),
        ("google.cloud.storage.object.v1.metadataUpdated", None),
        ("x", EventKind.UPDATE),
        ("sync_start", EventKind.RUN_STARTED),
        ("com.example.job.scheduled", EventKind.RUN_STARTED),
        ("com.example.job.run-pending", EventKind.RUN_STARTED),
        ("dev.cdevents.taskrun.started.0.2.0", EventKind.RUN_STARTED),
        ("dev.cdevents.taskrun.finished.0.2.0", EventKind.UPDATE),
        ("com.example.load.fail", EventKind.RUN_FAILED),
        ("com.example.load.timedOut", EventKind.RUN_FAILED),
        ("com.example.load.completedWithErrors", EventKind.RUN_FAILED),
        ("com.example.load.success", EventKind.UPDATE),
        ("Microsoft.Storage.BlobCreated", EventKind.UPDATE),
        ("Microsoft.Storage.BlobDeleted", None),
        ("com.example.table.dropped", None),
        ("com.example.table.truncated", None),
    ],
)
def test_the_end_of_the_type_says_what_happened(type_: str, kind: EventKind | None) -> None:
    assert [sighting.kind for sighting in seen({**EVENT, "type": type_})] == ([kind] if kind else [])


def test_data_is_there_for_rules_also_behind_base64() -> None:
    encoded = base64.b64encode(b'{"bucket": "b"}').decode()
    [sighting] = seen({**EVENT, "data_base64": encoded})
    assert sighting.payload["data"] == {"bucket": "b"}
    [old] = seen({**EVENT, "specversion": "0.3", "datacontentencoding": "base64", "data": encoded})
    assert old.payload["data"] == {"bucket": "b"}
    assert seen({**EVENT, "data_base64": "... no base64 ..."})[0].kind is EventKind.UPDATE


def test_debezium_names_its_table() -> None:
    extensions = {"iodebeziumdb": "wh", "iodebeziumschema": "public", "iodebeziumtable": "orders"}
    [sighting] = seen({**EVENT, **extensions, "subject": None})
    assert "wh.public.orders" in sighting.names[0]


@pytest.mark.parametrize(
    ("value", "headers", "reason", "told"),
    [
        ({"a": 1}, {}, "not_a_cloudevent", "specversion is missing"),
        ({**EVENT, "specversion": "2.0"}, {}, "unsupported", "CloudEvents 2.0 is not supported"),
        ({**EVENT, "specversion": 1.0}, {}, "bad_field", "specversion must be text"),
        ({**EVENT, "id": ""}, {}, "bad_field", "id is missing"),
        ({**EVENT, "id": 5}, {}, "bad_field", "id must be text"),
        ({**EVENT, "source": None}, {}, "bad_field", "source is missing"),
        ({**EVENT, "time": "noon"}, {}, "bad_field", "time must be an instant"),
        (b"x", {"content-type": "application/cloudevents+avro"}, "unsupported", "application/cloudevents+avro"),
        (b"x", {"content-type": STRUCTURED}, "not_json", "not JSON"),
        (b"5", {}, "bad_field", "a CloudEvent or an array"),
        ({}, {"ce_specversion": "1.0"}, "bad_field", "id is missing"),
    ],
)
def test_what_is_no_cloudevent(value: Any, headers: dict[str, str], reason: str, told: str) -> None:
    with pytest.raises(DecodeError) as caught:
        seen(value, headers)
    assert caught.value.reason == reason
    assert told in str(caught.value)
