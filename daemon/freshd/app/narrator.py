"""What the daemon says in its log about what it took in, decided and did: one line per fact worth asking for.

It only reads records, on the loop's thread, after they are durable. Events taken are not told: there are
many of them, and metrics count them. The words are those of the records.
"""

from __future__ import annotations

from collections.abc import Sequence
from logging import INFO, WARNING
from typing import Any, Final

import structlog

from freshd.model import records
from freshd.model.effects import LaunchRun, Notice
from freshd.model.errors import TransientError
from freshd.model.inputs import Input, RunPhase, RunReport
from freshd.model.records import Record
from freshd.model.time import Instant, format_instant

log = structlog.get_logger("freshd.daemon")

LINES_A_STEP: Final = 20
"""Lines that one step is told in at most: a thousand verdicts that change at once must not hold up the loop."""

Line = tuple[int, str, dict[str, Any]]
"""Level, word, values."""


class Narrator:
    """Tells of records, launches, notices and trouble."""

    def observe(self, now: Instant, made: Sequence[Record]) -> None:
        """An observer of the loop."""
        told = 0
        for record in made:
            line = _line_of(record)
            if line is None:
                continue
            told += 1
            if told <= LINES_A_STEP:
                level, word, values = line
                log.log(level, word, **values)
        if told > LINES_A_STEP:
            log.info("more", lines_left_out=told - LINES_A_STEP)

    # runtime.performer.Observe

    def launched(self, run: LaunchRun, at: Instant) -> None:
        """A launcher has taken a run."""
        log.debug("run.launched", run=run.run_id, launcher=run.launcher, at=format_instant(at))

    def notified(self, notice: Notice, outcome: str) -> None:
        """A notice was sent, will be tried again, or cannot be delivered."""
        log.debug("notice." + outcome, notice=notice.notice_id, channel=notice.channel)

    def trouble(self, what: str, error: Exception) -> None:
        """A launch or a notice failed."""
        log.warning("trouble", what=what, error=str(error) or type(error).__name__)

    def store_trouble(self, what: str, error: TransientError) -> None:
        """The store could not be written; intake is held until it can."""
        log.error("store.unavailable", what=what, error=str(error), note="nothing is lost; it is tried again")

    def engine_bug(self, given: Input, error: Exception) -> None:
        """The engine failed on an input, which is a dead letter now."""
        what = type(given).__name__
        log.error("engine.bug", on=what, error=f"{type(error).__name__}: {error}", exc_info=error)

    def bug(self, where: str, error: Exception) -> None:
        """A decoder failed on what it should have understood or refused."""
        log.error("decoder.bug", where=where, error=f"{type(error).__name__}: {error}")


def _line_of(record: Record) -> Line | None:
    match record:
        case records.RunRequested(run=run):
            word = "run.observed" if record.observed else "run.requested"
            return INFO, word, _run_values(run)
        case records.RunReported(report=report):
            return _report_line(report)
        case records.VerdictChanged():
            values = {"asset": record.asset, "policy": record.policy, "was": record.old.value, "now": record.new.value}
            return INFO, "verdict", values | ({"by": record.measure} if record.measure else {})
        case records.IncidentChanged():
            word = "incident" if record.closed_at is None else "incident.closed"
            values = {"incident": record.incident, "cause": record.cause, "reason": record.reason}
            return INFO, word, values | {"members": record.members}
        case records.DeadLettered(letter=letter):
            return WARNING, "dead_letter", {"origin": letter.origin, "reason": letter.reason, "why": letter.message}
        case records.DaemonCaughtUp():
            return INFO, "caught_up", {}
        case records.GraphReplaced():
            counts = {"added": len(record.added), "removed": len(record.removed), "rewired": len(record.rewired)}
            return INFO, "graph.replaced", counts
        case records.WishMade(wish=wish):
            return INFO, "wish", {"wish": wish.id, "author": wish.author, "assets": _some(wish.assets)}
        case records.WishEnded():
            values = {"wish": record.wish_id, "reason": record.reason.value}
            return INFO, "wish.ended", values | ({"cause": record.cause} if record.cause else {})
        case records.Declared(declaration=told):
            values = {"assets": _some(told.assets) or "all", "author": told.author, "reason": told.reason}
            return INFO, told.kind.value, values | {"until": format_instant(told.until)}
        case records.DeclarationEnded():
            return INFO, "declaration.ended", {"id": record.declaration, "author": record.author}
        case records.IncidentAcknowledged(acknowledgement=known):
            values = {"incident": record.incident} | ({"author": known.author, "reason": known.reason} if known else {})
            return INFO, "incident.acknowledged" if known else "incident.acknowledgement_ended", values
        case records.Blinded():
            return WARNING, "blind", {"topic": record.topic or "all", "why": record.why}
        case records.SightRegained():
            return INFO, "sighted", {"topic": record.topic or "all"}
        case _:
            return None


def _run_values(run: LaunchRun) -> dict[str, Any]:
    return {"run": run.run_id, "assets": _some(run.assets), "reason": run.reason, "attempt": run.attempt}


def _report_line(report: RunReport) -> Line | None:
    values = {"run": report.run_id} | ({"asset": report.asset} if report.asset else {})
    match report.phase:
        case RunPhase.FAILED | RunPhase.LOST:
            return WARNING, f"run.{report.phase}", values | {"error": report.error}
        case RunPhase.SUCCEEDED:
            return INFO, "run.succeeded", values
        case _:
            return None


def _some(keys: Sequence[str]) -> str:
    return ", ".join(keys[:10]) + (f" and {len(keys) - 10} more" if len(keys) > 10 else "")
