"""Random walks of one engine over every kind of input, replaced charters among them; a seed is a walk.

A walk draws its graph, policies and reactions from a small pool of names, so that assets come, go and are
rewired while they run, fail, are wished for or are members of an incident. It knows nothing of what should
come of it: the tests that walk compare one engine with another, or with what it keeps.
"""

from __future__ import annotations

from dataclasses import replace
from random import Random

from freshd.core.engine import Engine
from freshd.model.asset import Asset
from freshd.model.declarations import Declaration, DeclarationKind
from freshd.model.effects import LaunchRun, SendNotice
from freshd.model.graph import build_graph
from freshd.model.inputs import (
    Acknowledge,
    Blind,
    CaughtUp,
    CharterReplaced,
    Check,
    DeadLetter,
    Event,
    EventKind,
    Input,
    NoticeReport,
    RunPhase,
    RunReport,
    Sighted,
    Unmatched,
    Wish,
    Withdraw,
)
from freshd.model.policy import (
    Alert,
    Charter,
    Deadline,
    LauncherTraits,
    Limit,
    Limits,
    Measure,
    Policy,
    Reaction,
    ReactionKind,
    Retry,
    Severity,
)
from freshd.model.time import FOREVER, MINUTE, SECOND, Duration, Instant

SOURCES = ("r0", "r1", "r2")
DERIVED = ("m0", "m1", "m2", "m3", "m4", "m5")
TOPICS = ("", "fivetran", "lineage")
LIMITS = Limits(lost_after=40 * MINUTE, reopen=5 * MINUTE, check_wait=3 * MINUTE, history=16)


