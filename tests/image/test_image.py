"""The image, built for real and run as the user that it names; and the Dockerfile by the real hadolint."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from tests.image import recipe
from tests.image.recipe import ENVIRON, ROOT, buildah
from tests.integration.running import free_port

pytestmark = pytest.mark.timeout(1800)

USER = "65532:65532"
LARGEST_MB = 720
READY_WITHIN_S = 120.0


@pytest.fixture(scope="module")
def image() -> str:
    return recipe.build()


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
    assert config["User"] == USER
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


def test_no_installer_and_no_shell_is_needed(container: str) -> None:
    program = "import importlib.util as f; print(f.find_spec('pip'), f.find_spec('setuptools'))"
    assert buildah("run", container, "--", "python", "-c", program) == "None None"


def test_size(container: str) -> None:
    folder = buildah("mount", container)
    try:
        said = subprocess.run(["du", "-sxm", "--apparent-size", folder], capture_output=True, text=True, check=True)
    finally:
        buildah("umount", container)
    megabytes = int(said.stdout.split()[0])
    print(f"the image has {megabytes} MB")
    assert megabytes <= LARGEST_MB


def test_the_daemon_in_it_is_ready_and_check_runs(container: str, tmp_path: Path) -> None:
    port = free_port()
    settings = tmp_path / "freshd.yaml"
    settings.write_text(json.dumps({"listen": f"127.0.0.1:{port}", "store": "sqlite:////data/freshd.db"}))
    tmp_path.chmod(0o755)
    for folder in tmp_path.parents:
        if folder.stat().st_uid == os.getuid() and folder.is_relative_to("/tmp") and folder != Path("/tmp"):
            folder.chmod(0o755)
    mounted = ("--volume", f"{settings}:/etc/freshd/freshd.yaml:ro")
    said = buildah("run", *mounted, container, "--", "freshd", "check")
    assert "Traceback" not in said
    command = ["buildah", "run", *mounted, container, "--", "freshd", "run"]
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(command, env=ENVIRON, stdout=log, stderr=log, cwd=ROOT)
    try:
        until = time.monotonic() + READY_WITHIN_S
        while not _ready(port):
            assert process.poll() is None and time.monotonic() < until, (tmp_path / "log").read_text()
            time.sleep(0.2)
        (health,) = [recipe.described(recipe.IMAGE)["config"]["Healthcheck"]["Test"]] if _has_health() else [[]]
        if health:
            program = health[health.index("-c") + 1].replace("8765", str(port))
            buildah("run", container, "--", "python", "-c", program)
    finally:
        process.terminate()
        process.wait(60)


def _ready(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/readyz", timeout=5, trust_env=False).is_success
    except httpx.TransportError:
        return False


def _has_health() -> bool:
    return "Healthcheck" in recipe.described(recipe.IMAGE)["config"]
