"""The engine: takes inputs, decides, and says what became fact and what to do about it.

Deterministic, without I/O: the same charter and inputs at the same instants give the same records and
effects. `apply` (facts.py) is the only thing that changes state; `step` turns inputs into records,
applies them, and then looks again at whatever they touched: verdicts, launches, incidents, notices, in
this order. It looks at state, never at what woke it, so a repeated or late input is harmless.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, assert_never

from freshd.core import blindness, declared, facts, incidents, notices, partitions, planner
from freshd.core.assess import assess_row, incident_views
from freshd.core.checkpoint import all_written, changed_rows
from freshd.core.explaining import explain_row
from freshd.core.feasibility import infeasible
from freshd.core.judging import Judging
from freshd.core.just_in_time import known_duration
from freshd.core.linking import link, not_joined_yet
from freshd.core.rebuild import rebuild
from freshd.core.restoring import restore_rows
from freshd.core.retelling import AS_THEY_ARE
from freshd.core.rows import Row, make_row
from freshd.core.state import State
from freshd.core.step import Step
from freshd.core.watching import take_moved
from freshd.core.wishes import plan_wish
from freshd.core.work import row_key
from freshd.model import inputs as said
from freshd.model import records
from freshd.model.assessment import Assessment, IncidentView, Infeasible, Moved, WishView
from freshd.model.asset import WHOLE, AssetKey
from freshd.model.declarations import Declaration
from freshd.model.effects import Effect, LaunchRun, SendNotice
from freshd.model.explanation import Explanation
from freshd.model.inputs import Input
from freshd.model.policy import Charter
from freshd.model.records import Record
from freshd.model.time import FOREVER, NEVER, Duration, Instant

TIMERS_PER_STEP = 250
"""How many pairs a step looks at because their instant has come; the rest waits for the next step."""

TIMERS_BESIDE_INPUTS = 150
"""As TIMERS_PER_STEP, of a step in which inputs became facts: whoever sent them waits for it."""

JUDGED_FOR_RECORD = 10
"""How many rows more a step judges for each record of its inputs; what one input moves beyond that waits as well."""


class Engine:
    """Knows every asset of its charter: what is fresh, what to launch, whom to tell."""

    def __init__(self, charter: Charter) -> None:
        self.begin(charter)

    def begin(self, charter: Charter) -> None:
        """Know the charter and nothing else; a checkpoint is restored next, if there is one."""
        state = State()
        link(state, charter, NEVER)
        rebuild(state)
        state.described_anew = set()  # no checkpoint says anything else of the rows
        self._state = state
        self._judging = Judging(state)
        self._records: list[Record] = []

    @property
    def charter(self) -> Charter:
        """What it was told of the world last."""
        return self._state.charter

    @property
    def announced(self) -> int:
        """Incidents announced so far; edits and what is told in a thread not counted."""
        return self._state.book.announced

    @property
    def catching_up(self) -> bool:
        """Whether it holds verdicts, launches and announcements until all that was written has been read."""
        return self._state.catching_up

    def step(self, now: Instant, inputs: Sequence[Input]) -> Step:
        """Interpret the inputs, apply what they come to, decide. An earlier `now` than before counts as the last."""
        return self._step(now, inputs, ())

    def retell(self, now: Instant, told: Sequence[Input | Record]) -> Step:
        """A step of a replay: facts that a record alone tells of count as they are; decisions are come to anew."""
        return self._step(now, told, AS_THEY_ARE)

    def _step(self, now: Instant, told: Sequence[Any], facts_told: tuple[type[Record], ...]) -> Step:
        state = self._state
        produced: list[Record] = []
        self._records = produced
        state.now = now = max(now, state.now)
        state.forget_ceased()
        self._open_partitions(told)
        for given in told:
            if facts_told and isinstance(given, facts_told):
                self._emit(given)
            else:
                self._take(given)
        if state.catching_up and now >= state.catching_up_until:
            blindness.not_caught_up(state, self._emit)
            self._emit(records.DaemonCaughtUp(now))
        declared.turn(state, self._emit)
        most = TIMERS_PER_STEP + JUDGED_FOR_RECORD * len(produced)
        some = TIMERS_BESIDE_INPUTS if produced else TIMERS_PER_STEP
        self._decide(most, some - self._pop_timers(some))
        effects = [effect for record in produced if (effect := _effect_of(record)) is not None]
        return Step(tuple(produced), tuple(effects))

    def apply(self, record: Record) -> None:
        """Fold one record into the state."""
        facts.apply(self._state, record)

    def restore(self, rows: Iterable[tuple[str, str, object]]) -> None:
        """Take over a checkpoint; records written after it are applied next."""
        review = restore_rows(self._state, rows)
        rebuild(self._state, review)

    def changed_state(self) -> Iterator[tuple[str, str, object]]:
        """(kind, key, value) of the state that changed since the last checkpoint; None as value: gone."""
        return changed_rows(self._state)

    @property
    def changed(self) -> int:
        """How many rows and incidents changed since the last checkpoint: what `changed_state` costs."""
        return len(self._state.dirty) + len(self._state.book.dirty)

    def checkpointed(self) -> None:
        """All of `changed_state` has been written."""
        all_written(self._state)

    def unconfirmed(self) -> Iterator[Effect]:
        """Effects asked for whose outcome is not known: the outbox is state."""
        for run in list(self._state.runs.values()):
            yield LaunchRun(
                run.run_id,
                run.launcher,
                run.assets,
                run.requested_at,
                attempt=run.attempt,
                partition=run.partition,
                reason=run.reason,
                resumed=True,
            )
        book = self._state.book
        for incident in (*book.incidents.values(), *book.closed.values()):
            for channel in incident.channels.values():
                if channel.in_flight and channel.asked is not None:
                    yield SendNotice(channel.asked)

    def next_wake(self) -> Instant | None:
        """The earliest instant at which step(now, []) could decide something."""
        state = self._state
        if state.later or state.to_judge or state.to_plan:
            return state.now
        instants = [state.windows_next, state.timers.next(), state.declarations.next, state.book.acknowledged_until]
        if state.catching_up:
            instants.append(state.catching_up_until)
        return min((at for at in instants if at is not None and at < FOREVER), default=None)

    def assess(self, key: AssetKey, now: Instant, partition: str = WHOLE) -> Assessment:
        """Everything there is to say of one asset partition at `now`. Raises KeyError for one that there is not."""
        return assess_row(self._state, self._row(key, partition), max(now, self._state.now))

    def moved(self, now: Instant, most: int, anew: bool = False) -> Moved:
        """How the assets stand that look different since this was last asked, at about `most` rows at a time.

        `anew`: an answer was lost; all assets are told again.
        """
        return take_moved(self._state, max(now, self._state.now), most, anew)

    def explain(self, key: AssetKey, now: Instant, partition: str = WHOLE) -> Explanation:
        """Why it is or is not launched, what limits its data, what comes next. Raises KeyError for an unknown asset."""
        return explain_row(self._state, self._row(key, partition), max(now, self._state.now))

    def infeasible(self) -> list[Infeasible]:
        """The expectations that are shorter than what the runs on their path take; they are flagged from now on."""
        state = self._state
        takes: dict[AssetKey, Duration] = {}
        for row in state.rows.values():
            known = known_duration(row)
            if known is not None:
                takes[row.asset.key] = known
        found = infeasible(state.charter, takes)
        state.infeasible = {}
        for one in found:
            state.infeasible[one.asset] = (*state.infeasible.get(one.asset, ()), one)
        return found

    def _row(self, key: AssetKey, partition: str) -> Row:
        """The row of an asset partition; one that nothing happened to yet has a row only to be looked at."""
        state = self._state
        if partitions.missing(state.rows, [(key, partition)]):
            return make_row(state.rows[key].asset, partition)
        return state.rows[row_key(key, partition)]

    def incidents(self, brief: bool = False) -> tuple[IncidentView, ...]:
        """The open incidents, in the order of opening; `brief`: without their members, who may be many."""
        return incident_views(self._state, brief)

    def declarations(self) -> tuple[tuple[Declaration, bool], ...]:
        """What people have declared that is not over, in the order of saying, each with whether it holds already."""
        known = self._state.declarations
        return tuple((said, said.id in known.begun) for said in known.standing.values())

    def blind(self) -> tuple[tuple[str, Instant, str], ...]:
        """(topic, since, why) of the topics that cannot be seen, by name; an empty topic stands for all."""
        return tuple((topic, said.since, said.why) for topic, said in sorted(self._state.blind.items()))

    def wishes(self) -> tuple[WishView, ...]:
        """What people have asked for: those that ended last first, then those that go on, in the order of asking."""
        book = self._state.wishes
        return (*book.over.values(), *(known.view() for known in book.open.values()))

    # inputs

    def _emit(self, record: Record) -> None:
        self._records.append(record)
        facts.apply(self._state, record)

    def _open_partitions(self, told: Sequence[Input | Record]) -> None:
        """Have rows for the windows that have begun, and for the partitions that the inputs name."""
        state = self._state
        if state.windows_next <= state.now:
            self._emit(records.WindowsBegan(state.now))
        if not state.partitioned:
            return
        named: list[tuple[AssetKey, str]] = []
        for given in told:
            if isinstance(given, said.Event) and given.partition:
                named += [(asset, given.partition) for asset in given.assets]
            elif isinstance(given, said.Wish):
                named += [(asset, partition) for asset in given.assets for partition in given.partitions]
        new = partitions.missing(state.rows, named)
        if new:
            self._emit(records.PartitionsUsed(state.now, new))

    def _take(self, given: Input) -> None:
        state = self._state
        now = state.now
        match given:
            case said.Event():
                known = given.id and state.seen.knows(given.source, given.id)
                self._emit(records.EventRepeated(now, given) if known else records.EventTaken(now, given))
            case said.RunReport():
                if given.run_id in state.runs:
                    self._emit(records.RunReported(now, given))
            case said.NoticeReport():
                if given.notice_id in state.book.under_way:
                    self._emit(records.NoticeReported(now, given))
            case said.Wish():
                self._end_wishes()  # those that failed before it leave nothing of their attempts to it
                if given.id not in state.wishes.open:
                    self._emit(records.WishMade(now, given, plan_wish(given, state.rows)))
            case Declaration():
                declared.take(state, given, self._emit)
            case said.Withdraw():
                declared.withdraw(state, given, self._emit)
            case said.Acknowledge():
                declared.acknowledge(state, given, self._emit)
            case said.Blind():
                blindness.take(state, given, self._emit)
            case said.Sighted(topic=topic):
                blindness.regain(state, topic, self._emit)
            case said.Started():
                self._emit(records.DaemonStarted(now, given.catching_up, not_joined_yet(state)))
            case said.CaughtUp():
                blindness.regain(state, blindness.ALL_TOPICS, self._emit)
                if state.catching_up:
                    self._emit(records.DaemonCaughtUp(now))
            case said.CharterReplaced():
                self._replace(given.charter)
                self._open_partitions(())
            case said.DeadLetter():
                self._emit(records.DeadLettered(now, given))
            case said.Unmatched():
                self._emit(records.UnmatchedSeen(now, given))
            case _:
                assert_never(given)

    def _replace(self, charter: Charter) -> None:
        state = self._state
        before = self._judging.watched_pairs()
        added, removed, rewired = link(state, charter, state.now)
        self._judging.forget_gone(before)
        state.book.look_again()
        for key in added:
            state.rows[key].known_since = state.now
            state.mark(state.rows[key])
        state.gone.extend(removed)
        self._emit(records.GraphReplaced(state.now, tuple(added), tuple(removed), tuple(rewired)))

    # decisions

    def _pop_timers(self, most: int) -> int:
        """Queue the rows whose instant has come, some of them; how many pairs these are."""
        state = self._state
        rows = state.timers.pop(state.now, most)
        for row in rows:
            if row in state.described_anew:
                state.described_anew.discard(row)
                state.mark(row)
            state.judge(row)
            state.plan(row)
        if not state.described_anew:
            state.described_anew = set()  # one that was full once keeps its size
        return sum(len(row.pairs) for row in rows)

    def _decide(self, most: int, old: int) -> None:
        """Look again at what was queued: at most so many rows; of those from earlier steps about `old` pairs."""
        state = self._state
        blindness.spread(state)
        state.judge_some(old)
        if state.rebuilt:
            state.rebuilt, most = False, most + len(state.rows)
        while state.to_judge or state.to_plan or state.wishes.ended:
            most -= self._judging.judge_queued(self._emit, most)
            self._end_wishes()
            planner.consider(state, self._emit)
        views = self._judging.changed_views()
        if views or state.book.unsettled:
            incidents.regroup(state, views, self._emit)
        if state.book.stale and not state.catching_up:
            notices.tell(state, self._emit)
        limits = state.charter.limits
        incidents.forget_closed(state.book, state.now, limits.reopen, limits.closed_incidents)

    def _end_wishes(self) -> None:
        state = self._state
        ended, state.wishes.ended = state.wishes.ended, []
        for wish_id, reason, cause in ended:
            if wish_id in state.wishes.open:
                if reason is records.Reason.DONE and state.charter.observe and state.wishes.open[wish_id].planned:
                    reason = records.Reason.OBSERVE
                self._emit(records.WishEnded(state.now, wish_id, reason, cause))


def _effect_of(record: Record) -> Effect | None:
    if isinstance(record, records.RunRequested):
        return None if record.observed else record.run
    if isinstance(record, records.NoticeRequested):
        return SendNotice(record.notice)
    return None
