"""Whatever people may write, or may read in an answer, stands on the page about it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

import pytest
from pydantic import BaseModel
from tests.docs.pages import ROOT

from freshd.adapters.catalog.settings import AssetItem, DbtEntry, PythonEntry
from freshd.adapters.formats import FORMATS
from freshd.adapters.ingress import IngressSettings
from freshd.adapters.kafka.settings import KafkaSettings, SecuritySettings, TopicSettings
from freshd.adapters.launch.settings import CommandSettings, DbtSettings, PythonSettings
from freshd.adapters.slack import SlackSettings
from freshd.adapters.web import web_routes
from freshd.adapters.web.site import Site
from freshd.backtest.lines import Expect, ExpectAsset, ExpectIncident, Line, RunModel
from freshd.backtest.written import ScenarioFile
from freshd.cli.commands import app
from freshd.model.inputs import EventKind
from freshd.model.records import Reason
from freshd.model.select import METHODS
from freshd.policies.expectations import (
    CalendarModel,
    CheckModel,
    DeadlineModel,
    ExpectModel,
    LearnedModel,
    SloModel,
)
from freshd.policies.written import AlertModel, EagerModel, PolicyModel, RetryModel
from freshd.settings import IdentifyModel, Settings

DOCS = ROOT / "docs"
NOT_YET: set[str] = set()
SECRETS = {"secret", "bearer", "url_token", "password", "key_password", "key_password_file", "token", "client_id"}
"""Given by their `_file` twins on the pages; what is left is in `freshd schema settings`."""

MODELS: list[tuple[str, list[type[BaseModel]]]] = [
    ("assets.md", [AssetItem, DbtEntry, PythonEntry]),
    ("policies.md", [PolicyModel, ExpectModel, DeadlineModel, EagerModel, RetryModel, AlertModel]),
    ("policies.md", [CalendarModel, CheckModel, LearnedModel, SloModel]),
    ("scenarios.md", [ScenarioFile, Line, Expect, ExpectAsset, ExpectIncident, RunModel]),
    ("launchers.md", [CommandSettings, PythonSettings, DbtSettings]),
    ("events.md", [KafkaSettings, TopicSettings, SecuritySettings, IngressSettings, IdentifyModel]),
    ("alerts.md", [SlackSettings]),
]


def lacking(page: str, words: Iterable[str]) -> list[str]:
    text = (DOCS / page).read_text(encoding="utf-8")
    return sorted(word for word in words if not re.search(rf"(?<![\w-]){re.escape(word)}(?![\w-])", text))


@pytest.mark.parametrize(("page", "models"), MODELS, ids=[f"{page} {models[0].__name__}" for page, models in MODELS])
def test_every_key_is_described(page: str, models: list[type[BaseModel]]) -> None:
    keys = {field.alias or key for model in models for key, field in model.model_fields.items()} - NOT_YET - SECRETS
    assert lacking(page, keys) == []


def test_every_setting_stands_somewhere() -> None:
    everything = "\n".join(path.read_text(encoding="utf-8") for path in DOCS.glob("*.md"))
    assert [name for name in Settings.model_fields if f"{name}:" not in everything] == []


def test_every_cause_says_what_to_do() -> None:
    causes = list(Reason)[list(Reason).index(Reason.SYNC_FAILED) : list(Reason).index(Reason.DONE)]
    assert lacking("alerts.md", [f"| `{reason}` |" for reason in causes]) == []


def test_every_reason_to_launch_is_a_label() -> None:
    reasons = list(Reason)[: list(Reason).index(Reason.OBSERVE)]
    assert lacking("metrics.md", reasons) == []


def test_every_reason_of_a_dead_letter_is_explained() -> None:
    package = ROOT / "daemon" / "freshd"
    raised = {
        reason
        for path in package.rglob("*.py")
        for reason in re.findall(r'(?:DecodeError\(\s*|dead_letter\(message, format, )"(\w+)"', path.read_text())
    }
    assert raised >= {"not_json", "from_the_future"}
    assert lacking("events.md", raised) == []


def test_formats_kinds_and_selectors() -> None:
    assert lacking("events.md", [*FORMATS, *(kind.value for kind in EventKind)]) == []
    text = (DOCS / "assets.md").read_text()
    assert [method for method in METHODS if f"{method}:" not in text and method != "resource_type"] == []


def test_every_command_is_on_a_page() -> None:
    pages = "\n".join(path.read_text() for path in [ROOT / "README.md", *DOCS.glob("*.md")])
    known = {command.name or getattr(command.callback, "__name__", "") for command in app.registered_commands}
    assert [name for name in sorted(known) if f"freshd {name}" not in pages and f"make {name}" not in pages] == []


def test_every_path_of_the_api_is_listed() -> None:
    source = Path(web_routes.__code__.co_filename).read_text()
    paths = {path.partition("{")[0].rstrip("/") for path in re.findall(r'"(/api/[^"]*)"', source)}
    assert len(paths) > 5
    assert Site.__doc__
    assert lacking("operations.md", paths) == []
