"""What judging one expectation comes to: a verdict, the measure that has it, and until when it holds.

`until` is a lower bound: data that moves on makes the instant of change later, never earlier, so a fresh
row needs no new timer. Nothing here looks at a row.
"""

from __future__ import annotations

from freshd.model.policy import RANK, Measure, Verdict
from freshd.model.time import FOREVER, NEVER, Duration, Instant
from freshd.model.values import value

MEASURE_ORDER = {measure: place for place, measure in enumerate(Measure)}


@value(frozen=True, slots=True)
class Judgement:
    """A verdict, the measure that has it, and the earliest instant at which it may be another by itself."""

    verdict: Verdict
    measure: Measure | None
    until: Instant
    unknown: Measure | None = None
    """The first measure that has no value, if any."""
    warning: Measure | None = None
    """The first measure that warns, of a judgement that is worse."""

    @property
    def warns(self) -> Measure | None:
        """The first measure that warns, if any."""
        return self.measure if self.verdict is Verdict.WARN else self.warning

    def measure_of(self, shown: Verdict) -> Measure | None:
        """The measure that has the verdict which is shown instead."""
        other = {Verdict.WARN: self.warns, Verdict.UNKNOWN: self.unknown}.get(shown)
        return self.measure if shown is self.verdict else other or self.measure


def both(one: Judgement | None, other: Judgement) -> Judgement:
    """The judgement of two expectations: the worse, of equals the first by measure, until either may change."""
    if one is None:
        return other
    worse, until = _worse(one, other), min(one.until, other.until)
    return Judgement(
        worse.verdict, worse.measure, until, _first(one.unknown, other.unknown), _first(one.warns, other.warns)
    )


def _first(one: Measure | None, other: Measure | None) -> Measure | None:
    if one is None or other is None:
        return one or other
    return min(one, other, key=MEASURE_ORDER.__getitem__)


def _worse(one: Judgement, other: Judgement) -> Judgement:
    mine, yours = RANK[one.verdict], RANK[other.verdict]
    if mine != yours:
        return one if mine > yours else other
    assert one.measure is not None and other.measure is not None
    return one if MEASURE_ORDER[one.measure] <= MEASURE_ORDER[other.measure] else other


def by_limits(measure: Measure, warn_at: Instant, stale_at: Instant, now: Instant) -> Judgement:
    """What holds at `now` where a measure is warn from one instant on and stale from another."""
    if now >= stale_at:
        return Judgement(Verdict.STALE, measure, FOREVER)
    if now >= warn_at:
        return Judgement(Verdict.WARN, measure, stale_at)
    return Judgement(Verdict.FRESH, measure, min(warn_at, stale_at))


def sustained(
    found: Judgement, warn_since: Instant, stale_since: Instant, sustain: Duration, now: Instant
) -> Judgement:
    """What is shown of a judgement while violations must have lasted: until then fresh (or unknown)."""
    for level, since in ((Verdict.STALE, stale_since), (Verdict.WARN, warn_since)):
        if since != NEVER and now >= since + sustain:
            later = stale_since + sustain if level is Verdict.WARN and stale_since != NEVER else FOREVER
            return Judgement(level, found.measure_of(level), min(found.until, later), found.unknown, found.warns)
    coming = [since + sustain for since in (warn_since, stale_since) if since != NEVER]
    until = min([found.until, *coming])
    if found.unknown is not None:
        return Judgement(Verdict.UNKNOWN, found.unknown, until)
    return Judgement(Verdict.FRESH, found.measure, until)
