"""What the daemon decides: due, from, waits, stuck, blocked, which runs to launch now, and when to look again.

One `Decisions` lives as long as its world and remembers only what semantics.md says is "by the daemon's
clock and recorded": when an asset became due, when it ceased to be blocked, whether its retry was dropped,
what people wish. Everything else is read anew from the facts at every instant.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from tests.oracle.facts import Facts, OwnRun
from tests.oracle.freshness import Freshness
from tests.oracle.laws import Bounds, Laws
from tests.oracle.nodes import base
from tests.oracle.results import Checks
from tests.oracle.slack import Slack
from tests.oracle.wishes import Wishes

from freshd.model.asset import AssetKey
from freshd.model.policy import Reaction, ReactionKind
from freshd.model.time import FOREVER, NEVER, Instant


@dataclass(frozen=True, slots=True)
class Launch:
    """Start a run of this asset now."""

    asset: AssetKey
    attempt: int
    wishes: tuple[int, ...] = ()


class Decisions:
    """The planner, naively."""

    def __init__(self, charter: Laws, facts: Facts, started: Instant) -> None:
        self.charter = charter
        self.facts = facts
        self.started = started
        self.now = started
        self.fresh = Freshness(charter.graph, {})
        self.known: Mapping[AssetKey, Instant] = dict.fromkeys(charter.graph.assets, started)
        """When the daemon first knew each asset."""
        self.became_due: dict[AssetKey, Instant] = {}
        self.was_blocked: set[AssetKey] = set()
        self.unblocked_at: dict[AssetKey, Instant] = {}
        self.dropped_retry: set[tuple[str, AssetKey]] = set()
        self.stop_ended: set[tuple[str, AssetKey]] = set()
        self.hurried: set[tuple[str, AssetKey]] = set()
        """Failed runs whose retry a wish made since does not wait for."""
        self.queued: set[AssetKey] = set()
        self.unqueued_at: dict[AssetKey, Instant] = {}
        self.paused: set[AssetKey] = set()
        self.unpaused_at: dict[AssetKey, Instant] = {}
        self.told_to_launch: Collection[AssetKey] = ()
        """What is launched now by whoever may choose when."""
        self._running: set[str] = set()
        self.checks = Checks(facts)
        self.wishes = Wishes(charter)
        self._ordered: tuple[object, list[AssetKey]] = (None, [])

    def forget(self, key: AssetKey) -> None:
        """An asset is gone."""
        self.became_due.pop(key, None)
        self.unblocked_at.pop(key, None)
        self.was_blocked.discard(key)
        self.queued.discard(key)
        self.unqueued_at.pop(key, None)
        self.wishes.forget(key)

    # -- what is asked of an asset

    def reaction(self, key: AssetKey) -> Reaction:
        return self.charter.reactions.get(base(key), Reaction())

    def launchable(self, key: AssetKey) -> bool:
        return bool(self.charter.graph.assets[key].launcher)

    def automatic(self, key: AssetKey) -> bool:
        """Eager or just-in-time, with a launcher, not virtual, not paused."""
        return self.by_itself(key) and key not in self.paused

    def by_itself(self, key: AssetKey) -> bool:
        """Automatic but for pauses."""
        asset = self.charter.graph.assets[key]
        touched = getattr(asset, "current", True) or bool(self.fresh.updates(key))
        by_itself = self.reaction(key).kind is not ReactionKind.MANUAL
        return bool(asset.launcher) and not asset.virtual and touched and by_itself

    def pause(self, paused: set[AssetKey], now: Instant) -> None:
        """These are launched for wishes only."""
        self.unpaused_at.update(dict.fromkeys(self.paused - paused, now))
        self.paused = paused

    def due(self, key: AssetKey) -> bool:
        if self.extracts(key):
            return True
        return self.fresh.due(key, self.now, self.reaction(key).updates_on)

    def extracts(self, key: AssetKey) -> bool:
        """Whether it has nothing above it and is launched just in time: then it always counts as due."""
        just_in_time = self.reaction(key).kind is ReactionKind.JUST_IN_TIME
        return just_in_time and self.automatic(key) and self._is_source(key)

    def _is_source(self, key: AssetKey) -> bool:
        node = self.charter.graph.assets[key]
        return bool(getattr(node, "source", not node.upstreams))

    def in_flight(self, key: AssetKey) -> bool:
        return self.facts.running_since(key, self.now) is not None

    def last_run(self, key: AssetKey) -> OwnRun | None:
        return next(reversed(self.facts.own_runs(key)), None)

    # -- failures

    def attempts(self, run: OwnRun) -> int:
        by_hand = bool(run.wishes) and self.reaction(run.asset).kind is ReactionKind.MANUAL
        return 1 if by_hand else self.reaction(run.asset).retry.attempts

    def retry_at(self, key: AssetKey) -> Instant | None:
        """When the failed last run is tried again; None if no retry is pending."""
        run = self.last_run(key)
        if run is None or run.end is None or run.succeeded or run.name in self.dropped_retry:
            return None
        if run.attempt >= self.attempts(run):
            return None
        retry = self.reaction(key).retry
        return run.end + min(round(retry.delay * retry.factor ** (run.attempt - 1)), retry.max_delay)

    def exhausted(self, key: AssetKey) -> OwnRun | None:
        """The last run, if it used up the attempts and nothing has ended the stop since."""
        run = self.last_run(key)
        if run is None or run.end is None or run.succeeded or run.name in self.stop_ended:
            return None
        return run if run.attempt >= self.attempts(run) and run.name not in self.dropped_retry else None

    def stopped(self, key: AssetKey) -> bool:
        return self.exhausted(key) is not None

    def anew_at(self, run: OwnRun) -> Instant | None:
        """When a stopped asset starts anew: an upstream has a changed update that ends after its last run's start."""
        ends = [c for p in self.fresh.up(run.asset) for c in self.fresh.changed_ends(p, self.now)]
        if run.end is None or not any(c > run.requested for c in ends):
            return None
        return run.end + self.reaction(run.asset).retry.max_delay

    def failed(self, key: AssetKey) -> bool:
        """The flag: its runs used up their attempts, or a check failed."""
        return self.stopped(key) or any(not last.check.passed for last in self.checks.latest(key))

    # -- waiting

    def from_(self, key: AssetKey) -> Instant:
        """from(a), of a due asset; of one that is to become due now, now."""
        if key not in self.became_due:
            return self.now
        window = self.bounds(key).window
        opened = NEVER if window is None else window.opened_at(self.now, self.started) or NEVER
        ended = max((run.end for run in self.facts.own_runs(key) if run.end is not None), default=NEVER)
        return max(
            self.became_due[key],
            ended,
            opened,
            self.unblocked_at.get(key, NEVER),
            self.unqueued_at.get(key, NEVER),
            self.unpaused_at.get(key, NEVER),
            self.started,
        )

    def waits(self, key: AssetKey, p: AssetKey, without: Collection[AssetKey] = ()) -> bool:
        """Whether a due asset waits for an upstream: for its run, for what makes it, for its checks' results."""
        asset = self.charter.graph.assets[p]
        if p in without:
            return False
        if self._checks_outstanding(p, self.from_(key)):
            return True
        if not asset.upstreams:
            return False
        running = self.facts.running_since(p, self.now)
        own_account = self.automatic(p) and self.due(p) and not self.stopped(p) and not self.blocked(p)
        own_account = own_account and not self.held(p)
        if running is not None or own_account:
            pending = self.fresh.pending_since(p, self.now)
            since = [v for v in (pending, running) if v is not None]
            if self.due(p):
                since.append(self.from_(p))
            if since and min(since) <= self.from_(key):
                return True
        return self.passes_on(p) and any(self.waits(key, q, without) for q in self.fresh.up(p))

    def bounds(self, key: AssetKey) -> Bounds:
        """What the reaction of an asset is bound to."""
        return self.charter.bounds.get(base(key), Bounds())

    def held(self, key: AssetKey) -> bool:
        """Whether a due asset is held back by its own window, or because just in time it is too early."""
        return self.automatic(key) and self.due(key) and self.held_until(key) > self.now

    def passes_on(self, p: AssetKey) -> bool:
        """Whether who reads it waits for what is above it; not through what is held back itself."""
        if self.charter.graph.assets[p].virtual:
            return True
        return self.automatic(p) and not self.stopped(p) and not self.held(p)

    def held_until(self, key: AssetKey) -> Instant:
        """From when its window and just-in-time let it go, as things are now."""
        bounds = self.bounds(key)
        until = NEVER if bounds.window is None else bounds.window.opens(self.now)
        if self.reaction(key).kind is ReactionKind.JUST_IN_TIME and self.retry_at(key) is None:
            slack = Slack(self.charter, self.facts, self.fresh, self.known, self.now)
            until = max(until, self._not_in_vain(key, slack.needed_by(key, 1 + bounds.margin)))
        return until

    def _not_in_vain(self, key: AssetKey, needed: Instant) -> Instant:
        """An extractor whose last run began in time and was no help waits `max_delay` before it tries again.

        It need not hear at once that its next run would help again.
        """
        last = self.last_run(key)
        if not self._is_source(key) or last is None or last.end is None:
            return needed
        waited = last.end + self.reaction(key).retry.max_delay
        helps = needed > last.start and (self.now >= waited or key in self.told_to_launch)
        return needed if helps else max(needed, waited)

    def _checks_outstanding(self, p: AssetKey, since: Instant) -> bool:
        """Whether results of blocking checks for p's last update up to `since` have yet to come."""
        updated = self.fresh.updated_at(p, since)
        if updated is None or self.charter.graph.assets[p].virtual:
            return False
        if self.now >= updated + self.charter.limits.check_wait:
            return False
        told = self.checks.results(p)
        names = {name for name, all_told in told.items() if all_told[-1].check.blocking}
        names |= {rule.name for rule in self.checks.rules(p) if rule.blocking}
        return any(name not in told or told[name][-1].at < updated for name in names)

    def stuck(self, p: AssetKey) -> bool:
        if (self.stopped(p) and self.due(p)) or self.checks.blocks(p):
            return True
        hands_on = self.automatic(p) or self.charter.graph.assets[p].virtual
        return hands_on and any(self.stuck(q) for q in self.fresh.up(p))

    def blocked(self, key: AssetKey) -> bool:
        if self.reaction(key).go_on or not self.due(key):
            return False
        return any(self.stuck(p) for p in self.fresh.up(key))

    # -- the clock's own part

    def observe(self, now: Instant, fresh: Freshness) -> None:
        """Take note of what is recorded by the daemon's clock, once everything of this instant is known."""
        self.now, self.fresh = now, fresh
        self.checks.observe(self.charter)
        running = self.facts.running()
        if self._running - running:  # a launcher has a place again: all who queue for it look again
            self.unqueued_at.update(dict.fromkeys(self.queued, now))
            self.queued.clear()
        self._running = running
        for key in self.charter.graph.assets:
            run = self.exhausted(key)
            if run is not None and self._stop_over(run):
                self.stop_ended.add(run.name)
            self.wishes.take_outcomes(self.facts.own_runs(key), self.attempts)
            due, was_due = self.due(key), key in self.became_due
            if due:
                self.became_due.setdefault(key, now)
            else:
                self.became_due.pop(key, None)
            last = self.last_run(key)
            held = self.wishes.wanted(key) and not was_due
            if last is not None and self.retry_at(key) is not None and not due and not held:
                self.dropped_retry.add(last.name)
        for key in self.charter.graph.assets:
            if self.blocked(key):
                self.was_blocked.add(key)
            elif key in self.was_blocked:
                self.was_blocked.discard(key)
                self.unblocked_at[key] = now

    def read_through(self, key: AssetKey) -> list[AssetKey]:
        """What is above an asset; of a whole its partitions that are looked after."""
        node = self.charter.graph.assets[key]
        gathers = getattr(node, "gathers", "")
        touched = (self.charter.graph.assets[up] for up in node.upstreams)
        return [up for up, one in zip(node.upstreams, touched, strict=True)
                if not gathers or getattr(one, "current", True) or self.fresh.updates(up)]  # fmt: skip

    def _stop_over(self, run: OwnRun) -> bool:
        """Any update of it that came since (however old) ends a stop, and what an upstream brought in due course."""
        anew = self.anew_at(run)
        return len(self.fresh.updates(run.asset)) > run.updates_known or (anew is not None and self.now >= anew)

    def wish(self, assets: tuple[AssetKey, ...], parallel: int = 0) -> None:
        """Plan what a person asks for."""
        planned = self.wishes.plan(
            assets, self.due, lambda key: self.fresh.updated_at(key, self.now) is None, self.read_through, parallel
        )
        for key in planned.planned:
            stopped = self.exhausted(key)
            if stopped is not None:
                self.stop_ended.add(stopped.name)
            last = self.last_run(key)
            if last is not None and self.retry_at(key) is not None:
                self.hurried.add(last.name)

    # -- launching

    def quiet_from(self, key: AssetKey) -> Instant:
        """The end of the last changed upstream update; of an asset never updated, of the last one at all."""
        never = not self.fresh.updates(key)
        ends = [u.end for p in self.fresh.up(key) for u in self.fresh.updates(p) if u.changed or never]
        return max(ends, default=NEVER)

    def launch_at(self, key: AssetKey) -> tuple[Instant, list[Instant]]:
        """The instant from which an eager asset may be launched, and other instants at which to look again."""
        if not self.automatic(key) or not self.due(key) or self.in_flight(key):
            return FOREVER, []
        if self.stopped(key) or self.blocked(key):
            return FOREVER, []
        held = self.held_until(key)
        if held > self.now:
            return FOREVER, [held]
        reaction = self.reaction(key)
        forced = self.from_(key) + reaction.max_wait
        waiting = any(self.waits(key, p) for p in self.fresh.up(key))
        last, retry = self.last_run(key), self.retry_at(key)
        if retry is not None and last is not None and last.name not in self.hurried:
            ready = retry if waiting is False else FOREVER
            return min(ready, max(retry, forced)), [retry, forced]
        spaced = NEVER if last is None else last.requested + reaction.min_interval
        quiet = self.quiet_from(key) + reaction.debounce
        ready = FOREVER if waiting else quiet
        return max(spaced, min(ready, forced)), [spaced, quiet, forced]

    def next_launch(self) -> Launch | None:
        """The first run to start now, upstreams first; what is wished for needs no other ground.

        Where there are limits all who are ready are known first; then the one with the least slack begins.
        """
        contending: list[tuple[Instant, AssetKey, Launch]] = []
        slack = Slack(self.charter, self.facts, self.fresh, self.known, self.now)
        for key in self._upstreams_first():
            wished = self.wishes.ready(key, self.facts.runs)
            by_wish = bool(wished) and self.wish_at(key) <= self.now
            if not by_wish and self.launch_at(key)[0] > self.now:
                continue
            launch = Launch(key, self.next_attempt(key), wished if by_wish else ())
            if not self._contends(key):
                return launch
            contending.append((slack.needed_by(key), key, launch))
        for _, key, launch in sorted(contending, key=lambda one: one[:2]):
            if self._has_place(key):
                self.queued.discard(key)
                return launch
            self.queued.add(key)
        return None

    def _upstreams_first(self) -> list[AssetKey]:
        """By how far they are from what has no upstreams, then by key."""
        if self._ordered[0] is not self.charter.graph:
            levels: dict[AssetKey, int] = {}
            for key, asset in self.charter.graph.assets.items():
                levels[key] = 1 + max((levels[up] for up in asset.upstreams), default=0)
            self._ordered = (self.charter.graph, sorted(levels, key=lambda key: (levels[key], key)))
        return self._ordered[1]

    def _limit(self, key: AssetKey) -> int:
        traits = self.charter.launchers.get(self.charter.graph.assets[key].launcher)
        return traits.limit if traits is not None else 0

    def _contends(self, key: AssetKey) -> bool:
        """Whether some limit is set on how many runs go on beside its own."""
        places = self.charter.places
        return bool(self._limit(key) or places.runs or places.tags.keys() & set(self._tags(key)))

    def _tags(self, key: AssetKey) -> tuple[str, ...]:
        return tuple(getattr(self.charter.graph.assets[key], "tags", ()))

    def _has_place(self, key: AssetKey) -> bool:
        """Whether its launcher, each of its tags, and the daemon take one more run."""
        running, places = self.facts.running(), self.charter.places
        for limit in (self._limit(key), places.runs):
            if limit and len(running) >= limit:
                return False
        under_way = [run.asset for run in self.facts.runs if run.end is None]
        return all(
            sum(tag in self._tags(asset) for asset in under_way) < places.tags[tag]
            for tag in self._tags(key)
            if tag in places.tags
        )

    def next_attempt(self, key: AssetKey) -> int:
        """Which attempt a run started now would be."""
        last = self.last_run(key)
        return last.attempt + 1 if last is not None and self.retry_at(key) is not None else 1

    def wish_at(self, key: AssetKey) -> Instant:
        """From when a wished asset, whose planned upstreams have succeeded, may be launched."""
        if self.in_flight(key) or self.blocked(key):
            return FOREVER
        last, retry = self.last_run(key), self.retry_at(key)
        return NEVER if last is None or retry is None or last.name in self.hurried else retry

    def next_looks(self) -> list[Instant]:
        """Instants after now at which something may be decided without news."""
        looks: list[Instant] = []
        for key in self.charter.graph.assets:
            at, others = self.launch_at(key)
            looks += [at, *others]
            window = self.bounds(key).window
            if window is not None:
                looks += [window.ticks.until(self.now) + window.length, window.ticks.after(self.now)]
            if self.wishes.ready(key, self.facts.runs):
                looks.append(self.wish_at(key))
            if self.checks.latest(key) or self.checks.rules(key):
                looks += [u.end + self.charter.limits.check_wait for u in self.fresh.updates(key)]
            run = self.exhausted(key)
            anew = None if run is None else self.anew_at(run)
            if anew is not None:
                looks.append(anew)
            looks += [start + self.facts.lost_after for start in self.facts.foreign_starts(key, self.now)]
        return [look for look in looks if self.now < look < FOREVER]
