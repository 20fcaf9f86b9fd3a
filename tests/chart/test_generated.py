"""The generated files of the chart are those that the settings make, and refuse what they should. Needs no Helm."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from helm.chart import made
from jsonschema import Draft7Validator
from tests.chart.rendering import CASES, CHART


@pytest.fixture(scope="module")
def schema() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((CHART / "values.schema.json").read_text(encoding="utf-8"))
    return found


def test_files_are_as_make_lint_makes_them() -> None:
    for path, text in made().items():
        assert path.read_text(encoding="utf-8") == text, f"{path.name}: make lint makes another one"


def test_every_value_is_described() -> None:
    values = yaml.safe_load((CHART / "values.yaml").read_text(encoding="utf-8"))
    table = (CHART / "README.md").read_text(encoding="utf-8")
    for name, value in values.items():
        parts = [name] if f"| `{name}` |" in table else [f"{name}.{part}" for part in value]
        assert all(f"| `{part}` |" in table for part in parts), name


def test_a_mapping_takes_no_unknown_key(schema: dict[str, Any]) -> None:
    """All but those that Kubernetes reads, and names of one's own."""
    described = {"resources", "global", "nodeSelector", "affinity"}
    open_ones = {
        name
        for name, part in schema["properties"].items()
        if part.get("type") == "object" and "properties" in part and part.get("additionalProperties") is not False
    }
    assert open_ones <= described
    assert schema["additionalProperties"] is False and schema["properties"]["config"]["additionalProperties"] is False


@pytest.mark.parametrize("case", CASES, ids=lambda path: path.name)
def test_values_of_each_case_fit(schema: dict[str, Any], case: Path) -> None:
    values = yaml.safe_load(case.read_text(encoding="utf-8"))
    assert [error.message for error in Draft7Validator(schema).iter_errors(values)] == []
