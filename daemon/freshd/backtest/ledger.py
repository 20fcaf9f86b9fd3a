"""What came of one set of policies: violations, alerts, runs, and how long every pair was what.

It listens to the records of a trial and keeps sums; what is before `since` is played but not counted. It must not
decide anything, nor know how the result is shown.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from freshd.model.asset import AssetKey
from freshd.model.policy import Charter, Verdict
from freshd.model.records import IncidentChanged, NoticeRequested, Record, RunRequested, VerdictChanged
from freshd.model.time import NEVER, Duration, Instant

PairKey = tuple[str, AssetKey, str]
"""(policy, asset, partition)."""


@dataclass(slots=True)
class Violation:
    """A pair that was stale."""

    policy: str
    asset: AssetKey
    partition: str
    measure: str
    since: Instant
    until: Instant | None = None
    """None: it was still so at the end."""


@dataclass(slots=True)
class Standing:
    """How long a pair has been what."""

    verdict: Verdict = Verdict.UNKNOWN
    since: Instant = NEVER
    lasted: dict[Verdict, Duration] = field(default_factory=dict)
    violation: Violation | None = None


@dataclass(slots=True)
class Spent:
    """The runs of one asset."""

    runs: int = 0
    failed: int = 0
    took: Duration = 0


class Ledger:
    """Sums over one trial; `observe` is told of every step."""

    def __init__(self, charter: Charter, since: Instant) -> None:
        self._since = since
        self._standings: dict[PairKey, Standing] = {
            (name, key, ""): Standing()
            for name, policy in charter.policies.items()
            if policy.has_expectations
            for key in charter.selected.get(name, ())
        }
        self._taken: dict[type[Record], Callable[..., None]] = {
            VerdictChanged: self._verdict,
            RunRequested: self._run,
            IncidentChanged: self._incident,
            NoticeRequested: self._notice,
        }
        self.violations: list[Violation] = []
        self.spent: dict[AssetKey, Spent] = {}
        self.reasons: Counter[str] = Counter()
        self.incidents: dict[str, tuple[Instant, str, str]] = {}
        """(opened at, cause, reason) by incident."""
        self.messages: Counter[str] = Counter()
        """Alerts posted, by channel."""
        self.told = 0
        """Lines told in the threads of alerts."""

    def observe(self, now: Instant, records: Sequence[Record]) -> None:
        """Take a step."""
        taken = self._taken
        for record in records:
            take = taken.get(type(record))
            if take is not None:
                take(now, record)

    def ran(self, now: Instant, key: AssetKey, took: Duration, failed: bool) -> None:
        """A run of an asset goes like this."""
        if now >= self._since:
            spent = self.spent.setdefault(key, Spent())
            spent.runs += 1
            spent.failed += failed
            spent.took += took

    def close(self, until: Instant) -> dict[PairKey, Standing]:
        """The end has come; how long every pair was what."""
        for standing in self._standings.values():
            self._lasted(standing, until)
        self.violations = [one for one in self.violations if one.until is None or one.until > self._since]
        return self._standings

    def _verdict(self, now: Instant, record: VerdictChanged) -> None:
        key = (record.policy, record.asset, record.partition)
        standing = self._standings.setdefault(key, Standing())
        self._lasted(standing, now)
        standing.verdict, standing.since = record.new, now
        if standing.violation is not None:
            standing.violation.until = now
            standing.violation = None
        if record.new is Verdict.STALE:
            standing.violation = Violation(*key, record.measure, now)
            self.violations.append(standing.violation)

    def _lasted(self, standing: Standing, now: Instant) -> None:
        began = max(standing.since, self._since)
        if now > began:
            standing.lasted[standing.verdict] = standing.lasted.get(standing.verdict, 0) + now - began

    def _run(self, now: Instant, record: RunRequested) -> None:
        if now >= self._since:
            self.reasons[record.run.reason] += 1

    def _incident(self, now: Instant, record: IncidentChanged) -> None:
        if record.opened_at >= self._since and record.incident not in self.incidents:
            self.incidents[record.incident] = (now, record.cause, record.reason)

    def _notice(self, now: Instant, record: NoticeRequested) -> None:
        if now < self._since:
            return
        if not record.notice.handle:
            self.messages[record.notice.channel] += 1
        self.told += len(record.notice.thread)
