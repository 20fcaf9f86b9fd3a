"""Assets in YAML: what may be said, overlays, and problems told with their lines."""

from __future__ import annotations

from pathlib import Path

import pytest

from freshd.adapters.catalog import Catalog, load_catalog
from freshd.documents import parse_yaml
from freshd.model.asset import Asset, PartitionScheme
from freshd.model.errors import ConfigError
from freshd.model.graph import build_graph
from freshd.model.time import parse_instant


def catalog(folder: Path, **files: str) -> Catalog:
    for name, text in files.items():
        (folder / f"{name}.yaml").write_text(text)
    return load_catalog([f"{name}.yaml" for name in files], folder)


def by_key(found: Catalog) -> dict[str, Asset]:
    return {asset.key: asset for asset in found.assets}


def problems(folder: Path, **files: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        catalog(folder, **files)
    return [str(problem) for problem in caught.value.problems]


def test_everything_that_may_be_said_of_an_asset(tmp_path: Path) -> None:
    found = by_key(
        catalog(
            tmp_path,
            a="""
assets:
  - key: shop/raw_orders
    description: Orders as Fivetran loads them
    owners: [ingestion@shop.example]
    tags: [tier1, "pii=yes"]
    group: ingestion
    relation: RAW.shop.orders
    aliases: "snowflake://acct/RAW.SHOP.ORDERS"
    data_time: watermark
    feed: fivetran/x
  - key: shop/orders
    upstreams: [shop/raw_orders, {key: shop/daily, mapping: all}]
    launcher: build
    partitions: {by: day, start: 2026-01-01, timezone: Europe/London, latest: 2}
  - {key: shop/daily, partitions: [eu, us]}
  - {key: shop/currencies, static: true}
  - {key: shop/orders_view, upstreams: [shop/orders], virtual: true}
""",
        )
    )
    raw = found["shop/raw_orders"]
    assert raw == Asset(
        "shop/raw_orders",
        description="Orders as Fivetran loads them",
        owners=("ingestion@shop.example",),
        tags=("tier1", "pii=yes"),
        group="ingestion",
        relation="RAW.shop.orders",
        aliases=("snowflake://acct/RAW.SHOP.ORDERS",),
        watermark_only=True,
        feed="fivetran/x",
        kind="source",
        origin="a.yaml:3",
    )
    orders = found["shop/orders"]
    assert (orders.upstreams, orders.launcher) == (("shop/raw_orders", "shop/daily"), "build")
    assert orders.mappings == {"shop/daily": "all"}
    start = parse_instant("2026-01-01T00:00:00Z")
    assert orders.partitions == PartitionScheme("day", (), start, "Europe/London", 2)
    assert found["shop/daily"].partitions == PartitionScheme(names=("eu", "us"))
    assert [found[key].kind for key in ("shop/orders", "shop/currencies", "shop/orders_view")] == [
        "asset",
        "source",
        "view",
    ]
    assert found["shop/currencies"].static and found["shop/orders_view"].virtual
    assert list(build_graph(found.values()).assets)[-1] == "shop/orders_view"


def test_later_entries_overlay_earlier_ones_field_by_field(tmp_path: Path) -> None:
    found = by_key(
        catalog(
            tmp_path,
            first="assets:\n  - {key: a/x, owners: [one], tags: [t], group: g}\n"
            "  - {key: a/y, upstreams: [a/x], launcher: l}",
            second="assets:\n  - {key: a/x, owners: [two], static: true}\n"
            "  - {key: b/z}\n  - {key: a/y, add_upstreams: [b/z]}",
        )
    )
    x = found["a/x"]
    assert (x.owners, x.tags, x.group, x.static, x.origin) == (("two",), ("t",), "g", True, "first.yaml:2")
    assert found["a/y"].upstreams == ("a/x", "b/z")
    third = catalog(tmp_path, first=(tmp_path / "first.yaml").read_text(), third="assets: [{key: a/y, launcher: null}]")
    assert by_key(third)["a/y"].launcher == ""


def test_a_selector_overlays_many_and_sees_what_stands_before_it(tmp_path: Path) -> None:
    found = catalog(
        tmp_path,
        a="""
assets:
  - {key: a/x, tags: [t]}
  - {key: a/y, tags: [t], upstreams: [a/x]}
  - {select: "tag:t", exclude: a/y, tags: [u]}
  - {select: "tag:u", static: true, owners: boss}
  - {select: "tag:t", add_upstreams: [a/late]}
  - {key: a/late, tags: [t]}
  - {select: "tag:nobody", static: true}
""",
    )
    x, y = by_key(found)["a/x"], by_key(found)["a/y"]
    assert (x.static, x.owners, y.static) == (True, ("boss",), False)
    assert (x.upstreams, y.upstreams, by_key(found)["a/late"].upstreams) == ((), ("a/x", "a/late"), ())
    [warning] = found.warnings
    assert str(warning) == "a.yaml:9: 'tag:nobody' selects none of the assets defined before it"


def test_globs_name_many_files_and_may_name_none(tmp_path: Path) -> None:
    (tmp_path / "assets" / "deep").mkdir(parents=True)
    (tmp_path / "assets" / "b.yaml").write_text("assets: [{key: b}]")
    (tmp_path / "assets" / "deep" / "a.yaml").write_text("assets: [{key: a}]\n---\nassets: [{key: c}]")
    assert [asset.key for asset in load_catalog(["assets/**/*.yaml"], tmp_path).assets] == ["b", "a", "c"]
    assert [str(one) for one in load_catalog(["other/*.yaml"], tmp_path).warnings] == ["other/*.yaml: no assets there"]


def test_all_problems_of_all_files_are_told_at_once_with_their_lines(tmp_path: Path) -> None:
    told = problems(
        tmp_path,
        a="assets:\n  - {key: x, ownerss: [a]}\n  - {key: ok}\n  - {key: 'with blank'}\n"
        "  - {static: true}\n  - {key: x/y, data_time: end}",
        b="assets:\n  - {key: p, partitions: {by: day, timezone: Mars/Base}}\n"
        "  - {key: q, partitions: {by: day, start: 2026-13-01}}",
        c="asets: []",
    )
    assert told[0] == "a.yaml:2: unknown key ownerss; did you mean owners?"
    assert "a.yaml:4: key: 'with blank' cannot be an asset's key" in told[1]
    assert "a.yaml:5: an item of assets needs key (one asset) or select (an overlay of many)" in told[2]
    assert "a.yaml:6: data_time: should be 'start' or 'watermark'" in told[3]
    assert "b.yaml:2: partitions: unknown time zone 'Mars/Base'" in told[4]
    assert "b.yaml:3: partitions: '2026-13-01' is not a date" in told[5]
    assert any(line.startswith("c.yaml:1: unknown key asets; did you mean assets?") for line in told)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            "assets: [{key: a, upstreams: [shop/ordes]}, {key: shop/orders}]",
            "a.yaml:1: asset a has an unknown upstream: a <- shop/ordes; did you mean shop/orders?",
        ),
        (
            "assets: [{key: shop/order, upstreams: [shop/orders]}, {key: shop/other}]",
            "a.yaml:1: asset shop/order has an unknown upstream: shop/order <- shop/orders; did you mean shop/other?",
        ),  # not itself
        ("assets: [{key: a}, {key: a}]", "a.yaml:1: asset a is written twice here"),
        ("assets: [{key: gone, add_upstreams: [a]}]", "no earlier entry defines gone"),
        (
            "assets:\n  - {key: d, partitions: {by: day}}\n  - {key: w, upstreams: [d], partitions: {by: week}}",
            "a.yaml:3: asset w, upstream d: partitions by week (UTC) from partitions by day (UTC) needs a mapping; "
            "write {key: d, mapping: window} for it among the upstreams",
        ),
        (
            "assets:\n  - {key: d}\n  - {key: w, upstreams: [{key: d, mapping: {}}]}",
            "a.yaml:3: upstreams.0.mapping: ",
        ),
        ("assets: [{key: a}, {select: 'tga:x', static: true}]", "select: unknown selector method tga:"),
        ("assets: [{select: x, upstreams: [a]}]", "upstreams cannot be set for many assets at once"),
        ("assets: [{key: a, key: b}]", "the key key is given twice"),
        ("assets: [{key: a, static: yes}]", "static: should be"),
        ("assets: {}", "assets"),
        ("assets: [{key: a, partitions: [x, x]}]", "the names must be different"),
    ],
)
def test_single_problems(tmp_path: Path, text: str, told: str) -> None:
    found = problems(tmp_path, a=text)
    assert any(told in line for line in found), found


