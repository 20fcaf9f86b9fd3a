"""`freshd init`: a first freshd.yaml that works, from what lies in the folder."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from freshd.cli import templates
from freshd.cli.output import console
from freshd.documents import read_yaml
from freshd.model.errors import ConfigError, Problem

DBT_PROJECT: Final = "dbt_project.yml"
TARGET: Final = "target"
"""Where dbt puts its manifest and results unless the project says otherwise."""

SCANNED_FILES: Final = 5_000
"""Model files of a dbt project that are looked into for sources."""


@dataclass(slots=True)
class DbtProject:
    """What init needs to know of a dbt project."""

    name: str
    profile: str
    """Empty: dbt finds it by itself."""
    target: str
    """The folder of its manifest and results."""
    has_manifest: bool
    schemas: dict[str, set[str]] = field(default_factory=dict)
    """The names of the sources by the schema that they lie in."""


def init(
    folder: Annotated[Path, typer.Argument(help="Where; default: here.")] = Path(),
    force: Annotated[bool, typer.Option("--force", help="Overwrite files that are there.")] = False,
) -> None:
    """Write a first freshd.yaml: for the dbt project in this folder, else a small example."""
    if not folder.is_dir():
        raise typer.BadParameter(f"{folder} is not a folder")
    project = dbt_project(folder)
    files = templates.dbt_files(project) if project is not None else templates.plain_files()
    there = [name for name in files if (folder / name).exists()]
    if there and not force:
        raise ConfigError([Problem(str(folder / name), "is there already; --force overwrites it") for name in there])
    out = console()
    for name, text in files.items():
        path = folder / name
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        except OSError as error:
            raise ConfigError([Problem(str(path), f"cannot be written: {error.strerror}")]) from None
        out.print(f"wrote {path}", markup=False)
    if project is not None and not project.has_manifest:
        out.print(
            f"dbt has no manifest yet: run `dbt parse` so that {project.target}/manifest.json is there", markup=False
        )
    out.print("next: freshd check, then freshd run")


def dbt_project(folder: Path) -> DbtProject | None:
    """The dbt project in this folder, if there is one. Raises ConfigError if its files cannot be read."""
    path = folder / DBT_PROJECT
    if not path.exists():
        return None
    settings = _mapping(path)
    name = str(settings.get("name") or folder.resolve().name)
    target = (_plain(settings, "target-path") or TARGET).rstrip("/")
    manifest = folder / target / "manifest.json"
    project = DbtProject(name, _plain(settings, "profile"), target, manifest.exists())
    found = _sources_of_manifest(manifest) if manifest.exists() else _sources_of_files(folder, settings)
    for source, schema in found:
        project.schemas.setdefault(schema, set()).add(source)
    return project


def _plain(settings: dict[str, Any], name: str) -> str:
    """What a setting says; empty if it says nothing, or something that only dbt can read (Jinja)."""
    value = settings.get(name)
    return value if isinstance(value, str) and "{" not in value else ""


def _sources_of_manifest(path: Path) -> Iterable[tuple[str, str]]:
    """The sources that are enabled; one without a schema is thought to lie in one of its name."""
    from freshd.adapters.catalog.dbt_fields import enabled
    from freshd.adapters.catalog.dbt_files import read_json
    from freshd.adapters.catalog.dbt_manifest import check_shape

    manifest = read_json(str(path), Path())
    check_shape(manifest, str(path))
    for source in manifest["sources"].values():
        if isinstance(source, dict) and enabled(source) and isinstance(source.get("source_name"), str):
            schema = source.get("schema")
            yield source["source_name"], schema if isinstance(schema, str) and schema else source["source_name"]


def _sources_of_files(folder: Path, settings: dict[str, Any]) -> Iterable[tuple[str, str]]:
    """What `sources:` blocks say; files that only dbt can read (Jinja) are passed over."""
    looked_at = 0
    for root in settings.get("model-paths") or settings.get("source-paths") or ["models"]:
        for path in sorted([*(folder / root).rglob("*.yml"), *(folder / root).rglob("*.yaml")]):
            looked_at += 1
            if looked_at > SCANNED_FILES:
                return
            try:
                sources = _mapping(path).get("sources") or []
            except ConfigError:
                continue
            for source in sources if isinstance(sources, list) else []:
                if isinstance(source, dict) and isinstance(source.get("name"), str):
                    yield source["name"], _plain(source, "schema") or source["name"]


def _mapping(path: Path) -> dict[str, Any]:
    documents = read_yaml(path)
    value = documents[0].value if documents else {}
    if not isinstance(value, dict):
        raise ConfigError([Problem(str(path), "is not a mapping")])
    return value
