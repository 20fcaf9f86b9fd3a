"""The JSON Schemas of the files and events that people write, for editors: `freshd schema KIND`.

They are made from the very models that read the files, so that what an editor accepts is what freshd
accepts, but for what only a graph can tell.
"""

from __future__ import annotations

from typing import Any, Final

from pydantic import BaseModel

from freshd.adapters.catalog.settings import AssetFile, AssetItem, CatalogEntry
from freshd.adapters.formats import FORMATS
from freshd.adapters.formats.own_schema import EVENT_SCHEMA
from freshd.backtest.written import ScenarioFile
from freshd.documents import nearest
from freshd.policies import PolicyFile
from freshd.policies.written import PolicyModel
from freshd.settings import Settings


class _WholeScenario(ScenarioFile):
    """One scenario: assets, policies, how runs go, and a time line with what is to hold along it."""

    assets: tuple[AssetItem, ...] = ()
    catalog: tuple[CatalogEntry, ...] = ()
    policies: tuple[PolicyModel | str, ...] | str = ()


_DRAFT: Final = "https://json-schema.org/draft/2020-12/schema"
_MODELS: Final[dict[str, tuple[type[BaseModel], str]]] = {
    "config": (Settings, "freshd.yaml"),
    "policies": (PolicyFile, "A file of policies of freshd"),
    "assets": (AssetFile, "A file of assets of freshd"),
    "scenario": (_WholeScenario, "A scenario of freshd"),
}
_ALSO: Final = {
    "settings": "config",
    "policy": "policies",
    "asset": "assets",
    "scenarios": "scenario",
    "events": "event",
}

_ADDRESS: Final = "^.+:[0-9]{1,5}$"

KINDS: Final = (*_MODELS, "event")
"""What there is a schema of."""


def schema(kind: str) -> dict[str, Any]:
    """The JSON Schema of a kind of file. Raises ValueError that names the kinds for another."""
    kind = _ALSO.get(kind, kind)
    if kind == "event":
        return dict(EVENT_SCHEMA)
    if kind not in _MODELS:
        raise ValueError(f"there is no schema of {kind!r}{nearest(kind, KINDS)}")
    model, title = _MODELS[kind]
    made = model.model_json_schema()
    if kind == "config":
        store = made["properties"]["store"]
        made["properties"]["store"] = {"anyOf": [{"type": "string", "description": "its URL"}, store]}
        _narrow(made["properties"], made["$defs"])
    return {**made, "$schema": _DRAFT, "title": title}


def _narrow(settings: dict[str, Any], definitions: dict[str, Any]) -> None:
    """Say what the daemon checks by itself: formats that it knows, addresses that are some."""
    for name in ("IngressSettings", "TopicSettings"):
        definitions[name]["properties"]["format"]["enum"] = list(FORMATS)
    definitions["IdentifyModel"]["properties"]["format"]["enum"] = ["", *FORMATS]
    settings["listen"]["pattern"] = _ADDRESS
    definitions["MetricsSettings"]["properties"]["listen"]["pattern"] = f"^$|{_ADDRESS}"
