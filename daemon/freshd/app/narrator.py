"""What the daemon says in its log about what it took in, decided and did: one line per fact worth asking for.

It only reads records, on the loop's thread, after they are durable; events taken are told at `debug`, since
there are many of them. The words are those of the records.
"""

from __future__ import annotations

from collections.abc import Sequence

import structlog

from freshd.model import records
from freshd.model.effects import LaunchRun, Notice
from freshd.model.errors import TransientError
from freshd.model.inputs import RunPhase
from freshd.model.records import Record
from freshd.model.time import Instant, format_instant

log = structlog.get_logger("freshd.daemon")

_BAD_PHASES = (RunPhase.FAILED, RunPhase.LOST)


class Narrator:
    """Tells of records, launches, notices and trouble."""

    def observe(self, now: Instant, made: Sequence[Record]) -> None:
        """An observer of the loop."""
        for record in made:
            match record:
                case records.RunRequested():
                    run = record.run
                    word = "run.observed" if record.observed else "run.requested"
                    log.info(word, run=run.run_id, assets=_some(run.assets), reason=run.reason, attempt=run.attempt)
                case records.RunReported(report=report) if report.phase in _BAD_PHASES:
                    log.warning("run." + report.phase, run=report.run_id, asset=report.asset, error=report.error)
                case records.RunReported(report=report) if report.phase is RunPhase.SUCCEEDED:
                    log.info("run.succeeded", run=report.run_id, asset=report.asset)
                case records.VerdictChanged():
                    log.info(
                        "verdict",
                        asset=record.asset,
                        policy=record.policy,
                        was=record.old.value,
                        now=record.new.value,
                        by=record.measure,
                    )
                case records.IncidentChanged():
                    word = "incident.closed" if record.closed_at is not None else "incident"
                    log.info(
                        word, incident=record.incident, cause=record.cause, reason=record.reason, members=record.members
                    )
                case records.DeadLettered(letter=letter):
                    log.warning("dead_letter", origin=letter.origin, reason=letter.reason, why=letter.message)
                case records.UnmatchedSeen(unmatched=unmatched):
                    log.debug("unmatched", format=unmatched.format, name=unmatched.name)
                case records.DaemonCaughtUp():
                    log.info("caught_up")
                case records.GraphReplaced():
                    log.info(
                        "graph.replaced",
                        added=len(record.added),
                        removed=len(record.removed),
                        rewired=len(record.rewired),
                    )
                case records.WishMade(wish=wish):
                    log.info("wish", wish=wish.id, author=wish.author, assets=_some(wish.assets))
                case records.WishEnded():
                    log.info("wish.ended", wish=record.wish_id, reason=record.reason.value, cause=record.cause)
                case _:
                    pass

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

    def bug(self, where: str, error: Exception) -> None:
        """A decoder failed on what it should have understood or refused."""
        log.error("decoder.bug", where=where, error=f"{type(error).__name__}: {error}")


def _some(keys: Sequence[str]) -> str:
    return ", ".join(keys[:10]) + (f" and {len(keys) - 10} more" if len(keys) > 10 else "")
