"""What the daemon took in and decided in a scenario, one line each, in a form that stays the same.

Golden traces under tests are such texts: whoever changes what the daemon does sees it there. Times are
offsets from the start, runs are counted per asset and incidents in the order of opening, so that ids
(which are hashes) do not show. It must not decide anything.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from freshd.backtest.scenario import Scenario
from freshd.model import records as facts
from freshd.model.effects import Notice
from freshd.model.inputs import Event, RunPhase, RunReport
from freshd.model.records import Record
from freshd.model.time import FOREVER, Instant, format_duration


class Trace:
    """Collects the lines of one scenario; `observe` is told of every durable step."""

    def __init__(self, scenario: Scenario, runs: Mapping[str, str]) -> None:
        """`runs`: run ids as people count them."""
        self._start = scenario.start
        self._places = {id(happening.input): happening.where.rpartition(":")[2] for happening in scenario.happenings}
        self._runs = runs
        self._incidents: dict[str, int] = {}
        self._last: Instant | None = None
        self.lines: list[str] = []

    def observe(self, now: Instant, records: Sequence[Record]) -> None:
        """Write down what a step came to."""
        for record in records:
            for text in self._texts(record):
                shown = "" if now == self._last else "+" + self._offset(now)
                self._last = now
                self.lines.append(f"{shown:<10} {text}".rstrip())

    def _offset(self, instant: Instant) -> str:
        return format_duration(instant - self._start)

    def _texts(self, record: Record) -> Iterator[str]:
        match record:
            case facts.EventTaken():
                yield f"event      {self._event(record.event)}"
            case facts.EventRepeated():
                yield f"repeated   {self._event(record.event)}"
            case facts.RunRequested():
                yield self._launch(record)
            case facts.RunReported():
                if record.report.phase not in (RunPhase.QUEUED, RunPhase.STARTED, RunPhase.FINISHED):
                    yield f"run        {self._report(record.report)}"
            case facts.VerdictChanged():
                by = f" by {record.measure}" if record.measure else ""
                at = f"[{record.partition}]" if record.partition else ""
                yield f"verdict    {record.asset}{at}: {record.old} -> {record.new}{by} ({record.policy})"
            case facts.IncidentChanged():
                yield from self._incident(record)
            case facts.NoticeRequested():
                yield f"tell       {self._notice(record.notice)}"
            case facts.WishMade():
                yield f"wish       {', '.join(record.wish.assets)}: plans {', '.join(record.planned) or 'nothing'}"
            case facts.WishEnded():
                because = f" by {record.cause}" if record.cause else ""
                yield f"wish ends  {record.reason}{because}"
            case facts.Declared() | facts.DeclarationBegan() | facts.DeclarationEnded():
                yield f"declared   {self._declaration(record)}"
            case facts.IncidentAcknowledged():
                yield f"known      {self._acknowledgement(record)}"
            case facts.Blinded():
                yield f"blind      {record.topic or 'all topics'} since {self._signed(record.since)}: {record.why}"
            case facts.SightRegained():
                yield f"sighted    {record.topic or 'all topics'}"
            case facts.DeadLettered():
                yield f"dead       {record.letter.reason}: {record.letter.message}"
            case facts.NoticeReported() | facts.DaemonStarted() | facts.DaemonCaughtUp():
                pass
            case facts.GraphReplaced() | facts.UnmatchedSeen():
                pass

    def _event(self, event: Event) -> str:
        parts = [event.kind.value, ", ".join(event.assets) or event.feed]
        if event.partition:
            parts[-1] += f"[{event.partition}]"
        if event.check is not None:
            parts.append(f"{event.check.name} {'passed' if event.check.passed else 'failed'}")
        parts.append(f"at +{self._offset(event.at)}" if event.at >= self._start else f"at {self._offset(event.at)}")
        for name, instant in (("started", event.started_at), ("data", event.data_time)):
            if instant is not None:
                parts.append(f"{name} {self._signed(instant)}")
        if event.run_id:
            parts.append(f"run {event.run_id}")
        if not event.changed:
            parts.append("unchanged")
        if event.completeness is not None:
            parts.append(f"completeness {event.completeness:g}")
        line = self._places.get(id(event))
        return " ".join(parts) + (f"  (line {line})" if line else "")

    def _signed(self, instant: Instant) -> str:
        return ("+" if instant >= self._start else "") + self._offset(instant)

    def _launch(self, record: facts.RunRequested) -> str:
        run = record.run
        verb = "would run" if record.observed else "launch"
        name = self._runs.get(run.run_id, "")
        many = ", ".join(run.assets)
        attempt = f", attempt {run.attempt}" if run.attempt > 1 else ""
        return f"{verb:<10} {many}: {run.reason}{attempt}{f' ({name})' if name else ''}"

    def _report(self, report: RunReport) -> str:
        name = self._runs.get(report.run_id, report.run_id)
        error = f": {report.error}" if report.error else ""
        return f"{name} {report.phase}{'' if report.changed else ' unchanged'}{error}"

    def _declaration(self, record: facts.Declared | facts.DeclarationBegan | facts.DeclarationEnded) -> str:
        if isinstance(record, facts.DeclarationBegan):
            return f"{record.declaration} begins"
        if isinstance(record, facts.DeclarationEnded):
            withdrawn = f", withdrawn by {record.author or 'somebody'}" if record.withdrawn else ""
            return f"{record.declaration} ends{withdrawn}"
        told = record.declaration
        until = "until it is withdrawn" if told.until >= FOREVER else f"until {self._signed(told.until)}"
        start = f"from {self._signed(told.begins)} " if told.begins > record.now else ""
        named = ", ".join(told.assets) or "everything"
        return f"{told.id}: {told.kind} of {named} {start}{until}, by {told.author}: {told.reason}"

    def _acknowledgement(self, record: facts.IncidentAcknowledged) -> str:
        number = self._incidents.get(record.incident, record.incident)
        known = record.acknowledgement
        if known is None:
            return f"incident {number} no longer"
        return f"incident {number} by {known.author} until {self._signed(known.until)}: {known.reason}"

    def _incident(self, record: facts.IncidentChanged) -> Iterator[str]:
        new = record.incident not in self._incidents
        number = self._incidents.setdefault(record.incident, len(self._incidents) + 1)
        what = "opens" if new else "closes" if record.closed_at is not None else "changes"
        if record.merged_into:
            what = f"merges into {self._incidents.get(record.merged_into, record.merged_into)}"
        severity = f", {record.severity}" if record.severity else ""
        again = f", reopened {record.reopened}" if record.reopened and what == "changes" else ""
        yield f"incident   {number} {what}: {record.cause} {record.reason}{severity}, {record.members} in it{again}"
        for member in record.put:
            yield f"             + {member.asset} {member.state} ({member.policy}): {member.cause} {member.reason}"
        for policy, asset, _ in record.left:
            yield f"             - {asset} ({policy})"

    def _notice(self, notice: Notice) -> str:
        number = self._incidents.get(notice.incident, notice.incident)
        state = "merged" if notice.merged_into else "closed" if notice.closed_at is not None else "open"
        verb = "edits" if notice.handle else "posts"
        where = notice.channel or "the default channel"
        thread = "".join(f"; in the thread: {line}" for line in notice.thread)
        muted = f", {notice.muted} muted" if notice.muted else ""
        known = ", acknowledged" if notice.acknowledged_until is not None else ""
        about = f"{notice.severity}, {notice.affected_count} affected{muted}{known}"
        return f"{where} {verb} incident {number} {state}, {about}{thread}"
