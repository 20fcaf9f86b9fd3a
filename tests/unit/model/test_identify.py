"""Which assets an event is about: rules, captures, names, feeds, and what remains unmatched."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from freshd.model import identify
from freshd.model.asset import Asset, AssetKey, PartitionScheme
from freshd.model.errors import ConfigError
from freshd.model.graph import build_graph
from freshd.model.identify import Matcher
from freshd.model.inputs import HINT, Event, EventKind, Unmatched
from freshd.model.propose import propose_rule
from freshd.model.rules import IdentifyRule
from freshd.model.select import Selector
from freshd.model.sighting import Sighting
from freshd.model.time import parse_instant

ASSETS = [
    Asset("raw/stripe/charges", source_name="stripe", relation='RAW."stripe".charges', unique_id="source.p.stripe.c"),
    Asset("raw/stripe/refunds", source_name="stripe", relation="RAW.stripe.refunds"),
    Asset("raw/google_ads/clicks", source_name="google_ads", relation="raw.google_ads.clicks"),
    Asset("lake/raw/orders", aliases=("s3://lake/raw/orders",)),
    Asset("shop/orders", ("raw/stripe/charges",), relation="wh.shop.orders", unique_id="model.p.orders", aliases=("snowflake://acct/WH.SHOP.ORDERS",)),
    Asset("seeds/countries", relation="wh.seeds.countries", unique_id="seed.p.countries", static=True),
    Asset("src/countries", relation='"WH"."seeds"."countries"', unique_id="source.p.src.countries", source_name="src"),
    Asset("by/feed", feed="fivetran/quiet_river"),
    Asset("one/users", relation="one.app.users"),
    Asset("two/users", relation="two.app.users"),
    Asset("brackets", relation="[My DB].[dbo].[T]"),
]  # fmt: skip
GRAPH = build_graph(ASSETS)


def matcher(*rules: IdentifyRule) -> Matcher:
    return Matcher(GRAPH, rules, Selector(GRAPH).select)


def rule(match: Mapping[str, str] | None = None, assets: str = "", **more: Any) -> IdentifyRule:
    return IdentifyRule(match or {}, (assets,) if assets else (), **more)


def named(*names: str, **more: Any) -> Sighting:
    return Sighting(EventKind.UPDATE, "openlineage", tuple((name,) for name in names), **more)


def sync(connector: str = "rainy_dental", **fields: str) -> Sighting:
    feed = f"fivetran/{connector}"
    return Sighting(
        EventKind.UPDATE,
        "fivetran",
        ((feed,),),
        {"connector": connector, **fields},
        feed=feed,
        id="i",
        source="fivetran",
    )


def assets(found: list[Event | Unmatched]) -> tuple[AssetKey, ...]:
    [event] = found
    assert isinstance(event, Event), event
    return event.assets


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("shop/orders", ("shop/orders",)),
        ("model.p.orders", ("shop/orders",)),
        ("wh.shop.orders", ("shop/orders",)),
        ('"WH"."SHOP"."ORDERS"', ("shop/orders",)),
        ("`wh`.`shop`.`orders`", ("shop/orders",)),
        ("snowflake://ACCT/wh.shop.orders", ("shop/orders",)),
        ("raw.stripe.charges", ("raw/stripe/charges",)),
        ("My DB.dbo.T", ("brackets",)),
        ("*.shop.orders", ("shop/orders",)),
        ("wh.seeds.countries", ("seeds/countries", "src/countries")),
        ("seed.p.countries", ("seeds/countries", "src/countries")),
        ("src/countries", ("seeds/countries", "src/countries")),
        ("fivetran/quiet_river", ("by/feed",)),
    ],
)
def test_names_that_match_by_themselves(name: str, expected: tuple[str, ...]) -> None:
    assert assets(matcher().match(named(name), 5)) == expected


@pytest.mark.parametrize("name", ["Shop/Orders", "orders", "*.app.users", "other.shop.orders", "shop.orders", ""])
def test_names_that_match_nothing(name: str) -> None:
    [found] = matcher().match(named(name), 5)
    assert found == Unmatched("openlineage", name, {}, 5)


def test_the_first_name_that_an_asset_has_counts() -> None:
    sighting = Sighting(EventKind.UPDATE, "x", (("nobody", "wh.shop.orders", "by/feed"),))
    assert assets(matcher().match(sighting, 5)) == ("shop/orders",)


@pytest.mark.parametrize("kind", [EventKind.OBSERVATION, EventKind.CHECK])
def test_a_look_at_one_of_two_assets_in_one_relation_is_about_that_one(kind: EventKind) -> None:
    assert assets(matcher().match(replace(named("source.p.src.countries"), kind=kind), 5)) == ("src/countries",)


def test_one_event_updates_all_tables_of_a_source() -> None:
    found = matcher(rule({"connector": "rainy_dental"}, "source:stripe", format="fivetran")).match(sync(), 5)
    assert assets(found) == ("raw/stripe/charges", "raw/stripe/refunds")
    [event] = found
    assert isinstance(event, Event) and event.feed == "fivetran/rainy_dental" and event.id == "i"


def test_a_feed_is_called_what_its_assets_call_it() -> None:
    sighting = replace(sync("id_of_it"), names=(("fivetran/id_of_it", "fivetran/quiet_river"),))
    [event] = matcher().match(sighting, 5)
    assert isinstance(event, Event) and (event.assets, event.feed) == (("by/feed",), "fivetran/quiet_river")


def test_captures_are_filled_into_the_selector() -> None:
    rules = rule({"connector_name": "{schema}", "destination": "wh"}, "relation:raw.{schema}.*", format="fivetran")
    found = matcher(rules).match(sync(connector_name="stripe", destination="wh"), 5)
    assert assets(found) == ("raw/stripe/charges", "raw/stripe/refunds")
    [other] = matcher(rules).match(sync(connector_name="stripe", destination="elsewhere"), 5)
    assert isinstance(other, Unmatched)


def test_captures_with_blanks_are_also_tried_as_identifiers() -> None:
    sighting = Sighting(EventKind.UPDATE, "airbyte", (), {"connection_name": "Google Ads → Postgres"}, feed="airbyte/1")
    found = matcher(rule({"connection_name": "{src} → Postgres"}, "source:{src}", format="airbyte")).match(sighting, 5)
    assert assets(found) == ("raw/google_ads/clicks",)


@pytest.mark.parametrize("text", ["a,b", "+x", "*", "x y", 'qu"ote', "a[b", "x+1", "@x", "tag:y"])
def test_what_a_capture_holds_is_never_read_as_a_selector(text: str) -> None:
    [found] = matcher(rule({"connector_name": "{x}"}, "{x}", format="fivetran")).match(sync(connector_name=text), 5)
    assert isinstance(found, Unmatched)


@pytest.mark.parametrize("name", ["raw/orders", "raw/orders/part-1.parquet", "raw/orders/day=1/part-1"])
def test_a_folder_and_the_files_in_it(name: str) -> None:
    rules = rule({"namespace": "s3://lake", "name": "{layer}/{table}/**"}, "lake/{layer}/{table}", topic="lineage")
    sighting = Sighting(
        EventKind.UPDATE, "openlineage", ((name,),), each_fields=({"namespace": "s3://lake", "name": name},)
    )
    assert assets(matcher(rules).match(sighting, 5, "lineage")) == ("lake/raw/orders",)
    [elsewhere] = matcher(rules).match(sighting, 5, "another.topic")
    assert isinstance(elsewhere, Unmatched)


def test_a_capture_stays_within_one_segment_and_means_the_same_twice() -> None:
    rules = rule({"subject": "{a}/{a}"}, "{a}/orders", format="cloudevents")

    def about(subject: str) -> list[Event | Unmatched]:
        return matcher(rules).match(Sighting(EventKind.UPDATE, "cloudevents", (), {"subject": subject}), 5)

    assert assets(about("shop/shop")) == ("shop/orders",)
    assert isinstance(about("shop/other")[0], Unmatched)
    assert isinstance(about("shop/x/shop")[0], Unmatched)


@pytest.mark.parametrize(
    ("glob", "text", "fits"),
    [
        ("*", "s3://lake/a", True),
        ("snowflake*", "snowflake://org-acct", True),
        ("s3://*", "s3://lake", True),
        ("s3://*", "s3://lake/a", False),
        ("s3://**", "s3://lake/a", True),
        ("raw/*/x", "raw/a/x", True),
        ("raw/*/x", "raw/a/b/x", False),
        ("*_dbt_test__audit.*", "wh.public_dbt_test__audit.unique", True),
        ("orders", "Orders", False),
        ("a?c", "abc", True),
        ("a.c", "abc", False),
    ],
)
def test_globs(glob: str, text: str, fits: bool) -> None:
    sighting = Sighting(EventKind.UPDATE, "cloudevents", (), {"source": text})
    [found] = matcher(rule({"source": glob}, "shop/orders")).match(sighting, 5)
    assert isinstance(found, Event) == fits


def test_the_first_rule_that_matches_wins_also_if_it_selects_nothing() -> None:
    first = rule({"connector": "rainy_*"}, "source:gone", format="fivetran")
    second = rule({"connector": "rainy_dental"}, "source:stripe", format="fivetran")
    [found] = matcher(first, second).match(sync(), 5)
    assert isinstance(found, Unmatched)
    assert len(assets(matcher(second, first).match(sync(), 5))) == 2


def test_ignored_events_are_nothing_at_all() -> None:
    ignore = rule({"name": "*_dbt_test__audit.*"}, ignore=True, format="openlineage")
    name = "analytics.public_dbt_test__audit.not_null_orders"
    sighting = replace(named(name, "wh.shop.orders"), each_fields=({"name": name}, {"name": "wh.shop.orders"}))
    assert assets(matcher(ignore).match(sighting, 5)) == ("shop/orders",)
    assert matcher(ignore).match(replace(sighting, names=sighting.names[:1]), 5) == []


def test_rules_see_dotted_paths_of_the_payload() -> None:
    payload = {"data": {"success": True, "count": 3, "items": [{"table": "orders"}]}, "a.b": "flat"}
    sighting = Sighting(EventKind.UPDATE, "cloudevents", (), payload=payload)
    wanted = {"data.success": "true", "data.count": "3", "data.items.0.table": "{t}", "a.b": "flat"}
    assert assets(matcher(rule(wanted, "shop/{t}")).match(sighting, 5)) == ("shop/orders",)
    [other] = matcher(rule({**wanted, "data.gone": "*"}, "shop/{t}")).match(sighting, 5)
    assert isinstance(other, Unmatched)


def test_outputs_of_one_event_become_one_event_and_one_unmatched_each() -> None:
    sighting = named("wh.shop.orders", "nobody", "raw.stripe.charges", id="x", whole_run=True, run_id="r")
    unmatched, event = matcher().match(sighting, 5)
    assert isinstance(unmatched, Unmatched) and unmatched.name == "nobody"
    assert isinstance(event, Event)
    assert (event.assets, event.whole_run, event.at) == (("shop/orders", "raw/stripe/charges"), True, 5)


def test_events_of_different_feeds_have_different_ids() -> None:
    rules = rule({"name": "raw.{s}.{t}"}, "relation:raw.{s}.{t}", format="openlineage")
    fields = ({"name": "raw.stripe.charges"}, {"name": "raw.google_ads.clicks"})
    found = matcher(rules).match(replace(named("a", "b"), each_fields=fields, id="x"), 5)
    assert [(event.feed, event.id) for event in found if isinstance(event, Event)] == [
        ("openlineage/relation:raw.stripe.charges", "x"),
        ("openlineage/relation:raw.google_ads.clicks", "x#1"),
    ]


def test_the_end_of_a_run_and_a_heartbeat_need_no_name() -> None:
    end = Sighting(EventKind.UPDATE, "openlineage", run_id="r", whole_run=True)
    heartbeat = Sighting(EventKind.HEARTBEAT, "freshd", feed="f")
    for each in (matcher(), matcher(rule({"name": "x"}, "shop/orders"))):
        assert [event.assets for event in each.match(end, 5) if isinstance(event, Event)] == [()]
        assert [event.feed for event in each.match(heartbeat, 5) if isinstance(event, Event)] == ["f"]


def test_the_end_of_a_run_is_told_even_if_what_it_wrote_is_unknown() -> None:
    for names in (("nobody",), ("nobody", "no one")):
        *unmatched, end = matcher().match(named(*names, whole_run=True, run_id="r"), 5)
        assert [one.name for one in unmatched if isinstance(one, Unmatched)] == list(names)
        assert isinstance(end, Event) and (end.assets, end.run_id, end.whole_run) == ((), "r", True)


def test_feeds_that_rules_tell_ahead() -> None:
    feeds = matcher(
        rule({"connector": "rainy_dental"}, "source:stripe", format="fivetran"),
        rule({"connector_name": "{schema}"}, "relation:raw.{schema}.*", format="fivetran"),
        rule({"connection_name": "Ads"}, "source:google_ads", format="airbyte"),
        rule({"connector": "other"}, "source:stripe", format="fivetran"),
        rule({"source": "/x"}, "one/users", format="cloudevents", feed="app"),
    ).feeds()
    assert feeds == {
        "raw/stripe/charges": "fivetran/rainy_dental",
        "raw/stripe/refunds": "fivetran/rainy_dental",
        "raw/google_ads/clicks": "airbyte/Ads",
        "one/users": "app",
    }


def test_a_feed_that_depends_on_the_event_is_worked_out_from_the_assets() -> None:
    """Else twenty tables behind one silent connector were twenty causes."""
    by_schema = matcher(rule({"connector_name": "{schema}"}, "relation:raw.{schema}.*", format="fivetran"))
    assert by_schema.feeds() == {
        "raw/stripe/charges": "fivetran/stripe",
        "raw/stripe/refunds": "fivetran/stripe",
        "raw/google_ads/clicks": "fivetran/google_ads",
    }
    by_source = matcher(
        rule({"connection_name": "{src} → Postgres"}, "source:{src}", format="airbyte"),
        rule({"connector": "rainy_dental"}, "source:stripe", format="fivetran"),
    )
    assert by_source.feeds() == {
        "raw/stripe/charges": "fivetran/rainy_dental",
        "raw/stripe/refunds": "fivetran/rainy_dental",
        "raw/google_ads/clicks": "airbyte/google_ads → Postgres",
        "src/countries": "airbyte/src → Postgres",
    }
    named = matcher(
        rule({"namespace": "s3://lake", "name": "{layer}/{table}"}, "lake/{layer}/{table}", feed="lake/{layer}")
    )
    assert named.feeds() == {"lake/raw/orders": "lake/raw"}
    assert matcher(rule({"connector_name": "{a}_*"}, "source:{a}", format="fivetran")).feeds() == {}
    assert matcher(rule({"connector_name": "{a}"}, "source:{a}+", format="fivetran")).feeds() == {}


def test_an_event_and_its_assets_call_their_feed_the_same() -> None:
    each = matcher(rule({"connector_name": "{schema}"}, "relation:raw.{schema}.*", format="fivetran"))
    [event] = each.match(sync("rainy_dental", connector_name="stripe"), 5)
    assert isinstance(event, Event) and event.feed == each.feeds()["raw/stripe/charges"] == "fivetran/stripe"


def test_outcomes_are_remembered_within_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def select(text: str) -> tuple[AssetKey, ...]:
        asked.append(text)
        return Selector(GRAPH).select(text)

    monkeypatch.setattr(identify, "REMEMBERED_OUTCOMES", 3)
    each = Matcher(GRAPH, [rule({"connector": "{x}"}, "source:{x}", format="fivetran")], select)
    for _ in range(5):
        each.match(sync("stripe"), 5)
    assert asked == ["source:stripe"]
    for number in range(10):
        each.match(sync(f"c{number}"), 5)
    assert len(each._outcomes) == 3
    [unmatched] = each.match(sync("x" * 9_000), 5)
    assert (
        isinstance(unmatched, Unmatched) and len(unmatched.name) == len(unmatched.fields["connector"]) == identify.SHOWN
    )
    assert all(len(str(key)) < 1_000 for key in each._outcomes)


@pytest.mark.parametrize(
    ("match", "more", "told"),
    [
        ({"a": "x"}, {}, "either which assets"),
        ({"a": "x"}, {"assets": ("y",), "ignore": True}, "either which assets"),
        ({"a": "{x}"}, {"assets": ("{y}",)}, r"\{y\} in '\{y\}' is captured nowhere"),
        ({}, {"assets": ("y",)}, "needs format, topic or match"),
    ],
)
def test_rules_that_cannot_work(match: dict[str, str], more: dict[str, Any], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        IdentifyRule(match, **more)


def test_selectors_that_cannot_be_read_are_told_with_the_place_of_the_rule() -> None:
    with pytest.raises(ConfigError, match=r"freshd\.yaml:7: identify: unknown selector method sorce:"):
        matcher(rule({"a": "x"}, "sorce:stripe", origin="freshd.yaml:7"))


@pytest.mark.parametrize(
    ("format", "name", "fields", "expected"),
    [
        ("fivetran", "fivetran/rainy", {"connector": "rainy", "connector_name": "stripe"},
         "- {format: fivetran, match: {connector: rainy}, assets: \"source:stripe\"}"),
        ("fivetran", "fivetran/rainy", {"connector": "rainy", "connector_name": "strype.x"},
         "- {format: fivetran, match: {connector: rainy}, assets: \"source:stripe\"}"),
        ("airbyte", "airbyte/1", {"connection_name": "Google Ads → Postgres", "source_name": "Google Ads"},
         '- {format: airbyte, match: {connection_name: "Google Ads → Postgres"}, assets: "source:google_ads"}'),
        ("openlineage", "x", {"namespace": "spark://h", "name": "db.orders"},
         None),
        ("openlineage", "x", {"namespace": "pg", "name": "wh.public_dbt_test__audit.unique_orders"},
         '- {format: openlineage, match: {name: "*_dbt_test__audit.*"}, ignore: true}'),
        ("fivetran", "fivetran/zzz", {"connector": "zzz", "connector_name": "qqqqq"},
         "- {format: fivetran, match: {connector: zzz}, assets: SELECTOR}"),
    ],
)  # fmt: skip
def test_the_rule_that_would_map_an_unmatched_event(
    format: str, name: str, fields: dict[str, str], expected: str | None
) -> None:
    proposed = propose_rule(format, name, fields, GRAPH)
    if expected is not None:
        assert proposed == expected
    else:
        assert 'match: {namespace: "spark://h", name: db.orders}' in proposed


def test_short_words_are_not_thought_close() -> None:
    graph = build_graph([Asset("p/ds/events", relation="p.ds.events"), Asset("x", ("p/ds/events",))])
    fields = {"connector": "c", "connector_name": "Google Ads: EU"}
    assert propose_rule("fivetran", "fivetran/c", fields, graph).endswith("assets: SELECTOR}")
    near = build_graph([Asset("p/salesforc/a", relation="p.salesforc.a"), Asset("x", ("p/salesforc/a",))])
    fields = {"connector": "c", "connector_name": "Salesforce"}
    assert propose_rule("fivetran", "fivetran/c", fields, near).endswith('assets: "relation:p.salesforc.*"}')


def test_a_proposed_rule_maps_the_event_it_was_made_for() -> None:
    from freshd.documents import parse_yaml

    fields = {"connector": "rainy", "connector_name": "stripe"}
    [document] = parse_yaml(propose_rule("fivetran", "fivetran/rainy", fields, GRAPH), "proposed")
    [line] = document.value
    made = IdentifyRule(line["match"], (line["assets"],), line["format"])
    assert len(assets(matcher(made).match(sync("rainy", connector_name="stripe"), 5))) == 2


SLICED = build_graph(
    [
        Asset("by_day", partitions=PartitionScheme(by="day", start=parse_instant("2026-11-01T00:00:00Z"))),
        Asset("by_region", partitions=PartitionScheme(names=("eu", "us"))),
        Asset("plain"),
    ]
)


@pytest.mark.parametrize(
    ("number", "names", "partition", "placed", "hints"),
    [
        (1, ("by_day",), "2026-11-22", ("by_day",), {}),
        (2, ("by_day",), "", (), {"by_day": "by_day has partitions, and none is named"}),
        (3, ("by_region",), "uk", (), {"by_region[uk]": "by_region has no partition 'uk'; it has eu, us"}),
        (4, ("by_region", "plain"), "eu", ("by_region", "plain"), {}),
        (5, ("plain",), "2026-11-22", ("plain",), {}),
        (6, ("by_region", "plain"), "", ("plain",), {"by_region": "by_region has partitions, and none is named"}),
    ],
)
def test_what_is_told_of_an_asset_with_partitions_names_one_that_it_has(
    number: int, names: tuple[str, ...], partition: str, placed: tuple[str, ...], hints: Mapping[str, str]
) -> None:
    found = Matcher(SLICED, [], Selector(SLICED).select).match(named(*names, partition=partition), 7)
    events = [one for one in found if isinstance(one, Event)]
    lost = [one for one in found if isinstance(one, Unmatched)]
    assert tuple(key for event in events for key in event.assets) == placed
    assert {one.name: one.fields[HINT] for one in lost} == hints
    for one in lost:
        assert propose_rule(one.format, one.name, one.fields, SLICED) == f"# {one.fields[HINT]}"


def test_a_window_before_the_first_has_a_hint_too() -> None:
    (lost,) = Matcher(SLICED, [], Selector(SLICED).select).match(named("by_day", partition="2026-10-31"), 7)
    assert isinstance(lost, Unmatched)
    assert lost.name == "by_day[2026-10-31]"
    assert "2026-11-01" in lost.fields[HINT]


def test_a_heartbeat_of_an_asset_with_partitions_names_none() -> None:
    heard = Sighting(EventKind.HEARTBEAT, "freshd", (), feed="f")
    assert [type(one) for one in Matcher(SLICED, [], Selector(SLICED).select).match(heard, 7)] == [Event]
