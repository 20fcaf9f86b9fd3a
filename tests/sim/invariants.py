"""What must hold of a simulated world after every step, and once its faults have stopped."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from tests.oracle.nodes import base
from tests.sim.shadow import Shadow
from tests.sim.stage import Stage, Violation

from freshd.core.engine import Engine
from freshd.model.effects import Effect, LaunchRun
from freshd.model.inputs import Event
from freshd.model.records import EventRepeated, EventTaken, NoticeRequested, Record, RunRequested
from freshd.model.time import HOUR, Instant

PLACE = "read_at"
"""The metadata key under which a simulated event carries its topic and offset."""

RECENT = HOUR
"""What began so lately may go on, in a world in which something always does."""


class Ledger:
    """What became durable, as far as promises about it go."""

    def __init__(self) -> None:
        self._asked: set[str] = set()
        self._runs: set[str] = set()
        self._places: set[str] = set()
        self._ids: set[str] = set()

    def note(self, records: Sequence[Record]) -> None:
        """These are durable now; what may be there only once is there once."""
        for record in records:
            if isinstance(record, RunRequested):
                self._once(self._runs, record.run.run_id, "requested")
                self._asked.add(record.run.run_id)
            elif isinstance(record, NoticeRequested):
                self._asked.add(record.notice.notice_id)
            elif isinstance(record, EventTaken | EventRepeated):
                self._once(self._places, str((record.event.metadata or {}).get(PLACE)), "read")
                if isinstance(record, EventTaken) and record.event.id:
                    self._once(self._ids, record.event.id, "counted")

    @staticmethod
    def _once(known: set[str], name: str, what: str) -> None:
        if name in known:
            raise Violation(f"{name} is {what} twice")
        known.add(name)

    def durably_asked_for(self, effect: Effect) -> None:
        """An effect is performed only once the record that asks for it is durable."""
        name = effect.run_id if isinstance(effect, LaunchRun) else effect.notice.notice_id
        if name not in self._asked:
            raise Violation(f"{name} is performed before it is durable")

    def nothing_lost(self, stage: Stage) -> None:
        """Every message before the durable read positions counts."""
        for name, messages in stage.log.items():
            read = int(stage.positions.get(name, "0"))
            for message in messages:
                if message.offset < read and isinstance(message.said, Event):
                    if f"{name}/{message.offset}" not in self._places:
                        raise Violation(f"lost: {name}/{message.offset}, read up to {read}")


def one_run_at_a_time(stage: Stage, shadow: Shadow) -> None:
    """At most one active run of the daemon's own per asset, and each run id started once."""
    open_runs: dict[str, str] = {}
    for run in shadow.facts.runs:
        if run.end is None:
            if run.asset in open_runs:
                raise Violation(f"{run.asset} has two active runs: {open_runs[run.asset]} and {run.run_id}")
            open_runs[run.asset] = run.run_id
    for run_id, execution in stage.executions.items():
        if execution.started > 1:
            raise Violation(f"{run_id} was started {execution.started} times")


def picture(engine: Engine, now: Instant) -> dict[str, object]:
    """Everything an engine says of itself."""
    told: dict[str, object] = {"announced": engine.announced}
    for key in engine._state.rows:
        asset = base(key)
        for word, value in dataclasses.asdict(engine.assess(asset, now, key[len(asset) + 1 : -1])).items():
            if word != "next_launch":  # when it will be looked at again: a lower bound, not a fact
                told[f"{key} {word}"] = value
    told["incidents"] = engine.incidents()
    told["unconfirmed"] = sorted(repr(effect) for effect in engine.unconfirmed())
    return told


def same_state(live: Engine, folded: Engine, now: Instant) -> None:
    """The live state is the fold of what is durable, and the fold finds nothing to decide that was not decided."""
    wake = live.next_wake()
    if wake is not None and wake <= now:
        return
    step = folded.step(now, ())
    if step.records and live._state.in_vain:
        return  # who starts looks at once whether an extractor would help again
    if step.records:
        raise Violation(f"the fold of the records decides anew: {step.records}")
    ours, theirs = picture(live, now), picture(folded, now)
    different = [f"{what}: live {ours[what]}, folded {theirs[what]}" for what in ours if ours[what] != theirs[what]]
    if different:
        raise Violation("the live state is not the fold of the records:\n " + "\n ".join(different))


def converged(stage: Stage, shadow: Shadow, engine: Engine) -> None:
    """Once faults have stopped: all is read, confirmed, done and told; where extractors go on, all but the latest."""
    decisions = shadow.decisions
    restless = any(decisions.extracts(key) for key in shadow.charter.graph.assets)
    recent = shadow.now - RECENT if restless else shadow.now + 1
    unconfirmed = [
        one for one in engine.unconfirmed() if not (isinstance(one, LaunchRun) and one.requested_at >= recent)
    ]
    if unconfirmed:
        raise Violation(f"never confirmed: {unconfirmed}")
    for name, messages in stage.log.items():
        if messages and int(stage.positions.get(name, "0")) <= messages[-1].offset:
            raise Violation(f"{name} was not read to its end")
    for key in shadow.charter.graph.assets:
        if (
            decisions.automatic(key)
            and decisions.due(key)
            and not decisions.extracts(key)
            and decisions.from_(key) < recent
            and not decisions.stopped(key)
            and not decisions.blocked(key)
            and not decisions.held(key)
        ):
            raise Violation(f"{key} is due for ever")
    for run in shadow.facts.runs:
        if run.end is None and run.requested < recent:
            raise Violation(f"{run.run_id} of {run.asset} never ended")
        if run.run_id not in stage.executions:
            raise Violation(f"{run.run_id} of {run.asset} was never performed")
    _told(stage, engine)


def _told(stage: Stage, engine: Engine) -> None:
    """Every message shows the incident as it is: open ones with their cause, the others healed."""
    open_now = {view.incident: view for view in engine.incidents()}
    told: set[tuple[str, str]] = set()
    for handle, notice in stage.shown.items():
        if notice.incident in stage.refused:
            continue
        view = open_now.get(notice.incident)
        if view is None and notice.closed_at is None and not notice.merged_into:
            raise Violation(f"message {handle} shows {notice.incident} as open; it is not")
        if view is not None and notice.closed_at is not None:
            raise Violation(f"message {handle} shows {notice.incident} as healed; it is not")
        if view is not None and notice.cause != view.cause:
            raise Violation(f"message {handle} names {notice.cause}, the incident's cause is {view.cause}")
        if (notice.incident, notice.channel) in told:
            raise Violation(f"{notice.incident} has two messages in {notice.channel!r}")
        told.add((notice.incident, notice.channel))
    for name, view in open_now.items():
        if view.announced and name not in stage.refused and not any(incident == name for incident, _ in told):
            raise Violation(f"{name} was announced, but nobody was told")
