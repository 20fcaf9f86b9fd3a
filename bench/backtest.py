"""`make bench-backtest`: a month of hourly events through two sets of policies, beside json.loads of those events.

1,000 sources under a lag policy that alerts, each with an eager asset below it; every source has an event of 1,010
bytes an hour, spread over the hour, and falls silent now and then. What is measured is all that `freshd backtest`
does from the lines of the file on: reading them, runs drawn from the past, and the ledgers. The policies in force and
the candidate go on at one time, each in a process of its own, where there are two cores: then what it takes is the
CPU time of the longer one, which noise does not touch, else that of both. Making the lines is taken off. A part of
the month costs as much an event as the whole; `--days` says how much of it.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import replace

from bench.measure import Goal, conclude, cost_us, median, rounded, rss_mb
from bench.world import START, charter, payload, source
from freshd.app.arrivals import from_lines
from freshd.app.backtesting import BEAT
from freshd.app.beside import both
from freshd.backtest.past_runs import PastRun, PastRuns
from freshd.backtest.trial import Trial, run_trial
from freshd.model.identify import Matcher
from freshd.model.policy import Alert, Charter, Limit, Measure, Policy, Severity
from freshd.model.select import Selector
from freshd.model.time import HOUR, MINUTE, SECOND, format_instant
from freshd.runtime import memory

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


def side(told: Charter, days: int) -> Callable[[], tuple[Trial, float]]:
    """The work of one side; it says what came of it, and the CPU seconds that it took without making the lines."""

    def work() -> tuple[Trial, float]:
        matcher = Matcher(told.graph, (), Selector(told.graph).select)
        runs = [PastRun(MINUTE), PastRun(2 * MINUTE)]
        past = PastRuns({f"shop/mart_{n:06d}": runs for n in range(SOURCES)}, told.graph)
        began = time.thread_time()
        for _ in lines(1):
            pass
        making = (time.thread_time() - began) * days
        began = time.thread_time()
        trial = run_trial(told, from_lines(lines(days), "events.jsonl", matcher), past, beat=BEAT)
        return trial, time.thread_time() - began - making

    return work


def main() -> int:
    """Measure, print each goal and the line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--days", type=int, default=30)
    given = parser.parse_args()
    sample = list(lines(1))[:2_000]
    loads = [loads_us(sample) for _ in range(10)]
    began = time.perf_counter()
    memory.settle()
    (current, one), (candidate, other) = both(
        side(policies(2 * HOUR, 3 * HOUR), given.days), side(policies(75 * MINUTE, 90 * MINUTE), given.days)
    )
    wall = time.perf_counter() - began
    loads += [loads_us(sample) for _ in range(10)]
    cores = len(os.sched_getaffinity(0))
    took = max(one, other) if cores > 1 else one + other
    each = median(loads)
    figures = {
        "events": current.heard,
        "cores": cores,
        "json_loads_us": rounded(each),
        "backtest_us": rounded(took * 1e6 / current.heard),
        "cpu_seconds_current": rounded(one),
        "cpu_seconds_candidate": rounded(other),
        "wall_seconds": rounded(wall),
        "runs": sum(spent.runs for spent in candidate.ledger.spent.values()),
        "violations_current": len(current.ledger.violations),
        "violations_candidate": len(candidate.ledger.violations),
        "mb_rss": rounded(rss_mb()),
    }
    ratio = took * 1e6 / current.heard / each
    goal = Goal(f"backtest of {given.days} days of 1,000 assets, in json.loads of its events", ratio, GOAL)
    return conclude("backtest", [goal], figures)


if __name__ == "__main__":
    raise SystemExit(main())
