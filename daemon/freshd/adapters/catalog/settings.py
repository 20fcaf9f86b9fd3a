"""The `catalog:` section of freshd.yaml, and what may be said of an asset in YAML (and in dbt's meta)."""

from __future__ import annotations

import re
from typing import Annotated, Any, Final, Literal

from pydantic import BeforeValidator, Field, StrictBool, field_validator, model_validator

from freshd.adapters.catalog.dbt_files import is_url, shown
from freshd.documents import Closed, DurationField
from freshd.model.time import SECOND, Duration, format_duration

SHORTEST_POLL: Final[Duration] = SECOND
"""The least that `poll` may be."""

_SEGMENT: Final = r"[^\s/,\[\]{}\"'*?]+"
_KEY = re.compile(rf"(?![+@]){_SEGMENT}(/{_SEGMENT})*(?<!\+)")


def check_key(key: str) -> str:
    """The key, if it can be one: segments joined by `/`, without blanks and what selectors mean something by."""
    if not _KEY.fullmatch(key):
        raise ValueError(
            f"{key!r} cannot be an asset's key; write segments joined by /, without blanks, commas, "
            "brackets, quotes, * and ?, and without + or @ at its ends"
        )
    return key


def _listed(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


Key = Annotated[str, BeforeValidator(lambda value: check_key(value) if isinstance(value, str) else value)]
Texts = Annotated[list[str], BeforeValidator(_listed)]
"""A list of texts; one text alone is a list of one."""


class DbtEntry(Closed):
    """A dbt project's manifest."""

    dbt: str = Field(min_length=1, description="path or URL of manifest.json, also compressed with gzip")
    launcher: str = Field("", description="the launcher that builds its models, seeds and snapshots")
    results: str | None = Field(
        None, description="folder or file of run_results.json and sources.json, read as events on the first start"
    )
    built: StrictBool = Field(False, description="take what no result tells of as materialised, instead of due")
    policies: StrictBool = Field(True, description="make policies of dbt's own freshness")
    poll: DurationField | None = Field(
        None, description="how often to look whether the manifest is another one; a URL without it is read at reloads"
    )

    @field_validator("poll")
    @classmethod
    def _not_too_often(cls, value: int | None) -> int | None:
        if value is not None and value < SHORTEST_POLL:
            raise ValueError(f"looking more often than every {format_duration(SHORTEST_POLL)} is too often; write 1m")
        return value

    @property
    def is_remote(self) -> bool:
        """Whether the manifest is fetched."""
        return is_url(self.dbt)

    @property
    def shown(self) -> str:
        """The place as messages show it: without secrets that a URL may carry."""
        return shown(self.dbt)


class PythonEntry(Closed):
    """A module of `@asset` functions."""

    python: str = Field(min_length=1, description="the module, as in `import`")
    prefix: str = Field("", description="the prefix of keys of functions that name none")
    launcher: str = Field("python", description="the launcher of functions that name none")
    path: str = Field(".", description="the folder to import it from")


CatalogEntry = DbtEntry | PythonEntry | Annotated[str, Field(min_length=1)]
"""One entry of `catalog:`; a text is the path or glob of YAML files of assets."""


class UpstreamItem(Closed):
    """An upstream with the mapping of its partitions."""

    key: Key
    mapping: (
        Literal["same", "window", "all"]
        | Annotated[dict[Literal["last"], Annotated[int, Field(ge=1, le=10_000)]], Field(min_length=1)]
        | None
    ) = Field(None, description="which of its partitions a partition reads; same where both are sliced alike")


class PartitionItem(Closed):
    """Partitions by time."""

    by: Literal["hour", "day", "week", "month"]
    start: str | None = Field(None, description="a date in the partitions' time zone, or an instant")
    timezone: str = "UTC"
    latest: int = Field(1, ge=1)


class AssetFields(Closed):
    """What may be said of an asset, beside its key."""

    description: str | None = None
    owners: Texts | None = None
    tags: Texts | None = None
    group: str | None = None
    kind: str | None = None
    relation: str | None = Field(None, description="where it lies in the warehouse")
    aliases: Texts | None = Field(None, description="further names under which events may name it")
    feed: str | None = Field(None, description="the connector or connection that fills it")
    data_time: Literal["start", "watermark"] | None = None
    static: StrictBool | None = None
    virtual: StrictBool | None = None
    launcher: str | None = None
    partitions: PartitionItem | Annotated[list[str], Field(min_length=1)] | None = None
    upstreams: list[Key | UpstreamItem] | None = None
    add_upstreams: list[Key | UpstreamItem] | None = None


class AssetItem(AssetFields):
    """One item of `assets:`: an asset, or with `select` an overlay of many."""

    key: Key | None = None
    select: str | list[str] | None = None
    exclude: str | list[str] | None = None

    @model_validator(mode="after")
    def _one_or_many(self) -> AssetItem:
        if (self.key is None) == (self.select is None):
            raise ValueError("an item of assets needs key (one asset) or select (an overlay of many)")
        if self.select is not None and self.upstreams is not None:
            raise ValueError("upstreams cannot be set for many assets at once; use add_upstreams, or key")
        if self.exclude is not None and self.select is None:
            raise ValueError("exclude belongs to select")
        return self


class DbtMeta(AssetFields):
    """`meta: {freshd: …}` of a dbt node: its asset, and what a policy of its own says of it."""

    key: Key | None = None
    expect: Any = Field(None, description="this and what follows: as in a policy")
    calendar: Any = None
    sustain: Any = None
    completeness: Any = None
    react: Any = None
    retry: Any = None
    on_upstream_failure: Any = None
    alert: Any = None
    slo: Any = None
    priority: Any = None


POLICY_FIELDS: Final = tuple(name for name in DbtMeta.model_fields if name not in {*AssetFields.model_fields, "key"})
"""What of a dbt node's `meta.freshd` makes a policy."""


class AssetFile(Closed):
    """A file of assets, for its JSON Schema."""

    assets: list[AssetItem]


class AssetFileShape(Closed):
    """A file of assets, before its items are looked at one by one."""

    assets: list[Any]
