"""`make bench-idle`: what a daemon with nothing to do takes: CPU time and memory of its process.

Every source has had an update and every asset a policy with deadlines ahead, so that there is something to
watch; then nothing comes.
"""

from __future__ import annotations

import argparse
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import httpx

from bench.measure import Goal, conclude, rounded
from bench.world import downstream, source

CHUNK = 1_000
READY_LIMIT_S = 300
SIZES = ((1_000, 150), (100_000, 400))
"""Assets, and the megabytes that the daemon's process may hold."""


def main() -> int:
    """Run a daemon of each size, print the goals and the line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=20.0)
    given = parser.parse_args()
    goals: list[Goal] = []
    memory: list[Goal] = []
    figures = {}
    for assets, limit_mb in SIZES:
        with tempfile.TemporaryDirectory(prefix="freshd-bench-") as folder:
            share, held_mb, start_s = measure(Path(folder), assets, given.seconds)
        goals.append(Goal(f"share of a core with {assets:,} assets, idle, by 2 %", share / 0.02, 1))
        memory.append(Goal(f"MB with {assets:,} assets", held_mb, limit_mb))
        figures |= {f"cpu_percent_{assets}": rounded(100 * share), f"mb_{assets}": rounded(held_mb)}
        figures[f"start_s_{assets}"] = rounded(start_s)
    worst = max(goals, key=lambda goal: goal.value)
    rest = [goal for goal in goals if goal is not worst]
    return conclude("idle", [worst, *rest, *memory], figures)


def measure(folder: Path, assets: int, seconds: float) -> tuple[float, float, float]:
    """Share of a core, megabytes, and the seconds until it was ready."""
    write_project(folder, assets)
    environment = {key: value for key, value in os.environ.items() if not key.startswith("FRESHD_")}
    log = (folder / "log").open("wb")
    command = [
        sys.executable,
        "-c",
        "from freshd.cli import main; main()",
        "--config",
        str(folder / "freshd.yaml"),
        "run",
    ]
    begun = time.monotonic()
    daemon = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, env=environment)
    try:
        base = f"http://127.0.0.1:{port_of(folder)}"
        with httpx.Client(base_url=base, timeout=60, trust_env=False) as client:
            while not is_ready(client):
                if daemon.poll() is not None or time.monotonic() - begun > READY_LIMIT_S:
                    raise RuntimeError(f"the daemon did not start:\n{(folder / 'log').read_text()[-3_000:]}")
                time.sleep(0.2)
            start_s = time.monotonic() - begun
            for first in range(0, assets // 2, CHUNK):
                numbers = range(first, min(first + CHUNK, assets // 2))
                client.post("/events", json=[{"asset": source(n)} for n in numbers]).raise_for_status()
        settle(daemon.pid)
        before, start = cpu_s(daemon.pid), time.monotonic()
        time.sleep(seconds)
        share = (cpu_s(daemon.pid) - before) / (time.monotonic() - start)
        return share, held_mb(daemon.pid), start_s
    finally:
        daemon.send_signal(signal.SIGTERM)
        daemon.wait(60)
        log.close()


def write_project(folder: Path, assets: int) -> None:
    """A project of that many assets, all under one policy."""
    lines = ["assets:"]
    for number in range(assets // 2):
        lines.append(f"  - {{key: {source(number)}, group: bench}}")
        lines.append(f"  - {{key: {downstream(number)}, upstreams: [{source(number)}], group: bench}}")
    (folder / "assets.yaml").write_text("\n".join(lines) + "\n")
    (folder / "policies.yaml").write_text(
        'policies:\n  - {name: p, select: "**", expect: {lag: {warn: 45m, stale: 1h}}, alert: {severity: warning}}\n'
    )
    (folder / "freshd.yaml").write_text(
        f"store: sqlite:///{folder}/freshd.db\nlisten: 127.0.0.1:{free_port()}\n"
        "catalog: [assets.yaml]\npolicies: policies.yaml\n"
    )


def free_port() -> int:
    """A port of loopback that nobody listens on."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def port_of(folder: Path) -> int:
    """The port that the project's daemon listens on."""
    listen = next(line for line in (folder / "freshd.yaml").read_text().splitlines() if line.startswith("listen"))
    return int(listen.rpartition(":")[2])


def is_ready(client: httpx.Client) -> bool:
    """Whether the daemon says so."""
    try:
        return client.get("/readyz").status_code == 200
    except httpx.TransportError:
        return False


def settle(process: int) -> None:
    """Wait until what came in is digested: two seconds with little CPU time, twice."""
    quiet = 0
    limit = time.monotonic() + 120
    while quiet < 2 and time.monotonic() < limit:
        before = cpu_s(process)
        time.sleep(2)
        quiet = quiet + 1 if cpu_s(process) - before < 0.1 else 0


def cpu_s(process: int) -> float:
    """Seconds of CPU time that a process has used."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def held_mb(process: int) -> float:
    """Megabytes of memory that a process holds."""
    for line in Path(f"/proc/{process}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1_024 / 1e6
    raise RuntimeError(f"process {process} is gone")


if __name__ == "__main__":
    raise SystemExit(main())
