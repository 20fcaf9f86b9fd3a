"""The table `assets`: what the catalogue says of each asset, for people to join history with."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from freshd.adapters.sql.projection import json_text
from freshd.adapters.sql.writer import Transaction
from freshd.model.asset import Asset

COLUMNS = ("key", "kind", "group_name", "description", "feed", "relation", "launcher", "owners", "tags", "upstreams")
_TEXTS = ", ".join(f"CAST({name} AS TEXT)" for name in COLUMNS)


def write_assets(transaction: Transaction, assets: Iterable[Asset]) -> None:
    """Make the table say what these assets say; rows that say it already are not touched."""
    there = {row[0]: row for row in transaction.rows(f"SELECT {_TEXTS} FROM assets")}
    wanted = {asset.key: _row(asset) for asset in assets}
    stale = [(key,) for key, row in there.items() if wanted.get(key) != row]
    transaction.run_many("DELETE FROM assets WHERE key = ?", stale)
    fresh = [row for key, row in wanted.items() if there.get(key) != row]
    transaction.insert("assets", COLUMNS, fresh)


def _row(asset: Asset) -> tuple[Any, ...]:
    return (
        asset.key,
        asset.kind,
        asset.group,
        asset.description,
        asset.feed,
        asset.relation,
        asset.launcher,
        json_text(asset.owners),
        json_text(asset.tags),
        json_text(asset.upstreams),
    )
