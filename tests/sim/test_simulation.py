"""300 worlds, the same whatever the hash seed; every kind of trouble happens in them."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from tests.sim.faults import Faults
from tests.sim.simulation import simulate

ROOT = Path(__file__).parents[2]
CHUNK = 30
STARTS = (*range(0, 270, CHUNK), 10_060, 20_000)
"""The worlds of the last but one have limits for all runs and for tags, those of the last objectives and extractors."""

TROUBLE = Faults(crash=0.03, append_fails=0.05, run_fails=0.2, hang=0.1, duplicate=0.2)
CRASH_POINTS = {
    "poll", "before the commit", "after the commit", "before an effect", "after an effect", "before the checkpoint",
    "after the checkpoint",
}  # fmt: skip


@pytest.mark.parametrize("first", STARTS)
def test_seeds(first: int) -> None:
    for seed in range(first, first + CHUNK):
        simulate(seed)


NAMED = {
    20_036: "a tick that passes while nothing can be said counts neither way, also after a start",
    20_715: "what stood still below an extractor that stopped goes on when its data comes from elsewhere",
    20_742: "an extractor that is stuck no longer is no root of what is blocked",
    8807: "what data ends the stop of as it comes has blocked nobody",
    3850: "a window of which only a run that was lost is known stays in use: its update may yet come",
    2922: "others wait through what is blocked while its window is open",
    776: "a whole whose newest window has no data time leaves its readers none",
    482: "who is blocked no longer because a window began waits for what is on its way by then",
    633: "what only a wish named is no cause of a whole",
    865: "nobody waits for the check of a rule that is gone",
    1441: "what comes late to an older window makes who read the whole older",
    1687: "a result that metadata told counts while a rule asks for it",
    1848: "a sync fails while another measure has no value",
    2448: "an observation of a window that is over is no news by its end alone",
    469: "who waits through an asset that stops waits no longer",
    658: "a head that max_wait forces goes in the wave of its instant",
}
TROUBLED = {
    21_604: "a start finds out at once that an extractor's run would help again",
    21_643: "who waits for a run of what could be launched since its window opened only, waits no longer",
    5637: "what an asset gained while the daemon was down, it gained when that is told, not at an earlier start",
    6921: "a wish made in the step in which another fails has all its attempts",
    6781: "a partition that reads nothing yet is no source",
    3835: "an incident whose members went with the graph has the reason of those who stay",
    4165: "what was read before as a static upstream is not joined when it is static no longer",
    3950: "a whole can be seen by the partitions of it that are looked after",
    3539: "another completeness asked for changes nothing that was taken before",
    42: "what a pair is shown by is found again after a start",
    57: "due, not due and due again at one instant is due all the time",
    374: "a wish whose assets go in mid-run ends when the rest is done",
    62: "a graph replaced while the daemon is down for the first time",
    3056: "a retry that was owed still is when a wave skips it",
    2562: "what fails and becomes due at one instant, in this order, has all its attempts",
    1714: "what is violated since lately heals from afar, although another measure has no value",
    1587: "of partitions whose outcomes are of one instant a failed one counts",
    1201: "what a new graph makes no longer due has all its attempts again",
    935: "what was tried twice and stopped is stopped after a start with another graph",
}


@pytest.mark.parametrize("seed", NAMED, ids=[why.replace(" ", "_") for why in NAMED.values()])
def test_named_seeds(seed: int) -> None:
    simulate(seed)


@pytest.mark.parametrize("seed", TROUBLED, ids=[why.replace(" ", "_") for why in TROUBLED.values()])
def test_named_seeds_in_trouble(seed: int) -> None:
    simulate(seed, TROUBLE)


def test_trouble_happens() -> None:
    """The daemon dies at every point of the loop, runs happen and incidents open."""
    died: Counter[str] = Counter()
    runs = incidents = 0
    for seed in range(40):
        summary = simulate(seed, TROUBLE)
        died.update(summary.crashes)
        runs += summary.runs
        incidents += summary.incidents
    assert set(died) >= CRASH_POINTS
    assert runs > 100
    assert incidents > 20


def test_same_seed_same_bytes() -> None:
    """The journal depends on the seed alone: not on the order of sets, nor on the process."""

    def digests(hash_seed: str) -> str:
        environment = {**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": f"{ROOT / 'daemon'}{os.pathsep}{ROOT}"}
        command = [sys.executable, "-m", "tests.sim", "--seeds", "12", "--digest"]
        done = subprocess.run(
            command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True, timeout=240
        )
        return done.stdout

    first = digests("0")
    assert len(first.splitlines()) == 12
    assert digests("1") == first
    assert digests("4242") == first
