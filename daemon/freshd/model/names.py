"""Which assets a name means: keys, dbt's ids, relations and aliases, feeds, each found in one look-up.

Keys and ids count as written. Relations and aliases are compared without case and quotes. Assets that
lie in one relation (a seed and the source that reads it, a model and another project's source) are one
table: what refreshes one of them refreshes all; a look at one, or a check of one, by its own name is
about that one alone. `*.schema.table` means that table of whatever database, if only one has it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from freshd.model.asset import Asset, AssetKey

_QUOTES: Final = str.maketrans("", "", '"`[]')
Owners = tuple[AssetKey, ...]


def fold(name: str) -> str:
    """A relation or alias as it is compared: without quotes, in lower case."""
    return name.translate(_QUOTES).lower()


class NameIndex:
    """All names of a graph's assets."""

    __slots__ = ("_alone", "_exact", "_feeds", "_folded")

    def __init__(self, assets: Iterable[Asset], feeds: Mapping[AssetKey, str] | None = None) -> None:
        """`feeds`: those of assets that declare none themselves."""
        every = tuple(assets)
        tables = _tables(every)
        self._alone: dict[str, Owners] = {}
        self._exact: dict[str, Owners] = {}
        self._folded: dict[str, Owners] = {}
        for asset in every:
            self._exact[asset.key] = tables.get(fold(asset.relation), (asset.key,)) if asset.relation else (asset.key,)
        for asset in every:
            if asset.unique_id:
                self._exact.setdefault(asset.unique_id, self._exact[asset.key])
            if len(self._exact[asset.key]) > 1:
                self._alone[asset.key] = self._alone[asset.unique_id or asset.key] = (asset.key,)
        aliases: dict[str, dict[AssetKey, None]] = {}
        for asset in every:
            for alias in asset.aliases:
                aliases.setdefault(fold(alias), {}).update(dict.fromkeys(self._exact[asset.key]))
        self._folded.update(tables)
        for name, owners in aliases.items():
            self._folded[name] = tuple(sorted({*owners, *self._folded.get(name, ())}))
        for name, owners_of_table in _any_database(tables).items():
            self._folded.setdefault(name, owners_of_table)
        self._feeds = {**(feeds or {}), **{asset.key: asset.feed for asset in every if asset.feed}}
        by_feed: dict[str, list[AssetKey]] = {}
        for key, feed in self._feeds.items():
            by_feed.setdefault(fold(feed), []).append(key)
        for feed, keys in by_feed.items():
            self._folded.setdefault(feed, tuple(sorted(keys)))

    def feed(self, key: AssetKey) -> str:
        """What fills the asset, as it or a rule says; empty if neither does."""
        return self._feeds.get(key, "")

    def owners(self, names: Iterable[str], alone: bool = False) -> Owners:
        """The assets of the first name that any has; empty if none has one. `alone`: without its twins."""
        exact, folded = self._exact, self._folded
        for name in names:
            if alone and name in self._alone:
                return self._alone[name]
            found = exact.get(name) or folded.get(fold(name))
            if found:
                return found
        return ()


def _tables(assets: Iterable[Asset]) -> dict[str, Owners]:
    tables: dict[str, list[AssetKey]] = {}
    for asset in assets:
        if asset.relation:
            tables.setdefault(fold(asset.relation), []).append(asset.key)
    return {name: tuple(sorted(keys)) for name, keys in tables.items()}


def _any_database(tables: Mapping[str, Owners]) -> dict[str, Owners]:
    found: dict[str, Owners | None] = {}
    for name, owners in tables.items():
        parts = name.rsplit(".", 2)
        if len(parts) >= 2:
            short = f"*.{parts[-2]}.{parts[-1]}"
            found[short] = None if short in found else owners
    return {name: owners for name, owners in found.items() if owners is not None}
