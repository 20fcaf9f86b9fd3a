"""Whatever is sent: a decoder answers with sightings or a DecodeError that names the message, never otherwise."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from freshd.adapters.formats import FORMATS, decoder
from freshd.model.errors import DecodeError
from freshd.model.inputs import EventKind, Unmatched
from freshd.model.sighting import Message, Sighting

TEMPLATES: dict[str, Any] = {
    "freshd": {
        "asset": "a",
        "at": "2026-11-22T08:00:00Z",
        "type": "check",
        "name": "n",
        "passed": True,
        "metadata": {},
    },
    "fivetran": {
        "event": "sync_end",
        "created": "2026-05-22T00:06:08Z",
        "connector_id": "c",
        "data": {"status": "SUCCESSFUL"},
    },
    "airbyte": {"data": {"connection": {"id": "c"}, "jobId": 1, "finishedAt": "2024-01-01T01:00:00Z", "success": True}},
    "openlineage": {
        "eventTime": "2026-11-22T08:00:00Z",
        "eventType": "COMPLETE",
        "run": {"runId": "r", "facets": {"errorMessage": {"message": "m"}}},
        "job": {
            "namespace": "n",
            "name": "j",
            "facets": {"jobType": {"jobType": "MODEL"}, "dbt_node": {"unique_id": "model.p.a"}},
        },
        "outputs": [
            {
                "namespace": "s3://b",
                "name": "x/y",
                "facets": {
                    "symlinks": {"identifiers": [{"namespace": "hive://h", "name": "db.t", "type": "TABLE"}]},
                    "lifecycleStateChange": {"lifecycleStateChange": "DROP"},
                },
                "outputFacets": {"outputStatistics": {"rowCount": 5}},
            }
        ],
    },
    "cloudevents": {
        "specversion": "1.0",
        "id": "i",
        "type": "t",
        "source": "s",
        "time": "2026-11-22T08:00:00Z",
        "data": {},
    },
    "dbt": {
        "metadata": {
            "dbt_schema_version": "https://schemas.getdbt.com/dbt/run-results/v6.json",
            "generated_at": "2026-11-22T08:00:00Z",
            "invocation_id": "i",
        },
        "results": [
            {
                "unique_id": "model.p.a",
                "status": "success",
                "timing": [
                    {"name": "execute", "started_at": "2026-11-22T08:00:00Z", "completed_at": "2026-11-22T08:00:00Z"}
                ],
                "adapter_response": {"rows_affected": 1},
                "relation_name": "a.b.c",
            }
        ],
    },
}

JUNK = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-(10**20), 10**20),
        st.floats(allow_nan=False, allow_infinity=False),
        st.text(max_size=6),
        st.sampled_from(
            ["", ".", "..", "/", "9999-12-31T23:59:59-23:59", "0001-01-01T00:00:00+23:59", "2026-11-22T08:00:00Z"]
        ),
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=4), inner, max_size=3)),
    max_leaves=5,
)


def paths(value: Any, here: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [here, *(path for key, part in inside for path in paths(part, (*here, key)))]


def replaced(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    if not path:
        return new
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[path[0]] = replaced(value[path[0]], path[1:], new)
    return copy


@st.composite
def damaged(draw: st.DrawFn) -> tuple[str, bytes]:
    format = draw(st.sampled_from(sorted(TEMPLATES)))
    value = TEMPLATES[format]
    for _ in range(draw(st.integers(1, 2))):
        value = replaced(value, draw(st.sampled_from(paths(value))), draw(JUNK))
    raw = json.dumps(value).encode()
    return format, raw[: draw(st.integers(0, len(raw)))] if draw(st.integers(0, 9)) == 0 else raw


def test_every_format_has_a_template_that_is_understood() -> None:
    assert set(TEMPLATES) == set(FORMATS)
    for format, value in TEMPLATES.items():
        assert decoder(format)(Message(json.dumps(value).encode(), 0, "t/0/1")), format


def understood(format: str, message: Message) -> list[Sighting]:
    try:
        seen = decoder(format)(message)
    except DecodeError as error:
        seen = [error]
    for refused in seen:
        if isinstance(refused, DecodeError):
            assert message.origin in str(refused)
            assert refused.reason.replace("_", "").isalpha()
        if isinstance(refused, Unmatched):
            assert all(type(text) is str for text in (refused.name, *refused.fields.values()))
            assert type(refused.at) is int
    return [sighting for sighting in seen if isinstance(sighting, Sighting)]


@settings(max_examples=500, deadline=None)
@given(damaged(), st.booleans())
def test_damaged_messages(case: tuple[str, bytes], in_topic: bool) -> None:
    format, raw = case
    message = Message(raw, 0, "t/0/1", {"content-type": "application/json"}, "t" if in_topic else "")
    for sighting in understood(format, message):
        assert isinstance(sighting.kind, EventKind)
        assert all(type(name) is str for names in sighting.names for name in names)
        assert all(type(text) is str for text in (sighting.id, sighting.source, sighting.run_id, sighting.feed))
        assert all(type(text) is str for text in sighting.fields.values())
        assert all(
            instant is None or type(instant) is int
            for instant in (sighting.at, sighting.started_at, sighting.data_time)
        )


@settings(max_examples=200, deadline=None)
@given(
    st.sampled_from(FORMATS),
    st.binary(max_size=40),
    st.dictionaries(
        st.sampled_from(["ce_specversion", "ce-specversion", "ce_id", "content-type", "ce_type", "ce_source"]),
        st.text(max_size=8),
    ),
)
def test_random_bytes_and_headers(format: str, raw: bytes, headers: dict[str, str]) -> None:
    understood(format, Message(raw, 0, "t/0/1", headers, "t"))
