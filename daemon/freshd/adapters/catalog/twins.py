"""Assets that lie in one relation: the same table, known to dbt under two ids.

A source that a model (of this or another project) writes shows that model as it is, although no
manifest has an edge between them. What reads a source that a seed fills, reads the seed. An edge that
would close a cycle is left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from freshd.model.asset import Asset, AssetKey
from freshd.model.names import fold


def join_twins(assets: tuple[Asset, ...]) -> tuple[Asset, ...]:
    """The assets with the edges that their relations imply."""
    tables: dict[str, list[Asset]] = {}
    for asset in assets:
        if asset.relation and asset.unique_id:
            tables.setdefault(fold(asset.relation), []).append(asset)
    shared = [owners for owners in tables.values() if len(owners) > 1]
    if not shared:
        return assets
    by_key = {asset.key: asset for asset in assets}
    seeds: dict[AssetKey, AssetKey] = {}
    for owners in shared:
        makers = sorted((one for one in owners if not one.source_name), key=lambda one: (one.kind == "seed", one.key))
        if not makers:
            continue
        for source in owners:
            if not source.source_name or source.upstreams or source.static or source.launcher:
                continue
            if makers[0].kind == "seed":
                seeds[source.key] = makers[0].key
            elif not _reaches(makers[0].key, source.key, by_key):
                by_key[source.key] = replace(source, upstreams=(makers[0].key,), virtual=True)
    if seeds:
        for key, asset in by_key.items():
            added = [seeds[up] for up in asset.upstreams if up in seeds and seeds[up] not in asset.upstreams]
            if added and not asset.static:
                by_key[key] = replace(asset, upstreams=(*asset.upstreams, *(one for one in added if one != key)))
    return tuple(by_key.values())


def _reaches(start: AssetKey, above: AssetKey, assets: Mapping[AssetKey, Asset]) -> bool:
    """Whether `above` is upstream of `start`."""
    seen, stack = {start}, [start]
    while stack:
        for up in assets[stack.pop()].upstreams:
            if up == above:
                return True
            if up not in seen and up in assets:
                seen.add(up)
                stack.append(up)
    return False
