"""examples/dbt_shop as its README tells it: a sync event builds just the models below its source."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.contract.launcher_rigs import need_dbt
from tests.integration.running import ROOT, RunningDaemon

pytestmark = pytest.mark.dbt


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[RunningDaemon]:
    path = f"{Path(need_dbt()).parent}{os.pathsep}{os.environ['PATH']}"
    left_out = shutil.ignore_patterns("target", "landing", ".freshd", "*.db*", "*.duckdb*", "logs")
    folder = tmp_path / "dbt_shop"
    shutil.copytree(ROOT / "examples" / "dbt_shop", folder, ignore=left_out)
    settings = (folder / "freshd.yaml").read_text()
    (folder / "freshd.yaml").write_text(settings.replace("127.0.0.1:8765", "127.0.0.1:0"))
    subprocess.run([sys.executable, "sync.py", "all", "--quiet"], cwd=folder, check=True)
    subprocess.run(["dbt", "--quiet", "build"], cwd=folder, env={**os.environ, "PATH": path}, check=True)
    with RunningDaemon(folder, PATH=path) as running:
        yield running
        assert running.stop() == 0


def _runs(shop: RunningDaemon) -> dict[str, int]:
    """How often each asset was materialised by the daemon."""
    counts: dict[str, int] = {}
    for run in shop.get("/api/runs")["runs"]:
        for asset in run["assets"]:
            counts[asset] = counts.get(asset, 0) + 1
    return counts


def _sync(shop: RunningDaemon, source: str) -> None:
    command = [sys.executable, "sync.py", source, "--url", f"{shop.url}/events/fivetran"]
    subprocess.run(command, cwd=shop.folder, check=True)


def test_a_sync_builds_just_the_models_below_its_source(shop: RunningDaemon) -> None:
    shop.eventually(lambda: not shop.asset("dbt_shop/orders")["due"])
    assert shop.asset("dbt_shop/orders")["updated_at"] is not None, "dbt's own results were read"
    before = {name: shop.asset(f"dbt_shop/{name}")["updated_at"] for name in ("orders", "revenue_by_country")}

    _sync(shop, "payments")
    for name in ("payments", "open_orders"):
        shop.eventually(lambda name=name: _done(shop, f"dbt_shop/{name}", 1))  # type: ignore[misc]
    after = {name: shop.asset(f"dbt_shop/{name}")["updated_at"] for name in before}
    assert after == before

    _sync(shop, "shop")
    for name, runs in {"orders": 1, "revenue_by_country": 1, "open_orders": 2}.items():
        shop.eventually(lambda name=name, runs=runs: _done(shop, f"dbt_shop/{name}", runs))  # type: ignore[misc]
    assert shop.asset("dbt_shop/payments")["runs_started"] == 1


def _done(shop: RunningDaemon, key: str, runs: int) -> bool:
    asset = shop.asset(key)
    return bool(asset["runs_started"] == runs and not asset["due"] and not asset["runs"])
