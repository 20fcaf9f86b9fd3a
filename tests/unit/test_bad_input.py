"""Whatever stands in a file: it is read, or refused by a ConfigError with its place. Nothing else ever comes out."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from freshd.documents import Document, parse_yaml
from freshd.model.errors import ConfigError, Problem
from freshd.model.graph import build_graph
from freshd.model.select import Selector
from freshd.policies import build_charter, policies_of
from freshd.scenarios import read_scenario
from freshd.settings import Settings, load_settings

WORDS = (
    *("scenario", "start", "assets", "policies", "timeline", "runs", "catalog", "key", "upstreams", "name", "select"),
    *(
        "expect",
        "lag",
        "warn",
        "stale",
        "react",
        "eager",
        "at",
        "update",
        "a",
        "b",
        "*",
        "1h",
        "0s",
        "exclude",
        "alert",
    ),
    *("deadline", "cron", "* * * * *", "max_lag", "timezone", "UTC", "2026-01-01T00:00:00Z", "retry", "jitter", "10%"),
    *("kafka", "topics", "format", "freshd", "store", "launchers", "kind", "command", "argv", "identify", "match"),
)
scalars = st.one_of(
    st.sampled_from(WORDS), st.none(), st.booleans(), st.integers(-3, 10**20), st.floats(), st.text(max_size=5)
)
values = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.one_of(st.sampled_from(WORDS), st.text(max_size=3)), inner, max_size=4),
    ),
    max_leaves=20,
)


def _scenario(document: Document) -> None:
    read_scenario(document, Path("/nonexistent"))


def _policies(document: Document) -> None:
    build_charter(build_graph([]), policies_of(document), notes=[])


def problems_of(read: Callable[[], object]) -> list[Problem]:
    """What is wrong; anything but a ConfigError passes through and fails the test."""
    try:
        read()
    except ConfigError as error:
        return error.problems or [Problem("", "")]
    return []


def _read_all(text: str, reader: Callable[[Document], None]) -> None:
    for document in parse_yaml(text, "f.yaml"):
        reader(document)


READERS: list[tuple[Callable[[Document], None], dict[str, Any]]] = [
    (_scenario, {"scenario": "s", "start": "2026-01-01T00:00:00Z", "assets": [{"key": "a"}]}),
    (_policies, {"policies": [{"name": "p", "select": "a"}]}),
]


@pytest.mark.parametrize(("reader", "base"), READERS, ids=["scenario", "policies"])
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(value=values, key=st.sampled_from(WORDS), inner=st.sampled_from(WORDS))
def test_any_value_anywhere(
    reader: Callable[[Document], None], base: dict[str, Any], value: Any, key: str, inner: str
) -> None:
    shapes = (value, {**base, key: value}, {**base, key: [{"name": "x", "at": "0s", "select": "*", inner: value}]})
    for shape in shapes:
        told = problems_of(partial(_read_all, json.dumps(shape, ensure_ascii=False), reader))
        assert all(problem.message for problem in told)


@settings(max_examples=150, deadline=None)
@given(value=values, key=st.sampled_from(sorted(Settings.model_fields)))
def test_any_setting(tmp_path_factory: pytest.TempPathFactory, value: Any, key: str) -> None:
    path = tmp_path_factory.mktemp("s") / "freshd.yaml"
    path.write_text(json.dumps({key: value}), encoding="utf-8")
    environ = {"FRESHD_" + key.upper(): value} if isinstance(value, str) and "\0" not in value else {}
    assert all(problem.message for problem in problems_of(lambda: load_settings(path, environ)))


@settings(max_examples=300, deadline=None)
@given(text=st.text(alphabet="ab:-[]{}&*!#|>'\"%@ \n\t,?0.\x00é\u2028", max_size=40))
def test_any_text_as_yaml(text: str) -> None:
    told = problems_of(lambda: [document.where().index("f.yaml:") for document in parse_yaml(text, "f.yaml")])
    assert all(problem.where.startswith("f.yaml") for problem in told)


@settings(max_examples=300, deadline=None)
@given(text=st.text(alphabet="ab/*?[]!-^+@2,: '\"tagd:", max_size=15))
def test_any_text_as_selector(text: str) -> None:
    try:
        chosen = Selector(build_graph([])).select(text)
    except ValueError as error:
        chosen = () if str(error) else ("an error without a message",)
    assert chosen == ()
