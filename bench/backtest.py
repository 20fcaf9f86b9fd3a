"""`make bench-backtest`: a month of hourly events through two sets of policies, beside json.loads of those events.

1,000 sources under a lag policy that alerts, each with an eager asset below it; every source has an event of 1,010
bytes an hour, spread over the hour, and falls silent now and then. What is measured is all that `freshd backtest`
does from the lines of the file on: reading them, the policies in force and the candidate, runs drawn from the past,
and the ledgers. A part of the month costs as much an event as the whole; `--days` says how much of it.
"""

from __future__ import annotations

import argparse
import gc
import json
import time
from collections.abc import Iterable, Iterator
from dataclasses import replace

from bench.measure import Goal, conclude, cost_us, median, rounded, rss_mb, settle_memory
from bench.world import START, charter, payload, source
from freshd.app.arrivals import from_lines
from freshd.app.backtesting import BEAT
from freshd.backtest.past_runs import PastRun, PastRuns
from freshd.backtest.trial import Trial, run_trial
from freshd.model.identify import Matcher
from freshd.model.policy import Alert, Charter, Limit, Measure, Policy, Severity
from freshd.model.select import Selector
from freshd.model.time import HOUR, MINUTE, SECOND, format_instant

SOURCES = 1_000
GOAL = 30.0
SILENT = 97
"""One hour in so many, a source says nothing."""


def policies(warn: int, stale: int) -> Charter:
    """Both sets differ in how old data may be."""
    base = charter(SOURCES)
    policy = Policy("p", limits=(Limit(Measure.LAG, warn, stale),), alert=Alert(Severity.WARNING))
    return replace(base, policies={"p": policy})


def lines(days: int) -> Iterator[bytes]:
    """The file's lines, in order of time."""
    template = json.dumps(payload("A" * len(source(0)), START, "X"))
    times = {name: format_instant(START - back) for name, back in (("a", 0), ("s", 2 * MINUTE), ("d", 150 * SECOND))}
    before, rest = template.split(f'"at": "{times["a"]}"')
    middle, rest = rest.split(f'"started_at": "{times["s"]}"')
    third, after = rest.split(f'"data_time": "{times["d"]}"')
    for hour in range(24 * days):
        for number in range(SOURCES):
            if (hour + number) % SILENT == 0:
                continue
            at = START + hour * HOUR + number * HOUR // SOURCES
            head = before.replace("A" * len(source(0)), source(number)).replace('"X"', f'"{hour}-{number}"')
            yield (
                f'{head}"at": "{format_instant(at)}"{middle}"started_at": "{format_instant(at - 2 * MINUTE)}"'
                f'{third}"data_time": "{format_instant(at - 150 * SECOND)}"{after}'
            ).encode()


def loads_us(raw: list[bytes]) -> float:
    """CPU microseconds that json.loads takes for an event."""

    def work() -> None:
        for one in raw:
            json.loads(one)

    return cost_us(work, len(raw))


def side(told: Charter, raw: Iterable[bytes]) -> tuple[float, Trial]:
    """CPU seconds of one side, and what came of it."""
    matcher = Matcher(told.graph, (), Selector(told.graph).select)
    past = PastRuns({f"shop/mart_{n:06d}": [PastRun(MINUTE), PastRun(2 * MINUTE)] for n in range(SOURCES)}, told.graph)
    gc.collect()
    gc.freeze()
    began = time.thread_time()
    trial = run_trial(told, from_lines(raw, "events.jsonl", matcher), past, beat=BEAT)
    return time.thread_time() - began, trial


def main() -> int:
    """Measure, print each goal and the line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--days", type=int, default=30)
    given = parser.parse_args()
    settle_memory()
    sample = list(lines(1))[:2_000]
    loads: list[float] = []
    spent = {"current": 0.0, "candidate": 0.0}
    trials: dict[str, Trial] = {}
    for name, told in (("current", policies(2 * HOUR, 3 * HOUR)), ("candidate", policies(75 * MINUTE, 90 * MINUTE))):
        loads += [loads_us(sample) for _ in range(5)]
        spent[name], trials[name] = side(told, lines(given.days))
        loads += [loads_us(sample) for _ in range(5)]
    events = trials["current"].heard
    each = median(loads)
    ratio = sum(spent.values()) * 1e6 / events / each
    figures = {
        "events": events,
        "json_loads_us": rounded(each),
        "backtest_us": rounded(sum(spent.values()) * 1e6 / events),
        "seconds": rounded(sum(spent.values())),
        "runs": sum(one.runs for one in trials["candidate"].ledger.spent.values()),
        "violations_current": len(trials["current"].ledger.violations),
        "violations_candidate": len(trials["candidate"].ledger.violations),
        "mb_rss": rounded(rss_mb()),
    }
    goal = Goal(f"backtest of {given.days} days of 1,000 assets, in json.loads of its events", ratio, GOAL)
    return conclude("backtest", [goal], figures)


if __name__ == "__main__":
    raise SystemExit(main())
