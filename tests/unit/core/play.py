"""A small engine in virtual time, driven line by line: what the tables of this folder are written with.

Instants are minutes. A graph is `name < upstreams`, with `v` before `<` for virtual and `=` for static:
`r; a < r; view v< a; fx =`. Derived assets that are not virtual get the launcher `go` unless told otherwise.
After every step the kept values are compared with a fresh derivation (kept.py).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

from tests.unit.core.kept import kept_values_hold

from freshd.core.engine import Engine
from freshd.core.step import Step
from freshd.model.assessment import Assessment
from freshd.model.asset import Asset
from freshd.model.effects import LaunchRun, Notice, SendNotice
from freshd.model.graph import AssetGraph, build_graph
from freshd.model.inputs import Check, Event, EventKind, Input, NoticeReport, RunPhase, RunReport, Started, Wish
from freshd.model.policy import Charter, LauncherTraits, Limits, Policy, Reaction, ReactionKind, Retry
from freshd.model.records import Record
from freshd.model.time import FOREVER, MINUTE, Instant

R = TypeVar("R", bound=Record)
EAGER = Reaction(ReactionKind.EAGER, max_wait=60 * MINUTE, retry=Retry(attempts=1, jitter=0.0))


def assets_of(
    text: str, launchers: Mapping[str, str] | None = None, feeds: Mapping[str, str] | None = None
) -> list[Asset]:
    """The assets that a text names."""
    found: list[Asset] = []
    for part in filter(None, (part.strip() for part in text.split(";"))):
        name, _, ups = part.partition("<")
        words = name.split()
        key, flags = words[0], words[1] if len(words) > 1 else ""
        upstreams = tuple(ups.split())
        launcher = (launchers or {}).get(key, "go" if upstreams and "v" not in flags else "")
        found.append(
            Asset(
                key, upstreams, virtual="v" in flags, static="=" in flags, launcher=launcher,
                feed=(feeds or {}).get(key, ""),
            )
        )  # fmt: skip
    return found


def graph_of(
    text: str, launchers: Mapping[str, str] | None = None, feeds: Mapping[str, str] | None = None
) -> AssetGraph:
    """The graph that a text draws."""
    return build_graph(assets_of(text, launchers, feeds))


def charter_of(
    graph: str | AssetGraph,
    policies: Mapping[str, tuple[Policy, str]] | None = None,
    reactions: Mapping[str, Reaction] | None = None,
    *,
    eager: str | Reaction = "",
    launchers: Sequence[LauncherTraits] = (),
    launched_by: Mapping[str, str] | None = None,
    feeds: Mapping[str, str] | None = None,
    observe: bool = False,
    limits: Limits = Limits(),
) -> Charter:
    """A charter: policies with the assets they select, `eager` assets (or a reaction for all derived ones)."""
    made = graph_of(graph, launched_by, feeds) if isinstance(graph, str) else graph
    chosen = dict.fromkeys(eager.split(), EAGER) if isinstance(eager, str) else {
        key: eager for key, asset in made.assets.items() if asset.upstreams and not asset.virtual
    }  # fmt: skip
    chosen |= reactions or {}
    return Charter(
        made,
        {name: replace(policy, name=name) for name, (policy, _) in (policies or {}).items()},
        {name: tuple(sorted(keys.split())) for name, (_, keys) in (policies or {}).items()},
        chosen,
        {traits.name: traits for traits in launchers},
        observe,
        limits,
    )


class Play:
    """One engine, told things minute by minute; it remembers what came of them."""

    def __init__(self, charter: Charter, *, catching_up: bool = False, start: float = 0) -> None:
        self.engine = Engine(charter)
        self.records: list[Record] = []
        self.launches: list[LaunchRun] = []
        self.notices: list[Notice] = []
        self.now: Instant = round(start * MINUTE)
        self._ids = 0
        self.step(Started(catching_up))

    def step(self, *inputs: Input) -> Step:
        """One step now, and those that the engine itself asks for at this instant."""
        made: list[Record] = []
        while True:
            step = self.engine.step(self.now, inputs)
            made += step.records
            for effect in step.effects:
                if isinstance(effect, LaunchRun):
                    self.launches.append(effect)
                elif isinstance(effect, SendNotice):
                    self.notices.append(effect.notice)
            wrong = kept_values_hold(self.engine)
            assert not wrong, wrong
            inputs = ()
            wake = self.engine.next_wake()
            if wake is None or wake > self.now:
                self.records += made
                return Step(tuple(made), step.effects)

    def until(self, minute: float) -> Play:
        """Let time pass, waking when the engine wants to."""
        end = round(minute * MINUTE)
        while (wake := self.engine.next_wake() or FOREVER) <= end and self.engine.next_wake() is not None:
            self.now = max(self.now, wake)
            self.step()
        self.now = max(self.now, end)
        return self

    def at(self, minute: float, *inputs: Input) -> Play:
        """Let time pass up to just before this minute; then these come."""
        self.until(minute - 1 / MINUTE)
        self.now = max(self.now, round(minute * MINUTE))
        self.step(*inputs)
        return self

    def update(self, minute: float, *keys: str, **said: object) -> Play:
        """Updates of these assets that end now, all in one step."""
        return self.at(minute, *(update(key, minute, **said) for key in keys))

    def fail(self, minute: float, key: str) -> Play:
        """The daemon's run of the asset fails."""
        return self.report(minute, key, RunPhase.FAILED)

    def done(self, minute: float, *keys: str) -> Play:
        """The daemon's runs of these assets succeed, in this order, in one step."""
        return self.at(minute, *(r for key in keys for r in self.outcome(key, RunPhase.SUCCEEDED, minute)))

    def report(self, minute: float, key: str, phase: RunPhase) -> Play:
        """The last run of the asset ends for it in this way."""
        return self.at(minute, *self.outcome(key, phase, minute))

    def outcome(self, key: str, phase: RunPhase, minute: float) -> list[Input]:
        """What a launcher says when its last run of the asset, and that asset alone, has ended."""
        run = self.run_of(key)
        at = round(minute * MINUTE)
        last: list[Input] = [RunReport(run.run_id, phase, at, key)]
        return [*last, RunReport(run.run_id, RunPhase.FINISHED, at)] if len(run.assets) == 1 else last

    def run_of(self, key: str) -> LaunchRun:
        """The last run requested for the asset."""
        return next(run for run in reversed(self.launches) if key in run.assets)

    def wish(self, minute: float, keys: str, name: str = "") -> Play:
        """A person asks for assets."""
        self._ids += 1
        return self.at(minute, Wish(name or f"wish-{self._ids}", tuple(keys.split())))

    def delivered(self, minute: float, delivered: bool = True) -> Play:
        """Every notice under way has been delivered (or never will be)."""
        under_way = [e.notice for e in self.engine.unconfirmed() if isinstance(e, SendNotice)]
        at = round(minute * MINUTE)
        return self.at(minute, *(NoticeReport(n.notice_id, at, delivered, f"ts-{n.incident}") for n in under_way))

    # what came of it

    @property
    def runs(self) -> list[tuple[float, str]]:
        """(minute, assets) of every run requested."""
        return [(run.requested_at / MINUTE, " ".join(run.assets)) for run in self.launches]

    def of(self, kind: type[R]) -> list[R]:
        """The records of one kind."""
        return [record for record in self.records if isinstance(record, kind)]

    def see(self, key: str, minute: float | None = None) -> Assessment:
        """What the engine says of the asset."""
        return self.engine.assess(key, self.now if minute is None else round(minute * MINUTE))

    def incidents(self) -> list[tuple[str, str, str]]:
        """(cause, reason, affected assets) of the open incidents."""
        return [(view.cause, view.reason, " ".join(view.affects)) for view in self.engine.incidents()]


def update(key: str, minute: float, **said: object) -> Event:
    """An update that ends then; `started` and `reaches` are minutes, the rest as in Event."""
    return event(EventKind.UPDATE, key, minute, **said)


def event(kind: EventKind, key: str, minute: float, **said: object) -> Event:
    """An event of any kind; `started` and `reaches` are minutes, the rest as in Event."""
    for name, field in (("started", "started_at"), ("reaches", "data_time")):
        value = said.pop(name, None)
        if isinstance(value, int | float):
            said[field] = round(value * MINUTE)
    return Event(kind, (key,), round(minute * MINUTE), **said)  # type: ignore[arg-type]


def check(key: str, minute: float, passed: bool, blocking: bool = False, name: str = "rows") -> Event:
    """A check's result."""
    return event(EventKind.CHECK, key, minute, check=Check(name, passed, blocking=blocking))
