"""How the benches measure: repetitions in turn, medians, memory of a process, and the one line at the end."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Goal:
    """One number that must not be above (or below) its goal."""

    what: str
    value: float
    goal: float
    at_least: bool = False

    @property
    def holds(self) -> bool:
        """Whether it is met."""
        return self.value >= self.goal if self.at_least else self.value <= self.goal

    def as_json(self) -> dict[str, Any]:
        """For the figures."""
        return {"what": self.what, "value": rounded(self.value), "goal": self.goal, "holds": self.holds}


def conclude(name: str, goals: Sequence[Goal], figures: dict[str, Any]) -> int:
    """Print every goal, then the line of JSON, which carries the first goal's ratio. Returns the exit code."""
    for goal in goals:
        sign = ">=" if goal.at_least else "<="
        print(f"{'ok  ' if goal.holds else 'MISS'} {goal.what}: {rounded(goal.value)} (goal {sign} {goal.goal})")
    holds = all(goal.holds for goal in goals)
    line = {
        "name": name,
        "ratio": rounded(goals[0].value),
        "goal": goals[0].goal,
        "holds": holds,
        "figures": {**figures, "goals": [goal.as_json() for goal in goals]},
    }
    print(json.dumps(line), flush=True)
    return 0 if holds else 1


def in_turn(rounds: int, *subjects: Callable[[], float]) -> list[list[float]]:
    """What each subject measured, one repetition of each after the other, so that noise hits all alike."""
    measured: list[list[float]] = [[] for _ in subjects]
    for number in range(rounds + 1):
        for subject, found in zip(subjects, measured, strict=True):
            value = subject()
            if number:  # the first round warms up
                found.append(value)
    return measured


def cost_us(work: Callable[[], object], times: int) -> float:
    """CPU microseconds for each of the `times` things that one call of `work` does."""
    start = time.thread_time_ns()
    work()
    return (time.thread_time_ns() - start) / 1_000 / times


def rss_mb() -> float:
    """Megabytes of memory that this process holds now."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024 / 1e6
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6


def in_own_process(module: str, *arguments: str) -> Any:
    """What `python -m module arguments` prints as its last line, read as JSON."""
    done = subprocess.run(
        [sys.executable, "-m", module, *arguments], cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True
    )
    return json.loads(done.stdout.strip().splitlines()[-1])


def rounded(value: float) -> float:
    """To three digits, for people."""
    return float(f"{value:.3g}") if abs(value) < 1000 else round(value)


def percentile(values: Sequence[float], share: float) -> float:
    """The value that `share` of the values do not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


__all__ = [
    "ROOT", "Goal", "conclude", "cost_us", "in_own_process", "in_turn", "median", "percentile", "rounded", "rss_mb",
]  # fmt: skip
