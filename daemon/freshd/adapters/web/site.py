"""What the HTTP side is handed: how to ask the engine, read the history, make a wish.

Nothing here reads the engine's state by itself: questions run between steps on the loop's own thread, and
a question about many assets is asked in slices, so that no event waits long behind a reader.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol, TypeVar

from freshd.model.assessment import Assessment, IncidentView, WishView
from freshd.model.asset import Asset, AssetKey
from freshd.model.declarations import Declaration
from freshd.model.errors import PermanentError
from freshd.model.explanation import Explanation
from freshd.model.graph import AssetGraph
from freshd.model.inputs import Input, Wish
from freshd.model.policy import Charter
from freshd.model.time import Instant
from freshd.ports import History

SLICE: Final = 200
"""Assets assessed by one question: some milliseconds of the loop's time."""

T = TypeVar("T")


class EngineView(Protocol):
    """What a question may read of the engine."""

    @property
    def charter(self) -> Charter:
        """What it has been told."""
        ...

    def assess(self, key: AssetKey, now: Instant, partition: str = "") -> Assessment:
        """How an asset stands."""
        ...

    def explain(self, key: AssetKey, now: Instant, partition: str = "") -> Explanation:
        """Why an asset is or is not launched, what limits its data, what comes next."""
        ...

    def incidents(self) -> tuple[IncidentView, ...]:
        """The open incidents."""
        ...

    def declarations(self) -> tuple[tuple[Declaration, bool], ...]:
        """What people have declared that is not over, each with whether it holds already."""
        ...

    def blind(self) -> tuple[tuple[str, Instant, str], ...]:
        """(topic, since, why) of the topics that cannot be seen; an empty topic stands for all."""
        ...

    def wishes(self) -> tuple[WishView, ...]:
        """What people have asked for: the last that ended, then those that go on."""
        ...


class Ask(Protocol):
    """Asks the engine a question between two steps and waits for the answer."""

    def __call__(self, question: Callable[[EngineView, Instant], T]) -> T:
        """The question's answer. Raises TransientError when the loop does not answer in time."""
        ...


class Select(Protocol):
    """Finds assets by selectors."""

    def __call__(self, select: Sequence[str], exclude: Sequence[str]) -> Sequence[AssetKey]:
        """The keys, sorted; no `select` means all. Raises ValueError for bad syntax."""
        ...


class Scraped(Protocol):
    """What a scrape is answered with."""

    @property
    def members(self) -> Sequence[bytes]:
        """Gzip members: one after the other they are the text compressed."""
        ...

    @property
    def content_type(self) -> str:
        """What the text is."""
        ...

    def text(self) -> Iterator[bytes]:
        """The text itself, piece by piece."""
        ...


class Scrape(Protocol):
    """Answers a scrape, asking the engine for what changed."""

    def __call__(self, ask: Ask, openmetrics: bool) -> Scraped: ...


def _cannot_say(_: Input) -> None:
    raise PermanentError("nothing can be said here")


def _cannot_reload() -> Mapping[str, Any]:
    raise PermanentError("nothing can be reloaded here")


@dataclass(frozen=True, slots=True)
class Explained:
    """One asset partition in full."""

    charter: Charter
    asset: Asset
    state: Assessment
    why: Explanation


@dataclass(frozen=True)
class Site:
    """Everything that the routes need."""

    ask: Ask
    history: History
    wish: Callable[[Wish], None]
    """Returns once the wish is durable. Raises FreshdError."""
    select: Select
    scrape: Scrape
    live: Callable[[], bool]
    ready: Callable[[], bool]
    describe: Callable[[], Mapping[str, Any]]
    """Health in detail, as plain values."""
    version: str
    started_at: Instant
    say: Callable[[Input], None] = _cannot_say
    """Hands in what a person says; returns once it is durable. Raises FreshdError."""
    reload: Callable[[], Mapping[str, Any]] = _cannot_reload
    """Has the files read anew; returns once they are gone by. Raises ConfigError, TransientError."""
    token: str = ""
    """Writes need it, if it is set."""
    loopback: bool = True
    """Only this machine can reach the listener."""

    def graph(self) -> tuple[AssetGraph, Instant]:
        """The graph in force, and the engine's time."""
        return self.ask(lambda engine, now: (engine.charter.graph, now))

    def assess(self, keys: Sequence[AssetKey]) -> list[tuple[Asset, Assessment]]:
        """How these assets stand, asked in slices; assets that are gone meanwhile are left out."""
        found: list[tuple[Asset, Assessment]] = []
        for start in range(0, len(keys), SLICE):
            found += self.ask(_slice_question(keys[start : start + SLICE]))
        return found

    def explain(self, key: AssetKey, partition: str = "") -> Explained | None:
        """Everything about one asset partition, asked at one instant; None: it is not there."""

        def question(engine: EngineView, now: Instant) -> Explained | None:
            try:
                state, why = engine.assess(key, now, partition), engine.explain(key, now, partition)
            except KeyError:
                return None
            return Explained(engine.charter, engine.charter.graph.assets[key], state, why)

        return self.ask(question)

    def incidents(self) -> tuple[IncidentView, ...]:
        """The open incidents."""
        return self.ask(lambda engine, now: engine.incidents())

    def resolve(self, name: str) -> AssetKey | None:
        """The asset of that key, or the one whose last segment it is; None if there is none, or several."""
        graph, _ = self.graph()
        if name in graph:
            return name
        named = [key for key in graph.assets if key.rpartition("/")[2] == name]
        return named[0] if len(named) == 1 else None


def _slice_question(
    keys: Sequence[AssetKey],
) -> Callable[[EngineView, Instant], list[tuple[Asset, Assessment]]]:
    def question(engine: EngineView, now: Instant) -> list[tuple[Asset, Assessment]]:
        assets = engine.charter.graph.assets
        return [(assets[key], engine.assess(key, now)) for key in keys if key in assets]

    return question
