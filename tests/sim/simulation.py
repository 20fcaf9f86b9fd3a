"""One seed, from the first life of the daemon to the quiet after the faults: runs it, checks it, sums it up."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from random import Random

from tests.oracle.engine_world import charter_of, wish_of
from tests.oracle.enrich import Spice, edited, enriched, with_extractors, with_objectives
from tests.oracle.generate import Document, Flavour, rewired, scenario_document
from tests.oracle.laws import Laws
from tests.oracle.reading import LAUNCHER, Scenario, read_scenario
from tests.oracle.slicing import sliced_document
from tests.sim import invariants, people
from tests.sim.faults import Faults, draw_faults
from tests.sim.shadow import Shadow, SlicedShadow
from tests.sim.stage import (
    Crash,
    Message,
    SimClock,
    SimInbox,
    SimJournal,
    SimPerformer,
    Stage,
    Violation,
)  # fmt: skip

from freshd.core.engine import Engine
from freshd.core.step import Step
from freshd.model.errors import TransientError
from freshd.model.inputs import CharterReplaced, Event, Input, Started, Wish
from freshd.model.policy import Charter, LauncherTraits, Limits, Places
from freshd.model.records import Record
from freshd.model.time import HOUR, MINUTE, SECOND, Duration, Instant
from freshd.runtime.loop import World, drive

SMALL = Flavour(span_s=2400, events=(8, 22), derived=(2, 6), late=0.4, foreign_runs=0.2, repeats=0)
WAVES = dataclasses.replace(SMALL, wishes=0, derived=(3, 7))
LIMITS = Limits(lost_after=30 * MINUTE, history=64)
QUIET: Duration = 4 * HOUR
"""How long a world goes on after its faults have stopped."""

WAVE_SHARE = 0.25
"""Of the worlds whose launcher takes several assets in one run."""

REPLACED_SHARE = 0.35
"""Of the worlds whose graph is replaced."""

EDITED_SHARE = 0.5
"""Of those worlds in which a policy is edited at the same time."""

SPICED_SHARE = 0.5
"""Of the worlds with calendars, checks, learned limits, windows and just-in-time."""

SPICE = Spice(calendars=0.4, rules=0.6, learned=0.3, windows=0.25, late=0.25)

SLICED_SHARE = 0.15
"""Of the worlds whose assets have partitions; their graph is not replaced, and their launcher has no limit."""

SLICED_FROM = 100
"""Worlds before this one have none: seeds of them are noted where bugs are planted."""

SLICED_SPICE = dataclasses.replace(SPICE, learned=0, late=0)

PLACES_FROM = 10_000
"""From this seed on worlds may have limits for all runs and for a tag."""

PLACES_SHARE = 0.7
"""Of these the share that has them."""

KNOWN_FROM = 20_000
"""From this seed on policies may have objectives, incidents are acknowledged, sources may be extracted."""

OBJECTIVE_SHARE = 0.6
"""Of the policies of these worlds."""

EXTRACTED_SHARE = 0.4
"""Of these worlds, those in which sources may be read by the daemon's own runs."""

EXTRACTOR_SHARE = 0.6
"""Of their sources."""

TAG = "heavy"
"""Has a limit of its own."""

FOLD_SHARE = 0.1
"""Of the steps after which the state is compared with the fold of what is durable."""

TURNS_LIMIT = 3_000
"""Turns of the loop after which a world counts as never coming to rest."""


@dataclass(slots=True)
class Summary:
    """What a seed came to."""

    seed: int
    digest: str = ""
    lives: int = 0
    turns: int = 0
    crashes: list[str] = field(default_factory=list)
    runs: int = 0
    incidents: int = 0


class Watched(Engine):
    """The engine, remembering what its last step was told."""

    told: tuple[Instant, Sequence[Input]] = (0, ())

    def step(self, now: Instant, inputs: Sequence[Input]) -> Step:
        step = super().step(now, inputs)
        self.told = (self._state.now, tuple(inputs))  # its own now: what was not durable is forgotten, the time too
        return step


