"""The catalogue: all that its entries say of assets, as one set of assets with the policies they bring.

Entries are read in their order and overlay each other; all problems of all of them are told at once.
Nothing is read twice: what the first start wants of dbt's results is kept from here (`DbtResults`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final

from freshd.adapters.catalog.dbt_files import digest_of, is_url, parse_json, read_bytes, read_json, shown
from freshd.adapters.catalog.dbt_manifest import DbtProject, read_manifest
from freshd.adapters.catalog.dbt_policies import PolicyDraft, dbt_policies, distinct, meta_policies
from freshd.adapters.catalog.merge import Merger
from freshd.adapters.catalog.python_assets import read_python
from freshd.adapters.catalog.settings import CatalogEntry, DbtEntry, PythonEntry
from freshd.adapters.catalog.twins import join_twins
from freshd.adapters.catalog.written import Definition, Overlay
from freshd.adapters.catalog.yaml_assets import read_asset_files, read_assets
from freshd.documents import Document
from freshd.model.asset import Asset
from freshd.model.errors import ConfigError, DecodeError, Problem
from freshd.model.graph import AssetGraph
from freshd.model.inputs import EventKind
from freshd.model.names import fold
from freshd.model.sighting import Seen, Sighting
from freshd.model.time import NEVER, Instant, parse_instant

RESULT_FILES: Final = ("run_results.json", "sources.json")
"""What dbt leaves of its last run, and of its last look at its sources."""

MANIFEST_HINT: Final = "`dbt parse` writes it"

NO_ASSETS: Final = "has no models, seeds, snapshots, sources or exposures that are enabled; is it the right project?"

ReadArtifact = Callable[[Mapping[str, Any], str, Mapping[str, str]], list[Seen]]
"""(parsed artifact, name, node by test) -> what it reports: formats/dbt.read_artifact."""


@dataclass(frozen=True)
class Catalog:
    """What all entries say together."""

    assets: tuple[Asset, ...]
    policies: tuple[PolicyDraft, ...] = ()
    warnings: tuple[Problem, ...] = ()
    """What is probably not meant, but does no harm."""
    dbt: tuple[tuple[DbtEntry, DbtProject], ...] = ()

    @cached_property
    def tested(self) -> Mapping[str, str]:
        """The unique_id of the node that a test is about, by the test's; of all manifests."""
        return {test: about for _, project in self.dbt for test, about in project.tested.items()}


def load_catalog(
    entries: Sequence[CatalogEntry], base: Path, inline: tuple[Document, Sequence[str | int]] | None = None
) -> Catalog:
    """Read and merge all entries; relative paths are relative to `base`.

    `inline` is a list of assets inside another document (a scenario's), read after the entries.
    Raises ConfigError with all problems of all entries.
    """
    merger = Merger()
    problems: list[Problem] = []
    projects: list[tuple[DbtEntry, DbtProject]] = []
    for entry in entries:
        try:
            merger.take(_said(entry, base, projects, merger.warnings))
        except ConfigError as error:
            problems.extend(error.problems)
    if inline is not None:
        try:
            merger.take(read_assets(inline[0], *inline[1]))
        except ConfigError as error:
            problems.extend(error.problems)
    if problems:
        raise ConfigError([*problems, *merger.problems])
    assets = join_twins(merger.assets())
    by_key = {asset.key: asset for asset in assets}
    drafts = [draft for entry, project in projects if entry.policies for draft in dbt_policies(project, by_key)]
    drafts = distinct(drafts) + distinct([one for _, project in projects for one in meta_policies(project, by_key)])
    for _, project in projects:
        project.forget_nodes()
    return Catalog(assets, tuple(drafts), tuple(merger.warnings), tuple(projects))


def _said(
    entry: CatalogEntry, base: Path, projects: list[tuple[DbtEntry, DbtProject]], warnings: list[Problem]
) -> Sequence[Definition | Overlay]:
    if isinstance(entry, DbtEntry):
        raw = read_bytes(entry.dbt, base, MANIFEST_HINT)
        project = read_manifest(parse_json(raw, entry.dbt), shown(entry.dbt), entry.launcher)
        project.digest = digest_of(raw)
        projects.append((entry, project))
        if not project.definitions:
            warnings.append(Problem(shown(entry.dbt), NO_ASSETS))
        return project.definitions
    if isinstance(entry, PythonEntry):
        return read_python(entry, base)
    said = read_asset_files(entry, base)
    if not said:
        warnings.append(Problem(entry, "no assets there"))
    return said


def read_results(
    catalog: Catalog, base: Path, graph: AssetGraph, read: ReadArtifact
) -> tuple[list[Seen], list[Problem]]:
    """What dbt's last results tell of assets, for a first start, oldest first; and the files that cannot be had.

    `read` is formats/dbt.read_artifact. With `built`, what no result tells of counts as materialised when
    the manifest was made, without a data time. Results that are not there tell nothing; what cannot be
    understood is among the told, as an error.
    """
    problems: list[Problem] = []
    seen: list[Seen] = []
    for entry, project in catalog.dbt:
        told: list[Seen] = []
        for place in _result_places(entry, base):
            try:
                told.extend(read(read_json(place, base), shown(place), project.tested))
            except DecodeError as error:
                told.append(error)
            except ConfigError as error:
                problems.extend(error.problems)
        seen.extend(told)
        if entry.built:
            seen.extend(_taken_as_built(project, graph, [one for one in told if isinstance(one, Sighting)]))
    return sorted(seen, key=_time_of), problems


def _time_of(seen: Seen) -> Instant:
    return NEVER if isinstance(seen, DecodeError) or seen.at is None else seen.at


def _result_places(entry: DbtEntry, base: Path) -> list[str]:
    if not entry.results:
        return []
    if entry.results.endswith((".json", ".json.gz")):
        return [entry.results]
    places = [f"{entry.results.rstrip('/')}/{name}" for name in RESULT_FILES]
    return places if is_url(entry.results) else [place for place in places if (base / place).exists()]


def _taken_as_built(project: DbtProject, graph: AssetGraph, told: Sequence[Sighting]) -> list[Sighting]:
    known = {sighting.fields["unique_id"] for sighting in told}
    try:
        at = parse_instant(project.generated_at)
    except ValueError:
        at = None
    loaded = {fold(asset.relation) for asset in graph.assets.values() if asset.source_name and asset.relation}
    taken: list[Sighting] = []
    for unique_id, key in project.keys.items():
        asset = graph.assets.get(key)
        if asset is None or asset.virtual or unique_id in known or unique_id.startswith(("source.", "exposure.")):
            continue
        if asset.kind == "seed" and fold(asset.relation) in loaded:
            continue  # that would take the source of the same table as loaded, too
        taken.append(
            Sighting(
                kind=EventKind.UPDATE,
                format="dbt",
                names=((asset.key,),),
                fields={"unique_id": unique_id},
                at=at,
                id=f"built/{unique_id}/{project.generated_at}",
                source="dbt",
                data_time=NEVER,
                metadata={"taken_as": "built"},
            )
        )
    return taken
