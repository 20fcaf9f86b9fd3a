"""values.schema.json from the daemon's own settings and from values.yaml. Knows nothing of Helm's templates."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

import yaml
from helm.chart.readme import described

from freshd.schemas import schema

DRAFT: Final = "http://json-schema.org/draft-07/schema#"
OF_KUBERNETES: Final = frozenset({
    "podSecurityContext", "securityContext", "resources", "startupProbe", "livenessProbe", "readinessProbe",
    "nodeSelector", "affinity",
})  # fmt: skip
"""Mappings that go to Kubernetes as they are, which checks them itself."""
TEXTS: Final = frozenset({"labels", "annotations", "commonLabels", "podLabels", "podAnnotations", "files"})
"""Mappings of names to texts."""
LISTS_OF_TEXTS: Final = frozenset({"accessModes"})
"""All other lists are of mappings."""
CHOICES: Final = {
    ("image", "pullPolicy"): ["Always", "IfNotPresent", "Never"],
    ("service", "type"): ["ClusterIP", "NodePort", "LoadBalancer"],
}
_SECRET: Final = {
    "type": "object",
    "additionalProperties": False,
    "required": ["existingSecret", "key"],
    "properties": {
        "existingSecret": {"type": "string", "minLength": 1, "description": "the Secret's name"},
        "key": {"type": "string", "minLength": 1, "description": "which of its keys"},
    },
}


def values_schema(text: str) -> dict[str, Any]:
    """The schema of the chart's values, from the text of values.yaml."""
    settings = schema("config")
    definitions = settings.pop("$defs")
    files = sorted(set(_files(settings, definitions, ())))
    for part in (settings, *definitions.values()):
        _without_plain_secrets(part)
    told = dict(described(text))
    root = _of_mapping(yaml.safe_load(text), (), told)
    properties = root["properties"]
    properties["config"] = {
        **{name: part for name, part in settings.items() if name in ("type", "properties", "additionalProperties")},
        "description": told["config",],
    }
    properties["secrets"] = {
        "type": "object",
        "additionalProperties": False,
        "description": told["secrets",],
        "patternProperties": {f"^{path}$": _SECRET for path in files},
    }
    properties["extraObjects"]["items"] = {"type": ["object", "string"]}
    properties["global"] = {"type": "object", "description": "of the chart that this one is a part of; not read"}
    properties["enabled"] = {"type": "boolean", "description": "for that chart's condition on this one; not read"}
    return {"$schema": DRAFT, "title": "Values of the chart of freshd", **root, "$defs": definitions}


def _of_mapping(
    values: Mapping[str, Any], path: tuple[str, ...], told: Mapping[tuple[str, ...], str]
) -> dict[str, Any]:
    return {
        "type": "object",
        "additionalProperties": False,
        "properties": {name: _of_value(value, (*path, name), told) for name, value in values.items()},
    }


def _of_value(value: Any, path: tuple[str, ...], told: Mapping[tuple[str, ...], str]) -> dict[str, Any]:
    name = path[-1]
    made: dict[str, Any]
    if path in CHOICES:
        made = {"type": "string", "enum": CHOICES[path]}
    elif name in TEXTS:
        made = {"type": "object", "additionalProperties": {"type": "string"}}
    elif name in OF_KUBERNETES:
        made = {"type": ["object", "null"]}
    elif isinstance(value, dict):
        made = _of_mapping(value, path, told)
    elif isinstance(value, list):
        made = {"type": "array", "items": {"type": "string" if name in LISTS_OF_TEXTS else "object"}}
    elif isinstance(value, bool):
        made = {"type": "boolean"}
    elif isinstance(value, int):
        made = {"type": "integer", "minimum": 0}
    else:
        made = {"type": "string"}
    return {**made, **({"description": told[path]} if path in told else {})}


def _files(part: Any, definitions: Mapping[str, Any], path: tuple[str, ...]) -> Iterator[str]:
    """Every setting that names the file of a secret, as a pattern of its dotted path."""
    if isinstance(part, list):
        for item in part:
            yield from _files(item, definitions, path)
    if not isinstance(part, dict):
        return
    if "$ref" in part:
        yield from _files(definitions[part["$ref"].rpartition("/")[2]], definitions, path)
    for kind in ("anyOf", "oneOf", "allOf"):
        yield from _files(part.get(kind), definitions, path)
    for name, below in part.get("properties", {}).items():
        if name.endswith("_file"):
            yield r"\.".join((*path, re.escape(name)))
        else:
            yield from _files(below, definitions, (*path, re.escape(name)))
    if isinstance(part.get("additionalProperties"), dict):
        yield from _files(part["additionalProperties"], definitions, (*path, "[^.]+"))


def _without_plain_secrets(part: dict[str, Any]) -> None:
    """Of `token` and `token_file` only the latter: what `config` holds ends in a ConfigMap."""
    properties = part.get("properties", {})
    for name in [name for name in properties if f"{name}_file" in properties]:
        del properties[name]
