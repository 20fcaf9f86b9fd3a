"""A dbt manifest as assets: models, seeds, snapshots, sources and exposures, of every manifest version.

Views, ephemeral models and exposures are virtual, seeds and models without parents static (but not where those
are disabled, nor what another project is only said to have, whose parents may be left out). What a node depends
on is followed through metrics, semantic models and functions to the nodes that hold data. A reference to a node
that the manifest does not have (another project's) becomes a source asset, which counts only until somebody
defines it. Tests, analyses and operations are no assets, nor is what is disabled.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from pydantic import ValidationError

from freshd.adapters.catalog import dbt_fields as dbt
from freshd.adapters.catalog.dbt_fields import Node
from freshd.adapters.catalog.settings import DbtMeta, check_key
from freshd.adapters.catalog.written import Definition, asset_fields
from freshd.documents import Document, explain
from freshd.model.asset import AssetKey
from freshd.model.errors import ConfigError, Problem

_BUILT: Final = frozenset({"model", "seed", "snapshot"})
_VIRTUAL: Final = frozenset({"view", "ephemeral"})
_THROUGH: Final = ("metrics", "semantic_models", "saved_queries", "functions")
_REFERENCED: Final = ("model.", "seed.", "snapshot.", "source.")
_SHAPES: Final = frozenset({"nodes", "sources"})
_MANIFEST: Final = "/manifest/"
SHOWN: Final = 60
"""Characters of an unfit version that a message shows."""


@dataclass(slots=True)
class DbtProject:
    """What a manifest says."""

    name: str
    """Its path or URL, for messages."""
    definitions: list[Definition] = field(default_factory=list)
    keys: dict[str, AssetKey] = field(default_factory=dict)
    """Asset key by unique_id."""
    nodes: dict[str, Node] = field(default_factory=dict)
    """The nodes that are assets, by unique_id."""
    tested: dict[str, str] = field(default_factory=dict)
    """The unique_id of the node that a test is about, by the test's."""
    generated_at: str = ""
    digest: str = ""
    """Of the manifest's bytes as they were read."""

    def forget_nodes(self) -> None:
        """Let go of what a large manifest takes in memory; keys and tests are kept."""
        self.nodes = {}
        self.definitions = []


def read_manifest(manifest: Mapping[str, Any], name: str, launcher: str = "") -> DbtProject:
    """The assets of a parsed manifest; `launcher` builds what this project itself builds.

    Raises ConfigError if it is no manifest, and with all problems of `meta.freshd`.
    """
    check_shape(manifest, name)
    return _Reading(manifest, name, launcher).project


def check_shape(manifest: Mapping[str, Any], name: str) -> None:
    """Raises ConfigError if it is no manifest, but another of dbt's files, say."""
    version = str(dbt.mapping(manifest, "metadata").get("dbt_schema_version") or _MANIFEST)
    why = ""
    if _MANIFEST not in version:
        why = f" but dbt's {'/'.join(version.split('/')[-2:])[:SHOWN]}"
    elif not all(isinstance(manifest.get(part), dict) for part in _SHAPES):
        why = " (it has no nodes and sources)"
    if why:
        raise ConfigError([Problem(name, f"is no dbt manifest{why}; write the path of manifest.json")])


