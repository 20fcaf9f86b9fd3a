"""`make bench-launch`: from a run requested of the `python` launcher to its function entered."""

from __future__ import annotations

import argparse
import tempfile
import threading
import time
from pathlib import Path

from bench.measure import Goal, conclude, percentile, rounded
from freshd.adapters.clock import SystemClock
from freshd.adapters.launch import make_launcher
from freshd.adapters.launch.settings import PythonSettings
from freshd.model.asset import Asset
from freshd.model.effects import LaunchRun
from freshd.model.inputs import RunPhase, RunReport

LIMIT_MS = 60
MODULE = """
import time

import pandas as pd
from freshd import asset, log_metadata


@asset(key_prefix="bench")
def raw() -> pd.DataFrame:
    return pd.DataFrame({"order": range(1_000)})


@asset(key_prefix="bench")
def cleaned(raw: pd.DataFrame) -> pd.DataFrame:
    log_metadata(entered_ns=time.monotonic_ns())
    return raw.head(10)
"""


def main() -> int:
    """Launch one run after the other, print the goal and the line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=40)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="freshd-bench-") as folder:
        waits = measure(Path(folder), given.runs)
    p50 = percentile(waits, 0.5)
    goals = [Goal(f"p50 from request to function entered, by {LIMIT_MS} ms", p50 / LIMIT_MS, 1)]
    figures = {"p50_ms": rounded(p50), "p90_ms": rounded(percentile(waits, 0.9)), "max_ms": rounded(max(waits))}
    return conclude("launch", goals, figures)


def measure(folder: Path, runs: int) -> list[float]:
    """Milliseconds from each request to the first line of the function."""
    (folder / "pipeline.py").write_text(MODULE)
    hints = {"module": "pipeline"}
    assets = {
        "bench/raw": Asset("bench/raw", launcher="python", hints={**hints, "function": "raw"}),
        "bench/cleaned": Asset(
            "bench/cleaned",
            ("bench/raw",),
            launcher="python",
            hints={**hints, "function": "cleaned", "inputs": {"raw": "bench/raw"}},
        ),
    }
    clock = SystemClock()
    settings = PythonSettings.model_validate({"kind": "python"})
    launcher = make_launcher("python", settings, assets.__getitem__, folder / "state", clock, folder)

    def run(number: int, key: str) -> tuple[int, RunReport]:
        over = threading.Event()
        reports: list[RunReport] = []

        def report(told: RunReport) -> None:
            reports.append(told)
            if told.phase is RunPhase.FINISHED:
                over.set()

        requested = time.monotonic_ns()
        launcher.launch(LaunchRun(f"run-{number}", "python", (key,), clock.now()), report)
        if not over.wait(60):
            raise RuntimeError(f"the run of {key} did not end: {reports}")
        failed = [told.error for told in reports if told.phase is RunPhase.FAILED]
        if failed:
            raise RuntimeError(f"the run of {key} failed: {failed[0]}")
        return requested, next(told for told in reports if told.phase is RunPhase.SUCCEEDED)

    try:
        run(0, "bench/raw")
        waits = []
        for number in range(1, runs + 1):
            requested, succeeded = run(number, "bench/cleaned")
            entered = (succeeded.metadata or {})["entered_ns"]
            waits.append((entered - requested) / 1e6)
    finally:
        launcher.close()
    return waits[1:]


if __name__ == "__main__":
    raise SystemExit(main())
