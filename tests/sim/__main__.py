"""`python -m tests.sim --seeds N [--start S] | --seed K`: run seeds, print the failing ones."""

from __future__ import annotations

import argparse
import sys
import time
import traceback

from tests.sim.simulation import simulate


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.sim", description=__doc__)
    parser.add_argument("--seeds", type=int, default=300, help="how many seeds to run")
    parser.add_argument("--start", type=int, default=0, help="the first of them")
    parser.add_argument("--seed", type=int, help="replay this one and say what it came to")
    parser.add_argument("--digest", action="store_true", help="print the digest of each seed's journal")
    given = parser.parse_args()
    seeds = [given.seed] if given.seed is not None else list(range(given.start, given.start + given.seeds))
    failed: list[int] = []
    began = time.monotonic()
    turns = crashes = 0
    for seed in seeds:
        try:
            summary = simulate(seed)
        except Exception:
            failed.append(seed)
            print(f"seed {seed} FAILED; replay with: python -m tests.sim --seed {seed}")
            traceback.print_exc()
            continue
        turns += summary.turns
        crashes += len(summary.crashes)
        if given.digest:
            print(seed, summary.digest)
        elif given.seed is not None:
            print(summary)
    took = time.monotonic() - began
    print(
        f"{len(seeds)} seeds, {turns} turns, {crashes} crashes in {took:.1f} s; failed: {failed or 'none'}",
        file=sys.stderr,
    )
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
