"""dbt manifests: nodes as assets, freshness as policies, results as events; shapes of every version."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from freshd.adapters.catalog import Catalog, DbtEntry, load_catalog, read_results
from freshd.adapters.formats.dbt import read_artifact
from freshd.model.asset import Asset
from freshd.model.errors import ConfigError
from freshd.model.graph import build_graph
from freshd.model.inputs import EventKind
from freshd.model.policy import ReactionKind
from freshd.model.sighting import Sighting
from freshd.model.time import NEVER, parse_instant
from freshd.policies import build_charter

DATA = Path(__file__).parents[4].parent / "shared" / "data" / "dbt"
real_manifests = pytest.mark.skipif(not DATA.is_dir(), reason=f"no real manifests at {DATA}")


def node(unique_id: str, *upstreams: str, **more: Any) -> dict[str, Any]:
    kind, package, name = unique_id.split(".")[:3]
    config = {"materialized": more.pop("materialized", "table"), **more.pop("config", {})}
    return {
        "unique_id": unique_id,
        "resource_type": kind,
        "package_name": package,
        "name": name,
        "original_file_path": f"models/{name}.sql",
        "relation_name": f'"wh"."public"."{name}"',
        "depends_on": {"nodes": list(upstreams)},
        "config": config,
        **more,
    }


def source(unique_id: str, **more: Any) -> dict[str, Any]:
    _, package, name, table = unique_id.split(".")
    made = node(f"source.{package}.{table}", **more)
    return {**made, "unique_id": unique_id, "source_name": name, "resource_type": "source", **more}


def manifest(*nodes: dict[str, Any], **parts: Any) -> dict[str, Any]:
    made: dict[str, Any] = {
        "metadata": {"generated_at": "2026-11-22T07:00:00Z", "project_name": "p"},
        "nodes": {},
        "sources": {},
        "exposures": {},
    }
    for one in nodes:
        part = {"source": "sources", "exposure": "exposures"}.get(one["resource_type"], "nodes")
        made[part][one["unique_id"]] = one
    return {**made, **parts}


def load(folder: Path, *manifests: dict[str, Any], **entry: Any) -> Catalog:
    entries = []
    for number, made in enumerate(manifests):
        path = folder / f"manifest{number}.json"
        path.write_text(json.dumps(made))
        entries.append(DbtEntry(dbt=path.name, launcher=entry.pop("launcher", f"dbt{number}"), **entry))
    return load_catalog(entries, folder)


def by_key(found: Catalog) -> dict[str, Asset]:
    assets = {asset.key: asset for asset in found.assets}
    build_graph(assets.values())
    return assets


def test_kinds_keys_and_flags(tmp_path: Path) -> None:
    found = by_key(
        load(
            tmp_path,
            manifest(
                source("source.p.stripe.charges", loaded_at_field="_synced"),
                source("source.p.stripe.refunds", config={"loaded_at_query": "select 1"}, identifier="rf"),
                source("source.p.shop.orders"),
                node("seed.p.countries", materialized="seed"),
                node("model.p.stg", "source.p.stripe.charges", "source.p.shop.orders", materialized="view"),
                node("model.p.eph", "model.p.stg", materialized="ephemeral", relation_name=None),
                node("model.p.mart", "model.p.eph", "seed.p.countries", materialized="incremental"),
                node("model.p.dates"),
                node("model.p.alone", materialized="view"),
                node("snapshot.p.snap", "model.p.mart", materialized="snapshot"),
                node("model.p.versioned.v2", "model.p.mart", version=2, name="versioned"),
                node("exposure.p.weekly", "model.p.mart", owner={"email": "a@b.c", "name": "A"}),
                node("test.p.unique", "model.p.mart"),
                node("analysis.p.x", "model.p.mart"),
                node("model.p.off", config={"enabled": False}),
            ),
        )
    )
    shown = {key: (a.kind, a.virtual, a.static, a.watermark_only, a.launcher) for key, a in found.items()}
    assert shown == {
        "p/stripe/charges": ("source", False, False, True, ""),
        "p/stripe/refunds": ("source", False, False, True, ""),
        "p/shop/orders": ("source", False, False, False, ""),
        "p/countries": ("seed", False, True, False, "dbt0"),
        "p/stg": ("view", True, False, False, "dbt0"),
        "p/eph": ("ephemeral", True, False, False, ""),
        "p/mart": ("model", False, False, False, "dbt0"),
        "p/dates": ("model", False, True, False, "dbt0"),
        "p/alone": ("view", False, True, False, "dbt0"),
        "p/snap": ("snapshot", False, False, False, "dbt0"),
        "p/versioned.v2": ("model", False, False, False, "dbt0"),
        "p/exposures/weekly": ("exposure", True, False, False, ""),
    }
    assert found["p/mart"].upstreams == ("p/eph", "p/countries")
    assert found["p/exposures/weekly"].owners == ("a@b.c",)
    assert found["p/mart"].relation == "wh.public.mart"
    assert found["p/eph"].relation == ""
    assert (found["p/stripe/charges"].source_name, found["p/mart"].path) == ("stripe", "models/mart.sql")
    assert found["p/mart"].origin == "manifest0.json: model.p.mart"


def test_relations_of_nodes_without_a_relation_name(tmp_path: Path) -> None:
    place = {"relation_name": None, "database": "wh", "schema": "s"}
    found = by_key(
        load(
            tmp_path,
            manifest(
                source("source.p.a.t", identifier="T_1", **place),
                node("model.p.m", "source.p.a.t", alias="m_alias", **place),
                node("model.p.n", "source.p.a.t", **{**place, "database": None}),
            ),
        )
    )
    assert [found[key].relation for key in ("p/a/t", "p/m", "p/n")] == ["wh.s.T_1", "wh.s.m_alias", "s.n"]


def test_tags_owners_and_groups_in_all_the_places_where_dbt_had_them(tmp_path: Path) -> None:
    groups = {"group.p.finance": {"name": "finance", "owner": {"name": "Fin", "email": ["fin@x", "fin2@x"]}}}
    found = by_key(
        load(
            tmp_path,
            manifest(
                node("model.p.a", tags=["x"], config={"tags": "y", "group": "finance"}),
                node("model.p.b", meta={"owner": "@data"}, group="finance"),
                node("model.p.c", config={"meta": {"owners": ["one", {"email": "two@x"}]}}),
                groups=groups,
            ),
        )
    )
    assert (found["p/a"].tags, found["p/a"].group, found["p/a"].owners) == (("x", "y"), "finance", ("fin@x", "fin2@x"))
    assert found["p/b"].owners == ("@data",)
    assert found["p/c"].owners == ("one", "two@x")


def test_meta_freshd_says_what_yaml_may_say(tmp_path: Path) -> None:
    said = {
        "key": "shop/charges",
        "static": True,
        "aliases": ["s3://b/x"],
        "add_upstreams": ["p/b"],
        "data_time": "start",
    }
    found = by_key(
        load(
            tmp_path,
            manifest(
                source("source.p.stripe.charges", meta={"freshd": said}, loaded_at_field="x"),
                node("model.p.a", "source.p.stripe.charges", config={"meta": {"freshd": {"launcher": "other"}}}),
                node("model.p.b"),
            ),
        )
    )
    charges = found["shop/charges"]
    assert (charges.static, charges.aliases, charges.watermark_only) == (True, ("s3://b/x",), False)
    assert charges.upstreams == ("p/b",)
    assert (found["p/a"].upstreams, found["p/a"].launcher) == (("shop/charges",), "other")


@pytest.mark.parametrize(
    ("nodes", "told"),
    [
        (
            [node("model.p.a", meta={"freshd": {"statik": True}})],
            "model.p.a: meta.freshd: unknown key statik; did you mean static?",
        ),
        ([node("model.p.a", meta={"freshd": [1]})], "model.p.a: meta.freshd: must be a mapping"),
        (
            [node("model.p.a", meta={"freshd": {"key": "x"}}), node("model.p.b", meta={"freshd": {"key": "x"}})],
            "model.p.b has the key x, as model.p.a has",
        ),
        ([node("model.p.a", name="a b")], "'p/a b' cannot be an asset's key"),
        ([{**node("model.p.a"), "unique_id": "a", "package_name": None}], "'/a' cannot be an asset's key"),
    ],
)
def test_problems_of_nodes(tmp_path: Path, nodes: list[dict[str, Any]], told: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, manifest(*nodes))
    assert told in str(caught.value)


def test_metrics_and_functions_are_looked_through(tmp_path: Path) -> None:
    through = {
        "metrics": {"metric.p.m": {"depends_on": {"nodes": ["semantic_model.p.s", "metric.p.m"]}}},
        "semantic_models": {"semantic_model.p.s": {"depends_on": {"nodes": ["model.p.a"]}}},
    }
    found = by_key(load(tmp_path, manifest(node("model.p.a"), node("exposure.p.e", "metric.p.m"), **through)))
    assert found["p/exposures/e"].upstreams == ("p/a",)


def test_references_to_other_projects_are_source_assets_until_somebody_defines_them(tmp_path: Path) -> None:
    down = manifest(
        node("model.down.m", "model.up.a", "model.up.v.v1", "source.up.s.t", "model.up.injected"),
        node("model.up.injected", "model.up.a", original_file_path="", materialized="view"),
        node("model.up.public", original_file_path=""),
    )
    alone = by_key(load(tmp_path, down))
    assert alone["down/m"].upstreams == ("up/a", "up/v.v1", "up/s/t", "up/injected")
    assert [alone[key].kind for key in ("up/a", "up/v.v1", "up/s/t")] == ["source"] * 3
    assert alone["up/injected"].launcher == ""
    assert not alone["up/public"].static
    up = manifest(source("source.up.s.t"), node("model.up.a", "source.up.s.t"), node("model.up.injected", "model.up.a"))
    for both in (by_key(load(tmp_path, down, up)), by_key(load(tmp_path, up, down))):
        assert both["up/a"].upstreams == ("up/s/t",) and both["up/a"].kind == "model"
        assert both["up/injected"].launcher == both["up/a"].launcher != ""
        assert both["up/injected"].kind == "model"


def test_a_source_that_a_model_writes_shows_that_model(tmp_path: Path) -> None:
    made = manifest(
        source("source.p.raw.in"),
        node("model.p.made", "source.p.raw.in", relation_name="wh.x.t"),
        source("source.q.lake.t", relation_name='"WH"."x"."T"'),
        node("model.q.reads", "source.q.lake.t"),
    )
    found = by_key(load(tmp_path, made))
    assert (found["q/lake/t"].upstreams, found["q/lake/t"].virtual) == (("p/made",), True)


def test_an_edge_between_twins_that_would_close_a_cycle_is_left_out(tmp_path: Path) -> None:
    made = manifest(
        source("source.p.s.t", relation_name="wh.x.t"), node("model.p.m", "source.p.s.t", relation_name="wh.x.t")
    )
    assert by_key(load(tmp_path, made))["p/s/t"].upstreams == ()


def test_what_reads_a_source_that_a_seed_fills_reads_the_seed(tmp_path: Path) -> None:
    made = manifest(
        node("seed.p.raw", materialized="seed", relation_name="wh.x.t"),
        source("source.p.s.t", relation_name="wh.x.t"),
        node("model.p.m", "source.p.s.t"),
    )
    found = by_key(load(tmp_path, made))
    assert found["p/m"].upstreams == ("p/s/t", "p/raw")
    assert (found["p/s/t"].upstreams, found["p/s/t"].virtual, found["p/s/t"].static) == ((), False, False)


def period(count: int | None, unit: str | None) -> dict[str, Any]:
    return {"count": count, "period": unit}


def test_freshness_of_sources_becomes_lag_and_build_after_a_reaction(tmp_path: Path) -> None:
    day = {"warn_after": period(12, "hour"), "error_after": period(1, "day"), "filter": None}
    unset = {"warn_after": period(None, None), "error_after": period(None, None)}
    after = {"build_after": {**period(4, "hour"), "updates_on": "all"}}
    made = manifest(
        source("source.p.s.a", freshness=day),
        source("source.p.s.b", config={"freshness": day}),
        source("source.p.s.off", freshness=None),
        source("source.p.s.unset", freshness=unset),
        source("source.p.s.late", freshness={"warn_after": period(30, "minute"), "error_after": None}),
        node("model.p.m", "source.p.s.a", config={"freshness": after}),
        node("model.p.n", "source.p.s.a", freshness=after),
        node("model.p.view", "source.p.s.a", materialized="view", config={"freshness": after}),
        node("model.p.plain", "source.p.s.a"),
    )
    drafts = [draft.value for draft in load(tmp_path, made).policies]
    assert drafts == [
        {
            "name": "dbt freshness of p/s (12h/1d)",
            "select": ["p/s/a", "p/s/b"],
            "expect": {"lag": {"warn": "12h", "stale": "1d"}},
            "alert": {"severity": "warning"},
            "priority": -1,
        },
        {
            "name": "dbt freshness of p/s (30m)",
            "select": ["p/s/late"],
            "expect": {"lag": {"warn": "30m"}},
            "alert": {"severity": "warning"},
            "priority": -1,
        },
        {
            "name": "dbt build_after 4h (all)",
            "select": ["p/m", "p/n"],
            "react": {"eager": {"min_interval": "4h", "updates_on": "all"}},
            "priority": -1,
        },
    ]
    assert load(tmp_path, made, policies=False).policies == ()
    without_launcher = load(tmp_path, made, launcher="")
    assert all("react" not in draft.value for draft in without_launcher.policies)


@pytest.mark.parametrize(
    ("freshness", "config", "lag"),
    [
        ({"warn_after": ("day", 1), "error_after": ("hour", 1)}, {}, {"stale": "1h"}),
        ({"warn_after": ("hour", 1), "error_after": ("hour", 1)}, {}, {"warn": "1h", "stale": "1h"}),
        ({"warn_after": ("hour", -1), "error_after": ("hour", 2)}, {}, {"stale": "2h"}),
        ({"warn_after": (None, None), "error_after": (None, None)}, {"error_after": ("hour", 1)}, {"stale": "1h"}),
    ],
)
def test_freshness_that_dbt_takes_is_taken(
    tmp_path: Path, freshness: dict[str, Any], config: dict[str, Any], lag: dict[str, str]
) -> None:
    own, said = ({name: period(count, size) for name, (size, count) in one.items()} for one in (freshness, config))
    found = load(tmp_path, manifest(source("source.p.s.a", freshness=own, config={"freshness": said})))
    assert [draft.value["expect"] for draft in found.policies] == [{"lag": lag}]
    build_charter(build_graph(found.assets), (), drafts=found.policies)


def test_what_dbt_2_asks_of_models_is_a_lag_beside_their_build_after(tmp_path: Path) -> None:
    said = {"build_after": period(4, "hour"), "warn_after": period(6, "hour"), "error_after": period(1, "day")}
    made = manifest(
        source("source.p.s.a", freshness={"error_after": period(1, "hour")}),
        node("model.p.m", "source.p.s.a", config={"freshness": said}),
        node("model.p.view", "source.p.s.a", materialized="view", config={"freshness": said}),
    )
    found = load(tmp_path, made)
    assert [(one.value["name"], one.value["select"]) for one in found.policies] == [
        ("dbt freshness of p/s", ["p/s/a"]),
        ("dbt freshness of p's models", ["p/m", "p/view"]),
        ("dbt build_after 4h (any)", ["p/m"]),
    ]
    assert found.policies[1].value["expect"] == {"lag": {"warn": "6h", "stale": "1d"}}
    build_charter(build_graph(found.assets), (), drafts=found.policies)


def test_policies_of_one_source_and_of_two_projects_have_names_of_their_own(tmp_path: Path) -> None:
    hour = period(1, "hour")
    after = {"freshness": {"build_after": hour}, "meta": {"freshd": {"slo": {"target": 0.9, "window": "7d"}}}}
    shared = source("source.p.s.a", freshness={"warn_after": hour}, meta=after["meta"])
    first = manifest(
        shared,
        source("source.p.s.b", relation_name="s.b", freshness={"error_after": hour}),
        node("model.p.m", "source.p.s.a", config={"freshness": {"build_after": hour}}),
    )
    second = manifest(
        {**shared, "freshness": {"warn_after": period(2, "hour")}},
        node("model.q.m", "source.p.s.a", relation_name="q.m", config={"freshness": {"build_after": hour}}),
    )
    found = load(tmp_path, first, second)
    names = [draft.value["name"] for draft in found.policies]
    assert len(names) == len(set(names))
    said = [(draft.value["select"], draft.value.get("expect") or draft.value.get("react")) for draft in found.policies]
    eager = {"eager": {"min_interval": "1h", "updates_on": "any"}}
    assert said == [
        (["p/s/b"], {"lag": {"stale": "1h"}}),
        (["p/m"], eager),
        (["p/s/a"], {"lag": {"warn": "2h"}}),
        (["q/m"], eager),
        (["p/s/a"], None),
    ]


def test_metrics_and_disabled_nodes_of_odd_shapes(tmp_path: Path) -> None:
    made = manifest(
        node("model.p.a", "metric.p.m", "model.p.off"),
        metrics={"metric.p.m": None},
        disabled=[{"unique_id": "model.p.off"}],
    )
    assert set(by_key(load(tmp_path, made))) == {"p/a"}


def test_disabled_parents_are_no_sources_and_make_nobody_static(tmp_path: Path) -> None:
    off = {"enabled": False}
    made = manifest(
        source("source.p.s.off", config=off),
        node("model.p.off", config=off),
        node("model.p.of_source", "source.p.s.off"),
        node("model.p.of_model", "model.p.off"),
        node("model.p.of_listed", "model.p.listed"),
        node("model.p.alone"),
        disabled={"model.p.listed": [node("model.p.listed", config=off)]},
    )
    found = by_key(load(tmp_path, made))
    assert {key: (asset.upstreams, asset.static) for key, asset in found.items()} == {
        "p/of_source": ((), False),
        "p/of_model": ((), False),
        "p/of_listed": ((), False),
        "p/alone": ((), True),
    }


def test_a_manifest_without_assets_is_told(tmp_path: Path) -> None:
    found = load(tmp_path, manifest(node("test.p.unique", "model.p.gone")))
    [warning] = found.warnings
    assert str(warning).startswith("manifest0.json: has no models, seeds, snapshots, sources or exposures")


def test_what_meta_says_in_the_words_of_a_policy_is_one(tmp_path: Path) -> None:
    wanted = {"expect": {"lag": {"stale": "1h"}, "checks": [{"name": "rows", "min": 1}]}, "react": "eager"}
    made = manifest(
        source("source.p.s.a", meta={"freshd": {"expect": {"age": {"stale": "2h"}}, "static": False}}),
        node("model.p.m", "source.p.s.a", config={"meta": {"freshd": wanted}}),
        node("model.p.l", "source.p.s.a", meta={"freshd": {**wanted, "priority": None}}),
        node("model.p.plain", "source.p.s.a", meta={"freshd": {"static": True}}),
    )
    found = load(tmp_path, made, policies=False).policies
    assert [draft.value for draft in found] == [
        {"name": "meta.freshd of p/s/a", "select": ["p/s/a"], "expect": {"age": {"stale": "2h"}}},
        {"name": "meta.freshd of p/l", "select": ["p/l", "p/m"], **wanted},
    ]
    charter = build_charter(build_graph(load(tmp_path, made).assets), (), drafts=found)
    assert charter.reactions["p/m"].kind is ReactionKind.EAGER
    assert charter.policies["meta.freshd of p/l"].checks[0].min == 1


def test_a_mistake_in_a_policy_of_meta_names_the_node(tmp_path: Path) -> None:
    made = manifest(source("source.p.s.a", meta={"freshd": {"expect": {"lagg": {"stale": "2h"}}}}))
    catalog = load(tmp_path, made)
    with pytest.raises(ConfigError) as caught:
        build_charter(build_graph(catalog.assets), (), drafts=catalog.policies)
    (problem,) = caught.value.problems
    assert problem.where.endswith(".json: source.p.s.a: meta.freshd")
    assert problem.message == "unknown key lagg; did you mean lag?"


@pytest.mark.parametrize(
    ("written", "told"),
    [
        (b"{", "manifest.json: cannot be read as JSON"),
        (b"", "manifest.json: is empty; have dbt write it anew"),
        (b'{"nodes": {}, "sour', "; it may be cut off or still being written: have dbt write it anew"),
        (b"[]", "is no JSON object"),
        (b'{"nodes": {}}', "is no dbt manifest"),
        (b'{"nodes": [], "sources": {}}', "is no dbt manifest"),
        (
            b'{"metadata": {"dbt_schema_version": "https://schemas.getdbt.com/dbt/catalog/v1.json"}, '
            b'"nodes": {"model.p.a": {"unique_id": "model.p.a"}}, "sources": {}}',
            "is no dbt manifest but dbt's catalog/v1.json; write the path of manifest.json",
        ),
        (b"\x1f\x8bxx", "cannot be read as JSON"),
        (None, "manifest.json: no such file; `dbt parse` writes it"),
    ],
)
def test_files_that_are_no_manifests(tmp_path: Path, written: bytes | None, told: str) -> None:
    if written is not None:
        (tmp_path / "manifest.json").write_bytes(written)
    with pytest.raises(ConfigError) as caught:
        load_catalog([DbtEntry(dbt="manifest.json")], tmp_path)
    assert told in str(caught.value)


def test_a_byte_order_mark_does_no_harm(tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_bytes(b"\xef\xbb\xbf" + json.dumps(manifest(node("seed.p.a"))).encode())
    assert [asset.key for asset in load_catalog([DbtEntry(dbt="manifest.json")], tmp_path).assets] == ["p/a"]


def test_compressed_manifests_and_urls_that_do_not_answer(tmp_path: Path) -> None:
    (tmp_path / "m.json.gz").write_bytes(gzip.compress(json.dumps(manifest(node("model.p.a"))).encode()))
    assert list(by_key(load_catalog([DbtEntry(dbt="m.json.gz")], tmp_path))) == ["p/a"]
    with pytest.raises(ConfigError) as caught:
        load_catalog([DbtEntry(dbt="http://user:secret@127.0.0.1:1/m.json?token=secret")], tmp_path)
    assert "http://127.0.0.1:1/m.json: cannot be fetched" in str(caught.value)
    assert "secret" not in str(caught.value)


def test_a_manifest_comes_from_a_url(tmp_path: Path) -> None:
    import threading
    from functools import partial
    from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: Any) -> None:
            pass

    (tmp_path / "m.json").write_text(json.dumps(manifest(node("model.p.a"))))
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(tmp_path))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        root = f"http://127.0.0.1:{server.server_address[1]}"
        try:
            assert list(by_key(load_catalog([DbtEntry(dbt=f"{root}/m.json")], tmp_path))) == ["p/a"]
            with pytest.raises(ConfigError, match="the server answered 404"):
                load_catalog([DbtEntry(dbt=f"{root}/gone.json")], tmp_path)
        finally:
            server.shutdown()


RUN = {
    "metadata": {
        "dbt_schema_version": "https://schemas.getdbt.com/dbt/run-results/v6.json",
        "generated_at": "2026-11-22T09:00:00Z",
        "invocation_id": "i",
    },
    "results": [
        {"unique_id": "model.p.a", "status": "success", "timing": []},
        {"unique_id": "model.p.b", "status": "error", "timing": [], "message": "boom"},
        {"unique_id": "test.p.unique_a", "status": "fail", "timing": [], "failures": 2},
    ],
}


def test_results_are_read_and_built_takes_the_rest_as_materialised(tmp_path: Path) -> None:
    made = manifest(
        source("source.p.s.t"),
        node("model.p.a", "source.p.s.t"),
        node("model.p.b", "source.p.s.t"),
        node("model.p.c", "source.p.s.t"),
        node("model.p.view", "source.p.s.t", materialized="view"),
        node("test.p.unique_a", "model.p.a"),
    )
    (tmp_path / "run_results.json").write_text(json.dumps(RUN))
    found = load(tmp_path, made, results=".", built=True)
    told, _ = read_results(found, tmp_path, build_graph(found.assets), read_artifact)
    assert [(one.kind, one.names[0][0], one.at, one.data_time) for one in told] == [
        (EventKind.UPDATE, "p/c", parse_instant("2026-11-22T07:00:00Z"), NEVER),
        (EventKind.UPDATE, "model.p.a", parse_instant("2026-11-22T09:00:00Z"), None),
        (EventKind.RUN_FAILED, "model.p.b", parse_instant("2026-11-22T09:00:00Z"), None),
        (EventKind.CHECK, "model.p.a", parse_instant("2026-11-22T09:00:00Z"), None),
    ]
    missing = load(tmp_path, made, results="nowhere/")
    assert read_results(missing, tmp_path, build_graph(missing.assets), read_artifact) == ([], [])


def test_results_that_are_none_are_told_and_the_others_taken(tmp_path: Path) -> None:
    (tmp_path / "sources.json").write_text("{}")
    (tmp_path / "run_results.json").write_text(json.dumps({**RUN, "results": [{"unique_id": 1}, RUN["results"][0]]}))
    found = load(tmp_path, manifest(node("model.p.a")), results=".")
    told, problems = read_results(found, tmp_path, build_graph(found.assets), read_artifact)
    assert [one.names[0][0] if isinstance(one, Sighting) else str(one) for one in told] == [
        "./run_results.json: results[0]: unique_id must be text, not a number '1'",
        "./sources.json: neither run_results.json nor sources.json of dbt (its schema is '')",
        "model.p.a",
    ]
    assert problems == []


def test_results_that_cannot_be_read_are_told(tmp_path: Path) -> None:
    found = load(tmp_path, manifest(node("model.p.a")), results="gone.json")
    told, [problem] = read_results(found, tmp_path, build_graph(found.assets), read_artifact)
    assert told == [] and "gone.json: no such file" in str(problem)


@real_manifests
@pytest.mark.parametrize(
    "path", sorted(DATA.glob("**/*manifest*")) + sorted(DATA.glob("versions/*")), ids=lambda path: path.name
)
def test_real_manifests_of_every_version(path: Path) -> None:
    found = load_catalog([DbtEntry(dbt=str(path), launcher="dbt")], path.parent)
    graph = build_graph(found.assets)
    raw = path.read_bytes()
    made = json.loads(gzip.decompress(raw) if path.suffix == ".gz" else raw)
    wanted = [one for one in made["nodes"].values() if one["resource_type"] in ("model", "seed", "snapshot")]
    assert len(graph) >= len(wanted) + len(made["sources"])
    assert {asset.unique_id for asset in found.assets} >= {one["unique_id"] for one in wanted}


@real_manifests
def test_the_real_small_project(tmp_path: Path) -> None:
    entry = DbtEntry(dbt="manifest.json", launcher="dbt", results="run_results_build_ok.json")
    found = load_catalog([entry], DATA / "jaffle_small")
    assets = by_key(found)
    orders = assets["altered_jaffle_shop/orders"]
    assert orders.upstreams == ("altered_jaffle_shop/stg_orders", "altered_jaffle_shop/stg_payments")
    assert assets["altered_jaffle_shop/postgres_db/raw_orders"].watermark_only
    assert assets["altered_jaffle_shop/raw_orders"].static
    assert len(found.policies) == 2
    told, _ = read_results(found, DATA / "jaffle_small", build_graph(found.assets), read_artifact)
    kinds = {kind: sum(one.kind is kind for one in told) for kind in (EventKind.UPDATE, EventKind.CHECK)}
    assert kinds[EventKind.UPDATE] == 9 and kinds[EventKind.CHECK] > 20
