"""The image, built for real and run as the user that it names; and the Dockerfile by the real hadolint."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from tests.chart.rendering import of_kind, one, rendered
from tests.chart.tools import need
from tests.image import recipe
from tests.image.recipe import ENVIRON, ROOT, buildah
from tests.integration.running import free_port

pytestmark = pytest.mark.timeout(1800)

UID = 65532
LARGEST_MB = 720
READY_WITHIN_S = 120.0


@pytest.fixture(scope="module")
def image() -> Iterator[str]:
    yield recipe.build()
    buildah("rmi", recipe.IMAGE)


@pytest.fixture
def container(image: str) -> Iterator[str]:
    name = buildah("from", image)
    yield name
    buildah("rm", name)


def test_hadolint_finds_nothing() -> None:
    done = subprocess.run(
        [str(Path(sys.executable).parent / "hadolint"), str(ROOT / "Dockerfile")], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_its_configuration(image: str) -> None:
    config = recipe.described(image)["config"]
    assert config["User"] == f"{UID}:{UID}"
    assert config["Entrypoint"] == ["freshd"] and config["Cmd"] == ["run"]
    assert config["Labels"]["org.opencontainers.image.title"] == "freshd"
    assert config["Labels"]["org.opencontainers.image.revision"] == "tried"
    assert list(config["Volumes"]) == ["/data"]


def test_nothing_but_data_is_writable(container: str) -> None:
    """By the rights of its user: of all folders only /data and those that anybody may write to."""
    program = (
        "import os; print([at for at, _, _ in os.walk('/', topdown=True) if os.access(at, os.W_OK)"
        " and not at.startswith(('/proc', '/dev', '/sys', '/tmp', '/var/tmp', '/run'))], os.getuid())"
    )
    assert buildah("run", container, "--", "python", "-c", program) == "['/data'] 65532"


def test_no_installer_is_in_it(container: str) -> None:
    program = "import importlib.util as f; print(f.find_spec('pip'), f.find_spec('setuptools'))"
    assert buildah("run", container, "--", "python", "-c", program) == "None None"


def test_no_shell_is_needed(container: str) -> None:
    folder = Path(buildah("mount", container))
    try:
        for shell in ("sh", "dash", "bash"):
            (folder / "bin" / shell).unlink()
    finally:
        buildah("umount", container)
    assert buildah("run", container, "--", "freshd", "-h")
    with pytest.raises(AssertionError):
        buildah("run", container, "--", "sh", "-c", "true")


def test_size(container: str) -> None:
    folder = buildah("mount", container)
    try:
        said = subprocess.run(["du", "-sxm", "--apparent-size", folder], capture_output=True, text=True, check=True)
    finally:
        buildah("umount", container)
    megabytes = int(said.stdout.split()[0])
    print(f"the image has {megabytes} MB")
    assert megabytes <= LARGEST_MB


def mounts(folder: Path, settings: str) -> list[str]:
    """What a daemon is given by whoever runs it: settings, secrets, and a place to write to. Made in the folder."""
    for at in (folder, *(at for at in folder.parents if at != Path("/tmp") and at.is_relative_to("/tmp"))):
        at.chmod(0o755)  # user 65532 reads what is mounted
    (folder / "freshd.yaml").write_text(settings, encoding="utf-8")
    (folder / "secrets").mkdir()
    (folder / "data").mkdir(mode=0o700)
    os.chown(folder / "data", UID, UID)
    places = {"freshd.yaml": "/etc/freshd/freshd.yaml:ro", "secrets": "/run/secrets/freshd:ro", "data": "/data"}
    return [word for name, place in places.items() for word in ("--volume", f"{folder / name}:{place}")]


@contextmanager
def running(container: str, mounted: list[str], log: Path) -> Iterator[Callable[[Callable[[], bool]], None]]:
    """`freshd run` in it; gives what waits until something holds."""
    buildah("config", "--volume", "/data-", container)  # else buildah mounts its own there too, sometimes above ours
    with log.open("wb") as written:
        command = [need("buildah", "buildah"), "run", *mounted, container, "--", "freshd", "run"]
        process = subprocess.Popen(command, env=ENVIRON, stdout=written, stderr=written, cwd=ROOT)

    def wait(holds: Callable[[], bool]) -> None:
        until = time.monotonic() + READY_WITHIN_S
        while not holds():
            assert process.poll() is None and time.monotonic() < until, log.read_text()
            time.sleep(0.2)

    try:
        yield wait
    finally:
        process.terminate()
        process.wait(60)


def test_the_daemon_in_it_is_ready_and_check_runs(container: str, tmp_path: Path) -> None:
    port = free_port()
    settings = {"listen": f"127.0.0.1:{port}", "store": "sqlite:////data/freshd.db"}
    mounted = mounts(tmp_path, json.dumps(settings))
    assert "no problems" in buildah("run", *mounted, container, "--", "freshd", "check")
    with running(container, mounted, tmp_path / "log") as wait:
        wait(lambda: _answer(port, "/readyz") == 200)
        buildah("run", container, "--", *_health(port))
    with pytest.raises(AssertionError):
        buildah("run", container, "--", *_health(port))
    assert (tmp_path / "data" / "freshd.db").stat().st_uid == UID


def test_it_goes_by_what_the_chart_mounts_and_waits_for_a_missing_secret(container: str, tmp_path: Path) -> None:
    http, probes = free_port(), free_port()
    objects = rendered(values={"config.listen": f"0.0.0.0:{http}", "config.metrics": {"listen": f"0.0.0.0:{probes}"}})
    (settings,) = [item["data"]["freshd.yaml"] for item in of_kind(objects, "ConfigMap")]
    (container_of_pod,) = one(objects, "Deployment")["spec"]["template"]["spec"]["containers"]
    alive, ready = (container_of_pod[f"{probe}Probe"]["httpGet"]["path"] for probe in ("liveness", "readiness"))
    with running(container, mounts(tmp_path, settings), tmp_path / "log") as wait:
        wait(lambda: _answer(probes, ready) == 503)  # the Secret is not there yet
        assert _answer(probes, alive) == 200
        assert "api.token_file" in (tmp_path / "log").read_text()
        (tmp_path / "secrets" / "api.token_file").write_text("hunter2")
        wait(lambda: _answer(probes, ready) == 200)
        assert _answer(http, "/api/status") == 200
    assert (tmp_path / "data" / "freshd.db").stat().st_uid == UID


def _health(port: int) -> list[str]:
    """The command of the image's health check. buildah's own format has none, so it is read from the Dockerfile."""
    (line,) = re.findall(r"^HEALTHCHECK .*\\\n +CMD (\[.*\])$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    command: list[str] = json.loads(line)
    return [word.replace("8765", str(port)) for word in command]


def _answer(port: int, path: str) -> int:
    """The status that it answers with, 0 if nobody answers."""
    try:
        return httpx.get(f"http://127.0.0.1:{port}{path}", timeout=5, trust_env=False).status_code
    except httpx.TransportError:
        return 0
