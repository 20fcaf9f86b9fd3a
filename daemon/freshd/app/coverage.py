"""How much of what there is freshd can judge: the last lines of `freshd check`.

It counts the sources that feed something, and of these the ones for which a way is known by which events
reach them, and the ones that a policy looks at, themselves or through what is made of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from freshd.app.project import Project
from freshd.model.asset import Asset, AssetKey

SHOWN: Final = 10
"""Assets that a line names."""

NAMING_FORMATS: Final = frozenset({"freshd", "openlineage", "cloudevents", "dbt"})
"""Formats whose events call tables by names of their own, so that relations and aliases match without a rule."""


@dataclass(frozen=True, slots=True)
class Coverage:
    """Counts, and the sources that are missing something."""

    assets: int
    with_policy: int
    """Assets that a policy with expectations selects."""
    sources: int
    """Sources, not static, that feed something."""
    idle_sources: tuple[AssetKey, ...]
    """Sources that feed nothing and that no policy selects."""
    unreached: tuple[AssetKey, ...]
    """Sources that feed something and that no rule, feed or named relation brings events to."""
    unwatched: tuple[AssetKey, ...]
    """Sources that feed something, without a policy on them or on anything below."""

    def lines(self) -> list[str]:
        """For people."""
        told = [
            f"coverage: {self.with_policy} of {self.assets} assets have a policy",
            f"  {self.sources} {'source feeds' if self.sources == 1 else 'sources feed'} something"
            + (f"; {_some(self.idle_sources)} feed nothing" if self.idle_sources else ""),
            f"  {self.sources - len(self.unreached)} of them have a way for events to reach them",
        ]
        if self.unreached:
            told[-1] += f"; only POST /events and freshd emit can tell of {_some(self.unreached)}"
        told.append(f"  {self.sources - len(self.unwatched)} of them have a policy, on them or below them")
        if self.unwatched:
            told[-1] += f"; nobody looks at {_some(self.unwatched)}"
        return told


def coverage_of(project: Project) -> Coverage:
    """Count."""
    graph, charter = project.graph, project.charter
    expected = {
        key for name, keys in charter.selected.items() if charter.policies[name].has_expectations for key in keys
    }
    watched = _with_ancestors(project, expected)
    sources = [key for key, asset in graph.assets.items() if not asset.upstreams]
    feeding = [key for key in sources if graph.readers.get(key) and key not in graph.static]
    formats = {topic.format for topic in project.settings.kafka.topics.values()} if project.settings.kafka else set()
    formats |= {entry.format for entry in project.settings.ingress.values()}
    return Coverage(
        assets=len(graph),
        with_policy=len(expected),
        sources=len(feeding),
        idle_sources=tuple(sorted(key for key in sources if not graph.readers.get(key) and key not in expected)),
        unreached=tuple(sorted(key for key in feeding if not _reached(graph.assets[key], formats))),
        unwatched=tuple(sorted(key for key in feeding if key not in watched)),
    )


def _reached(asset: Asset, formats: set[str]) -> bool:
    if asset.feed or asset.launcher:
        return True
    named = bool(asset.relation or asset.aliases or asset.unique_id)
    return "freshd" in formats or (named and bool(formats & NAMING_FORMATS))


def _with_ancestors(project: Project, keys: set[AssetKey]) -> set[AssetKey]:
    found, ahead = set(keys), list(keys)
    while ahead:
        for up in project.graph.assets[ahead.pop()].upstreams:
            if up not in found:
                found.add(up)
                ahead.append(up)
    return found


def _some(keys: tuple[AssetKey, ...]) -> str:
    more = f" and {len(keys) - SHOWN} more" if len(keys) > SHOWN else ""
    return f"{len(keys)} ({', '.join(keys[:SHOWN])}{more})"
