"""freshd's own event: what is taken, what is refused and how it is told."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from freshd.adapters.formats import FORMATS, decoder
from freshd.adapters.formats.own import decode, encode
from freshd.adapters.formats.own_schema import EVENT_SCHEMA
from freshd.model.errors import ConfigError, DecodeError
from freshd.model.inputs import Check, EventKind
from freshd.model.sighting import Message, Sighting
from freshd.model.time import parse_instant

FULL = {
    "id": "sync-4711",
    "type": "update",
    "asset": "shop/raw_orders",
    "partition": "",
    "at": "2026-11-22T08:00:00Z",
    "started_at": "2026-11-22T07:58:00Z",
    "data_time": "2026-11-22T07:57:30Z",
    "run_id": "sync-4711",
    "changed": True,
    "completeness": 1.0,
    "metadata": {"row_count": 120},
    "source": "loader",
}


def message(value: Any, **headers: str) -> Message:
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    return Message(raw, 0, "events/0/7", {name.replace("_", "-"): text for name, text in headers.items()}, "events")


def one(value: Any, **headers: str) -> Sighting:
    [sighting] = decode(message(value, **headers))
    return sighting


def test_every_field_of_the_documented_event_is_read() -> None:
    sighting = one(FULL)
    assert (sighting.kind, sighting.names) == (EventKind.UPDATE, (("shop/raw_orders",),))
    assert (sighting.at, sighting.started_at, sighting.data_time) == (
        parse_instant("2026-11-22T08:00:00Z"),
        parse_instant("2026-11-22T07:58:00Z"),
        parse_instant("2026-11-22T07:57:30Z"),
    )
    assert (sighting.id, sighting.source, sighting.run_id) == ("sync-4711", "loader", "sync-4711")
    assert (sighting.changed, sighting.completeness, sighting.metadata) == (True, 1.0, {"row_count": 120})


def test_the_least_event_is_an_update_at_its_arrival_without_an_id() -> None:
    sighting = one({"asset": "a"})
    assert (sighting.kind, sighting.at, sighting.id, sighting.changed) == (EventKind.UPDATE, None, "", True)


def test_null_counts_as_absent() -> None:
    absent = {**dict.fromkeys(FULL), "asset": "a", "assets": None, "value": None, "feed": None}
    assert replace(one(absent), payload=None) == replace(one({"asset": "a"}), payload=None)


def test_several_assets_are_one_sighting_with_a_name_each() -> None:
    assert one({"assets": ["a", "b", "a"]}).names == (("a",), ("b",))
    assert one({"asset": "a", "assets": ["b"]}).names == (("a",), ("b",))


def test_the_idempotency_key_is_the_default_id_also_inside_an_array() -> None:
    assert one({"asset": "a"}, idempotency_key="k").id == "k"
    assert one({"asset": "a", "id": "x"}, idempotency_key="k").id == "x"
    both = decode(message([{"asset": "a"}, {"asset": "b"}], idempotency_key="k"))
    assert [sighting.id for sighting in both] == ["k/0", "k/1"]


def test_a_check_an_observation_and_a_heartbeat() -> None:
    check = one({"type": "check", "asset": "a", "name": "rows", "passed": False, "value": 3, "blocking": True})
    assert check.check == Check("rows", False, 3, True)
    assert one({"type": "observation", "asset": "a", "data_time": "2026-01-01T00:00:00Z"}).kind is EventKind.OBSERVATION
    heartbeat = one({"type": "heartbeat", "feed": "fivetran/x"})
    assert (heartbeat.names, heartbeat.feed) == ((), "fivetran/x")


@pytest.mark.parametrize(
    ("event", "reason", "told"),
    [
        (b"", "empty", "empty"),
        (b"{", "not_json", "not JSON"),
        (b"\xff\xfe", "not_json", "not JSON"),
        (b"[" * 3000, "not_json", "not JSON"),
        (b"42", "bad_field", "an event object or an array"),
        ([1], "bad_field", "events/0/7[0]: an event must be an object, not a number '1'"),
        ({}, "bad_field", "asset (or assets) is missing"),
        ({"asset": 5}, "bad_field", "asset must be the name of an asset, not a number '5'"),
        ({"asset": ""}, "bad_field", "asset must be"),
        ({"assets": []}, "bad_field", "assets must be an array of names"),
        ({"assets": ["a", 1]}, "bad_field", "assets must be an array of names"),
        ({"asset": "a", "type": "upd"}, "bad_field", "type must be one of update, observation"),
        ({"asset": "a", "type": ["update"]}, "bad_field", "type must be one of"),
        ({"asset": "a", "at": 1}, "bad_field", "at must be an RFC 3339 instant, not a number"),
        ({"asset": "a", "at": "yesterday"}, "bad_field", "at must be an instant like"),
        ({"asset": "a", "at": "2026-13-45T00:00:00Z"}, "bad_field", "at must be an instant like"),
        ({"asset": "a", "changed": "yes"}, "bad_field", "changed must be true or false"),
        ({"asset": "a", "completeness": 1.5}, "bad_field", "completeness must be a number from 0 to 1"),
        ({"asset": "a", "completeness": True}, "bad_field", "completeness must be a number from 0 to 1"),
        ({"asset": "a", "metadata": []}, "bad_field", "metadata must be an object, not an array"),
        ({"asset": "a", "run_id": 7}, "bad_field", "run_id must be text"),
        ({"asset": "a", "type": "observation"}, "bad_field", "data_time, which an observation tells, is missing"),
        ({"asset": "a", "type": "check", "name": "x"}, "bad_field", "passed (of the check) is missing"),
        ({"asset": "a", "passed": "yes"}, "bad_field", "passed must be true or false, not text 'yes'"),
        ({"asset": "a", "type": "check", "passed": True}, "bad_field", "name (of the check) is missing"),
        ({"type": "heartbeat"}, "bad_field", "feed, of which a heartbeat tells, is missing"),
        ({"asset": "a", "data_tiem": "x"}, "unknown_field", "unknown field 'data_tiem'; did you mean data_time?"),
        ([{"asset": "a"}, {"asset": "b", "zzz": 1}], "unknown_field", "events/0/7[1]: unknown field 'zzz'"),
    ],
)
def test_bad_events_say_what_is_wrong_and_where(event: Any, reason: str, told: str) -> None:
    with pytest.raises(DecodeError) as caught:
        decode(message(event))
    assert caught.value.reason == reason
    assert told in str(caught.value)
    assert "events/0/7" in str(caught.value)


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("2026-11-22T09:00:00+01:00", "2026-11-22T08:00:00Z"),
        ("2026-11-22 08:00:00", "2026-11-22T08:00:00Z"),
        ("2026-11-22T08:00:00.123456789Z", "2026-11-22T08:00:00.123456Z"),
        ("2026-11-22t08:00:00z", "2026-11-22T08:00:00Z"),
        ("2016-12-31T23:59:60Z", "2017-01-01T00:00:00Z"),
        ("1970-01-01T00:00:00Z", "1970-01-01T00:00:00Z"),
    ],
)
def test_instants_are_read_in_every_shape_that_producers_write(text: str, same: str) -> None:
    assert one({"asset": "a", "at": text}).at == parse_instant(same)


def test_a_sighting_written_as_an_own_event_is_read_back() -> None:
    for event in (FULL, {"type": "check", "asset": "a", "name": "x", "passed": True, "value": 1.5}, {"assets": ["a"]}):
        sighting = one(event)
        again = one(encode(sighting))
        for name in ("kind", "names", "at", "started_at", "data_time", "id", "source", "changed", "check", "metadata"):
            assert getattr(again, name) == getattr(sighting, name), name


VALUES = st.one_of(
    st.none(), st.booleans(), st.integers(-2, 2), st.floats(-1, 2), st.sampled_from(["", "x", "update", "check"])
)
EVENTS = st.fixed_dictionaries(
    {},
    optional={
        "asset": st.one_of(st.just("a"), VALUES),
        "assets": st.one_of(st.just(["a", "b"]), st.lists(VALUES, max_size=2), VALUES),
        "type": st.one_of(st.sampled_from([kind.value for kind in EventKind]), VALUES),
        "data_time": st.sampled_from([None, "2026-01-01T00:00:00Z", 5]),
        "changed": VALUES,
        "completeness": VALUES,
        "metadata": st.one_of(st.just({"a": 1}), VALUES),
        "name": st.one_of(st.just("rows"), VALUES),
        "passed": VALUES,
        "value": VALUES,
        "feed": st.one_of(st.just("f/x"), VALUES),
        "surprise": VALUES,
    },
)


@settings(max_examples=300, deadline=None)
@given(EVENTS)
def test_schema_and_decoder_refuse_the_same_events(event: dict[str, Any]) -> None:
    valid = jsonschema.Draft202012Validator(EVENT_SCHEMA).is_valid(event)
    try:
        decode(message(event))
        decoded = True
    except DecodeError:
        decoded = False
    assert decoded == valid, event


def test_formats_are_found_by_name_and_unknown_ones_are_told() -> None:
    assert decoder("freshd") is decode
    assert {"airbyte", "cloudevents", "fivetran", "freshd", "openlineage"} <= set(FORMATS)
    with pytest.raises(ConfigError, match=r"unknown format 'fivtran'; known are airbyte, .*fivetran"):
        decoder("fivtran")
