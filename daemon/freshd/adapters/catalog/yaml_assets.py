"""Assets written in YAML: files of `assets:`, and the inline lists of scenarios."""

from __future__ import annotations

from pathlib import Path

from freshd.adapters.catalog.settings import AssetFileShape, AssetItem
from freshd.adapters.catalog.written import Definition, Overlay, asset_fields
from freshd.documents import Document, files_named, read_yaml, shown_below, validate
from freshd.model.errors import ConfigError, Problem


def read_asset_files(pattern: str, base: Path) -> list[Definition | Overlay]:
    """What the files that a path or glob names say, file by file.

    Raises ConfigError with all problems; also if a path without `*` names no file.
    """
    problems: list[Problem] = []
    said: list[Definition | Overlay] = []
    for path in files_named(pattern, base):
        try:
            for document in read_yaml(path, shown_below(path, base)):
                validate(AssetFileShape, document)
                said.extend(read_assets(document, "assets"))
        except ConfigError as error:
            problems.extend(error.problems)
    if problems:
        raise ConfigError(problems)
    return said


def read_assets(document: Document, *path: str | int) -> list[Definition | Overlay]:
    """What the list of assets at `path` of a document says, in order.

    Raises ConfigError with all problems, at their lines.
    """
    items = document.at(*path)
    if not isinstance(items, list):
        raise ConfigError([Problem(document.where(*path), "assets must be a list of assets")])
    problems: list[Problem] = []
    said: list[Definition | Overlay] = []
    first: dict[str, str] = {}
    for number in range(len(items)):
        where = document.where(*path, number)
        try:
            one = _said(validate(AssetItem, document, *path, number), where)
        except ConfigError as error:
            problems.extend(error.problems)
            continue
        except ValueError as error:
            problems.append(Problem(where, str(error)))
            continue
        if isinstance(one, Definition):
            if one.key in first:
                problems.append(Problem(where, f"asset {one.key} is written twice here, first at {first[one.key]}"))
            first[one.key] = where
        said.append(one)
    if problems:
        raise ConfigError(problems)
    return said


def _said(item: AssetItem, origin: str) -> Definition | Overlay:
    fields, added = asset_fields(item)
    if item.key is not None:
        return Definition(item.key, fields, origin, added)
    return Overlay(item.select or "", item.exclude or "", fields, origin, added)
