"""What an asset is: one data artefact, what it is made from, who owns it, how to find it.

An `Asset` is what the catalogues agree on after overlaying each other. It knows nothing of events,
runs or policies. `PartitionScheme` is how it is sliced; an unpartitioned asset has the one partition "".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final

from freshd.model.time import Instant

AssetKey = str
"""`/`-joined segments, e.g. `warehouse/analytics/orders`."""

WHOLE: Final = ""
"""The one partition of an unpartitioned asset."""

NO_HINTS: Final[Mapping[str, Any]] = MappingProxyType({})


def _nothing() -> Mapping[str, Any]:
    return NO_HINTS


@dataclass(frozen=True, slots=True)
class PartitionScheme:
    """How an asset is sliced: by time windows (`by`) or into fixed `names`."""

    by: str = ""
    """hour, day, week or month; empty for fixed names."""
    names: tuple[str, ...] = ()
    start: Instant | None = None
    timezone: str = "UTC"
    latest: int = 1
    """How many of the newest windows reactions touch."""


@dataclass(frozen=True, slots=True)
class Asset:
    """One data artefact, as the merged catalogue describes it."""

    key: AssetKey
    upstreams: tuple[AssetKey, ...] = ()
    """Direct upstreams, in the order written; empty: a source asset."""
    virtual: bool = False
    """Holds no data of its own (a view, a dashboard): it shows its upstreams as they are."""
    static: bool = False
    """Changes rarely: limits nobody's data time and makes nobody due."""
    watermark_only: bool = False
    """`data_time: watermark`: only a watermark moves the data time, not the mere success of a sync."""
    launcher: str = ""
    """The launcher that materialises it; empty: nobody here does."""
    kind: str = ""
    """source, model, seed, snapshot, view, exposure, python, …; for selectors and labels."""
    description: str = ""
    owners: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    group: str = ""
    feed: str = ""
    """What fills this source together with others: a connector, a connection."""
    relation: str = ""
    """Where it lies in the warehouse, as written."""
    aliases: tuple[str, ...] = ()
    unique_id: str = ""
    """dbt's id of the node."""
    source_name: str = ""
    """dbt's name of the source that a source table belongs to."""
    package: str = ""
    path: str = ""
    """The file that defines it, relative to its project."""
    partitions: PartitionScheme | None = None
    mappings: Mapping[AssetKey, Any] = field(default_factory=_nothing)
    """Partition mapping by upstream, where one is written."""
    hints: Mapping[str, Any] = field(default_factory=_nothing, hash=False)
    """What its launcher needs to know of it (module and function, dbt selector), opaque elsewhere."""
    origin: str = ""
    """`file:line` of its definition, for messages."""

    @property
    def name(self) -> str:
        """The last segment of the key."""
        return self.key.rpartition("/")[2]