def test_an_unknown_upstream_that_an_overlay_adds_is_told_where_it_is_added(tmp_path: Path) -> None:
    told = problems(tmp_path, a="assets: [{key: a}]", b="\n\nassets: [{key: a, add_upstreams: [zzzz]}]")
    assert told == ["b.yaml:3: asset a has an unknown upstream: a <- zzzz"]


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"nowhere\.yaml: no such file"):
        load_catalog(["nowhere.yaml"], tmp_path)


def test_a_cycle_is_named_with_its_path(tmp_path: Path) -> None:
    found = catalog(
        tmp_path, a="assets: [{key: a, upstreams: [c]}, {key: b, upstreams: [a]}, {key: c, upstreams: [b]}]"
    )
    with pytest.raises(ConfigError, match="the assets form a cycle: a <- c <- b <- a"):
        build_graph(found.assets)


@pytest.mark.parametrize("key", ["", "/a", "a/", "a//b", "a b", "a,b", "a[1]", "+a", "@a", "a+", 'a"b', "a*", "a?b"])
def test_texts_that_cannot_be_keys(tmp_path: Path, key: str) -> None:
    assert problems(tmp_path, a=f"assets: [{{key: '{key}'}}]")


@pytest.mark.parametrize("key", ["a", "a/b.v2", "src/s0", "größe/a-b_c", "p/exposures/weekly", "a:b", "x/1+1"])
def test_texts_that_can_be_keys(tmp_path: Path, key: str) -> None:
    assert [asset.key for asset in catalog(tmp_path, a=f"assets: [{{key: '{key}'}}]").assets] == [key]


def test_inline_assets_of_another_document() -> None:
    [document] = parse_yaml("scenario: s\nassets:\n  - {key: raw}\n  - {key: left, upstreams: [raw]}\n", "s.yaml")
    assert [asset.key for asset in load_catalog((), Path(), (document, ("assets",))).assets] == ["raw", "left"]
    [wrong] = parse_yaml("assets:\n  - {key: raw, upstream: []}\n", "s.yaml")
    with pytest.raises(ConfigError, match=r"s\.yaml:2: unknown key upstream; did you mean upstreams\?"):
        load_catalog((), Path(), (wrong, ("assets",)))
