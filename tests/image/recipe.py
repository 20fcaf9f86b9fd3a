"""How the Dockerfile is built and run without an engine or a registry: buildah, on a base made by debootstrap.

Chroot isolation shows neither a read-only root nor dropped capabilities nor the health check's schedule.
"""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from tests.chart.tools import missing, need

ROOT = Path(__file__).parents[2]
BASE = "localhost/freshd-base:bookworm"
IMAGE = f"localhost/freshd-test:{os.getpid()}"
"""One of this session's own: it is removed at the end."""
ENVIRON = {**os.environ, "STORAGE_DRIVER": "vfs", "BUILDAH_ISOLATION": "chroot"}
BUILD_WITHIN_S = 1200
OF_THE_MACHINE = ("/etc/ssl/certs", "/etc/pip.conf")
"""Trust and pip's settings of this machine, lent to the build so that it reaches what the machine reaches."""


def buildah(*words: str, within: float = BUILD_WITHIN_S) -> str:
    """What buildah prints. Raises AssertionError with its complaint if it fails."""
    command = [need("buildah", "buildah"), *words]
    done = subprocess.run(command, env=ENVIRON, cwd=ROOT, capture_output=True, text=True, timeout=within, check=False)
    assert done.returncode == 0, f"{' '.join(words)}: {(done.stdout + done.stderr)[-3000:]}"
    return done.stdout.strip()


def base() -> str:
    """A small Debian with Python; made once (40 s) and kept in buildah's store."""
    if os.geteuid() != 0:
        missing("an image is built here by root alone (debootstrap, chroot)")
    debootstrap = need("debootstrap", "debootstrap")
    names = buildah("images", "--format", "{{.Name}}:{{.Tag}}").split()
    if BASE not in names:
        with tempfile.TemporaryDirectory() as root:
            packages = "--include=python3,python3-venv,python3-pip,ca-certificates"
            command = [debootstrap, "--variant=minbase", packages, "bookworm", root]
            done = subprocess.run(command, capture_output=True, text=True, timeout=BUILD_WITHIN_S, check=False)
            assert done.returncode == 0, done.stdout[-2000:]
            container = buildah("from", "scratch")
            buildah("add", "-q", container, root, "/")
            buildah("commit", "-q", container, BASE)
            buildah("rm", container)
    return BASE


def build() -> str:
    """The image of the Dockerfile."""
    lent = [part for path in OF_THE_MACHINE if Path(path).exists() for part in ("--volume", f"{path}:{path}:ro")]
    arguments = ["--build-arg", f"BASE={base()}", "--build-arg", "REVISION=tried", "-t", IMAGE]
    buildah("bud", "-q", *lent, *arguments, str(ROOT))
    return IMAGE


def described(image: str) -> dict[str, Any]:
    """Its configuration, as an engine reads it."""
    found: dict[str, Any] = json.loads(buildah("inspect", "--type", "image", image))["Docker"]
    return found