class Simulation:
    """One world."""

    def __init__(self, seed: int, faults: Faults | None = None) -> None:
        self.rng = Random(f"simulation {seed}")
        wave = Random(f"wave {seed}").random() < WAVE_SHARE
        document = scenario_document(seed, WAVES if wave else SMALL, probes=0)
        self.sliced = not wave and seed >= SLICED_FROM and Random(f"sliced {seed}").random() < SLICED_SHARE
        if Random(f"spice {seed}").random() < SPICED_SHARE:
            document = enriched(document, seed, SLICED_SPICE if self.sliced else SPICE)
        if self.sliced:
            document = sliced_document(seed, document=document)
        places = _places(seed) if not wave and not self.sliced else Places()
        if places.tags:
            document = _tagged(document, seed)
        if seed >= KNOWN_FROM:
            document = with_objectives(document, seed, OBJECTIVE_SHARE)
            if not self.sliced and not wave and Random(f"extracts {seed}").random() < EXTRACTED_SHARE:
                document = with_extractors(document, seed, LAUNCHER, EXTRACTOR_SHARE)
        self.scenario = read_scenario(document)
        limit = Random(f"limit {seed}").choice([0, 0, 0, 0, 1, 2])
        launchers = {LAUNCHER: LauncherTraits(LAUNCHER, wave=wave, limit=0 if wave or self.sliced else limit)}
        self._settings = partial(dataclasses.replace, limits=LIMITS, launchers=launchers, places=places)
        self.charter: Charter = self._settings(charter_of(self.scenario.document))
        self._laws: list[tuple[Charter, Laws]] = [(self.charter, self._settings(self.scenario.charter))]
        drawn = draw_faults(self.rng) if faults is None else faults
        self.replaced_at, self.later = self._replacement(seed)
        self.stage = Stage(self.rng, drawn, self.scenario.start, self.scenario.behaves)
        self.stage.upstreams = {key: asset.upstreams for key, asset in self.charter.graph.assets.items()}
        self.stage.log = _log(self.scenario, self.rng, drawn)
        self._say(seed)
        self.shadow = (SlicedShadow if self.sliced else Shadow)(self._laws_of(self.charter), 0)
        self.summary = Summary(seed)
        self.ledger = invariants.Ledger()
        self._turned = False

    def _say(self, seed: int) -> None:
        """What people declare and what cannot be seen, on a topic of its own."""
        start, span = self.scenario.start, SMALL.span_s
        said = people.said_by_people(seed, start, span, tuple(self.charter.graph.assets))
        said += people.lost_from_sight(seed, start, span, ("a", "b"))
        if seed >= KNOWN_FROM:
            feeds = sorted({f"feed:{asset.feed}" for asset in self.charter.graph.assets.values() if asset.feed})
            said += people.acknowledged(seed, start, span, (*self.charter.graph.assets, *feeds))
        said.sort(key=lambda entry: entry[0])
        if said:
            self.stage.log["people"] = [Message(n, at, one) for n, (at, one) in enumerate(said, 1)]

    def _replacement(self, seed: int) -> tuple[Instant, Charter | None]:
        """In some worlds the graph is replaced while the daemon runs, or while it is down."""
        rng = Random(f"replacement {seed}")
        if rng.random() > REPLACED_SHARE or self.sliced:
            return 0, None
        document = rewired(dict(self.scenario.document), rng)
        if rng.random() < EDITED_SHARE:
            document = edited(document, rng)
        scenario = read_scenario(document)
        later = self._settings(charter_of(scenario.document))
        self._laws.append((later, self._settings(scenario.charter)))
        return self.scenario.start + rng.randint(0, SMALL.span_s) * SECOND, later

    def _laws_of(self, charter: Charter) -> Laws:
        """What the oracle knows of a charter by its own reading."""
        return next(laws for known, laws in self._laws if known.policies is charter.policies)

    def run(self) -> Summary:
        """Faults first, then quiet; raises Violation as soon as an invariant does not hold."""
        last = max((m.readable_at for messages in self.stage.log.values() for m in messages), default=0)
        self._phase(max(last, self.scenario.start) + 5 * MINUTE)
        self.stage.faults = self.stage.faults.calm()
        end = self.stage.now + QUIET
        engine = self._phase(end - end % HOUR + 55 * MINUTE if self.sliced else end)  # long after a window has begun
        invariants.converged(self.stage, self.shadow, engine)
        self.summary.digest = self.stage.digest()
        self.summary.runs = len(self.stage.executions)
        self.summary.incidents = len(self.shadow.incidents.all)
        return self.summary

    def _phase(self, until: Instant) -> Engine:
        """Lives of the daemon, one after the other, until then."""
        while True:
            self.summary.lives += 1
            if self.later is not None and self.stage.now >= self.replaced_at:
                self.charter = self.later
            engine = self._recover()
            try:
                self._live(engine, until)
            except (Crash, TransientError) as crash:
                self.summary.crashes.append(str(crash))
                self.stage.now += self.rng.randint(0, 2 * MINUTE)
            else:
                return engine

    def _recover(self) -> Watched:
        engine = Watched(self.charter)
        rows, records = SimJournal(self.stage).recover()
        engine.restore(rows)
        for record in records:
            engine.apply(record)
        return engine

    def _live(self, engine: Watched, until: Instant) -> None:
        stage, rng = self.stage, self.rng
        skew = rng.randint(-stage.faults.skew, stage.faults.skew)
        clock = SimClock(stage, skew)
        catching_up = stage.chance(stage.faults.catch_up)
        inbox = SimInbox(stage, clock, catching_up)
        inbox.deadline = until
        journal = SimJournal(stage)
        performer = SimPerformer(stage, clock, inbox)
        performer.before = self.ledger.durably_asked_for
        journal.on_durable = lambda records: self._durable(engine, clock, records)
        world = World(
            clock, inbox, journal, performer,
            pause=self._pause,
            on_beat=lambda now: self._beat(engine, clock, now),
            started=Started(catching_up),
            checkpoint_records=rng.choice([1, 5, 40, 1000]),
            checkpoint_quiet=rng.choice([SECOND, 10 * MINUTE]),
        )  # fmt: skip
        if self.later is not None and self.charter is not self.later:
            inbox.report(self.replaced_at, CharterReplaced(self.later))
        self._turned = False
        drive(engine, world, lambda: stage.now >= until)

    def _pause(self, wait: Duration) -> None:
        self.stage.maybe_crash("waiting for the store")
        self.stage.now += wait

    def _durable(self, engine: Watched, clock: SimClock, records: Sequence[Record]) -> None:
        """The step counts from now on, whatever happens to the process."""
        now, inputs = engine.told
        self.ledger.note(records)
        self.shadow.adopt(self._laws_of(engine.charter), now)
        self.shadow.turn(now, inputs, records)
        self.charter = engine.charter
        self.stage.upstreams = {key: asset.upstreams for key, asset in engine.charter.graph.assets.items()}
        self._turned = True

    def _beat(self, engine: Watched, clock: SimClock, now: Instant) -> None:
        self.summary.turns += 1
        if self.summary.turns > TURNS_LIMIT:
            raise Violation("the world does not come to rest")
        if not self._turned:
            self.shadow.adopt(self._laws_of(engine.charter), engine.told[0])
            self.shadow.turn(*engine.told, ())
        self._turned = False
        self.shadow.compare(engine)
        invariants.one_run_at_a_time(self.stage, self.shadow)
        self.ledger.nothing_lost(self.stage)
        if self.rng.random() < FOLD_SHARE:
            invariants.same_state(engine, self._recover(), self.shadow.now)


