"""OpenLineage: which runs refresh what, and under which names datasets are looked for."""

from __future__ import annotations

import json
from typing import Any

import pytest

from freshd.adapters.formats.datasets import dataset_names
from freshd.adapters.formats.openlineage import decode
from freshd.model.errors import DecodeError
from freshd.model.inputs import EventKind
from freshd.model.sighting import Message, Sighting
from freshd.model.time import parse_instant


def output(name: str = "wh.public.orders", **facets: Any) -> dict[str, Any]:
    statistics = facets.pop("rows", None)
    made: dict[str, Any] = {"namespace": "postgres://h:5432", "name": name, "facets": facets}
    if statistics is not None:
        made["outputFacets"] = {"outputStatistics": {"rowCount": statistics}}
    return made


def event(state: str | None, *outputs: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "eventTime": "2026-11-22T08:00:00.123456789Z",
        "eventType": state,
        "producer": "p",
        "schemaURL": "s",
        "run": {"runId": "r1", "facets": more.pop("run_facets", {})},
        "job": {"namespace": "jobs", "name": more.pop("job", "load"), "facets": more.pop("job_facets", {})},
        "inputs": [{"namespace": "postgres://h:5432", "name": "wh.public.read_only"}],
        "outputs": [*outputs],
        **more,
    }


def seen(payload: Any) -> list[Sighting]:
    found = decode(Message(json.dumps(payload).encode(), 0, "lineage/0/1", topic="lineage"))
    assert all(isinstance(one, Sighting) for one in found)
    return [one for one in found if isinstance(one, Sighting)]


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        (event("START", output()), [(EventKind.RUN_STARTED, False)]),
        (event("RUNNING", output()), [(EventKind.RUN_STARTED, False)]),
        (event("START"), [(EventKind.RUN_STARTED, True)]),
        (event("RUNNING"), []),
        (event("OTHER", output()), []),
        (event(None, output()), []),
        (event("COMPLETE", output()), [(EventKind.UPDATE, True)]),
        (event("complete", output()), [(EventKind.UPDATE, True)]),
        (event("COMPLETE"), [(EventKind.UPDATE, True)]),
        (event("FAIL"), [(EventKind.RUN_FAILED, True)]),
        (event("ABORT", output()), [(EventKind.RUN_FAILED, True)]),
        ({"eventTime": "2026-11-22T08:00:00Z", "dataset": {"namespace": "a", "name": "b"}}, []),
        ({"eventTime": "2026-11-22T08:00:00Z", "job": {"namespace": "a", "name": "b"}, "outputs": [output()]}, []),
    ],
)
def test_states_of_runs(payload: dict[str, Any], expected: list[tuple[EventKind, bool]]) -> None:
    assert [(sighting.kind, sighting.whole_run) for sighting in seen(payload)] == expected


def test_a_completed_run_names_what_it_wrote_and_not_what_it_read() -> None:
    [sighting] = seen(event("COMPLETE", output(rows=7)))
    assert sighting.names == (("postgres://h:5432/wh.public.orders", "wh.public.orders"),)
    assert sighting.each_fields == ({"namespace": "postgres://h:5432", "name": "wh.public.orders"},)
    assert sighting.fields == {"job_namespace": "jobs", "job_name": "load"}
    assert (sighting.run_id, sighting.metadata) == ("r1", {"row_count": 7})
    assert sighting.at == parse_instant("2026-11-22T08:00:00.123456Z")


@pytest.mark.parametrize(
    ("written", "at"),
    [
        ("2026-11-22T10:00:00.5+02:00[Europe/Paris]", "2026-11-22T08:00:00.5Z"),  # Java's ZonedDateTime, RFC 9557
        ("2026-11-22T08:00:00.52734Z[UTC]", "2026-11-22T08:00:00.52734Z"),
        ("2026-11-22T08:00Z", "2026-11-22T08:00:00Z"),
        ("2026-11-22T10:00+02:00", "2026-11-22T08:00:00Z"),
        ("2026-11-22T08:00:00.641499", "2026-11-22T08:00:00.641499Z"),
        ("2026-11-22T08:00:00.4Z", "2026-11-22T08:00:00.4Z"),
        ("2026-11-22T09:00:00+0100", "2026-11-22T08:00:00Z"),
    ],
)
def test_times_as_producers_write_them(written: str, at: str) -> None:
    [sighting] = seen(event("COMPLETE", output(), eventTime=written))
    assert sighting.at == parse_instant(at)