class _Reading:
    """One pass over a manifest: keys first, then what each node says."""

    def __init__(self, manifest: Mapping[str, Any], name: str, launcher: str) -> None:
        self._manifest = manifest
        self._launcher = launcher
        self._problems: list[Problem] = []
        self._said: dict[str, DbtMeta] = {}
        self._foreign: dict[str, AssetKey] = {}
        self._resolved: dict[str, tuple[str, ...]] = {}
        self._group_owners = {
            group.get("name"): group.get("owner")
            for group in dbt.mapping(manifest, "groups").values()
            if isinstance(group, dict)
        }
        self._disabled = _disabled(manifest)
        self._through: dict[str, Node] = {}
        for part in _THROUGH:
            through = dbt.mapping(manifest, part)
            self._through.update({one: node for one, node in through.items() if isinstance(node, dict)})
        generated = dbt.mapping(manifest, "metadata").get("generated_at")
        self.project = DbtProject(name, generated_at=generated if isinstance(generated, str) else "")
        self._name_nodes()
        for unique_id, node in self.project.nodes.items():
            self._define(unique_id, node)
        for unique_id, key in self._foreign.items():
            self.project.definitions.append(_placeholder(unique_id, key, name))
        self._tests()
        if self._problems:
            raise ConfigError(self._problems)

    def _name_nodes(self) -> None:
        first: dict[AssetKey, str] = {}
        manifest = self._manifest
        for part in ("sources", "nodes", "exposures"):
            for unique_id, node in dbt.mapping(manifest, part).items():
                if not isinstance(node, dict) or not dbt.enabled(node):
                    continue
                kind = _resource_type(unique_id, node)
                if part == "nodes" and kind not in _BUILT:
                    continue
                key = self._key(unique_id, node, kind)
                other = first.setdefault(key, unique_id)
                if other != unique_id:
                    self._problem(unique_id, f"has the key {key}, as {other} has; give one of them meta.freshd.key")
                self.project.keys[unique_id] = key
                self.project.nodes[unique_id] = node

    def _key(self, unique_id: str, node: Node, kind: str) -> AssetKey:
        said = self._freshd_meta(unique_id, node)
        if said is not None:
            self._said[unique_id] = said
            if said.key:
                return said.key
        package, name = str(node.get("package_name") or _package_of(unique_id)), str(node.get("name") or "")
        if kind == "source":
            key = f"{package}/{node.get('source_name')}/{name}"
        elif kind == "exposure":
            key = f"{package}/exposures/{name}"
        else:
            version = node.get("version")
            key = f"{package}/{name}" if version is None else f"{package}/{name}.v{version}"
        try:
            return check_key(key)
        except ValueError as error:
            self._problem(unique_id, f"{error}, or give it meta.freshd.key")
            return key

    def _freshd_meta(self, unique_id: str, node: Node) -> DbtMeta | None:
        value = dbt.meta(node).get("freshd")
        if value is None:
            return None
        where = f"{self.project.name}: {unique_id}: meta.freshd"
        if not isinstance(value, dict):
            self._problems.append(Problem(where, "must be a mapping, like {key: shop/orders, static: true}"))
            return None
        try:
            return DbtMeta.model_validate(value)
        except ValidationError as error:
            self._problems.extend(explain(error, DbtMeta, Document(value, where)))
            return None

    def _define(self, unique_id: str, node: Node) -> None:
        kind = _resource_type(unique_id, node)
        upstreams = tuple(
            dict.fromkeys(
                self._key_of(up) for direct in dbt.upstream_ids(node) for up in self._holders(direct) if up != unique_id
            )
        )
        shape = dbt.materialized(node) if kind == "model" else ""
        virtual = bool(upstreams) and (kind == "exposure" or shape in _VIRTUAL)
        foreign = kind in _BUILT and not node.get("original_file_path")
        cut_off = not self._disabled.isdisjoint(dbt.upstream_ids(node))
        owner = self._group_owners.get(dbt.group(node))
        fields: dict[str, Any] = {
            "upstreams": upstreams,
            "virtual": virtual,
            "static": kind == "seed" or (kind in ("model", "exposure") and not (upstreams or foreign or cut_off)),
            "watermark_only": kind == "source" and dbt.has_loaded_at(node),
            "launcher": "" if foreign or kind not in _BUILT or shape == "ephemeral" else self._launcher,
            "kind": shape if shape in _VIRTUAL else kind,
            "description": str(node.get("description") or ""),
            "owners": dbt.owners(node, owner),
            "tags": dbt.tags(node),
            "group": dbt.group(node),
            "relation": dbt.relation(node),
            "unique_id": unique_id,
            "source_name": str(node.get("source_name") or "") if kind == "source" else "",
            "package": str(node.get("package_name") or ""),
            "path": str(node.get("original_file_path") or ""),
            "hints": _hints(unique_id, node, kind, shape),
        }
        places = dbt.locations(node)
        if places:
            fields["aliases"] = places
        added = self._overlaid(unique_id, fields)
        origin = f"{self.project.name}: {unique_id}"
        self.project.definitions.append(Definition(self.project.keys[unique_id], fields, origin, added, weak=foreign))

    def _overlaid(self, unique_id: str, fields: dict[str, Any]) -> tuple[AssetKey, ...]:
        said = self._said.get(unique_id)
        if said is None:
            return ()
        try:
            own, added = asset_fields(said)
        except ValueError as error:
            self._problem(unique_id, f"meta.freshd: {error}")
            return ()
        fields.update(own)
        return added

    def _holders(self, unique_id: str) -> tuple[str, ...]:
        """The nodes with data that a unique_id stands for: itself, or what a metric and the like are made from."""
        if unique_id in self.project.keys:
            return (unique_id,)
        if unique_id in self._resolved:
            return self._resolved[unique_id]
        self._resolved[unique_id] = ()
        found: tuple[str, ...] = ()
        if unique_id in self._through:
            below = dbt.upstream_ids(self._through[unique_id])
            found = tuple(dict.fromkeys(up for one in below for up in self._holders(one)))
        elif unique_id.startswith(_REFERENCED) and unique_id.count(".") >= 2 and unique_id not in self._disabled:
            self._foreign[unique_id] = _foreign_key(unique_id)
            found = (unique_id,)
        self._resolved[unique_id] = found
        return found

    def _key_of(self, unique_id: str) -> AssetKey:
        return self.project.keys.get(unique_id) or self._foreign[unique_id]

    def _tests(self) -> None:
        for part in ("nodes", "unit_tests"):
            for unique_id, node in dbt.mapping(self._manifest, part).items():
                if isinstance(node, dict) and unique_id.startswith(("test.", "unit_test.")):
                    about = _tested(node, self.project.keys)
                    if about:
                        self.project.tested[unique_id] = about

    def _problem(self, unique_id: str, message: str) -> None:
        self._problems.append(Problem(self.project.name, f"{unique_id} {message}"))


