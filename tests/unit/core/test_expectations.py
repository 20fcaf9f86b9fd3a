"""Calendars, checks and learned limits by table: what happened to `a`, and every verdict with its first minute.

The asset `a` reads the source `r`; the daemon knows both from minute 0, a Thursday's midnight in UTC.
"""

from __future__ import annotations

from array import array
from dataclasses import dataclass, replace

import pytest
from tests.unit.core.play import Play, charter_of, check, update
from tests.unit.core.walks import Every

from freshd.adapters.calendar import weekhours_in
from freshd.core.expecting import part_of
from freshd.core.rows import Row, make_row
from freshd.core.verdicts import judge
from freshd.model.asset import Asset, PartitionScheme
from freshd.model.graph import build_graph
from freshd.model.inputs import CharterReplaced, Event
from freshd.model.policy import CheckRule, Deadline, Learned, Limit, Measure, Policy, Verdict
from freshd.model.records import VerdictChanged
from freshd.model.time import MINUTE, Duration, Instant

M = MINUTE


@dataclass(frozen=True)
class OpenFirst:
    """Of every so many minutes the first `open` ones are open."""

    every: int
    open: int

    def is_open(self, instant: Instant) -> bool:
        return instant % (self.every * M) < self.open * M

    def opens_after(self, instant: Instant) -> Instant:
        return instant if self.is_open(instant) else (instant // (self.every * M) + 1) * self.every * M

    def elapsed(self, start: Instant, end: Instant) -> Duration:
        return max(0, self._before(end) - self._before(start))

    def _before(self, instant: Instant) -> Duration:
        rounds, rest = divmod(instant, self.every * M)
        return rounds * self.open * M + min(rest, self.open * M)

    def reach(self, start: Instant, duration: Duration) -> Instant:
        if duration <= 0:
            return start
        rounds, rest = divmod(self._before(start) + duration - 1, self.open * M)
        return rounds * self.every * M + rest + 1


@dataclass(frozen=True)
class Line:
    number: str
    policy: Policy
    events: tuple[Event, ...]
    story: str


def limited(measure: str, warn: int | None, stale: int | None, **more: object) -> Policy:
    given = Limit(Measure(measure), None if warn is None else warn * M, None if stale is None else stale * M)
    return Policy("p", (given,), **more)  # type: ignore[arg-type]


def asked(*rules: CheckRule, **more: object) -> Policy:
    return Policy("p", checks=rules, **more)  # type: ignore[arg-type]


def said(minute: float, **metadata: object) -> Event:
    return update("a", minute, metadata=metadata)


def result(minute: float, value: float | str | None = None, passed: bool = True, name: str = "rows") -> Event:
    event = check("a", minute, passed, name=name)
    assert event.check is not None
    return replace(event, check=replace(event.check, value=value))


TWENTY_OF_40 = OpenFirst(40, 20)  # open in 0-20, 40-60, 80-100
A6, R5 = update("a", 6), update("r", 5)
ROWS = CheckRule("rows", min=10, max=100)

CALENDAR = [
    Line("01 open time alone counts: 14 before 20, the rest from 40 on", limited("age", 10, 20, calendar=TWENTY_OF_40),
         (A6,), "6 fresh, 16 warn, 46 stale"),
    Line("02 a limit that ends with open time is reached at its end", limited("age", None, 14, calendar=TWENTY_OF_40),
         (A6,), "6 fresh, 20 stale"),
    Line("03 what happens in closed time counts from the next opening", limited("age", None, 5, calendar=TWENTY_OF_40),
         (update("a", 30),), "30 fresh, 45 stale"),
    Line("04 stale stays stale while closed", limited("age", None, 10, calendar=TWENTY_OF_40),
         (A6, update("a", 70)), "6 fresh, 16 stale, 70 fresh, 90 stale"),
    Line("05 lag counts open time", limited("lag", None, 20, calendar=TWENTY_OF_40),
         (R5, A6), "6 fresh, 45 stale"),
    Line("06 behind counts open time", limited("behind", None, 20, calendar=TWENTY_OF_40),
         (R5, A6, update("r", 10)), "6 fresh, 50 stale"),
    Line("07 never updated runs in wall time", limited("age", None, 20, calendar=TWENTY_OF_40, never_updated=30 * M),
         (R5,), "30 stale"),
    Line("08 sustain runs in wall time", limited("age", None, 14, calendar=TWENTY_OF_40, sustain=10 * M),
         (A6,), "6 fresh, 30 stale"),
    Line("09 a limit of nothing is reached at once", limited("age", None, 0, calendar=TWENTY_OF_40),
         (update("a", 30),), "30 stale"),
]  # fmt: skip

CHECKS = [
    Line("10 unknown without a result", asked(ROWS), (A6,), ""),
    Line("11 within the range", asked(ROWS), (result(5, 10), result(6, 100)), "5 fresh"),
    Line("12 below it", asked(ROWS), (result(5, 10), result(6, 9)), "5 fresh, 6 stale"),
    Line("13 above it", asked(ROWS), (result(5, 101),), "5 stale"),
    Line("14 until the next result", asked(ROWS), (result(5, 1), result(9, 50)), "5 stale, 9 fresh"),
    Line("15 the latest by `at` counts, not the one told last", asked(ROWS), (result(5, 50), result(4, 1)), "5 fresh"),
    Line("16 one that did not pass violates, whatever its value", asked(ROWS), (result(5, 50, False),), "5 stale"),
    Line("17 a range without a number to compare", asked(ROWS), (result(5),), ""),
    Line("18 level: warn", asked(replace(ROWS, level=Verdict.WARN)), (result(5, 1),), "5 warn"),
    Line("19 passed is all that a bare name asks", asked(CheckRule("rows")), (result(5), result(6, None, False)),
         "5 fresh, 6 stale"),
    Line("20 equals a text", asked(CheckRule("rows", equals="ok")), (result(5, "ok"), result(6, "bad")),
         "5 fresh, 6 stale"),
    Line("21 metadata of an update is a result", asked(ROWS), (said(5, rows=50), said(6, rows=1)), "5 fresh, 6 stale"),
    Line("22 metadata that says nothing of it leaves it", asked(ROWS), (said(5, rows=50), said(6, bytes=1)), "5 fresh"),
    Line("23 a boolean says whether it passed", asked(CheckRule("ok")), (said(5, ok=True), said(6, ok=False)),
         "5 fresh, 6 stale"),
    Line("24 neither number, text nor boolean is no result", asked(ROWS), (said(5, rows=[50]), said(6, rows=None)), ""),
    Line("25 metadata of an incomplete update is none", asked(ROWS, completeness=0.9),
         (update("a", 5, completeness=0.5, metadata={"rows": 50}),), ""),
    Line("26 relative: unknown until there are enough before", asked(CheckRule("rows", min=0.5, max=2, last=2)),
         (result(5, 10), result(6, 20), result(7, 30)), "7 fresh"),
    Line("27 relative: below half of the mean of 10 and 20", asked(CheckRule("rows", min=0.5, last=2)),
         (result(5, 10), result(6, 20), result(7, 7)), "7 stale"),
    Line("28 relative: exactly half of it", asked(CheckRule("rows", min=0.5, last=2)),
         (result(5, 10), result(6, 20), result(7, 7.5)), "7 fresh"),
    Line("29 relative: only the last ones count", asked(CheckRule("rows", max=2, last=2)),
         (result(4, 1000), result(5, 10), result(6, 20), result(7, 31)), "6 fresh, 7 stale"),
    Line("30 relative: what came late counts where it belongs", asked(CheckRule("rows", max=2, last=2)),
         (result(5, 10), result(6, 20), result(7, 31), replace(result(5.5, 100), at=round(5.5 * M))),
         "7 stale, 8 fresh"),
    Line("31 several: the worst", asked(CheckRule("a", level=Verdict.WARN), CheckRule("b")),
         (result(5, passed=False, name="a"), result(6, name="b"), result(7, passed=False, name="b")),
         "5 warn, 7 stale"),
    Line("32 several: unknown is worse than fresh", asked(CheckRule("a"), CheckRule("b")),
         (result(5, name="a"), result(6, name="b")), "6 fresh"),
    Line("33 beside a limit", replace(limited("age", None, 20), checks=(ROWS,)),
         (said(5, rows=50), said(9, rows=5)), "5 fresh, 9 stale"),
]  # fmt: skip


@pytest.mark.parametrize("line", CALENDAR + CHECKS, ids=lambda line: line.number)
def test_story(line: Line) -> None:
    play = Play(charter_of("r; a < r", {"p": (line.policy, "a")}))
    for event in line.events:
        at = max(event.at / M, play.now / M + (0 if event.at >= play.now else 1))
        play.at(at, event)
    play.until(100)
    assert story(play) == line.story


def story(play: Play) -> str:
    changes = [record for record in play.of(VerdictChanged) if record.asset == "a"]
    return ", ".join(f"{record.now / M:g} {record.new.value}" for record in changes)


def test_a_calendar_gives_turning_points_and_the_instant_to_wake() -> None:
    play = Play(charter_of("r; a < r", {"p": (limited("age", 10, 20, calendar=TWENTY_OF_40), "a")}))
    play.update(6, "a")
    view = play.see("a").policies[0]
    assert (view.warn_at, view.stale_at) == (16 * M, 46 * M)
    assert play.until(16).engine.next_wake() == 46 * M


def test_the_cause_of_a_violated_check_is_the_asset_itself() -> None:
    play = Play(charter_of("r; a < r", {"p": (asked(ROWS), "a")}))
    play.at(5, result(5, 1))
    assert play.incidents() == [("a", "check_failed", "a")]
    assert play.see("a").failed is False  # it passed, as it says itself
    assert play.at(6, result(6, 10)).incidents() == []


COMPLAINTS = [
    (CheckRule("rows"), (), "rows: no result yet"),
    (CheckRule("rows"), (result(5, passed=False),), "rows did not pass"),
    (CheckRule("rows", min=1), (result(5, 0),), "rows is 0, below 1"),
    (CheckRule("rows", max=10), (result(5, 1e6),), "rows is 1e+06, above 10"),
    (CheckRule("rows", min=1), (result(5, "none"),), "rows: a result without a number to compare"),
    (CheckRule("rows", equals="ok"), (result(5, "bad"),), "rows is bad, not ok"),
    (
        CheckRule("rows", min=0.5, last=2),
        (result(5, 9), result(6, 9)),
        "rows: only 1 of 2 earlier values to compare with",
    ),
    (
        CheckRule("rows", min=0.5, max=2, last=2),
        (result(5, 10), result(6, 20), result(7, 3)),
        "rows is 3, below 50% of 15, the mean of the last 2",
    ),
    (CheckRule("rows", min=1), (result(5, 1),), ""),
]


@pytest.mark.parametrize(("rule", "events", "said"), COMPLAINTS, ids=[line[2] or "fine" for line in COMPLAINTS])
def test_what_is_not_as_asked_is_told_in_words(rule: CheckRule, events: tuple[Event, ...], said: str) -> None:
    play = Play(charter_of("a", {"p": (asked(rule), "a")}))
    for event in events:
        play.at(event.at / M, event)
    assert play.see("a").policies[0].complaints == ((said,) if said else ())


def test_a_rule_that_blocks_holds_back_what_is_below() -> None:
    rule = replace(ROWS, blocking=True)
    play = Play(charter_of("r; a < r", {"p": (asked(rule), "r")}, eager="a"))
    play.at(5, replace(update("r", 5), metadata={"rows": 50})).done(6, "a")
    assert play.runs == [(5, "a")]
    play.at(10, replace(update("r", 10), metadata={"rows": 1}))
    assert play.runs == [(5, "a")] and play.see("a").blocked
    play.at(12, replace(update("r", 12), metadata={"rows": 60}))
    assert not play.see("a").blocked and play.runs[1:] == [(12, "a")]


def test_readers_wait_for_the_results_that_a_blocking_rule_asks_for() -> None:
    rule = CheckRule("rows", blocking=True)
    play = Play(charter_of("r; a < r", {"p": (asked(rule), "r")}, eager="a"))
    play.update(5, "r").until(6)
    assert play.runs == []
    play.at(7, check("r", 7, True))
    assert play.runs == [(7, "a")]
    play.done(8, "a").update(10, "r").until(40)
    assert play.runs[1:] == [(20, "a")]  # after check_wait nobody waits any longer


def rhythm(every: int, count: int, start: int = 0) -> list[Event]:
    return [update("a", start + every * place) for place in range(count)]


def learned(tenths: int = 20, **more: object) -> Policy:
    return Policy("p", learned=Learned(tenths, weekhours_in("UTC")), **more)  # type: ignore[arg-type]


LEARNED = [
    # gaps of 5 minutes: p95 and p99 are 5
    ("34 unknown with 9 gaps", learned(), rhythm(5, 10), 80, ""),
    ("35 known with 10: limits twice the usual wait", learned(), rhythm(5, 11), 80, "50 fresh, 60 stale"),
    ("36 a higher sensitivity warns sooner", learned(12), rhythm(5, 11), 80, "50 fresh, 56 stale"),
    ("37 never updated", learned(never_updated=30 * M), [], 80, "30 stale"),
    ("38 an update ends it", learned(), [*rhythm(5, 11), update("a", 70)], 75, "50 fresh, 60 stale, 70 fresh"),
    ("39 two ends at one instant are one", learned(), [*rhythm(5, 10), update("a", 45)], 80, ""),
    # 20 gaps of 5, one of 30: of 21 in this hour of all, p95 is the 20th smallest, p99 the 21st
    (
        "40 a long one moves p99 first", learned(), [*rhythm(5, 11), *rhythm(5, 11, 80)], 200,
        "50 fresh, 60 stale, 80 fresh, 140 warn, 190 stale",
    ),
    # gaps begun in hour 0: 12 of 5 minutes; in hour 1: four of 15: too few, so all count
    (
        "41 a bucket with few gaps takes all", learned(), [*rhythm(5, 13), *rhythm(15, 4, 75)], 200,
        "50 fresh, 70 stale, 75 fresh, 150 stale",
    ),
    # open in the first 20 of every 40 minutes: gaps of 20 minutes are 0 or 20 open ones
    (
        "42 under a calendar gaps and limits are open time", learned(calendar=TWENTY_OF_40), rhythm(20, 12), 400,
        "200 fresh, 300 stale",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("number", "policy", "events", "end", "told"), LEARNED, ids=[line[0] for line in LEARNED])
def test_learned(number: str, policy: Policy, events: list[Event], end: int, told: str) -> None:
    play = Play(charter_of("r; a < r", {"p": (policy, "a")}))
    for event in events:
        play.at(event.at / M, event)
    assert story(play.until(end)) == told


def test_the_hour_of_the_week_decides() -> None:
    """Hourly by day, silent by night: the wait that begins at 20:00 is known to last till morning."""
    hour = 60
    policy = learned()
    play = Play(charter_of("r; a < r", {"p": (policy, "a")}))
    for day in range(6):
        for clock in range(8, 21):
            play.at((day * 24 + clock) * hour, update("a", (day * 24 + clock) * hour))
    view = play.see("a").policies[0]
    assert view.stale_at == (5 * 24 + 20 + 24) * hour * M  # twice the 12 hours of the five nights before
    morning = (6 * 24 + 8) * hour
    play.at(morning, update("a", morning))
    assert play.see("a").policies[0].stale_at == (morning + 2 * hour) * M


def test_what_is_remembered_survives_a_checkpoint_and_is_bounded() -> None:
    policies = {
        "learned": (learned(), "a"),
        "checks": (asked(CheckRule("rows", min=0.5, last=2)), "a"),
    }
    charter = charter_of("r; a < r", policies)
    play = Play(charter)
    for minute in range(0, 700):
        play.at(minute, said(minute, rows=minute + 1))
    recall = play.engine._state.rows["a"].rare.recall
    assert recall is not None
    assert len(recall.ends) == 501 and len(recall.values["rows"]) == 3
    again = Play(charter)
    again.engine.restore(list(play.engine.changed_state()))
    other = again.engine._state.rows["a"].rare.recall
    assert other is not None and other.rows() == recall.rows() and list(other.ends) == list(recall.ends)
    assert again.engine.assess("a", play.now).policies == play.see("a").policies


def test_a_policy_that_comes_later_learns_from_what_the_history_still_has() -> None:
    play = Play(charter_of("r; a < r"))
    for event in rhythm(5, 12):
        play.at(event.at / M, event)
    play.at(56, CharterReplaced(charter_of("r; a < r", {"p": (learned(), "a")})))
    assert play.see("a").policies[0].stale_at == 65 * M
    play.at(57, CharterReplaced(charter_of("r; a < r")))
    assert play.engine._state.rows["a"].rare.recall is None


def test_a_deadline_warns_of_every_tick_that_is_near_enough() -> None:
    policy = Policy("p", deadlines=(Deadline(Every(10 * M), 15 * M, 0, 25 * M),))
    play = Play(charter_of("r", {"p": (policy, "r")}))
    play.update(5, "r").until(100)
    told = [(record.now // M, record.new.value) for record in play.of(VerdictChanged)]
    assert told == [(5, "warn"), (30, "stale")]  # 5 + 15 misses the tick at 30; 25 minutes before that it warns


def daily(*ended: tuple[str, int]) -> Row:
    """An asset by day as a whole, with the partitions that were updated, each with the minute."""
    asset = Asset("d", partitions=PartitionScheme("day"))
    whole, parts = Row(asset), []
    for name, minute in ended:
        part = make_row(asset, name)
        part.cells = array("q", (minute * M, minute * M, 1, minute * M, 1 << 62))
        part.updated_at = minute * M
        parts.append(part)
    whole.ups, whole.own_rare.parts, whole.virtual = tuple(parts), {part.partition: part for part in parts}, True
    whole.known_since = 0
    return whole


DAY_MINUTES = 24 * 60
BY_DAY = Deadline(Every(DAY_MINUTES * M), 0, 10 * M, 60 * M)

NAMED = [
    # now is minute 5 * 1440 (1970-01-06 at midnight) plus some; the tick at that midnight asks for 1970-01-05
    ("01 nothing ever: unknown", BY_DAY, (), 20, Verdict.UNKNOWN),
    ("02 the day that has just ended is there", BY_DAY, (("1970-01-05", 7200),), 20, Verdict.FRESH),
    ("03 a backfill of an older day does not meet it", BY_DAY, (("1970-01-04", 7201),), 20, Verdict.STALE),
    ("04 a rerun of today does not either", BY_DAY, (("1970-01-06", 7201),), 20, Verdict.STALE),
    ("05 until grace is over the tick before counts", BY_DAY, (("1970-01-04", 5800),), 9, Verdict.WARN),
    ("06 with an offset of a minute the day before is asked for", replace(BY_DAY, offset=M),
     (("1970-01-04", 7201),), 20, Verdict.FRESH),
    ("07 the next tick is an hour away: it warns", BY_DAY, (("1970-01-05", 7200),), DAY_MINUTES - 60, Verdict.WARN),
    ("08 unless its day is there", BY_DAY, (("1970-01-05", 7200), ("1970-01-06", 8000)), DAY_MINUTES - 60,
     Verdict.FRESH),
]  # fmt: skip


@pytest.mark.parametrize(("number", "deadline", "ended", "minute", "verdict"), NAMED, ids=[line[0] for line in NAMED])
def test_a_deadline_of_an_asset_by_time_asks_for_the_partition_that_its_tick_names(
    number: str, deadline: Deadline, ended: tuple[tuple[str, int], ...], minute: int, verdict: Verdict
) -> None:
    policy = Policy("p", deadlines=(deadline,))
    now = (5 * DAY_MINUTES + minute) * M
    assert judge(policy, daily(*ended), now, {}).verdict is verdict


def test_of_a_policy_each_fixed_partition_is_asked_what_says_so_and_the_whole_the_rest() -> None:
    asset = Asset("a", partitions=PartitionScheme(names=("eu", "us")))
    each, whole = Limit(Measure.LAG, None, M, each=True), Limit(Measure.AGE, None, M)
    policy = Policy("p", (each, whole), checks=(ROWS,))
    assert part_of(policy, Row(asset)).limits == (whole,) and part_of(policy, Row(asset)).checks == (ROWS,)
    assert (
        part_of(policy, make_row(asset, "eu")).limits == (each,) and part_of(policy, make_row(asset, "eu")).checks == ()
    )
    assert part_of(policy, Row(Asset("b"))) is policy
    assert not part_of(replace(policy, limits=(whole,)), make_row(asset, "eu")).has_expectations


REGIONS = PartitionScheme(names=("eu", "us"))
SLICED = build_graph([Asset("r", partitions=REGIONS), Asset("a", ("r",), partitions=REGIONS, launcher="go")])


def sliced(minute: float, partition: str, **metadata: object) -> Event:
    return replace(update("r", minute, metadata=metadata), partition=partition)


def test_a_rule_that_blocks_holds_back_what_is_made_of_that_partition() -> None:
    rule = CheckRule("rows", min=1, blocking=True)
    play = Play(charter_of(SLICED, {"p": (asked(rule), "r")}, eager="a"))
    play.at(5, sliced(5, "eu", rows=0), sliced(5, "us", rows=7))
    assert [(run.assets, run.partition) for run in play.launches] == [(("a",), "us")]
    play.at(6, sliced(6, "eu", rows=3))
    assert [run.partition for run in play.launches] == ["us", "eu"]


def test_results_of_all_partitions_are_what_the_whole_is_compared_with() -> None:
    policy = asked(CheckRule("rows", min=0.5, last=2))
    charter = charter_of(SLICED, {"p": (policy, "r")})
    play = Play(charter)
    play.at(5, sliced(5, "eu", rows=10)).at(6, sliced(6, "us", rows=20))
    assert play.see("r").policies[0].verdict is Verdict.UNKNOWN
    play.at(7, sliced(7, "eu", rows=7))
    assert play.see("r").policies[0].complaints == ("rows is 7, below 50% of 15, the mean of the last 2",)
    again = Play(charter)
    again.engine.restore(list(play.engine.changed_state()))
    again.now = play.now
    assert again.see("r").policies == play.see("r").policies
    again.at(8, sliced(8, "us", rows=6))  # of 20 and 7
    assert again.see("r").policies[0].complaints == ("rows is 6, below 50% of 13.5, the mean of the last 2",)


def test_a_completeness_of_the_policy_holds_for_every_partition() -> None:
    play = Play(charter_of(SLICED, {"p": (limited("age", 10, 20, completeness=0.9), "r")}))
    play.at(5, replace(sliced(5, "eu"), completeness=0.5), sliced(5, "us"))
    assert play.see("r").updated_at is None  # fixed partitions: the worst


def test_the_rhythm_of_an_asset_is_that_of_all_its_partitions() -> None:
    play = Play(charter_of(SLICED, {"p": (learned(), "r")}))
    for place in range(12):
        play.at(5 * place, sliced(5 * place, "eu" if place % 2 else "us"))
    (view,) = play.see("r").policies
    assert view.verdict is Verdict.FRESH and view.stale_at == (5 * 11 + 10) * M
