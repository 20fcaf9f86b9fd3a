"""A daemon that is killed while an `@asset` function works: the run is found again, or lost and made anew."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pandas
import pytest
from tests.integration.running import ROOT, RunningDaemon

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


def freshd(command: str, daemon: RunningDaemon) -> None:
    """Run a command of the daemon's; it has to succeed."""
    subprocess.run(
        [sys.executable, "-m", "freshd", command, "--url", daemon.url],
        check=True, capture_output=True, env={**os.environ, "PYTHONPATH": str(ROOT / "daemon")},
    )  # fmt: skip


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


SALES = """\
import pandas as pd
from freshd import asset
from rates import RATE

@asset(deps=["shop/raw"])
def {name}() -> pd.DataFrame:
    return pd.DataFrame({{"total": [RATE] * {rows}}})
"""


def test_after_a_reload_warm_workers_run_the_new_code(shop: Path) -> None:
    """Functions that changed, that came, and modules that theirs import; also where a file keeps its size."""

    def write(name: str, rows: int, rate: int) -> None:
        (shop / "figures.py").write_text(SALES.format(name=name, rows=rows))
        (shop / "rates.py").write_text(f"RATE = {rate}\n")
        for file in ("figures.py", "rates.py"):  # what Python tells versions by, with the size
            os.utime(shop / file, (rate * 1_000_000, rate * 1_000_000))

    def total(key: str) -> tuple[int, int]:
        frame = pandas.read_parquet(next(shop.glob(f"**/{key}.parquet")))
        return len(frame), int(frame["total"].iloc[0])

    write("total", 1, 5)
    with RunningDaemon(shop) as daemon:
        daemon.post({"asset": "shop/raw"})
        daemon.eventually(lambda: daemon.asset("shop/total")["updated_at"] is not None)
        assert total("total") == (1, 5)
        write("total", 2, 7)
        freshd("reload", daemon)
        daemon.post({"asset": "shop/raw"})
        daemon.eventually(lambda: daemon.asset("shop/total")["runs_started"] == 2 and total("total") == (2, 7))
        write("gross", 3, 9)
        freshd("reload", daemon)
        daemon.eventually(lambda: daemon.asset("shop/gross")["updated_at"] is not None)
        assert total("gross") == (3, 9)
