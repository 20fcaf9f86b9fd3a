"""What people wrote, read as a whole: settings, catalogue, policies and rules, joined into a charter.

Everything that is wrong is found at once and told with file and line; nothing is connected to, started or
written. The same reading serves `check`, `run`, a reload, and `init`'s promise that what it writes works.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from pathlib import Path
from typing import TypeVar

from freshd.adapters.catalog import Catalog, load_catalog
from freshd.adapters.launch import traits
from freshd.adapters.launch.making import check_launcher
from freshd.app.watching import Marks, marks_of
from freshd.documents import nearest
from freshd.model.asset import AssetKey
from freshd.model.errors import ConfigError, Problem
from freshd.model.graph import AssetGraph, build_graph
from freshd.model.identify import Matcher
from freshd.model.policy import Charter
from freshd.model.select import Selector
from freshd.policies import WrittenPolicy, build_charter, load_policies
from freshd.settings import Settings, load_settings, named_by

T = TypeVar("T")


@dataclass(frozen=True)
class Project:
    """One reading of the files."""

    path: Path
    settings: Settings
    catalog: Catalog
    charter: Charter
    matcher: Matcher
    notes: tuple[Problem, ...] = ()
    """What is odd but no error."""
    files: Mapping[str, str] = field(default_factory=dict)
    """The digest of every file that it was read from, by how messages show it."""

    @property
    def base(self) -> Path:
        """The folder that paths in the settings are relative to."""
        return self.settings.base

    @property
    def graph(self) -> AssetGraph:
        """The assets."""
        return self.charter.graph

    @cached_property
    def selector(self) -> Selector:
        """Selectors over its assets and policies."""
        return Selector(self.graph, self.charter.selected)

    def after(self, known: Project) -> Project:
        """This reading with the graph of the one before if it says the same: what rests on that is as it was."""
        if self.graph is known.graph or not self.graph.same_as(known.graph):
            return self
        same = self.catalog.assets == known.catalog.assets
        catalog = replace(self.catalog, assets=known.catalog.assets) if same else self.catalog
        return replace(self, catalog=catalog, charter=replace(self.charter, graph=known.graph))

    def select(self, select: Sequence[str], exclude: Sequence[str] = ()) -> tuple[AssetKey, ...]:
        """The assets that selectors name, sorted; all without one. Raises ValueError for bad syntax."""
        return self.selector.select(list(select) or ["**"], exclude=list(exclude))


def load_project(path: Path) -> Project:
    """Read everything that the settings at `path` name. Raises ConfigError with all problems."""
    marks = Marks()
    of_settings = marks.of(path)
    try:
        settings = load_settings(path)
    except ConfigError as error:
        raise ConfigError([*error.problems, *_in_files_named_by(path)]) from None
    base = settings.base
    files = marks_of(path, settings, marks) | {path.name: of_settings}
    problems: list[Problem] = []
    notes: list[Problem] = []
    for name, launcher in settings.launchers.items():
        _collected(problems, partial(check_launcher, name, launcher, base, settings.where("launchers", name)))
    catalog, graph, policies, whole = _read(settings, base, problems)
    if catalog is None or graph is None:
        _of_policies_alone(policies, problems)
        raise ConfigError(problems)
    matcher = _collected(problems, lambda: Matcher(graph, settings.rules(), Selector(graph).select))
    fed = graph if matcher is None else _with_feeds(graph, matcher.feeds())
    charter = _collected(
        problems,
        lambda: build_charter(
            fed,
            policies,
            drafts=catalog.policies,
            launchers={name: traits(name, launcher) for name, launcher in settings.launchers.items()},
            observe=settings.mode == "observe",
            places=settings.limits.places(),
            notes=notes,
            partial=not whole,
        ),
    )
    notes += _tags_nobody_has(settings, fed)
    if problems or charter is None or matcher is None:
        raise ConfigError(problems)
    files |= {entry.shown: project.digest for entry, project in catalog.dbt}
    return Project(path, settings, catalog, charter, matcher, (*catalog.warnings, *notes), files)


def _read(
    settings: Settings, base: Path, problems: list[Problem]
) -> tuple[Catalog | None, AssetGraph | None, list[WrittenPolicy], bool]:
    """The catalogue, its graph, the policies that can be read, and whether these are all; what is wrong is kept."""
    catalog = _collected(problems, lambda: load_catalog(settings.catalog, base))
    wrong: list[Problem] = []
    policies = load_policies(settings.policies, base, wrong)
    problems += wrong
    graph = _collected(problems, lambda: build_graph(catalog.assets)) if catalog is not None else None
    return catalog, graph, policies, not wrong


def _in_files_named_by(path: Path) -> list[Problem]:
    """What is wrong in the files that settings name which are wrong themselves."""
    problems: list[Problem] = []
    named = _collected([], lambda: named_by(path))
    if named is not None:
        _, graph, policies, whole = _read(named, path.parent, problems)
        if graph is None or not whole:
            _of_policies_alone(policies, problems)
        else:
            _collected(problems, lambda: build_charter(graph, policies, notes=[]))
    return problems


def _of_policies_alone(policies: Sequence[WrittenPolicy], problems: list[Problem]) -> None:
    """What is wrong with policies whatever the assets are: these cannot be read."""
    _collected(problems, lambda: build_charter(build_graph([]), policies, notes=[], partial=True))


def _tags_nobody_has(settings: Settings, graph: AssetGraph) -> list[Problem]:
    known = {tag for asset in graph.assets.values() for tag in asset.tags} if settings.limits.tags else set()
    return [
        Problem(settings.where("limits", "tags", tag), f"no asset has the tag {tag}{nearest(tag, sorted(known))}")
        for tag in settings.limits.tags
        if tag not in known
    ]


def _collected(problems: list[Problem], work: Callable[[], T]) -> T | None:
    """What the work comes to; None if it only found problems, which are kept."""
    try:
        return work()
    except ConfigError as error:
        problems += error.problems
        return None


def _with_feeds(graph: AssetGraph, feeds: Mapping[AssetKey, str]) -> AssetGraph:
    """The graph with the feeds that rules tell; what an asset says of itself stands."""
    named = {key: feed for key, feed in feeds.items() if not graph.assets[key].feed}
    if not named:
        return graph
    assets = {key: replace(asset, feed=named[key]) if key in named else asset for key, asset in graph.assets.items()}
    return AssetGraph(assets)
