"""Fivetran, Airbyte and dbt artifacts: which messages are updates, and of what."""

from __future__ import annotations

import json
from typing import Any

import pytest

from freshd.adapters.formats import airbyte, dbt, fivetran
from freshd.adapters.formats.dbt import read_artifact
from freshd.adapters.formats.fields import REFUSALS_TOLD
from freshd.model.errors import DecodeError
from freshd.model.inputs import HINT, Check, EventKind, Unmatched
from freshd.model.sighting import Message, Sighting
from freshd.model.time import parse_instant

SYNC = {
    "event": "sync_end",
    "created": "2026-05-22T00:06:08.638Z",
    "connector_type": "stripe",
    "connector_id": "rainy_dental",
    "connector_name": "stripe_eu",
    "sync_id": "s1",
    "destination_group_id": "wh",
    "data": {"status": "SUCCESSFUL"},
}
JOB = {
    "data": {
        "workspace": {"id": "w", "name": "W"},
        "connection": {"id": "c1", "name": "Stripe → Postgres"},
        "source": {"id": "s", "name": "Stripe"},
        "destination": {"id": "d", "name": "Postgres"},
        "jobId": 9988,
        "startedAt": "2024-01-01T00:00:00Z",
        "finishedAt": "2024-01-01T01:00:00Z",
        "bytesCommitted": 90,
        "recordsCommitted": 45,
        "success": True,
    }
}


def message(payload: Any) -> Message:
    return Message(json.dumps(payload).encode(), 0, "ingress/x#1")


def without(payload: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in payload.items() if name not in names}


def test_a_successful_sync_is_an_update_of_its_connector() -> None:
    [sighting] = fivetran.decode(message(SYNC))
    assert sighting.kind is EventKind.UPDATE
    assert sighting.feed == "fivetran/rainy_dental"
    assert sighting.at == parse_instant("2026-05-22T00:06:08.638Z")
    assert sighting.run_id == "s1"
    assert sighting.fields == {
        "connector": "rainy_dental",
        "connector_name": "stripe_eu",
        "connector_type": "stripe",
        "destination": "wh",
    }


@pytest.mark.parametrize(
    ("changes", "kinds"),
    [
        ({"data": {"status": "FAILURE"}}, [EventKind.RUN_FAILED]),
        ({"data": {"status": "FAILED"}}, [EventKind.RUN_FAILED]),
        ({"data": {"status": "FAILURE_WITH_TASK"}}, [EventKind.RUN_FAILED]),
        ({"data": {"status": "SOMETHING_NEW"}}, [EventKind.RUN_FAILED]),
        ({"data": {"status": "RESCHEDULED", "reason": "quota"}}, [EventKind.RUN_ENDED]),
        ({"data": {"status": "CANCELED"}}, [EventKind.RUN_ENDED]),
        ({"event": "sync_start", "data": None}, [EventKind.RUN_STARTED]),
        ({"data": None}, []),
        ({"data": {}}, []),
        ({"event": "test_event"}, []),
        ({"event": "transformation_run_succeeded"}, []),
    ],
)
def test_only_the_successful_end_of_a_sync_is_an_update(changes: dict[str, Any], kinds: list[EventKind]) -> None:
    assert [sighting.kind for sighting in fivetran.decode(message({**SYNC, **changes}))] == kinds


def test_a_sync_that_failed_and_then_succeeded_has_two_ids_and_a_repetition_has_one() -> None:
    ids = [fivetran.decode(message({**SYNC, "data": {"status": status}}))[0].id for status in ("FAILED", "SUCCESSFUL")]
    assert len(set(ids)) == 2
    assert fivetran.decode(message({**SYNC, "new_field": 1}))[0].id == ids[1]


def test_newer_and_older_names_of_fivetrans_fields() -> None:
    newer = {**without(SYNC, "connector_id", "connector_name", "sync_id"), "connection_id": "c", "connection_name": "n"}
    [sighting] = fivetran.decode(message({**newer, "data": {"status": "SUCCESSFUL", "sync_id": "inner"}}))
    assert (sighting.feed, sighting.run_id, sighting.fields["connector_name"]) == ("fivetran/c", "inner", "n")
    [older] = fivetran.decode(message({**without(SYNC, "destination_group_id"), "group_id": "g"}))
    assert older.fields["destination"] == "g"


@pytest.mark.parametrize(
    ("payload", "told"),
    [
        (without(SYNC, "event"), "event is missing"),
        (without(SYNC, "connector_id"), "connector_id is missing"),
        (without(SYNC, "created"), "created is missing"),
        ({**SYNC, "created": 17}, "created must be an RFC 3339 instant"),
        ({**SYNC, "connector_id": 17}, "connector_id must be text, not a number '17'"),
        ({**SYNC, "data": "SUCCESSFUL"}, "data must be an object"),
        ({**SYNC, "data": {"status": True}}, "data.status must be text"),
        ([SYNC], "the message must be an object, not an array"),
    ],
)
def test_fivetran_messages_of_the_wrong_shape(payload: Any, told: str) -> None:
    with pytest.raises(DecodeError, match=told.replace("(", r"\(")) as caught:
        fivetran.decode(message(payload))
    assert caught.value.reason == "bad_field"


