"""A daemon that is killed while an `@asset` function works: the run is found again, or lost and made anew."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
from tests.integration.running import RunningDaemon

FILES = {
    "freshd.yaml": """\
store: sqlite:///state/freshd.db
listen: 127.0.0.1:0
catalog: [assets.yaml, {python: figures, prefix: shop}]
policies: policies.yaml
launchers: {python: {kind: python}}
""",
    "assets.yaml": "assets: [{key: shop/raw}]\n",
    "policies.yaml": """\
policies:
  - {name: p, select: "shop/**", expect: {lag: {stale: 1h}}, react: eager, retry: {attempts: 3, delay: 100ms}}
""",
    "figures.py": """\
import os, time
from pathlib import Path
import pandas as pd
from freshd import asset

@asset(deps=["shop/raw"])
def total() -> pd.DataFrame:
    with open("begun.txt", "a") as begun:
        print(os.environ["FRESHD_RUN_ID"], file=begun)
    while not Path("go").exists():
        time.sleep(0.01)
    return pd.DataFrame({"total": [1]})
""",
}


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    (tmp_path / "state").mkdir()
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)
    return tmp_path


def _begun(shop: Path) -> list[str]:
    marks = shop / "begun.txt"
    return marks.read_text().split() if marks.exists() else []


def _interrupted(shop: Path, daemon: RunningDaemon) -> str:
    """The run that was at work when the daemon was killed."""
    daemon.start()
    daemon.post({"asset": "shop/raw"})
    daemon.eventually(lambda: len(_begun(shop)) == 1)
    daemon.kill()
    return _begun(shop)[0]


def test_the_next_life_waits_for_the_run_that_goes_on(shop: Path) -> None:
    daemon = RunningDaemon(shop)
    run = _interrupted(shop, daemon)
    with daemon:
        (shop / "go").touch()
        daemon.eventually(lambda: daemon.asset("shop/total")["updated_at"] is not None)
        assert daemon.asset("shop/total")["runs_started"] == 1
    assert _begun(shop) == [run]
    assert (shop / "data/shop/total.parquet").exists()


def test_a_run_that_died_with_the_daemon_is_lost_and_made_anew(shop: Path) -> None:
    daemon = RunningDaemon(shop)
    run = _interrupted(shop, daemon)
    (folder,) = (shop / "state").glob(f"**/{run}")
    for name in ("claim", "worker"):
        os.kill(int((folder / name).read_text().split()[0]), signal.SIGKILL)
    (shop / "go").touch()
    with daemon:
        daemon.eventually(lambda: daemon.asset("shop/total")["updated_at"] is not None)
        first, second = daemon.get("/api/runs")["runs"][::-1]
    assert len(_begun(shop)) == len(set(_begun(shop))) == 2
    assert (first["run_id"], second["run_id"]) == tuple(_begun(shop))