class Every:
    """Ticks at whole multiples of a period."""

    def __init__(self, period: Duration) -> None:
        self.period = period

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Every) and other.period == self.period

    def __hash__(self) -> int:
        return hash(self.period)

    def after(self, instant: Instant) -> Instant:
        """The first tick later than `instant`."""
        return (instant // self.period + 1) * self.period

    def until(self, instant: Instant) -> Instant:
        """The last tick not later than `instant`."""
        return instant // self.period * self.period


class Walk:
    """One seed's choices; `inputs` are drawn with an eye on what the engine has under way."""

    def __init__(self, seed: int, *, replacing: bool = True, small_history: bool = False) -> None:
        self.rng = Random(f"walk {seed}")
        self.replacing = replacing
        self.limits = replace(LIMITS, history=3) if small_history else LIMITS
        self.now: Instant = 600 * MINUTE
        self._ids = 0
        self._old_runs: list[LaunchRun] = []
        self._events: list[Event] = []
        self.charter = self.draw_charter()

    def chance(self, share: float) -> bool:
        return self.rng.random() < share

    # charters

    def draw_charter(self) -> Charter:
        rng = self.rng
        sources = rng.sample(SOURCES, rng.randint(1, 3))
        assets = [Asset(key, feed=rng.choice(["", "one"]), static=self.chance(0.1)) for key in sources]
        for key in DERIVED:
            if self.chance(0.8):
                above = [asset.key for asset in assets]
                ups = tuple(rng.sample(above, min(len(above), rng.choice([1, 1, 2, 2, 3]))))
                virtual = self.chance(0.2)
                launcher = "" if virtual else rng.choice(["wave", "wave", "narrow", "free", "free", ""])
                assets.append(Asset(key, ups, virtual=virtual, static=self.chance(0.05), launcher=launcher))
        return self.charter_over(assets)

    def redraw_some(self) -> Charter:
        """Some assets are rewired, gone, or new; the others as they were."""
        rng = self.rng
        new = self.draw_charter()
        kept = self.charter.graph.assets
        assets: list[Asset] = []
        for key in (*SOURCES, *DERIVED):
            drawn, known = new.graph.assets.get(key), kept.get(key)
            chosen = known if known is not None and self.chance(0.6) else drawn if self.chance(0.8) else None
            if chosen is not None:
                present = {asset.key for asset in assets}
                ups = tuple(up for up in chosen.upstreams if up in present)
                if chosen.upstreams and not ups and self.chance(0.5):
                    continue
                assets.append(replace(chosen, upstreams=ups, virtual=chosen.virtual and bool(ups)))
        if not assets:
            return new
        if rng.random() < 0.5:
            return replace(self.charter, graph=build_graph(assets), **_only(self.charter, {a.key for a in assets}))
        return self.charter_over(assets)

    def charter_over(self, assets: list[Asset]) -> Charter:
        rng = self.rng
        keys = [asset.key for asset in assets]
        policies: dict[str, Policy] = {}
        selected: dict[str, tuple[str, ...]] = {}
        for name in ("p", "q"):
            if self.chance(0.85):
                policies[name] = self.policy(name)
                selected[name] = tuple(sorted(rng.sample(keys, rng.randint(1, len(keys)))))
        reactions = {
            asset.key: self.reaction(asset)
            for asset in assets
            if asset.upstreams and not asset.virtual and self.chance(0.8)
        }
        launchers = {
            "wave": LauncherTraits("wave", wave=True, limit=rng.choice([0, 1, 1])),
            "narrow": LauncherTraits("narrow", limit=1),
            "free": LauncherTraits("free"),
        }
        return Charter(build_graph(assets), policies, selected, reactions, launchers, self.chance(0.1), self.limits)

    def policy(self, name: str) -> Policy:
        rng = self.rng
        limits = []
        for measure in rng.sample([Measure.LAG, Measure.BEHIND, Measure.AGE], rng.randint(0, 2)):
            stale = rng.choice([5, 10, 20]) * MINUTE
            limits.append(Limit(measure, stale // 2 if self.chance(0.5) else None, stale))
        deadlines = ()
        if self.chance(0.3):
            deadlines = (
                Deadline(Every(15 * MINUTE), 8 * MINUTE, rng.choice([0, MINUTE]), rng.choice([0, 2 * MINUTE])),
            )
        alert = None
        if self.chance(0.7):
            at = rng.choice([{"stale", "failed"}, {"stale", "failed"}, {"warn", "stale"}, {"failed", "sync_failed"}])
            alert = Alert(
                rng.choice(list(Severity)), frozenset(at), rng.choice(["", "#data"]), rng.choice([(), ("@me",)])
            )
        return Policy(
            name,
            tuple(limits),
            deadlines,
            rng.choice([None, 20 * MINUTE]),
            rng.choice([0, 0, 0, 2 * MINUTE]),
            alert=alert,
        )

    def reaction(self, asset: Asset) -> Reaction:
        rng = self.rng
        return Reaction(
            ReactionKind.EAGER,
            debounce=rng.choice([0, 0, 0, MINUTE]),
            max_wait=rng.choice([3, 60]) * MINUTE,
            min_interval=rng.choice([0, 0, 4 * MINUTE]),
            updates_on=rng.choice(["any", "any", "all", asset.upstreams[:1]]),
            retry=Retry(rng.choice([1, 2, 3]), MINUTE, 2.0, rng.choice([2, 10]) * MINUTE, rng.choice([0.0, 0.1])),
            go_on=self.chance(0.15),
        )

    # inputs

    def pass_time(self, engine: Engine) -> None:
        """A little later, or exactly when the engine wants to be woken."""
        wake = engine.next_wake()
        if wake is not None and self.chance(0.4):
            self.now = max(self.now, min(wake, self.now + 20 * MINUTE))
        else:
            self.now += self.rng.choice([0, 0, 1, SECOND, 20 * SECOND, MINUTE, 3 * MINUTE, 12 * MINUTE])

    def inputs(self, engine: Engine) -> list[Input]:
        """What is said next: nothing, one thing, or several at once."""
        return [self.one(engine) for _ in range(self.rng.choice([0, 1, 1, 1, 2, 4]))]

    def one(self, engine: Engine) -> Input:
        rng = self.rng
        if self.chance(0.08):
            return self.word(engine)
        share = rng.random()
        if share < 0.30:
            return self.remembered(self.told())
        under_way = sorted(engine.unconfirmed(), key=repr)
        runs = [effect for effect in under_way if isinstance(effect, LaunchRun)]
        self._old_runs += [run for run in runs if run not in self._old_runs]
        if share < 0.72 and runs:
            return self.report(rng.choice(runs))
        if share < 0.76 and self._old_runs:
            return self.report(rng.choice(self._old_runs))
        notices = [effect.notice for effect in under_way if isinstance(effect, SendNotice)]
        if share < 0.86 and notices:
            return NoticeReport(rng.choice(notices).notice_id, self.now, self.chance(0.8), rng.choice(["", "C1/17.5"]))
        if share < 0.92:
            keys = list(engine.charter.graph.assets)
            return Wish(self._id("wish"), tuple(rng.sample(keys, min(len(keys), rng.choice([1, 1, 2])))), "me")
        if share < 0.95 and self.replacing:
            self.charter = self.redraw_some()
            return CharterReplaced(self.charter)
        if share < 0.97:
            return CaughtUp()
        if self._events and self.chance(0.8):
            return rng.choice(self._events)
        return rng.choice(
            [DeadLetter("kafka/t/0/7", "broken", "not JSON", b"{"), Unmatched("freshd", "x", {"a": "b"}, self.now)]
        )

    def word(self, engine: Engine) -> Input:
        """Somebody declares, withdraws or acknowledges something, or a topic is lost from sight or seen again."""
        rng = self.rng
        keys = tuple(sorted(rng.sample(list(engine.charter.graph.assets), rng.randint(0, 2))))
        if self.chance(0.4):
            kind, begins = rng.choice(list(DeclarationKind)), self.now + rng.choice([-MINUTE, 0, 0, 3 * MINUTE])
            until = FOREVER if self.chance(0.1) else begins + rng.choice([1, MINUTE, 9 * MINUTE, 40 * MINUTE])
            return Declaration(self._id("said"), kind, keys, begins, until, "me", "because", "*")
        if self.chance(0.3):
            return Withdraw(tuple(rng.sample(list(DeclarationKind), rng.choice([1, 2]))), keys, "me")
        open_ones = [view.incident for view in engine.incidents()]
        if open_ones and self.chance(0.4):
            return Acknowledge(rng.choice(open_ones), "me", "I know", self.now + rng.choice([0, 5, 20]) * MINUTE)
        topic = rng.choice(TOPICS)
        return Blind(topic, self.now, "no broker answers") if self.chance(0.5) else Sighted(topic)

    def remembered(self, event: Event) -> Event:
        self._events.append(event)
        return event

    def told(self) -> Event:
        rng = self.rng
        keys = [key for key, asset in self.charter.graph.assets.items() if not asset.virtual]
        sources = [key for key in keys if not self.charter.graph.assets[key].upstreams]
        key = rng.choice(sources if sources and self.chance(0.7) else keys or ["gone"])
        at = self.now - rng.choice([0, 0, 0, 1, MINUTE, 7 * MINUTE, 25 * MINUTE])
        run_id = rng.choice(["", "", "job-1", "job-2", self._id("job")])
        kind = rng.choices(list(EventKind), [10, 2, 3, 2, 1, 2, 1])[0]
        started = at - rng.choice([0, 1, MINUTE, 10 * MINUTE]) if self.chance(0.4) else None
        reaches = at - rng.choice([-MINUTE, 0, MINUTE, 10 * MINUTE]) if self.chance(0.3) else None
        if kind is EventKind.CHECK:
            named = Check(rng.choice(["rows", "nulls"]), self.chance(0.6), blocking=self.chance(0.6))
            return Event(kind, (key,), at, self._id("e"), check=named)
        if kind is EventKind.OBSERVATION:
            return Event(kind, (key,), at, self._id("e"), data_time=reaches)
        return Event(
            kind, (key,), at, self._id("e"), rng.choice(["", "loader"]), started_at=started, data_time=reaches,
            run_id=run_id, changed=self.chance(0.85), whole_run=self.chance(0.1), topic=rng.choice(TOPICS),
        )  # fmt: skip

    def report(self, run: LaunchRun) -> RunReport:
        rng = self.rng
        phase = rng.choices(list(RunPhase), [1, 2, 10, 4, 1, 1, 3])[0]
        asset = rng.choice(["", *run.assets])
        started = self.now - rng.choice([0, MINUTE]) if self.chance(0.3) else None
        checks = (Check("rows", self.chance(0.7), 12.0, True),) if self.chance(0.2) else ()
        return RunReport(
            run.run_id, phase, self.now - rng.choice([0, 0, SECOND]), asset, started, self.chance(0.9),
            checks=checks, error="it broke" if phase is RunPhase.FAILED else "",
        )  # fmt: skip

    def _id(self, kind: str) -> str:
        self._ids += 1
        return f"{kind}-{self._ids}"


def _only(charter: Charter, keys: set[str]) -> dict[str, object]:
    return {
        "selected": {name: tuple(key for key in keys_of if key in keys) for name, keys_of in charter.selected.items()},
        "reactions": {key: reaction for key, reaction in charter.reactions.items() if key in keys},
    }