def test_a_successful_job_is_an_update_that_began_reading_at_its_start() -> None:
    [sighting] = airbyte.decode(message(JOB))
    assert (sighting.kind, sighting.changed) == (EventKind.UPDATE, True)
    assert sighting.at == parse_instant("2024-01-01T01:00:00Z")
    assert sighting.started_at == parse_instant("2024-01-01T00:00:00Z")
    assert sighting.metadata == {"row_count": 45, "bytes": 90}
    assert sighting.fields["connection_name"] == "Stripe → Postgres"
    assert (sighting.fields["source_name"], sighting.fields["destination_name"]) == ("Stripe", "Postgres")


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"success": False}, [(EventKind.RUN_FAILED, True)]),
        ({"recordsCommitted": 0}, [(EventKind.UPDATE, False)]),
        ({"recordsCommitted": None}, [(EventKind.UPDATE, True)]),
        ({"success": None}, []),
    ],
)
def test_partial_writes_are_no_updates_and_empty_jobs_found_nothing_new(
    changes: dict[str, Any], expected: list[tuple[EventKind, bool]]
) -> None:
    found = airbyte.decode(message({"data": {**JOB["data"], **changes}}))
    assert [(sighting.kind, sighting.changed) for sighting in found] == expected


def test_airbytes_texts_for_people_tell_nothing() -> None:
    assert airbyte.decode(message({"text": "Hello World! This is a test"})) == []


@pytest.mark.parametrize("changes", [{"success": "true"}, {"finishedAt": None}, {"connection": {}}, {"jobId": [1]}])
def test_airbyte_messages_of_the_wrong_shape(changes: dict[str, Any]) -> None:
    with pytest.raises(DecodeError) as caught:
        airbyte.decode(message({"data": {**JOB["data"], **changes}}))
    assert caught.value.reason == "bad_field"


def results(*rows: dict[str, Any], schema: str = "run-results/v6") -> dict[str, Any]:
    return {
        "metadata": {
            "dbt_schema_version": f"https://schemas.getdbt.com/dbt/{schema}.json",
            "generated_at": "2026-11-22T09:00:00Z",
            "invocation_id": "i1",
        },
        "results": [*rows],
    }


TIMING = [
    {"name": "compile", "started_at": "2026-11-22T08:00:00Z", "completed_at": "2026-11-22T08:00:01Z"},
    {"name": "execute", "started_at": "2026-11-22T08:00:02Z", "completed_at": "2026-11-22T08:00:05Z"},
]


@pytest.mark.parametrize(
    ("unique_id", "status", "kind"),
    [
        ("model.p.orders", "success", EventKind.UPDATE),
        ("seed.p.s", "success", EventKind.UPDATE),
        ("snapshot.p.s", "success", EventKind.UPDATE),
        ("model.p.orders", "error", EventKind.RUN_FAILED),
        ("model.p.orders", "partial success", EventKind.RUN_FAILED),
        ("model.p.orders", "skipped", None),
        ("exposure.p.e", "no-op", None),
        ("operation.p.o", "success", None),
        ("test.p.unique_orders_id.abc", "fail", None),
    ],
)
def test_outcomes_of_dbt_nodes(unique_id: str, status: str, kind: EventKind | None) -> None:
    found = dbt.decode(message(results({"unique_id": unique_id, "status": status, "timing": TIMING})))
    assert [sighting.kind for sighting in found] == ([kind] if kind else [])
    for sighting in found:
        assert sighting.at == parse_instant("2026-11-22T08:00:05Z")
        assert sighting.names[0][0] == unique_id


def test_an_updated_model_began_reading_when_its_execution_began() -> None:
    row = {"unique_id": "model.p.o", "status": "success", "timing": TIMING, "relation_name": '"w"."p"."o"'}
    row |= {"adapter_response": {"rows_affected": 99}, "execution_time": 3.5}
    [sighting] = dbt.decode(message(results(row)))
    assert sighting.started_at == parse_instant("2026-11-22T08:00:02Z")
    assert sighting.names == (("model.p.o", '"w"."p"."o"'),)
    assert sighting.metadata == {"row_count": 99, "seconds": 3.5}
    [untimed] = dbt.decode(message(results({**row, "timing": []})))
    assert untimed.at == parse_instant("2026-11-22T09:00:00Z")


