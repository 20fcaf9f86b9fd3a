"""`make bench-reload`: other policies over 150,000 assets while 100 events/s come in.

Every asset is under one policy; a reload puts another one in its place, so that each verdict is come to anew. What
counts is how long an event waits meanwhile, from when it is handed in until it is durable, and what the process holds.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from bench.deadlines import fill, sending
from bench.measure import Goal, conclude, percentile, rounded, rss_mb
from bench.rig import Rig, rig
from bench.world import charter
from freshd.model.inputs import CharterReplaced
from freshd.model.policy import Charter
from freshd.model.records import VerdictChanged
from freshd.model.time import HOUR, MINUTE

LIMIT_S = 120


def renamed(known: Charter, name: str, hours: int) -> Charter:
    """The same graph, every asset under a policy of this name and length."""
    (policy,) = known.policies.values()
    (selected,) = known.selected.values()
    limits = tuple(replace(limit, warn=45 * MINUTE, stale=hours * HOUR) for limit in policy.limits)
    return replace(known, policies={name: replace(policy, name=name, limits=limits)}, selected={name: selected})


def reload(daemon: Rig, told: Charter, assets: int, quiet: range) -> dict[str, Any]:
    """One reload under load: waits of events, and the time until the last verdict."""
    changed = 0

    def count(_: int, records: Any) -> None:
        nonlocal changed
        changed += sum(type(one) is VerdictChanged for one in records)

    daemon.on_step = count
    with sending(daemon, quiet) as sender:
        time.sleep(1)
        before = len(sender.waits_us)
        begun = time.monotonic()
        daemon.put([CharterReplaced(told)])
        while changed < assets and time.monotonic() - begun < LIMIT_S:
            time.sleep(0.02)
        took_s = time.monotonic() - begun
        time.sleep(1)
    daemon.on_step = None
    waits_ms = [wait / 1e3 for wait in sender.waits_us[before:]]
    return {
        "wait_ms_max": max(waits_ms), "wait_ms_p99": percentile(waits_ms, 0.99),
        "wait_ms_p50": percentile(waits_ms, 0.5), "took_s": took_s, "judged": changed,
    }  # fmt: skip


def main() -> int:
    """Measure, print the goals and the line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--assets", type=int, default=150_000)
    parser.add_argument("--reloads", type=int, default=3)
    given = parser.parse_args()
    pairs = given.assets // 2
    held_mb: list[float] = []
    world = charter(pairs, eager=False)
    with (
        tempfile.TemporaryDirectory(prefix="freshd-bench-") as name,
        rig(f"sqlite:///{Path(name) / 'freshd.db'}", world, None) as daemon,
    ):
        fill(daemon, range(pairs), 1, [daemon.clock.now()] * pairs)
        found = []
        for number in range(given.reloads):
            told = renamed(world, f"policy_{number}", number + 2)  # as app/project.after has it: the graph is known
            found.append(reload(daemon, told, given.assets, range(pairs)))
            held_mb.append(rss_mb())
    figures = {key: max(one[key] for one in found) for key in found[0]}
    figures["judged"] = min(one["judged"] for one in found)
    figures |= {"mb": max(held_mb), "mb_after_the_first": held_mb[0]}
    goals = [
        Goal("s that an event waits while policies are replaced, the longest", figures["wait_ms_max"] / 1e3, 1),
        Goal(f"verdicts come to anew, of {given.assets:,}", figures["judged"], given.assets, at_least=True),
        Goal("MB held", figures["mb"], 600),
    ]
    return conclude("reload", goals, {key: rounded(value) for key, value in figures.items()})


if __name__ == "__main__":
    raise SystemExit(main())
