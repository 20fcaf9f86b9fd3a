"""Style, types and layers, as the tools see them. `make lint` mends what can be mended."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from tests.tidy.sources import ROOT, modules

BIN = Path(sys.executable).parent


def run(*command: str) -> None:
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(command[1:])}\n{(done.stdout + done.stderr)[-6_000:]}"


def test_ruff_finds_nothing() -> None:
    run(str(BIN / "ruff"), "check", "--no-cache", "--quiet", "--output-format=concise", ".")


def test_everything_is_formatted() -> None:
    run(str(BIN / "ruff"), "format", "--no-cache", "--check", "--output-format=concise", ".")


@pytest.mark.timeout(600)
def test_types_hold() -> None:
    run(sys.executable, "-m", "mypy", "--no-error-summary")


def test_layers_are_kept() -> None:
    run(str(BIN / "lint-imports"), "--no-cache")


def test_there_is_something_to_check() -> None:
    assert len(modules()) > 40
