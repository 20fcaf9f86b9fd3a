"""The chart, rendered by the real Helm CLI."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import yaml
from tests.chart import tools

CHART = Path(__file__).parents[2] / "helm" / "freshd"
CASES = sorted((CHART / "ci").glob("*-values.yaml"))


def run_helm(*words: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """What `helm` answers."""
    kept = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", **environ}
    return subprocess.run([str(tools.helm()), *words], env=kept, capture_output=True, text=True, timeout=120)


def rendered(*words: str, values: dict[str, Any] | None = None, case: Path | None = None) -> list[dict[str, Any]]:
    """The objects that `helm template` prints. Raises AssertionError with what Helm said if it refuses."""
    done = template(*words, values=values, case=case)
    assert done.returncode == 0, done.stderr
    return [item for item in yaml.safe_load_all(done.stdout) if item]


def template(
    *words: str, values: dict[str, Any] | None = None, case: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """`helm template` of the chart as release `shop` in namespace `data`."""
    command = ["template", "shop", str(CHART), "--namespace", "data", *words]
    command += ["-f", str(case)] if case is not None else []
    if values is not None:
        command += [part for name, value in values.items() for part in ("--set-json", f"{name}={json.dumps(value)}")]
    return run_helm(*command)


def of_kind(objects: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    """Those of a kind."""
    return [item for item in objects if item["kind"] == kind]


def one(objects: list[dict[str, Any]], kind: str) -> dict[str, Any]:
    """The only one of a kind."""
    (found,) = of_kind(objects, kind)
    return found
