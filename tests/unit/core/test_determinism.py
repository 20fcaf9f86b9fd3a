"""The same inputs give the same records, whatever the order in which Python's sets come out."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]

WALKS = """
from hashlib import sha256
from freshd.core.engine import Engine
from freshd.model.inputs import CharterReplaced, Started
from tests.unit.core.walks import Walk

digest = sha256()
for seed in range(6):
    walk = Walk(seed)
    engine = Engine(walk.charter)
    engine.step(walk.now, [Started(False)])
    for _ in range(60):
        walk.pass_time(engine)
        step = engine.step(walk.now, walk.inputs(engine))
        digest.update(repr((step.records, step.effects)).encode())
        digest.update(repr(engine.next_wake()).encode())
    digest.update(repr([(kind, key) for kind, key, _ in engine.changed_state()]).encode())
print(digest.hexdigest(), hash("salted"))
"""


def walked(seed: str) -> list[str]:
    env = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": f"{ROOT / 'daemon'}{os.pathsep}{ROOT}"}
    done = subprocess.run([sys.executable, "-c", WALKS], env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def test_hash_seeds() -> None:
    runs = [walked(seed) for seed in ("1", "2", "77")]
    assert len({salt for _, salt in runs}) == 3, "the seeds make no difference at all"
    assert len({digest for digest, _ in runs}) == 1
