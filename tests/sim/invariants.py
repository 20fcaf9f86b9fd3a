"""What must hold of a simulated world after every step, and once its faults have stopped."""

from __future__ import annotations

import dataclasses

from freshd.core.engine import Engine
from freshd.model.effects import Effect, LaunchRun
from freshd.model.inputs import Event
from freshd.model.time import Instant
from tests.sim.shadow import Shadow
from tests.sim.stage import Stage, Violation


def durably_asked_for(stage: Stage, effect: Effect) -> None:
    """An effect is performed only once the record that asks for it is durable."""
    name = effect.run_id if isinstance(effect, LaunchRun) else effect.notice.notice_id
    if not any(repr(name).encode() in entry for entry in stage.history):
        raise Violation(f"{name} is performed before it is durable")


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


def nothing_lost(stage: Stage, shadow: Shadow) -> None:
    """Every message before the durable read positions counts, and counts once."""
    taken: dict[str, int] = {}
    for event in shadow.facts.events:
        if event.id:
            taken[event.id] = taken.get(event.id, 0) + 1
    twice = sorted(name for name, count in taken.items() if count > 1)
    if twice:
        raise Violation(f"counted twice: {twice}")
    for name, messages in stage.log.items():
        read = int(stage.positions.get(name, "0"))
        for message in messages:
            said = message.said
            if message.offset < read and isinstance(said, Event) and said.id and said.id not in taken:
                raise Violation(f"lost: {said.id} at {name}/{message.offset}, read up to {read}")


def picture(engine: Engine, now: Instant) -> dict[str, object]:
    """Everything an engine says of itself."""
    told: dict[str, object] = {"announced": engine.announced}
    for key in engine.charter.graph.assets:
        for word, value in dataclasses.asdict(engine.assess(key, now)).items():
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
    if step.records:
        raise Violation(f"the fold of the records decides anew: {step.records}")
    ours, theirs = picture(live, now), picture(folded, now)
    different = [f"{what}: live {ours[what]}, folded {theirs[what]}" for what in ours if ours[what] != theirs[what]]
    if different:
        raise Violation("the live state is not the fold of the records:\n " + "\n ".join(different))


def converged(stage: Stage, shadow: Shadow, engine: Engine) -> None:
    """Once faults have stopped: all is read, confirmed, done and told."""
    unconfirmed = list(engine.unconfirmed())
    if unconfirmed:
        raise Violation(f"never confirmed: {unconfirmed}")
    for name, messages in stage.log.items():
        if messages and int(stage.positions.get(name, "0")) <= messages[-1].offset:
            raise Violation(f"{name} was not read to its end")
    decisions = shadow.decisions
    for key in shadow.charter.graph.assets:
        if decisions.automatic(key) and decisions.due(key) and not decisions.stopped(key) and not decisions.blocked(key):
            raise Violation(f"{key} is due for ever")
    for run in shadow.facts.runs:
        if run.end is None:
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
