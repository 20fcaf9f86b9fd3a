"""`freshd test`: scenario files, read with the same code as catalogues and policies, and played.

It joins what stands in a file (assets, policies, how runs go, a time line) into scenarios, gives every
derived asset the scenario's own launcher, and lets `backtest` play them. It keeps true: all problems of
all files are told at once, and a bad file keeps no good one from being played.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from pydantic import RootModel

from freshd.adapters.catalog import Catalog, CatalogEntry, load_catalog
from freshd.backtest.play import ScenarioResult, play
from freshd.backtest.report import ScenarioReport
from freshd.backtest.scenario import LAUNCHER, TRAITS, Scenario
from freshd.backtest.written import ScenarioFile, scenario_of
from freshd.documents import Document, read_yaml, validate
from freshd.model.asset import Asset
from freshd.model.errors import ConfigError, Problem
from freshd.model.graph import build_graph
from freshd.policies import WrittenPolicy, build_charter, load_policies, policies_at

_SCENARIO_LINE: Final = re.compile(rb"^(\xef\xbb\xbf|\{\s*)?[\"']?(scenario|timeline)[\"']?\s*:", re.MULTILINE)
"""What a file of scenarios holds, also one that forgets its name or its time line."""


class _Entries(RootModel[tuple[CatalogEntry, ...]]):
    """The `catalog:` of a scenario, as in freshd.yaml."""


def run_files(paths: Iterable[str | Path], trace: bool = False) -> ScenarioReport:
    """Play every scenario of the files (of a folder: of the scenario files in it, at any depth), in order.

    `trace`: keep what was taken in and decided. Never raises for what is wrong with files: the report says it.
    """
    results: list[ScenarioResult] = []
    problems: list[Problem] = []
    for path in paths:
        for file in _files(Path(path)):
            try:
                scenarios = read_scenarios(file)
            except ConfigError as error:
                problems += error.problems
                continue
            results += [play(scenario, trace) for scenario in scenarios]
    if not results and not problems:
        problems.append(Problem("", "no scenario in these files; a scenario begins with `scenario: its name`"))
    return ScenarioReport(tuple(results), tuple(problems))


def read_scenarios(path: Path) -> list[Scenario]:
    """The scenarios of one file, in order. Raises ConfigError with all problems of all of them."""
    scenarios: list[Scenario] = []
    problems: list[Problem] = []
    for document in read_yaml(path):
        try:
            scenarios.append(read_scenario(document, path.parent))
        except ConfigError as error:
            problems += error.problems
    if problems:
        raise ConfigError(problems)
    return scenarios


def read_scenario(document: Document, base: Path) -> Scenario:
    """The scenario of one document; paths in it are relative to `base`. Raises ConfigError."""
    file = validate(ScenarioFile, document)
    catalog = _catalog(file, document, base)
    graph = build_graph(_with_launcher(asset) for asset in catalog.assets)
    policies = _policies(file, document, base)
    charter = build_charter(
        graph,
        policies,
        drafts=catalog.policies,
        launchers={LAUNCHER: TRAITS},
        places=file.limits.places(),
        notes=[],
        partial=True,
    )
    return scenario_of(file, document, charter)


def _files(path: Path) -> Sequence[Path]:
    if path.is_dir():
        found = sorted(found for pattern in ("*.yaml", "*.yml") for found in path.rglob(pattern))
        return [file for file in found if _may_be_scenarios(file)]
    return (path,)


def _may_be_scenarios(path: Path) -> bool:
    """Not the policies and assets that stand beside them; one that cannot be read is told of."""
    try:
        return _SCENARIO_LINE.search(path.read_bytes()) is not None
    except OSError:
        return True


def _with_launcher(asset: Asset) -> Asset:
    """Derived assets have the scenario's own launcher, and sources that name one; virtual ones have none."""
    launched = (asset.upstreams or asset.launcher) and not asset.virtual
    return replace(asset, launcher=LAUNCHER if launched else "")


def _catalog(file: ScenarioFile, document: Document, base: Path) -> Catalog:
    entries = validate(_Entries, document, "catalog").root if file.catalog else ()
    return load_catalog(entries, base, (document, ("assets",)) if file.assets else None)


def _policies(file: ScenarioFile, document: Document, base: Path) -> list[WrittenPolicy]:
    if isinstance(file.policies, str):
        return load_policies(file.policies, base)
    found: list[WrittenPolicy] = []
    problems: list[Problem] = []
    inline: list[int] = []
    for index, item in enumerate(file.policies):
        try:
            if isinstance(item, str):
                found += load_policies(item, base)
            else:
                inline.append(index)
        except ConfigError as error:
            problems += error.problems
    try:
        found += policies_at(document, "policies", only=inline) if inline else []
    except ConfigError as error:
        problems += error.problems
    if problems:
        raise ConfigError(problems)
    return found
