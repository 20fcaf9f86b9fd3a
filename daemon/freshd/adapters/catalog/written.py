"""What a person or a manifest says of one asset, in the fields of model/asset, before anything is merged."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from freshd.adapters.catalog.settings import AssetFields, PartitionItem, UpstreamItem
from freshd.model.asset import AssetKey, PartitionScheme
from freshd.model.time import Instant, from_datetime, parse_instant

_PLAIN: Final = ("description", "group", "kind", "relation", "feed", "launcher", "static", "virtual")
_LISTS: Final = ("owners", "tags", "aliases")


@dataclass(frozen=True, slots=True)
class Definition:
    """What one entry says of one asset."""

    key: AssetKey
    fields: Mapping[str, Any]
    """By the names of model/asset.Asset; None resets a field to its default."""
    origin: str
    added_upstreams: tuple[AssetKey, ...] = ()
    weak: bool = False
    """What another project is said to have: whatever else is said of the asset counts more."""


@dataclass(frozen=True, slots=True)
class Overlay:
    """What one entry says of all assets that a selector selects."""

    select: str | list[str]
    exclude: str | list[str]
    fields: Mapping[str, Any]
    origin: str
    added_upstreams: tuple[AssetKey, ...] = ()


def asset_fields(said: AssetFields) -> tuple[dict[str, Any], tuple[AssetKey, ...]]:
    """The fields of model/asset that an item sets, and the upstreams that it adds.

    Raises ValueError for time zones and dates that do not exist.
    """
    given = said.model_fields_set
    fields: dict[str, Any] = {name: getattr(said, name) for name in _PLAIN if name in given}
    for name in _LISTS:
        if name in given:
            value = getattr(said, name)
            fields[name] = None if value is None else tuple(dict.fromkeys(value))
    if "data_time" in given:
        fields["watermark_only"] = said.data_time == "watermark"
    if "partitions" in given:
        fields["partitions"] = None if said.partitions is None else partition_scheme(said.partitions)
    mappings = {
        item.key: item.mapping
        for item in (*(said.upstreams or ()), *(said.add_upstreams or ()))
        if isinstance(item, UpstreamItem) and item.mapping is not None
    }
    if mappings:
        fields["mappings"] = mappings
    if "upstreams" in given:
        fields["upstreams"] = upstream_keys(said.upstreams or ())
    return fields, upstream_keys(said.add_upstreams or ())


def upstream_keys(items: Any) -> tuple[AssetKey, ...]:
    """The keys of upstreams, each once, in the order written."""
    return tuple(dict.fromkeys(item.key if isinstance(item, UpstreamItem) else item for item in items))


def partition_scheme(said: PartitionItem | list[str]) -> PartitionScheme:
    """How an asset is sliced. Raises ValueError for a time zone or start that does not exist."""
    if isinstance(said, list):
        if len(set(said)) < len(said) or not all(said):
            raise ValueError("partitions: the names must be different, and none empty")
        return PartitionScheme(names=tuple(said))
    try:
        zone = ZoneInfo(said.timezone)
    except (ZoneInfoNotFoundError, ValueError):
        raise ValueError(f"partitions: unknown time zone {said.timezone!r}; write one like Europe/London") from None
    return PartitionScheme(said.by, (), _start(said.start, zone), said.timezone, said.latest)


def _start(text: str | None, zone: ZoneInfo) -> Instant | None:
    if text is None:
        return None
    if len(text) > 10:
        return parse_instant(text)
    try:
        return from_datetime(datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=zone))
    except ValueError:
        raise ValueError(f"partitions: {text!r} is not a date; write one like 2026-01-01") from None
