"""Each dashboard against Grafana's own types (`@grafana/schema`), by the TypeScript compiler.

Both come from npm by the lock file beside this, once, into ${FRESHD_CACHE:-~/.cache/freshd}. shown.ts says what is
compared; a property that Grafana does not know is an error too.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from tests.dashboards.reading import FOLDER, dashboards

HERE = Path(__file__).parent
NPM_WITHIN_S = 240


def _missing(what: str) -> None:
    pytest.fail(what) if os.environ.get("CI") == "true" else pytest.skip(what)


@pytest.fixture(scope="module")
def packages() -> Path:
    """A node_modules with what the lock file names."""
    if shutil.which("npm") is None:
        _missing("npm is not installed (Debian: apt-get install nodejs npm)")
    lock = (HERE / "package-lock.json").read_bytes()
    root = Path(os.environ.get("FRESHD_CACHE") or Path.home() / ".cache" / "freshd")
    folder = root / f"grafana-types-{hashlib.sha256(lock).hexdigest()[:12]}"
    if not (folder / "node_modules" / ".complete").exists():
        folder.mkdir(parents=True, exist_ok=True)
        for name in ("package.json", "package-lock.json"):
            shutil.copy(HERE / name, folder)
        command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
        try:
            done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=NPM_WITHIN_S)
        except subprocess.TimeoutExpired:
            _missing(f"npm did not install Grafana's types within {NPM_WITHIN_S} s")
            raise
        if done.returncode != 0:
            _missing(f"npm could not install Grafana's types:\n{done.stdout}{done.stderr}")
        (folder / "node_modules" / ".complete").touch()
    return folder / "node_modules"


def compiled(packages: Path, folder: Path, texts: dict[str, str]) -> str:
    """What the compiler says of dashboards given as JSON."""
    for name in ("shown.ts", "tsconfig.json"):
        shutil.copy(HERE / name, folder)
    (folder / "node_modules").symlink_to(packages)
    for name, text in texts.items():
        taken = f"export const made = {text.strip()} satisfies AnyDashboard;\n"
        (folder / f"{name}.ts").write_text(f"import type {{ AnyDashboard }} from './shown';\n{taken}", encoding="utf-8")
    compiler = packages / "typescript" / "bin" / "tsc"
    return subprocess.run(["node", compiler, "-p", "."], cwd=folder, capture_output=True, text=True, check=False).stdout


def test_grafanas_own_types_take_every_dashboard(packages: Path, tmp_path: Path) -> None:
    texts = {path.stem: path.read_text(encoding="utf-8") for path in FOLDER.glob("*.json")}
    assert len(texts) == 5
    assert compiled(packages, tmp_path, texts) == ""


def _with_panel(**changes: Any) -> dict[str, Any]:
    made: dict[str, Any] = json.loads(json.dumps(dashboards()["freshd-overview"]))
    made["panels"][0].update(changes)
    return made


def test_the_types_would_find_mistakes(packages: Path, tmp_path: Path) -> None:
    """Unknown kinds of panel and properties, wrong kinds of value, words that an enumeration lacks."""
    stat = dashboards()["freshd-overview"]["panels"][0]
    wrong = {
        "unknown_property": {**_with_panel(), "panls": []},
        "unknown_panel": _with_panel(type="singlestat"),
        "text_for_a_number": _with_panel(gridPos={**stat["gridPos"], "w": "4"}),
        "unknown_word": _with_panel(options={**stat["options"], "colorMode": "bright"}),
        "unknown_option": _with_panel(options={**stat["options"], "footer": {}}),
        "number_of_an_enumeration": {**_with_panel(), "graphTooltip": 7},
        "no_question": _with_panel(targets=[{"refId": "A"}]),
    }
    said = compiled(packages, tmp_path, {name: json.dumps(made) for name, made in wrong.items()})
    assert {name for name in wrong if f"{name}.ts(" in said} == set(wrong), said
