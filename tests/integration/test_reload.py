"""A daemon that goes by other files: whole or not at all, whoever asks for it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest
from tests.integration.running import ROOT, RunningDaemon

SETTINGS = """\
listen: 127.0.0.1:0
catalog: [config/assets.yaml]
policies: config/policies.yaml
"""
POLICIES = "policies: [{name: hourly, select: '*', expect: {lag: {stale: 1h}}}]\n"
BAD = """\
policies:
  - name: hourly
    select: "*"
    expect: {lagg: {stale: 1h}}
  - {name: other, select: nothing/here, react: eagre}
"""


def publish(folder: Path, version: str, keys: list[str], policies: str = POLICIES) -> None:
    """Put a version of the files there as the kubelet mounts a ConfigMap."""
    config = folder / "config"
    (config / version).mkdir(parents=True)
    (config / version / "assets.yaml").write_text("assets:\n" + "".join(f"  - {{key: {key}}}\n" for key in keys))
    (config / version / "policies.yaml").write_text(policies)
    (config / "..next").symlink_to(version)
    (config / "..next").rename(config / "..data")
    for name in ("assets.yaml", "policies.yaml"):
        if not (config / name).is_symlink():
            (config / name).symlink_to(f"..data/{name}")


def reload(daemon: RunningDaemon, *more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "freshd", "reload", "--url", daemon.url, *more],
        capture_output=True, text=True, check=False, env={**os.environ, "PYTHONPATH": str(ROOT / "daemon")},
    )  # fmt: skip


def metric(daemon: RunningDaemon, name: str) -> float:
    (line,) = (line for line in daemon.text("/metrics").splitlines() if line.startswith(f"{name} "))
    return float(line.split()[1])


def known(daemon: RunningDaemon) -> set[str]:
    return {asset["asset"] for asset in daemon.get("/api/assets")["assets"]}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "freshd.yaml").write_text(SETTINGS)
    publish(tmp_path, "..v1", ["a", "b"])
    return tmp_path


def test_a_config_map_is_swapped_under_a_running_daemon(folder: Path) -> None:
    with RunningDaemon(folder) as daemon:
        daemon.post({"asset": "a", "id": "1"})
        before = metric(daemon, "freshd_config_last_reload_success_timestamp_seconds")
        publish(folder, "..v2", ["a", "b", "c"])
        daemon.eventually(lambda: known(daemon) == {"a", "b", "c"})
        assert daemon.asset("a")["verdict"] == "fresh"
        daemon.eventually(lambda: metric(daemon, "freshd_config_last_reload_success_timestamp_seconds") > before)
        publish(folder, "..v3", ["a", "d"], BAD)
        daemon.eventually(lambda: metric(daemon, "freshd_config_last_reload_successful") == 0)
        assert known(daemon) == {"a", "b", "c"}
        assert daemon.asset("a")["verdict"] == "fresh"
        publish(folder, "..v4", ["a", "d"])
        daemon.eventually(lambda: known(daemon) == {"a", "d"})
        daemon.eventually(lambda: metric(daemon, "freshd_config_last_reload_successful") == 1)
        assert daemon.said().count("reload.refused") == 2, "one for each mistake, and tried once"


def test_freshd_reload_tells_every_problem_and_where(folder: Path) -> None:
    with RunningDaemon(folder) as daemon:
        publish(folder, "..v2", ["a"], BAD)
        refused = reload(daemon)
        assert refused.returncode == 1
        assert "config/policies.yaml:4: " in refused.stderr and "lagg" in refused.stderr
        assert "config/policies.yaml:5: " in refused.stderr and "react" in refused.stderr
        told = json.loads(reload(daemon, "--json").stdout)
        assert told["reloaded"] is False
        assert {one["where"] for one in told["problems"]} >= {"config/policies.yaml:4", "config/policies.yaml:5"}
        assert known(daemon) == {"a", "b"}
        publish(folder, "..v3", ["a", "b", "c"])
        done = reload(daemon)
        assert (done.returncode, done.stdout) == (0, "reloaded: 3 assets, 1 policy\n")
        assert known(daemon) == {"a", "b", "c"}
        settings = (folder / "freshd.yaml").read_text()
        (folder / "freshd.yaml").write_text(settings + 'slack: {channel: "#elsewhere"}\n')
        assert "only after a restart: slack" in reload(daemon).stdout


def test_a_reload_needs_the_token(folder: Path) -> None:
    (folder / "token").write_text("secret-of-this-test")
    (folder / "freshd.yaml").write_text(SETTINGS + "api: {token_file: token}\n")
    with RunningDaemon(folder) as daemon:
        assert httpx.post(f"{daemon.url}/-/reload", json={}).status_code == 401
        allowed = httpx.post(f"{daemon.url}/-/reload", headers={"Authorization": "Bearer secret-of-this-test"})
        assert allowed.status_code == 200
        assert allowed.json()["assets"] == 2


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


def test_a_manifest_behind_a_url_is_polled(tmp_path: Path) -> None:
    def publish_sources(*tables: str) -> None:
        sources = {
            f"source.p.shop.{table}": {
                "unique_id": f"source.p.shop.{table}", "resource_type": "source", "package_name": "p", "name": table,
                "source_name": "shop", "fqn": ["p", "shop", table], "config": {}, "schema": "shop",
            }
            for table in tables
        }  # fmt: skip
        made = {"metadata": {"project_name": "p"}, "nodes": {}, "sources": sources, "exposures": {}}
        (tmp_path / "served" / "next.json").write_text(json.dumps(made))
        (tmp_path / "served" / "next.json").rename(tmp_path / "served" / "manifest.json")

    (tmp_path / "served").mkdir()
    publish_sources("orders")
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(tmp_path / "served"))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}/manifest.json"
        (tmp_path / "freshd.yaml").write_text(f"listen: 127.0.0.1:0\ncatalog: [{{dbt: '{url}', poll: 1s}}]\n")
        with RunningDaemon(tmp_path) as daemon:
            assert known(daemon) == {"p/shop/orders"}
            publish_sources("orders", "refunds")
            daemon.eventually(lambda: known(daemon) == {"p/shop/orders", "p/shop/refunds"})
            (tmp_path / "served" / "manifest.json").write_text("no manifest")
            daemon.eventually(lambda: metric(daemon, "freshd_config_last_reload_successful") == 0)
            assert known(daemon) == {"p/shop/orders", "p/shop/refunds"}
        server.shutdown()


def test_nobody_to_reload(folder: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "freshd", "reload", "--url", "http://127.0.0.1:9"],
        capture_output=True, text=True, check=False, env={**os.environ, "PYTHONPATH": str(ROOT / "daemon")},
    )  # fmt: skip
    assert done.returncode == 3