def _disabled(manifest: Mapping[str, Any]) -> frozenset[str]:
    """The unique_ids of what is disabled: listed apart (as a list, up to version 3), or among the others."""
    apart = manifest.get("disabled")
    if isinstance(apart, list):
        listed = [one.get("unique_id") for one in apart if isinstance(one, dict)]
    else:
        listed = [*apart] if isinstance(apart, dict) else []
    among = [
        unique_id
        for part in _SHAPES
        for unique_id, node in manifest[part].items()
        if isinstance(node, dict) and not dbt.enabled(node)
    ]
    return frozenset(one for one in (*listed, *among) if isinstance(one, str))


def _resource_type(unique_id: str, node: Node) -> str:
    kind = node.get("resource_type")
    return kind if isinstance(kind, str) and kind else unique_id.partition(".")[0]


def _package_of(unique_id: str) -> str:
    return unique_id.split(".")[1] if "." in unique_id else ""


def _tested(node: Node, known: Iterable[str]) -> str:
    attached = node.get("attached_node")
    if isinstance(attached, str) and attached in known:
        return attached
    about = [up for up in dbt.upstream_ids(node) if up in known]
    return about[0] if len(about) == 1 else ""


def _foreign_key(unique_id: str) -> AssetKey:
    kind, package, *rest = unique_id.split(".")
    return "/".join([package, *rest]) if kind == "source" else f"{package}/{'.'.join(rest)}"


def _placeholder(unique_id: str, key: AssetKey, name: str) -> Definition:
    kind, package, *rest = unique_id.split(".")
    fields = {
        "kind": "source",
        "unique_id": unique_id,
        "package": package,
        "source_name": rest[0] if kind == "source" else "",
        "description": f"Referenced by {name}, which does not define it",
    }
    return Definition(key, fields, f"{name}: {unique_id}", weak=True)


def _hints(unique_id: str, node: Node, kind: str, shape: str) -> Mapping[str, Any]:
    fqn = ".".join(dbt.texts(node.get("fqn")))
    return {"unique_id": unique_id, "fqn": fqn, "resource_type": kind, "materialized": shape}
