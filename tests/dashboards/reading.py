"""The committed dashboards, as tests look at them: panels, questions, variables, links, and what Grafana would ask.

Grafana puts a variable's value into a question in its own way: one value as it stands, several or `All` as a regular
expression. `asked` does the same.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

import yaml

ROOT: Final = Path(__file__).resolve().parents[2]
FOLDER: Final = ROOT / "helm" / "freshd" / "dashboards"
RULES: Final = ROOT / "helm" / "freshd" / "rules"

_STRING = re.compile(r'"(?:[^"\\]|\\.)*"')
_NAME = re.compile(r"(?<![\w:.$])[a-zA-Z_][\w:]*")
_MATCHERS = re.compile(r"\{[^}]*\}")
_GROUPING = re.compile(r"\b(?:by|without|on|ignoring|group_left|group_right)\s*\([^)]*\)")
_SPECIAL = re.compile(r"([\\/^$*+?.()|{}\[\]])")
WORDS: Final = {"abs", "and", "bottomk", "changes", "count", "histogram_quantile", "increase", "max", "min", "or"} | {
    *("rate", "sum", "sum_over_time", "time", "topk", "unless", "vector")
}
"""Of PromQL itself."""


@dataclass(frozen=True)
class Question:
    """One target of a panel."""

    dashboard: str
    panel: str
    letter: str
    expression: str
    legend: str
    now: bool
    """Asked for an instant, not for the time shown."""
    columns: tuple[str, ...]
    """Labels that the table's columns are made of."""

    def __str__(self) -> str:
        return f"{self.dashboard}: {self.panel}: {self.expression}"

    @property
    def id(self) -> str:
        """Short, for the names of tests."""
        return f"{self.dashboard}: {self.panel} {self.letter}"

    @property
    def labels(self) -> set[str]:
        """Labels that its answers must have: the legend's, and (for the table as a whole) the columns'."""
        return set(re.findall(r"\{\{\s*(\w+)\s*\}\}", self.legend))

    @property
    def metrics(self) -> set[str]:
        """Names of the metrics that it asks for."""
        bare = _GROUPING.sub(" ", _MATCHERS.sub(" ", _STRING.sub('""', self.expression)))
        return {name for name in _NAME.findall(re.sub(r"\[[^\]]*\]", " ", bare)) if name not in WORDS}


@cache
def dashboards() -> Mapping[str, Any]:
    """By the names of their files."""
    return {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in sorted(FOLDER.glob("*.json"))}


def panels(dashboard: Any) -> Iterator[Any]:
    """All panels but the headings."""
    return (panel for panel in dashboard["panels"] if panel["type"] != "row")


def all_panels() -> list[tuple[str, Any]]:
    """(dashboard, panel) of every panel."""
    return [(name, panel) for name, made in dashboards().items() for panel in panels(made)]


def questions() -> list[Question]:
    """Of every panel of every dashboard."""
    return [
        Question(
            name,
            panel["title"],
            target["refId"],
            target["expr"],
            target.get("legendFormat", ""),
            bool(target.get("instant")),
            tuple(column for column in columns(panel) if not column.startswith("Value")),
        )
        for name, panel in all_panels()
        for target in panel["targets"]
    ]


def columns(panel: Any) -> list[str]:
    """The fields that a table shows."""
    chosen = [step for step in panel.get("transformations", ()) if step["id"] == "filterFieldsByName"]
    return [name for step in chosen for name in step["options"]["include"]["names"]]


def variables(dashboard: Any) -> Mapping[str, Any]:
    """By name."""
    return {variable["name"]: variable for variable in dashboard["templating"]["list"]}


def recorded() -> set[str]:
    """Names that the recording rules make."""
    rules = [yaml.safe_load(path.read_text(encoding="utf-8")) for path in sorted(RULES.glob("*.yaml"))]
    return {rule["record"] for made in rules for group in made["groups"] for rule in group["rules"] if "record" in rule}


def asked(expression: str, chosen: Mapping[str, str | list[str]], interval: str = "1m", shown: str = "1h") -> str:
    """What Grafana would send. `chosen`: the variables' values, lists for those of which many can be chosen.

    `interval`: what Grafana takes for rates; `shown`: the time shown.
    """
    texts = {"__rate_interval": interval, "__range": shown}
    for name, value in chosen.items():
        if isinstance(value, list):
            special = [_SPECIAL.sub(r"\\\\\1", one) if one != ".*" else one for one in value]
            texts[name] = special[0] if len(special) == 1 else f"({'|'.join(special)})"
        else:
            texts[name] = value.replace("\\", "\\\\").replace('"', '\\"')

    def text(found: re.Match[str]) -> str:
        return texts[found[1] or found[2]]

    return re.sub(r"\$(?:\{(\w+)\}|(\w+))", text, expression)
