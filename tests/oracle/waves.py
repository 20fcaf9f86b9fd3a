"""Which assets go in one run of a launcher that orders its own work: what the run itself will make due.

Reads decisions at one instant and changes nothing.
"""

from __future__ import annotations

from tests.oracle.decisions import Decisions

from freshd.model.asset import AssetKey


def joins(known: Decisions, key: AssetKey, run: set[AssetKey]) -> bool:
    """Whether an asset goes with a wave: the run itself will make it due, and it waits for nothing else."""
    launcher = known.charter.graph.assets[next(iter(run))].launcher
    if key in run or not known.automatic(key) or known.charter.graph.assets[key].launcher != launcher:
        return False
    window = known.bounds(key).window
    if window is not None and window.opened_at(known.now) is None:
        return False
    reaction, last, retry = known.reaction(key), known.last_run(key), known.retry_at(key)
    if known.in_flight(key) or known.stopped(key) or (retry is not None and retry > known.now):
        return False
    if last is not None and last.requested + reaction.min_interval > known.now:
        return False
    if not reaction.go_on and any(known.stuck(p) for p in known.fresh.up(key)):
        return False
    if not _made_due(known, key, run):
        return False
    return not any(_waits_outside(known, key, p, run) for p in known.fresh.up(key))


def _shown_by(known: Decisions, p: AssetKey) -> set[AssetKey]:
    """What holds the data of an upstream: itself, or what a virtual one shows."""
    if not known.charter.graph.assets[p].virtual:
        return {p}
    return {shown for q in known.fresh.up(p) for shown in _shown_by(known, q)}


def _made_due(known: Decisions, key: AssetKey, run: set[AssetKey]) -> bool:
    up = known.fresh.up(key)
    made = {p for p in up if _shown_by(known, p) & run}
    if not made:
        return False
    if known.fresh.updated_at(key, known.now) is None:
        return all(_will_have(known, p, run) for p in up)
    unread = {p for p in up if p in made or known.fresh.unread(key, p, known.now)}
    wanted = known.reaction(key).updates_on
    return bool(unread) if wanted == "any" else unread >= (set(up) if wanted == "all" else set(wanted))


def _will_have(known: Decisions, p: AssetKey, run: set[AssetKey]) -> bool:
    """Whether an upstream has an update, or will have once the run is over."""
    if p in run or known.fresh.updated_at(p, known.now) is not None:
        return True
    up = known.fresh.up(p)
    return known.charter.graph.assets[p].virtual and bool(up) and all(_will_have(known, q, run) for q in up)


def _waits_outside(known: Decisions, key: AssetKey, p: AssetKey, run: set[AssetKey]) -> bool:
    """Whether it waits for something that is not in the run, or that the run will put on its way."""
    if p in run:
        return False
    asset = known.charter.graph.assets[p]
    if known.automatic(p) and _rests_on(known, p, run):
        return True
    if not asset.virtual and known.waits(key, p, run):
        return True
    return known.passes_on(p) and any(_waits_outside(known, key, q, run) for q in known.fresh.up(p))


def _rests_on(known: Decisions, p: AssetKey, run: set[AssetKey]) -> bool:
    for q in known.fresh.up(p):
        on = known.charter.graph.assets[q].virtual or known.automatic(q)
        if q in run or (on and _rests_on(known, q, run)):
            return True
    return False