def test_tests_are_checks_of_the_node_that_they_are_about_if_that_is_known() -> None:
    row = {"unique_id": "test.p.unique_orders_id.abc", "status": "fail", "failures": 3, "timing": TIMING}
    [sighting] = read_artifact(results(row), "run_results.json", {"test.p.unique_orders_id.abc": "model.p.orders"})
    assert sighting.names == (("model.p.orders",),)
    assert sighting.check == Check("unique_orders_id", False, 3, False)


def test_a_look_at_a_source_is_an_observation_of_its_newest_load() -> None:
    row = {
        "unique_id": "source.p.s.t",
        "max_loaded_at": "2026-11-21T14:55:27.830265+00:00",
        "snapshotted_at": "2026-11-22T08:55:27+00:00",
        "status": "warn",
    }
    [sighting] = dbt.decode(message(results(row, schema="sources/v3")))
    assert sighting.kind is EventKind.OBSERVATION
    assert sighting.data_time == parse_instant("2026-11-21T14:55:27.830265Z")
    assert sighting.at == parse_instant("2026-11-22T08:55:27Z")


@pytest.mark.parametrize(
    ("said", "hint"),
    [
        (
            {"status": "runtime error", "error": "Database Error\n  no such table"},
            "runtime error: Database Error no such",
        ),
        ({"status": "error", "error": None}, "error, without max_loaded_at"),
        ({"status": "pass", "max_loaded_at": ""}, "pass, without max_loaded_at"),
    ],
)
def test_a_look_that_saw_nothing_is_listed_with_what_dbt_says(said: dict[str, Any], hint: str) -> None:
    seen = {"unique_id": "source.p.s.t", "max_loaded_at": "2026-11-21T14:55:27Z", "status": "pass"}
    look, listed = dbt.decode(message(results(seen, {"unique_id": "source.p.s.u", **said}, schema="sources/v3")))
    assert isinstance(look, Sighting)
    assert isinstance(listed, Unmatched)
    assert (listed.format, listed.name, listed.at) == ("dbt", "source.p.s.u", parse_instant("2026-11-22T09:00:00Z"))
    assert f"dbt could not look at it: {hint}" in listed.fields[HINT]


@pytest.mark.parametrize(
    ("bad", "told"),
    [
        (
            {"unique_id": "model.p.b", "status": "success", "adapter_response": "OK"},
            "adapter_response must be an object",
        ),
        ({"unique_id": "model.p.b", "status": 1}, "status must be text"),
        ({"unique_id": "model.p.b", "status": "success", "timing": {}}, "timing must be an array"),
        ({"status": "success"}, "unique_id is missing"),
        ("model.p.b", "results[1] must be an object"),
    ],
)
def test_a_result_of_the_wrong_shape_is_refused_alone(bad: Any, told: str) -> None:
    good = [{"unique_id": f"model.p.{name}", "status": "success", "timing": TIMING} for name in "ac"]
    first, refused, last = dbt.decode(message(results(good[0], bad, good[1])))
    assert isinstance(first, Sighting) and isinstance(last, Sighting)
    assert (first.names[0][0], last.names[0][0]) == ("model.p.a", "model.p.c")
    assert isinstance(refused, DecodeError) and refused.reason == "bad_field"
    assert told in str(refused) and "results[1]" in str(refused)


def test_results_that_are_all_of_the_wrong_shape_are_refused_within_bounds() -> None:
    found = dbt.decode(message(results(*({"status": "success"} for _ in range(1_000)))))
    assert len(found) == REFUSALS_TOLD + 1
    assert "980 more of 1000 cannot be understood" in str(found[-1])


@pytest.mark.parametrize(
    ("written", "rows"), [(12, 12), ("12", 12), (12.0, 12), ("-1", None), (-1, None), ("many", None), ("9" * 30, None)]
)
def test_counts_of_rows_may_be_written_as_text(written: Any, rows: int | None) -> None:
    row = {"unique_id": "model.p.o", "status": "success", "adapter_response": {"rows_affected": written}}
    [sighting] = dbt.decode(message(results(row)))
    assert isinstance(sighting, Sighting)
    assert (sighting.metadata or {}).get("row_count") == rows


def test_freshness_of_dbt_2_tells_of_sources_as_sources_json_does() -> None:
    look = {"max_loaded_at": "2026-08-27T23:30:00+00:00", "snapshotted_at": "2026-08-28T00:00:00+00:00"}
    source = {"unique_id": "source.p.s.t", "resource_type": "source", "status": "Pass", **look}
    model = {"unique_id": "model.p.m", "resource_type": "model", "status": "Pass", **look}
    [sighting] = dbt.decode(message(results(model, source, schema="freshness/v0")))
    assert isinstance(sighting, Sighting)
    assert (sighting.kind, sighting.names) == (EventKind.OBSERVATION, (("source.p.s.t",),))


