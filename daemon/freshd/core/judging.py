"""Judges the queued rows: verdicts as records, and what each pair is to the incidents.

A pair that is not fresh watches the rows on which its cause rests; it is judged again when one of them
changes. A fresh pair costs nothing until its own instant comes. While the daemon catches up no verdict
gets worse: such rows are kept and judged again at the end of it.
"""

from __future__ import annotations

from freshd.core import just_in_time, slo
from freshd.core.blindness import BLIND, cause_of
from freshd.core.causes import Cause, failed_cause, rests_beyond, root_cause
from freshd.core.incident_book import Blamed
from freshd.core.incidents import View
from freshd.core.judgement import Judgement, sustained
from freshd.core.rows import Pair, Row, by_key
from freshd.core.state import State
from freshd.core.step import Emit
from freshd.core.verdicts import judge
from freshd.model.declarations import DeclarationKind
from freshd.model.policy import RANK, Alert, Measure, Verdict
from freshd.model.records import FEED_CAUSE, Reason, VerdictChanged, Violated
from freshd.model.time import FOREVER, NEVER

DEFAULT_AT = Alert().at
"""What makes a pair bad, if its policy's alert does not say otherwise."""

_FROM_AFAR = (Measure.LAG, Measure.DEADLINE)
"""Measures whose value comes from assets above without their telling."""

UNSEEN = Judgement(Verdict.UNKNOWN, None, FOREVER)
"""Of a pair that rests on what cannot be seen."""


