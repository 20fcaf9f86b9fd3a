"""`make soak SECONDS=600`: a real daemon under a steady load of events and questions, watched for leaks.

Goals: memory, open files and threads at the end are not far above those after the first tenth, every event
that was answered 202 counts, and the daemon stops cleanly.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import httpx
from prometheus_client.parser import text_string_to_metric_families

from bench.idle import held_mb, is_ready, port_of, write_project
from bench.measure import Goal, conclude, rounded
from bench.world import source

ASSETS = 1_000
BATCH = 50
"""Events a request."""
PAUSE_S = 0.1
QUESTION_EVERY = 20
"""Requests between two rounds of questions (status page, API, metrics)."""


def main() -> int:
    """Run it, print the goals and the line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=600)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="freshd-soak-") as folder:
        goals, figures = soak(Path(folder), given.seconds)
    return conclude("soak", goals, figures)


def soak(folder: Path, seconds: float) -> tuple[list[Goal], dict[str, Any]]:
    """Load the daemon for that long."""
    write_project(folder, ASSETS)
    environment = {key: value for key, value in os.environ.items() if not key.startswith("FRESHD_")}
    command = [sys.executable, "-m", "freshd", "--config", str(folder / "freshd.yaml"), "run"]
    with (folder / "log").open("wb") as log:
        daemon = subprocess.Popen(command, stdout=log, stderr=log, env=environment, cwd=folder)
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port_of(folder)}", timeout=60, trust_env=False) as client:
            while not is_ready(client):
                if daemon.poll() is not None:
                    raise RuntimeError(f"the daemon did not start:\n{(folder / 'log').read_text()[-3_000:]}")
                time.sleep(0.2)
            early, accepted = load(client, daemon.pid, seconds)
            late = held(daemon.pid)
            counted = taken(client)
    finally:
        daemon.send_signal(signal.SIGTERM)
        status = daemon.wait(60)
    goals = [
        Goal("memory at the end by that after a tenth", late["mb"] / early["mb"], 1.5),
        Goal("open files more than after a tenth", late["files"] - early["files"], 20),
        Goal("threads more than after a tenth", late["threads"] - early["threads"], 10),
        Goal("events counted by those accepted", counted / accepted, 1, at_least=True),
        Goal("exit code", status, 0),
    ]
    return goals, {"events": accepted, "early": early, "late": late, "seconds": rounded(seconds)}


def load(client: httpx.Client, process: int, seconds: float) -> tuple[dict[str, float], int]:
    """Send and ask until the time is up: what was held after a tenth of it, and the events accepted."""
    begun = time.monotonic()
    early: dict[str, float] = {}
    accepted = number = 0
    while (elapsed := time.monotonic() - begun) < seconds:
        first = number * BATCH % (ASSETS // 2)
        events = [{"asset": source((first + n) % (ASSETS // 2)), "id": f"{number}-{n}"} for n in range(BATCH)]
        client.post("/events", json=events).raise_for_status()
        accepted += BATCH
        number += 1
        if number % QUESTION_EVERY == 0:
            for path in ("/", "/metrics", "/api/status", f"/api/assets/{source(0)}", "/api/incidents"):
                client.get(path).raise_for_status()
        if not early and elapsed >= seconds / 10:
            early = held(process)
        time.sleep(PAUSE_S)
    return early or held(process), accepted


def held(process: int) -> dict[str, float]:
    """What the process holds now."""
    proc = Path(f"/proc/{process}")
    return {
        "mb": rounded(held_mb(process)),
        "files": len(list((proc / "fd").iterdir())),
        "threads": len(list((proc / "task").iterdir())),
    }


def taken(client: httpx.Client) -> float:
    """How many events the daemon says it took."""
    families = text_string_to_metric_families(client.get("/metrics").text)
    return sum(
        sample.value
        for family in families
        for sample in family.samples
        if sample.name == "freshd_events_total" and sample.labels["outcome"] == "taken"
    )


if __name__ == "__main__":
    raise SystemExit(main())
