"""What the daemon needs and does not find: it says so in readiness, log and metrics, waits, and begins by itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.integration.running import RunningDaemon, free_port

PLACES: dict[str, dict[str, Any]] = {
    "api.token_file": {"api": {"token_file": "secrets/it"}},
    "ingress.fivetran.secret_file": {"ingress": {"fivetran": {"format": "fivetran", "secret_file": "secrets/it"}}},
    "slack.token_file": {"slack": {"channel": "#data", "token_file": "secrets/it"}},
}


@pytest.mark.parametrize("setting", PLACES)
def test_a_missing_secret_is_told_and_waited_for(tmp_path: Path, setting: str) -> None:
    daemon = RunningDaemon(tmp_path)
    daemon.configure({}, **PLACES[setting])
    try:
        daemon.start("/healthz")
        ready = daemon.answer("/readyz")
        assert ready.status_code == 503
        said = ready.json()["secrets"]["trouble"]
        assert f"{setting}: " in said and "secrets/it cannot be read: No such file" in said and "freshd.yaml:" in said
        assert daemon.metric("freshd_up", dependency="secrets") == 0
        assert daemon.metric("freshd_up", dependency="store") is None, "nobody has asked the store yet"
        assert daemon.send({"asset": "a"}).status_code == 503
        assert "secrets.unavailable" in daemon.said() and setting in daemon.said()
        assert not (tmp_path / "freshd.db").exists(), "nothing has begun"

        (tmp_path / "secrets").mkdir()
        (tmp_path / "secrets" / "it").write_text("")  # there, but empty: it would open a door
        daemon.eventually(lambda: "it is empty" in daemon.said())
        assert daemon.answer("/readyz").status_code == 503
        (tmp_path / "secrets" / "it").write_text("hunter2\n")
        daemon.eventually(lambda: "started" in daemon.said().rpartition("waiting")[2])
        daemon.stop()
        assert "hunter2" not in daemon.said()
    finally:
        daemon.kill()


def test_a_daemon_that_waits_can_be_stopped(tmp_path: Path) -> None:
    daemon = RunningDaemon(tmp_path)
    daemon.configure({}, **PLACES["api.token_file"])
    try:
        daemon.start("/healthz")
        daemon.stop()
    finally:
        daemon.kill()
    assert "stopped" in daemon.said() and "Traceback" not in daemon.said()


def test_an_unreachable_database_is_told_and_waited_for(tmp_path: Path) -> None:
    daemon = RunningDaemon(tmp_path)
    daemon.configure({}, store=f"postgresql://freshd@127.0.0.1:{free_port()}/freshd")
    try:
        daemon.start("/healthz")
        ready = daemon.answer("/readyz")
        assert ready.status_code == 503 and "cannot be reached" in ready.json()["store"]["trouble"]
        assert daemon.metric("freshd_up", dependency="store") == 0
        assert daemon.said().count("store.unavailable") >= 1
        daemon.eventually(lambda: daemon.said().count("store.unavailable") >= 3)  # it tries again
        assert daemon.answer("/healthz").is_success
    finally:
        daemon.kill()


def test_an_unreachable_broker_is_told_and_the_rest_goes_on(tmp_path: Path) -> None:
    kafka = {"bootstrap_servers": [f"127.0.0.1:{free_port()}"], "topics": {"events": {"format": "freshd"}}}
    daemon = RunningDaemon(tmp_path)
    daemon.configure({"assets.yaml": {"assets": [{"key": "a"}]}}, kafka=kafka, catalog=["assets.yaml"])
    with daemon:
        daemon.eventually(lambda: daemon.get("/readyz")["parts"]["kafka"]["state"] != "starting")
        part = daemon.get("/readyz")["parts"]["kafka"]
        assert part["state"] == "down" and kafka["bootstrap_servers"][0] in part["message"]
        assert daemon.metric("freshd_up", dependency="kafka") == 0
        assert daemon.metric("freshd_up", dependency="store") == 1
        assert "kafka.unreachable" in daemon.said()
        daemon.post({"asset": "a"})
        assert daemon.answer("/healthz").is_success