class Judging:
    """The verdict half of a step."""

    __slots__ = ("_feeds", "_labels", "_state", "_views")

    def __init__(self, state: State) -> None:
        self._state = state
        self._views: dict[Pair, View] = {}
        self._feeds: set[str] = set()  # feeds whose sources' pairs changed in this step
        self._labels: dict[str, tuple[str, str]] = {}  # feeds that count as one cause: (cause, reason)

    def judge_queued(self, emit: Emit, most: int) -> int:
        """Judge the queued rows, in order of key: at most so many, the others in later steps; how many that were."""
        state = self._state
        done = 0
        while state.to_judge:
            batch = sorted(state.to_judge, key=by_key)
            state.to_judge = set()
            now, rest = batch[: most - done], batch[most - done :]
            state.judge_later(rest)
            for row in now:
                self._judge_row(row, emit)
            done += len(now)
        return done

    def _judge_row(self, row: Row, emit: Emit) -> None:
        state = self._state
        until = FOREVER
        for pair in row.pairs:
            until = min(until, self._judge_pair(pair, emit))
        if row.rare.timing is not None:
            just_in_time.notice(state, row)
        state.arm(row, until)

    def _judge_pair(self, pair: Pair, emit: Emit) -> int:
        state = self._state
        row = pair.row
        until, measure = FOREVER, None
        beside: tuple[Measure | None, ...] = ()
        if pair.policy.has_expectations:
            found = judge(pair.policy, row, state.now, state.memo)
            beside = (found.unknown,)
            seen = row not in state.blinded or (found.verdict is Verdict.STALE and pair.verdict is Verdict.STALE)
            if not seen:
                found = UNSEEN
            if pair.policy.sustain:
                beside = (found.unknown, found.measure)
                found = self._sustained(pair, found, emit)
                found = found if seen else UNSEEN
            verdict, measure, until = found.verdict, found.measure, found.until
            if state.catching_up and RANK[verdict] > RANK[pair.verdict]:
                state.deferred.add(row)
                verdict = pair.verdict
                measure = found.measure_of(verdict)
            if verdict is not pair.verdict:
                shown = "" if measure is None else measure.value
                emit(
                    VerdictChanged(
                        state.now, pair.policy.name, row.asset.key, row.partition, pair.verdict, verdict, shown
                    )
                )
            pair.measure = "" if measure is None else measure.value
            if row.rare.recall is not None and row.rare.recall.totals:
                self._count(pair, emit)
                until = min(until, slo.next_count(pair, state.now))
        self._view(pair, measure, beside)
        return until

    def _count(self, pair: Pair, emit: Emit) -> None:
        """Count towards the policy's objective what there is to count."""
        state = self._state
        held = state.declarations.holding(DeclarationKind.MAINTENANCE, pair.row.asset.key) is not None
        counted = slo.count(pair, held, state.now, state.memo)
        if counted is not None:
            emit(counted)

    def _sustained(self, pair: Pair, found: Judgement, emit: Emit) -> Judgement:
        """Note since when the raw levels last, and show what has lasted long enough."""
        now = self._state.now
        stale = found.verdict is Verdict.STALE
        violated = stale or found.verdict is Verdict.WARN
        warn_since = NEVER if not violated else now if pair.warn_since == NEVER else pair.warn_since
        stale_since = NEVER if not stale else now if pair.stale_since == NEVER else pair.stale_since
        if (warn_since, stale_since) != (pair.warn_since, pair.stale_since):
            row = pair.row
            emit(Violated(now, pair.policy.name, row.asset.key, row.partition, warn_since, stale_since))
        return sustained(found, warn_since, stale_since, pair.policy.sustain, now)

    def _view(self, pair: Pair, measure: Measure | None, beside: tuple[Measure | None, ...]) -> None:
        """What the pair is to the incidents, and on which rows that rests.

        `beside`: measures on which the verdict may come to rest: one without a value, one violated since lately.
        """
        held = self._state.declarations.holding(DeclarationKind.MAINTENANCE, pair.row.asset.key) is not None
        topic = self._unseen(pair)
        state = "" if held else pair_state(pair) if topic is None else pair_failed(pair)
        if topic is not None and not state and not held:
            self._blind(pair, topic)
            return
        resting = self._resting(pair, measure)
        cause = _failure(pair, state) or resting
        watched = resting or cause  # both paths begin with the row itself
        path = watched.path if watched is not None else ()
        if resting is not None and measure is not None:
            path += rests_beyond(resting, measure, self._state.now, self._state.memo)
        for other in beside:
            if other in _FROM_AFAR and other is not measure and pair.verdict is not Verdict.FRESH:
                path += root_cause(pair.row, other, self._state.now, self._state.memo).path
        self._watch(pair, tuple(dict.fromkeys(path)))
        was_bad = pair.bad
        pair.bad = bool(state)
        if not (was_bad or pair.bad or pair.incident):
            return
        self._place(pair, cause if state else None)
        if state:
            assert cause is not None
            self._views[pair] = View(True, cause.row.asset.key, cause.reason.value, state)
        else:
            self._views[pair] = View(False)

    def _unseen(self, pair: Pair) -> str | None:
        """The topic for which the pair is unknown; None: it is not, or not for that."""
        blinded = self._state.blinded
        if not blinded or pair.verdict is not Verdict.UNKNOWN or not pair.policy.has_expectations:
            return None
        return blinded.get(pair.row)

    def _blind(self, pair: Pair, topic: str) -> None:
        """The pair is bad because its verdict cannot be known; that needs no watching."""
        self._watch(pair, ())
        pair.bad = True
        self._place(pair, None)
        self._views[pair] = View(True, cause_of(topic), Reason.BLIND.value, BLIND)

    def _resting(self, pair: Pair, measure: Measure | None) -> Cause | None:
        """What a verdict that is not fresh rests on."""
        uneasy = pair.verdict is not Verdict.FRESH or pair.warn_since != NEVER
        if pair.policy.has_expectations and uneasy and measure is not None:
            return root_cause(pair.row, measure, self._state.now, self._state.memo)
        return None

    def _watch(self, pair: Pair, path: tuple[Row, ...]) -> None:
        if path == pair.path:
            return
        for row in pair.path:
            if row.watchers is not None:
                row.watchers.pop(pair, None)
                row.watchers = row.watchers or None
        for row in path:
            if row.watchers is None:
                row.watchers = {}
            row.watchers[pair] = None
        pair.path = path

    # feeds: several sources of one feed count as one cause

    def _place(self, pair: Pair, cause: Cause | None) -> None:
        feeds = self._state.book.feeds
        old = pair.root
        if old is not None and not old.asset.upstreams and old.asset.feed:
            sources = feeds.get(old.asset.feed, {})
            blamed = sources.get(old.asset.key)
            if blamed is not None:
                blamed.drop(pair)
                if not blamed:
                    del sources[old.asset.key]
            self._feeds.add(old.asset.feed)
        pair.blame = cause
        if cause is not None and not cause.row.asset.upstreams and cause.row.asset.feed:
            feed = cause.row.asset.feed
            feeds.setdefault(feed, {}).setdefault(cause.row.asset.key, Blamed()).put(pair)
            self._feeds.add(feed)

    def changed_views(self) -> dict[Pair, View]:
        """What every pair looked at in this step is to the incidents now; forgotten once taken."""
        for feed in sorted(self._feeds):
            self._label(feed)
        self._feeds.clear()
        views, self._views = self._views, {}
        if self._labels:
            for pair, view in views.items():
                label = self._label_of(pair)
                if view.bad and label is not None:
                    views[pair] = View(True, label[0], label[1], view.state)
        return views

    def _label_of(self, pair: Pair) -> tuple[str, str] | None:
        root = pair.root
        if root is None or root.asset.upstreams or not root.asset.feed:
            return None
        return self._labels.get(root.asset.feed)

    def _label(self, feed: str) -> None:
        sources = self._state.book.feeds.get(feed, {})
        label = None
        if len(sources) >= 2:
            label = (FEED_CAUSE + feed, sources[min(sources)].reason())
        if label == self._labels.get(feed):
            return
        if label is None:
            self._labels.pop(feed, None)
        else:
            self._labels[feed] = label
        for key, blamed in sources.items():
            for pair in blamed:
                if pair not in self._views:
                    self._views[pair] = View(True, key, pair.blame_reason, pair_state(pair))

    # a charter is replaced

    def watched_pairs(self) -> list[Pair]:
        """The pairs that watch something or are in an incident."""
        return [pair for row in self._state.rows.values() for pair in row.pairs if pair.path or pair.incident]

    def forget_gone(self, before: list[Pair]) -> None:
        """Pairs of removed assets and policies leave their incidents and watch nothing."""
        rows, feeds = self._state.rows, self._state.book.feeds
        self._feeds.update(feeds)
        feeds.clear()
        for pair in before:
            if rows.get(pair.row.key) is pair.row and pair in pair.row.pairs:
                self._keep_root(pair)
                continue
            pair.blame = None
            self._watch(pair, ())
            pair.bad = False
            if pair.incident:
                self._views[pair] = View(False)

    def _keep_root(self, pair: Pair) -> None:
        """Until the pair is judged again it counts for the feed of its root, if that is still there."""
        root = pair.root
        if root is None or self._state.rows.get(root.key) is not root:
            pair.blame = None
        elif root.source and root.asset.feed:
            self._state.book.feeds.setdefault(root.asset.feed, {}).setdefault(root.key, Blamed()).put(pair)
            self._feeds.add(root.asset.feed)


