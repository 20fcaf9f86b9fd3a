"""What a block may be, and whether freshd (or Prometheus) takes it: always by the code that reads the real thing."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft7Validator
from tests.docs.pages import ROOT, Block

from freshd.adapters.catalog import load_catalog
from freshd.adapters.catalog.yaml_assets import read_assets
from freshd.adapters.formats import decoder
from freshd.app.project import load_project
from freshd.documents import Document, parse_yaml
from freshd.model.errors import ConfigError
from freshd.model.graph import build_graph
from freshd.model.identify import Matcher
from freshd.model.select import Selector
from freshd.model.sighting import Message
from freshd.model.time import parse_instant
from freshd.policies import build_charter, policies_of
from freshd.scenarios import run_files
from freshd.settings import Settings, load_settings

NOW = parse_instant("2026-11-22T09:00:00Z")


def check_event(block: Block) -> None:
    """It is an event in the format that the block names, and says something."""
    assert block.word, f"{block.where}: say the event's format behind json, or why it is none"
    headers = {"content-type": "application/cloudevents+json"} if block.word == "cloudevents" else {}
    assert decoder(block.word)(Message(block.text.encode(), NOW, block.where, headers)), block.where


def check_yaml(block: Block) -> None:
    """Every document in it is something that freshd or Prometheus reads."""
    for document in parse_yaml(block.text, block.where):
        keys = set(document.value) if isinstance(document.value, dict) else set()
        readers = [read for key, read in _READERS.items() if key in keys]
        if not readers and isinstance(document.value, dict) and isinstance(document.value.get("policies"), list):
            readers = [_policies]
        if not readers and keys <= set(Settings.model_fields):
            readers = [_settings]
        assert readers, f"{block.where}: nothing reads {sorted(keys)}"
        try:
            readers[0](document, block)
        except ConfigError as error:
            pytest.fail(f"{block.where}: {error}")


def check_folder(folder: Path) -> None:
    """What the page's files say together: the project, and every scenario."""
    try:
        if (folder / "freshd.yaml").exists():
            load_project(folder / "freshd.yaml")
    except ConfigError as error:
        pytest.fail(f"freshd check of the files of this page: {error}")
    told = [path for path in folder.rglob("*.yaml") if "\nscenario:" in "\n" + path.read_text(encoding="utf-8")]
    good = [path for path in told if "broken" not in path.name]
    if good:
        report = run_files(good)
        assert report.exit_code == 0, "\n".join(report.text())


def promtool(*arguments: str, cwd: Path) -> None:
    """Run promtool, which must find nothing wrong."""
    program = shutil.which("promtool")
    if program is None:
        assert not os.environ.get("CI"), "promtool is missing; make components installs it"
        pytest.skip("promtool is not installed")
    done = subprocess.run([program, *arguments], cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def rules_of(block: Block) -> str:
    """A file of rules with what a block says: rules as they are, or an expression a line."""
    if block.language == "yaml":
        return block.text
    expressions = [line for line in block.text.splitlines() if line.strip() and not line.startswith("#")]
    rules = [{"record": f"docs:example_{number}", "expr": text} for number, text in enumerate(expressions)]
    return yaml.safe_dump({"groups": [{"name": "docs", "rules": rules}]})


def _settings(document: Document, block: Block) -> None:
    assert document.value, block.where
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "freshd.yaml")
        path.write_text(yaml.safe_dump(document.value, allow_unicode=True, sort_keys=False), encoding="utf-8")
        graph = build_graph(())
        Matcher(graph, load_settings(path, {}).rules(), Selector(graph).select)


def _assets(document: Document, block: Block) -> None:
    """A file of a page may lean on its others, which `check_folder` reads together."""
    if block.name:
        read_assets(document, "assets")
    else:
        build_graph(load_catalog((), Path(), (document, ("assets",))).assets)


def _policies(document: Document, block: Block) -> None:
    build_charter(build_graph(()), policies_of(document), notes=[])


def _scenario(document: Document, block: Block) -> None:
    assert block.name, f"{block.where}: a scenario needs a name, so that it is played"


def _prometheus(document: Document, block: Block) -> None:
    """promtool has the word."""


def _alertmanager(document: Document, block: Block) -> None:
    """A real Alertmanager runs by it in tests/integration/test_alertmanager."""
    assert block.name == "alertmanager.yml", f"{block.where}: only that name is tried"


def _values(document: Document, block: Block) -> None:
    """Values of the chart, which tests/chart shows Helm to judge by the same schema."""
    schema = json.loads((ROOT / "helm" / "freshd" / "values.schema.json").read_text(encoding="utf-8"))
    wrong = [error.message for error in Draft7Validator(schema).iter_errors(document.value)]
    assert not wrong, f"{block.where}: {wrong}"


_READERS: Mapping[str, Callable[[Document, Block], Any]] = {
    "scenario": _scenario,
    "config": _values,
    "groups": _prometheus,
    "scrape_configs": _prometheus,
    "receivers": _alertmanager,
    "assets": _assets,
}
