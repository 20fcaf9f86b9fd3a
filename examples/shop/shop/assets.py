"""From raw orders to the dashboard: four functions, a diamond.

raw_orders -> cleaned_orders -> orders_by_region, orders_by_product -> sales_dashboard
raw_stores ---------------------^
"""

from __future__ import annotations

import pandas as pd

from freshd import asset, log_metadata


@asset(group="sales", owners=["sales@shop.example"], tags=["tier1"])
def cleaned_orders(raw_orders: pd.DataFrame) -> pd.DataFrame:
    """Orders that count: the last state of each, without cancelled ones."""
    latest = raw_orders.sort_values("changed_at").drop_duplicates("order_id", keep="last")
    kept = latest[latest["status"] != "cancelled"].reset_index(drop=True)
    log_metadata(cancelled=len(latest) - len(kept))
    return kept


@asset(group="sales", owners=["sales@shop.example"])
def orders_by_region(cleaned_orders: pd.DataFrame, raw_stores: pd.DataFrame) -> pd.DataFrame:
    """Orders and revenue per region of the store."""
    placed = cleaned_orders.merge(raw_stores, on="store_id", how="left")
    return placed.groupby("region", as_index=False).agg(orders=("order_id", "size"), revenue=("amount", "sum"))


@asset(group="sales", owners=["sales@shop.example"])
def orders_by_product(cleaned_orders: pd.DataFrame) -> pd.DataFrame:
    """Orders and revenue per product."""
    return cleaned_orders.groupby("product", as_index=False).agg(orders=("order_id", "size"), revenue=("amount", "sum"))


@asset(group="dashboards", owners=["sales@shop.example"], tags=["tier1"])
def sales_dashboard(orders_by_region: pd.DataFrame, orders_by_product: pd.DataFrame) -> pd.DataFrame:
    """The extract that the dashboard shows: revenue by region and by product, one below the other."""
    regions = orders_by_region.rename(columns={"region": "name"}).assign(kind="region")
    products = orders_by_product.rename(columns={"product": "name"}).assign(kind="product")
    extract = pd.concat([regions, products], ignore_index=True)[["kind", "name", "orders", "revenue"]]
    log_metadata(revenue=float(regions["revenue"].sum()))
    return extract
