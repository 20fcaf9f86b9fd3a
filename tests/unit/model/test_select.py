"""Selectors, as a table over one small graph with everything in it."""

from __future__ import annotations

import pytest

from freshd.model.asset import Asset
from freshd.model.graph import build_graph
from freshd.model.select import Selector, glob_regex

ASSETS = [
    Asset(
        "raw/stripe/charges",
        source_name="stripe",
        relation='RAW."stripe".charges',
        kind="source",
        feed="fivetran/rainy_dental",
    ),
    Asset(
        "raw/stripe/refunds",
        source_name="stripe",
        relation="RAW.stripe.refunds",
        kind="source",
        feed="fivetran/rainy_dental",
    ),
    Asset("raw/shop/orders", source_name="shop", relation="RAW.shop.orders", kind="source", tags=("tier1",)),
    Asset("shop/stg_orders", ("raw/shop/orders",), kind="view", package="shop", path="models/staging/stg_orders.sql"),
    Asset(
        "shop/stg_charges",
        ("raw/stripe/charges",),
        kind="model",
        package="shop",
        path="models/staging/stripe/stg_charges.sql",
    ),
    Asset(
        "shop/orders",
        ("shop/stg_orders", "shop/stg_charges"),
        kind="model",
        package="shop",
        path="models/marts/orders.sql",
        tags=("tier1", "pii=yes"),
        group="sales",
        owners=("Sales@shop.example",),
    ),
    Asset(
        "shop/eu/orders",
        ("shop/orders",),
        kind="model",
        package="shop",
        path="models/marts/eu/orders.sql",
        group="sales team",
    ),
    Asset("shop/exposures/weekly", ("shop/orders",), kind="exposure", virtual=True, launcher=""),
    Asset("s3:lake", kind="file"),
]
EVERYTHING = sorted(asset.key for asset in ASSETS)
SELECTOR = Selector(build_graph(ASSETS), {"orders within the hour": ("shop/orders",), "p": ("shop/eu/orders",)})

TABLE = [
    # by the last segment, without a slash
    (1, "orders", "raw/shop/orders shop/eu/orders shop/orders"),
    (2, "stg_*", "shop/stg_charges shop/stg_orders"),
    (3, "*", " ".join(EVERYTHING)),
    (4, "**", " ".join(EVERYTHING)),
    (5, "order?", "raw/shop/orders shop/eu/orders shop/orders"),
    (6, "[cr]*s", "raw/stripe/charges raw/stripe/refunds"),
    (7, "nothing", ""),
    # by the whole key, with one
    (8, "shop/orders", "shop/orders"),
    (9, "shop/*", "shop/orders shop/stg_charges shop/stg_orders"),
    (10, "shop/**", "shop/eu/orders shop/exposures/weekly shop/orders shop/stg_charges shop/stg_orders"),
    (11, "**/orders", "raw/shop/orders shop/eu/orders shop/orders"),
    (12, "shop/**/orders", "shop/eu/orders shop/orders"),
    (13, "raw/*/*s", "raw/shop/orders raw/stripe/charges raw/stripe/refunds"),
    (14, "s3:lake", "s3:lake"),
    # by property
    (15, "tag:tier1", "raw/shop/orders shop/orders"),
    (16, "tag:pii=yes", "shop/orders"),
    (17, "tag:pii*", "shop/orders"),
    (18, "owner:sales@shop.example", "shop/orders"),
    (19, "group:sales", "shop/orders"),
    (20, 'group:"sales team"', "shop/eu/orders"),
    (21, "source:stripe", "raw/stripe/charges raw/stripe/refunds"),
    (22, "source:stripe.charges", "raw/stripe/charges"),
    (23, "source:pkg.stripe.charges", "raw/stripe/charges"),
    (24, "source:stripe.*", "raw/stripe/charges raw/stripe/refunds"),
    (25, "source:*", "raw/shop/orders raw/stripe/charges raw/stripe/refunds"),
    (26, "package:shop", "shop/eu/orders shop/orders shop/stg_charges shop/stg_orders"),
    (27, "path:models/marts", "shop/eu/orders shop/orders"),
    (28, "path:models/staging/", "shop/stg_charges shop/stg_orders"),
    (29, "path:./models/marts/orders.sql", "shop/orders"),
    (30, "path:models/*/orders.sql", "shop/orders"),
    (31, "file:stg_orders.sql", "shop/stg_orders"),
    (32, "kind:view", "shop/stg_orders"),
    (33, "resource_type:exposure", "shop/exposures/weekly"),
    (34, "exposure:weekly", "shop/exposures/weekly"),
    (35, "relation:raw.stripe.*", "raw/stripe/charges raw/stripe/refunds"),
    (36, "relation:Raw.Stripe.Charges", "raw/stripe/charges"),
    (37, "feed:fivetran/rainy_dental", "raw/stripe/charges raw/stripe/refunds"),
    (38, "feed:fivetran/*", "raw/stripe/charges raw/stripe/refunds"),
    (39, 'policy:"orders within the hour"', "shop/orders"),
    (40, "policy:*", "shop/eu/orders shop/orders"),
    # graph operators
    (41, "+shop/stg_orders", "raw/shop/orders shop/stg_orders"),
    (42, "1+shop/orders", "shop/orders shop/stg_charges shop/stg_orders"),
    (43, "2+shop/orders", "raw/shop/orders raw/stripe/charges shop/orders shop/stg_charges shop/stg_orders"),
    (44, "0+shop/orders", "shop/orders"),
    (45, "stg_orders+", "shop/eu/orders shop/exposures/weekly shop/orders shop/stg_orders"),
    (46, "stg_orders+1", "shop/orders shop/stg_orders"),
    (47, "1+shop/orders+1", "shop/eu/orders shop/exposures/weekly shop/orders shop/stg_charges shop/stg_orders"),
    (
        48,
        "@stg_charges",
        "raw/shop/orders raw/stripe/charges shop/eu/orders shop/exposures/weekly shop/orders "
        "shop/stg_charges shop/stg_orders",
    ),
    (49, "source:shop.orders+1", "raw/shop/orders shop/stg_orders"),
    (50, "+exposure:weekly,kind:source", "raw/shop/orders raw/stripe/charges"),
    # union binds weaker than intersection
    (51, "tag:tier1 stg_charges", "raw/shop/orders shop/orders shop/stg_charges"),
    (52, "tag:tier1,kind:model", "shop/orders"),
    (53, "stg_charges tag:tier1,kind:model key:s3:lake", "s3:lake shop/orders shop/stg_charges"),
    (54, "tag:tier1,kind:model,group:other", ""),
]