def _places(seed: int) -> Places:
    """How many runs may go on at one time: of all, of the tag, of both, or as many as like."""
    rng = Random(f"places {seed}")
    if seed < PLACES_FROM or rng.random() >= PLACES_SHARE:
        return Places()
    return Places(rng.choice([0, 0, 1, 1, 2]), rng.choice([{}, {TAG: 1}, {TAG: 1}, {TAG: 2}]))


def _tagged(document: Document, seed: int) -> Document:
    """The same assets, most of them with the tag."""
    rng = Random(f"tags {seed}")
    assets = [{**entry, "tags": [TAG]} if rng.random() < 0.7 else entry for entry in document["assets"]]
    return {**document, "assets": assets}


def _log(scenario: Scenario, rng: Random, faults: Faults) -> dict[str, list[Message]]:
    """The scenario's events as two topics: late, repeated, reordered, with gaps in the offsets."""
    topics: dict[str, list[Message]] = {"kafka/a/0": [], "kafka/b/0": []}
    for line in scenario.lines:
        if line.event is None and not line.wish:
            continue
        name = rng.choice(list(topics))
        at = line.at + (rng.randint(0, 3 * MINUTE) if rng.random() < faults.reorder else 0)
        said: Event | Wish
        if line.event is None:
            topics[name].append(Message(0, at, wish_of(line)))
            continue
        said = dataclasses.replace(line.event, id="") if rng.random() < 0.1 else line.event
        said = dataclasses.replace(said, topic=name.split("/")[1])
        topics[name].append(Message(0, at, said))
        if said.id and rng.random() < faults.duplicate:
            topics[name].append(Message(0, at + rng.randint(0, 10 * MINUTE), said))
    log: dict[str, list[Message]] = {}
    for name, messages in topics.items():
        offset = 0
        log[name] = []
        for message in sorted(messages, key=lambda message: message.readable_at):
            offset += rng.randint(2, 9) if rng.random() < faults.offset_gap else 1
            log[name].append(
                dataclasses.replace(message, offset=offset, said=_marked(message.said, f"{name}/{offset}"))
            )
    return log


def _marked(said: Event | Wish, place: str) -> Event | Wish:
    """An event that carries where it was read, so that the invariants can tell deliveries apart."""
    if isinstance(said, Wish):
        return said
    return dataclasses.replace(said, metadata={**(said.metadata or {}), invariants.PLACE: place})


def simulate(seed: int, faults: Faults | None = None, before: Callable[[Simulation], None] | None = None) -> Summary:
    """Run one seed; a Violation carries the seed in its notes."""
    simulation = Simulation(seed, faults)
    if before is not None:
        before(simulation)
    try:
        return simulation.run()
    except (Exception, Violation) as error:
        error.add_note(f"simulation seed {seed}, life {simulation.summary.lives}, turn {simulation.summary.turns}")
        error.add_note(f"replay: python -m tests.sim --seed {seed}")
        raise