def _failure(pair: Pair, state: str) -> Cause | None:
    row = pair.row
    if state == "failed" or (pair.verdict is not Verdict.STALE and state and pair_failed(pair) == "failed"):
        return failed_cause(row)
    return Cause(row, Reason.SYNC_FAILED, (row,)) if state == "sync_failed" else None


def pair_state(pair: Pair) -> str:
    """Why the pair is bad: `stale`, `warn`, `failed`, `sync_failed`; empty: it is not."""
    at = pair.policy.alert.at if pair.policy.alert is not None else DEFAULT_AT
    if pair.policy.has_expectations:
        if pair.verdict is Verdict.STALE and "stale" in at:
            return "stale"
        if pair.verdict is Verdict.UNKNOWN and pair.incident and pair.state == "stale":
            return "stale"
        if pair.verdict in (Verdict.WARN, Verdict.STALE) and "warn" in at:
            return "warn"
    return pair_failed(pair)


def pair_failed(pair: Pair) -> str:
    """What has failed at the pair's asset, if its policy calls that bad: `failed`, `sync_failed` or nothing."""
    at = pair.policy.alert.at if pair.policy.alert is not None else DEFAULT_AT
    row = pair.row
    if "failed" in at and (row.stopped or row.check_failed()):
        return "failed"
    if "sync_failed" in at and not row.asset.upstreams and row.last_failed:
        return "sync_failed"
    return ""