@pytest.mark.parametrize(("number", "expression", "keys"), TABLE, ids=[str(row[0]) for row in TABLE])
def test_selects(number: int, expression: str, keys: str) -> None:
    assert SELECTOR.select(expression) == tuple(keys.split())


def test_a_list_is_a_union_and_exclude_takes_away() -> None:
    assert SELECTOR.select(["tag:tier1", "stg_charges"]) == ("raw/shop/orders", "shop/orders", "shop/stg_charges")
    assert SELECTOR.select("tag:tier1", exclude="raw/**") == ("shop/orders",)
    assert SELECTOR.select("*", exclude=["raw/**", "shop/**"]) == ("s3:lake",)


@pytest.mark.parametrize(
    ("expression", "said"),
    [
        ("", "empty selector"),
        ([], "empty selector"),
        ("tga:tier1", "did you mean tag:"),
        ("xyz:tier1", "known are"),
        ("tag:", "names nothing"),
        ("+", "names nothing"),
        ("a, b", "nothing beside it"),
        (",a", "nothing beside it"),
        ('group:"sales', "without its other half"),
        ("@x+", "joins @ and +"),
    ],
)
def test_what_is_no_selector(expression: str | list[str], said: str) -> None:
    with pytest.raises(ValueError, match=said.replace("+", r"\+")):
        SELECTOR.select(expression)


@pytest.mark.parametrize(
    ("pattern", "text", "fits"),
    [
        ("a/*", "a/b", True),
        ("a/*", "a/b/c", False),
        ("a/**", "a/b/c", True),
        ("a/**", "a", False),
        ("a/**", "a/", False),
        ("a/**/c", "a/c", True),
        ("a/**/c", "a/b/b/c", True),
        ("a/**/c", "a/bc", False),
        ("**/c", "c", True),
        ("[!a]x", "bx", True),
        ("[!a]x", "ax", False),
        ("a.b", "axb", False),
        ("[", "[", True),
    ],
)
def test_globs(pattern: str, text: str, fits: bool) -> None:
    assert (glob_regex(pattern).fullmatch(text) is not None) == fits


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    ("pattern", "text", "fits"),
    [
        ("[a--b]", "a", False),
        ("[a--b]", "[a--b]", True),
        ("[--/]x", ".x", True),
        ("[!--/]x", ".x", False),
        ("[+--]", ",", True),
        ("[a&&b]", "&", True),
        ("[a||b]", "|", True),
        ("[a~~b]", "~", True),
        ("[[a]", "[", True),
        ("[a-c]", "b", True),
        ("[!a-c]", "b", False),
    ],
)
def test_brackets_hold_what_stands_in_them_without_a_warning(pattern: str, text: str, fits: bool) -> None:
    assert (glob_regex(pattern).fullmatch(text) is not None) == fits
