"""Random little histories for the freshness formulas alone: overlapping runs, most events late, some repeated.

Everything happens on whole microseconds within a few dozen of each other, so that ends, starts and repetitions
meet often. The engine takes the events one by one in any order; the oracle looks at all of them at once.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from random import Random

from tests.oracle.facts import Facts
from tests.oracle.freshness import Freshness

from freshd.core.engine import Engine
from freshd.model.asset import Asset
from freshd.model.graph import AssetGraph, build_graph
from freshd.model.inputs import CharterReplaced, Event, EventKind, Started
from freshd.model.policy import Charter, Limits
from freshd.model.time import FOREVER, Instant

SPAN = 40
NOW = 1_000
"""When the daemon hears of everything."""


@dataclass(frozen=True, slots=True)
class History:
    """A graph, what happened, and perhaps the graph that replaces it at `replaced_at`."""

    graph: AssetGraph
    events: tuple[Event, ...]
    """In the order of arrival; repetitions included."""
    later_graph: AssetGraph | None = None
    replaced_after: int = 0
    """How many events come before the replacement."""


def history(seed: int, events: tuple[int, int] = (4, 14), replaced: bool = False) -> History:
    """A history by seed."""
    rng = Random(f"history {seed}")
    graph = _graph(rng)
    happened = [_event(rng, graph, n) for n in range(rng.randint(*events))]
    happened += [rng.choice(happened) for _ in range(rng.randint(0, 3))]
    rng.shuffle(happened)
    if not replaced:
        return History(graph, tuple(happened))
    later = _rewired(rng, graph)
    cut = rng.randint(0, len(happened))
    after = [_event(rng, later, 100 + n, base=2 * SPAN) for n in range(rng.randint(2, 8))]
    return History(graph, (*happened[:cut], *happened[cut:], *after), later, len(happened))


def _graph(rng: Random) -> AssetGraph:
    assets = [
        Asset(f"s{n}", static=rng.random() < 0.05, watermark_only=rng.random() < 0.1) for n in range(rng.randint(1, 3))
    ]
    for n in range(rng.randint(1, 5)):
        above = [asset.key for asset in assets]
        ups = tuple(rng.sample(above, min(len(above), rng.choice([1, 2, 2, 3]))))
        kind = rng.random()
        assets.append(Asset(f"m{n}", ups, virtual=kind < 0.2, static=0.2 <= kind < 0.25))
    return build_graph(assets)


def _rewired(rng: Random, graph: AssetGraph) -> AssetGraph:
    """Some derived assets read others than before; one may be new, one may be gone."""
    assets: list[Asset] = []
    for asset in graph.assets.values():
        above = [other.key for other in assets]
        if asset.upstreams and above and rng.random() < 0.5:
            ups = tuple(rng.sample(above, min(len(above), rng.choice([1, 2, 3]))))
            asset = replace(asset, upstreams=ups)
        assets.append(asset)
    if rng.random() < 0.3:
        assets.append(Asset("new", tuple(rng.sample([a.key for a in assets], 1))))
    return build_graph(assets)


def _event(rng: Random, graph: AssetGraph, n: int, base: Instant = 0) -> Event:
    solid = [key for key, asset in graph.assets.items() if not asset.virtual]
    key = rng.choice(solid)
    end = base + rng.randint(1, SPAN)
    kind = rng.random()
    if not graph.assets[key].upstreams and key != "s0" and kind < 0.2:
        return Event(EventKind.OBSERVATION, (key,), end, f"e{n}", data_time=end - rng.randint(0, 12))
    run_id = ""
    if kind > 0.75:  # events 2k and 2k + 1 tell of one run, if both turn out to tell of a run
        made = [other for other in solid if other == "s0" or graph.assets[other].upstreams]
        key, run_id = made[n // 2 % len(made)], f"run{n // 2}"
        if n % 2:
            return Event(EventKind.RUN_STARTED, (key,), end, f"e{n}", run_id=run_id)
    started = end - rng.choice([0, 1, rng.randint(0, 12), rng.randint(0, SPAN)]) if rng.random() < 0.7 else None
    own = end - rng.randint(-2, 15) if rng.random() < 0.25 else None
    return Event(
        EventKind.UPDATE, (key,), end, f"e{n}", started_at=started, data_time=own, run_id=run_id,
        changed=rng.random() < 0.8,
    )  # fmt: skip


Row = tuple[Instant | None, Instant | None, Instant | None, bool]


def by_oracle(told: History) -> dict[str, Row]:
    """What holds once everything is known."""
    graph = told.later_graph or told.graph
    seen = {event.id: event for event in told.events}
    facts = Facts(graph, list(seen.values()))
    if told.later_graph is not None:
        facts.graphs = [(0, told.graph), (SPAN + 1, told.later_graph)]
    fresh = Freshness(graph, {key: facts.updates(key) for key in graph.assets}, facts.upstreams_at)
    at = NOW * 2
    return {
        key: (fresh.updated_at(key, at), fresh.data_time(key, at), fresh.pending_since(key, at), fresh.due(key, at))
        for key in graph.assets
    }


def by_engine(told: History, limit: int = 64) -> dict[str, Row]:
    """What the engine holds after taking the events one by one."""
    limits = Limits(history=limit, lost_after=FOREVER // 2)
    engine = Engine(Charter(told.graph, limits=limits))
    engine.step(0, [Started(catching_up=False)])
    for n, event in enumerate(told.events):
        if told.later_graph is not None and n == told.replaced_after:
            engine.step(SPAN + 1, [CharterReplaced(Charter(told.later_graph, limits=limits))])
        engine.step(SPAN if told.later_graph is not None and n < told.replaced_after else NOW, [event])
    at = NOW * 2
    found = {key: engine.assess(key, at) for key in (told.later_graph or told.graph).assets}
    return {key: (a.updated_at, a.data_time, a.pending_since, a.due) for key, a in found.items()}


def not_fresher(engine: Row, truth: Row) -> bool:
    """Whether the engine's row claims no more than is true: reaches no further, is behind since no later."""
    if engine[0] != truth[0]:
        return False
    if engine[1] is not None and (truth[1] is None or engine[1] > truth[1]):
        return False
    return truth[2] is None or (engine[2] is not None and engine[2] <= truth[2])