def test_other_files_are_no_results() -> None:
    with pytest.raises(DecodeError, match=r"neither run_results\.json nor sources\.json"):
        dbt.decode(message({"metadata": {"dbt_schema_version": "https://schemas.getdbt.com/dbt/manifest/v12.json"}}))


@pytest.mark.parametrize(
    "args",
    [
        {"which": "compile"},
        {"which": "generate"},
        {"which": "list"},
        {"rpc_method": "docs.generate"},
        {"which": "run", "empty": True},
    ],
)
def test_what_dbt_only_compiled_or_built_empty_is_no_update(args: dict[str, Any]) -> None:
    rows = [{"unique_id": name, "status": "success", "timing": TIMING} for name in ("model.p.o", "test.p.t.1")]
    assert read_artifact({**results(*rows), "args": args}, "run_results.json", {"test.p.t.1": "model.p.o"}) == []


@pytest.mark.parametrize("args", [None, {}, {"which": "build", "empty": False}, {"which": "retry"}])
def test_what_dbt_built_is_an_update(args: dict[str, Any] | None) -> None:
    row = {"unique_id": "model.p.o", "status": "success", "timing": TIMING}
    assert len(dbt.decode(message({**results(row), "args": args}))) == 1


def test_a_test_with_a_short_id_is_a_check() -> None:
    [sighting] = read_artifact(results({"unique_id": "test.x", "status": "pass"}), "r", {"test.x": "model.p.o"})
    assert sighting.check == Check("x", True, None, False)


PLATFORM = {
    "accountId": 1,
    "eventId": "wev_1",
    "timestamp": "2023-01-31T19:29:35.789265936Z",
    "eventType": "job.run.completed",
    "data": {
        "jobId": "123",
        "jobName": "Daily",
        "runId": "12345",
        "environmentName": "Production",
        "projectName": "Shop",
        "runStatus": "Success",
        "runStatusCode": 10,
        "runStartedAt": "2023-01-31T19:28:07Z",
        "runFinishedAt": "2023-01-31T19:29:32Z",
    },
}


def platform(**changes: Any) -> list[Sighting]:
    found = dbt.decode(message({**PLATFORM, "data": {**PLATFORM["data"], **changes}}))
    assert all(isinstance(one, Sighting) for one in found)
    return [one for one in found if isinstance(one, Sighting)]


def test_a_job_of_the_dbt_platform_is_an_update_of_what_rules_say_that_it_builds() -> None:
    [sighting] = platform()
    assert (sighting.kind, sighting.names) == (EventKind.UPDATE, (("dbt/123", "dbt/Daily"),))
    assert sighting.at == parse_instant("2023-01-31T19:29:32Z")
    assert sighting.started_at == parse_instant("2023-01-31T19:28:07Z")
    assert sighting.fields == {"job": "123", "job_name": "Daily", "environment": "Production", "project": "Shop"}
    [started] = platform(runStatus="Running", runStatusCode=3, runFinishedAt=None)
    assert (started.kind, started.at) == (EventKind.RUN_STARTED, parse_instant("2023-01-31T19:28:07Z"))
    assert started.run_id == sighting.run_id == "12345"


@pytest.mark.parametrize(
    ("changes", "kinds"),
    [
        ({"runStatusCode": None}, [EventKind.UPDATE]),
        ({"runStatusCode": 20}, [EventKind.RUN_FAILED]),
        ({"runStatusCode": None, "runStatus": "Errored"}, [EventKind.RUN_FAILED]),
        ({"runStatusCode": 30}, [EventKind.RUN_ENDED]),
        ({"runStatusCode": 1, "runStartedAt": None}, [EventKind.RUN_STARTED]),
        ({"runStatusCode": None, "runStatus": "None"}, []),
        ({"jobId": 123}, [EventKind.UPDATE]),
    ],
)
def test_how_a_job_ended_is_what_its_status_says(changes: dict[str, Any], kinds: list[EventKind]) -> None:
    assert [sighting.kind for sighting in platform(**changes)] == kinds


def test_a_failed_run_is_told_twice_and_counts_once() -> None:
    errored = {**PLATFORM["data"], "runStatus": "Errored", "runStatusCode": 20, "runErroredAt": "2023-01-31T19:29:30Z"}
    ids = set()
    for name in ("job.run.errored", "job.run.completed"):
        [sighting] = dbt.decode(message({**PLATFORM, "eventType": name, "data": errored}))
        assert isinstance(sighting, Sighting)
        ids.add(sighting.id)
    assert len(ids) == 1
    assert dbt.decode(message({**PLATFORM, "eventType": "webhook.test"})) == []
    with pytest.raises(DecodeError, match=r"data\.jobId is missing"):
        platform(jobId=None)