@pytest.mark.parametrize(
    "written", ["2026-11-22T08:00:00[Europe/Paris]", "2026-11-22T08:00:00Z[", "[UTC]", 1795428000000]
)
def test_times_that_name_no_instant(written: Any) -> None:
    with pytest.raises(DecodeError, match="eventTime must be an"):
        seen(event("COMPLETE", output(), eventTime=written))


def test_a_batch_is_its_events() -> None:
    assert [one.kind for one in seen([event("START", output()), event("COMPLETE", output())])] == [
        EventKind.RUN_STARTED,
        EventKind.UPDATE,
    ]


def test_one_event_of_a_batch_that_cannot_be_understood_is_refused_alone() -> None:
    batch = [event("COMPLETE", output()), 5, event("COMPLETE", eventTime="noon"), event("START", output())]
    first, *refused, last = decode(Message(json.dumps(batch).encode(), 0, "lineage/0/1", topic="lineage"))
    assert isinstance(first, Sighting) and first.kind is EventKind.UPDATE
    assert isinstance(last, Sighting) and last.kind is EventKind.RUN_STARTED
    assert [str(one).partition(": ")[0] for one in refused] == ["lineage/0/1[1]", "lineage/0/1[2]"]
    assert all(isinstance(one, DecodeError) for one in refused)


def test_a_time_without_a_zone_is_utc() -> None:
    [sighting] = seen(event("COMPLETE", output(), eventTime="2026-11-22T08:00:00.5"))
    assert sighting.at == parse_instant("2026-11-22T08:00:00.5Z")


@pytest.mark.parametrize("change", ["DROP", "TRUNCATE", "RENAME", "ALTER"])
def test_what_is_dropped_or_emptied_is_not_refreshed_even_by_the_end_of_its_run(change: str) -> None:
    gone = output("wh.public.gone", lifecycleStateChange={"lifecycleStateChange": change})
    ended, whole = seen(event("COMPLETE", gone, output()))
    assert (ended.kind, ended.names[0][1]) == (EventKind.RUN_ENDED, "wh.public.gone")
    assert (whole.kind, [names[1] for names in whole.names]) == (EventKind.UPDATE, ["wh.public.orders"])
    assert ended.id != whole.id
    assert seen(event("START", gone)) == []


@pytest.mark.parametrize("change", ["OVERWRITE", "CREATE"])
def test_what_is_overwritten_is_refreshed(change: str) -> None:
    [sighting] = seen(event("COMPLETE", output(lifecycleStateChange={"lifecycleStateChange": change})))
    assert sighting.kind is EventKind.UPDATE


def test_outputs_with_row_counts_keep_them_apart_and_the_last_one_ends_the_run() -> None:
    first, second = seen(event("COMPLETE", output("wh.a.x", rows=1), output("wh.a.y", rows=2)))
    assert [(one.metadata, one.whole_run) for one in (first, second)] == [
        ({"row_count": 1}, False),
        ({"row_count": 2}, True),
    ]
    assert first.id != second.id


def test_outputs_without_row_counts_are_one_sighting() -> None:
    [sighting] = seen(event("COMPLETE", output("wh.a.x"), output("wh.a.y")))
    assert len(sighting.names) == 2


def dbt_job(kind: str, unique_id: str) -> dict[str, Any]:
    return {"jobType": {"integration": "DBT", "jobType": kind}, "dbt_node": {"unique_id": unique_id}}


def test_dbts_own_id_comes_first_also_where_no_output_is_named() -> None:
    [done] = seen(event("COMPLETE", output(), job_facets=dbt_job("MODEL", "model.p.orders")))
    assert done.names[0][0] == "model.p.orders"
    [failed] = seen(event("FAIL", job_facets=dbt_job("MODEL", "model.p.orders")))
    assert failed.names == (("model.p.orders",),)


def test_a_test_job_does_not_refresh_the_model_that_it_tests() -> None:
    [sighting] = seen(event("COMPLETE", job_facets=dbt_job("TEST", "model.p.orders")))
    assert sighting.names == ()
    [audited] = seen(event("COMPLETE", output("wh.public_dbt_test__audit.x"), job_facets=dbt_job("TEST", "model.p.o")))
    assert "model.p.o" not in audited.names[0]


def test_older_dbt_runs_have_the_id_as_the_name_of_their_job_but_not_their_statements() -> None:
    facets = {"jobType": {"jobType": "MODEL"}}
    [sighting] = seen(event("COMPLETE", output(), job="model.p.orders", job_facets=facets))
    assert sighting.names[0][0] == "model.p.orders"
    [statement] = seen(event("COMPLETE", job="model.p.orders.sql.1", job_facets={"jobType": {"jobType": "SQL"}}))
    assert statement.names == ()


def test_errors_are_kept() -> None:
    facets = {"errorMessage": {"message": "boom", "programmingLanguage": "SQL"}}
    [sighting] = seen(event("FAIL", run_facets=facets))
    assert sighting.metadata == {"error": "boom"}


def test_symlinks_are_further_names() -> None:
    link = {"identifiers": [{"namespace": "file:/tmp/wh", "name": "shop.orders", "type": "TABLE"}]}
    made = {"namespace": "file", "name": "/tmp/wh/orders", "facets": {"symlinks": link}}
    [sighting] = seen(event("COMPLETE", made))
    assert sighting.names[0][0] == "file:///tmp/wh/orders"
    assert "shop.orders" in sighting.names[0] and "*.shop.orders" in sighting.names[0]


@pytest.mark.parametrize(
    ("namespace", "name", "expected"),
    [
        ("snowflake://acct", "DB.SCHEMA.T", ["snowflake://acct/DB.SCHEMA.T", "DB.SCHEMA.T"]),
        ("bigquery", "p.d.t$20260101", ["bigquery/p.d.t$20260101", "p.d.t$20260101", "bigquery/p.d.t", "p.d.t"]),
        ("bigquery", "p.d.t_20260101", ["bigquery/p.d.t_20260101", "p.d.t_20260101", "p.d.t_*", "p.d.t"]),
        ("hive://h:9083", "shop.orders", ["hive://h:9083/shop.orders", "shop.orders", "*.shop.orders"]),
        ("arn:aws:glue:eu-west-1:1", "table/shop/orders", ["shop.orders", "*.shop.orders"]),
        ("spark://h", "spark_catalog.shop.orders", ["shop.orders", "*.shop.orders"]),
        ("postgres://h", "public.orders", ["postgres://h/public.orders", "public.orders"]),
        ("s3a://lake", "raw/orders/part-0", ["s3://lake/raw/orders/part-0", "s3://lake/raw/orders", "s3://lake/raw"]),
        ("gs://b", "/x.csv", ["gs://b/x.csv", "gs://b"]),
        ("", "orders", ["orders"]),
    ],
)
def test_names_of_datasets(namespace: str, name: str, expected: list[str]) -> None:
    found = list(dataset_names(namespace, name))
    assert [one for one in found if one in expected] == expected


def test_a_two_part_name_stands_for_any_database_only_where_stores_have_none() -> None:
    assert "*.public.orders" not in list(dataset_names("postgres://h", "public.orders"))


@pytest.mark.parametrize(
    ("payload", "told"),
    [
        ({"eventTime": "2026-11-22T08:00:00Z"}, "run (or job, or dataset) is missing"),
        ({**event("COMPLETE"), "run": {}}, "run.runId is missing"),
        ({**event("COMPLETE"), "run": {"runId": 5}}, "run.runId must be text"),
        ({**event("COMPLETE"), "run": "r1"}, "run must be an object"),
        ({**event("COMPLETE"), "job": None}, "job is missing"),
        ({**event("COMPLETE"), "eventTime": None}, "eventTime is missing"),
        ({**event("COMPLETE"), "eventTime": "now"}, "eventTime must be an instant"),
        ({**event("COMPLETE"), "eventType": 3}, "eventType must be text"),
        ({**event("COMPLETE"), "outputs": {}}, "outputs must be an array"),
        ({**event("COMPLETE"), "outputs": ["x"]}, "outputs[0] must be an object"),
        ({**event("COMPLETE"), "outputs": [{"namespace": "a"}]}, "outputs[0].name is missing"),
        (event("COMPLETE", output(symlinks=[1])), "outputs[0].facets.symlinks must be an object"),
    ],
)
def test_bad_events_name_the_field(payload: dict[str, Any], told: str) -> None:
    with pytest.raises(DecodeError) as caught:
        seen(payload)
    assert told in str(caught.value) and "lineage/0/1" in str(caught.value)
