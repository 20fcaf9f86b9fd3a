"""What people write is read by YAML 1.2's core schema, and what is wrong is told at its line."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import pytest
from pydantic import SecretStr

from freshd.documents import Closed, DurationField, InstantField, files_named, parse_yaml, read_yaml, validate
from freshd.model.errors import ConfigError


def read(text: str, model: type[Closed] | None) -> None:
    for document in parse_yaml(text, "f.yaml"):
        if model is not None:
            validate(model, document)


def problems(text: str, model: type[Closed] | None = None) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        read(text, model)
    return [str(problem) for problem in caught.value.problems]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a: on", "on"),
        ("a: no", "no"),
        ("a: yes", "yes"),
        ("a: true", True),
        ("a: FALSE", False),
        ("a: 2026-01-01", "2026-01-01"),
        ("a: 2026-03-02T08:00:00Z", "2026-03-02T08:00:00Z"),
        ("a: 012", 12),
        ("a: 0o17", 15),
        ("a: 0x1F", 31),
        ("a: 1_000", "1_000"),
        ("a: 12:30:45", "12:30:45"),
        ("a: 1e3", 1000.0),
        ("a: .5", 0.5),
        ("a: -.inf", float("-inf")),
        ("a:", None),
        ("a: ~", None),
        ("a: ''", ""),
        ("a: '1'", "1"),
        ("a: !!str 1", "1"),
        ("a: !!int '7'", 7),
        ("a: =", "="),
        ("a: |\n  1\n", "1\n"),
    ],
)
def test_scalars_by_the_core_schema(text: str, value: Any) -> None:
    (document,) = parse_yaml(text, "f.yaml")
    assert document.value == {"a": value} and type(document.value["a"]) is type(value)


def test_positions_of_parts_of_several_documents() -> None:
    first, second = parse_yaml("a: 1\nb:\n- x\n- {c: 3}\n---\n# two\nd: {e:\n  4}\n", "f.yaml")
    assert first.where("b", 1, "c") == "f.yaml:4"
    assert first.where("b", 7, "c") == "f.yaml:2"
    assert first.where() == "f.yaml:1"
    assert second.where("d", "e") == "f.yaml:7"
    assert second.value == {"d": {"e": 4}}


def test_aliases_are_written_out() -> None:
    (document,) = parse_yaml("a: &x {b: 1}\nc: *x\n", "f.yaml")
    assert document.value == {"a": {"b": 1}, "c": {"b": 1}}


def test_empty_texts_hold_no_documents() -> None:
    assert parse_yaml("", "f.yaml") == [] and parse_yaml("---\n---\n# x\n", "f.yaml") == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: 1\nb: 2\na: 3\n", ["f.yaml:3: the key a is given twice, first in line 1; remove one"]),
        ("x: {a: 1, a: 2}\ny: {b: 1,\n b: 1}", ["f.yaml:1: the key a is", "f.yaml:3: the key b is"]),
        ("a: !!python/name:os.system x", ["f.yaml:1: the tag tag:yaml.org,2002:python/name:os.system means nothing"]),
        ("a: &x [*x]", ["f.yaml:1: an alias that contains itself"]),
        ("{a: 1}: 2", ["f.yaml:1: a key must be text"]),
        ("a:\n\t- 1", ["f.yaml:2: cannot be read as YAML"]),
        ("a: 1\nb: [1", ["f.yaml:2: cannot be read as YAML"]),
        ("a: 1\nb: \x00", ["f.yaml:2: cannot be read as YAML"]),
        ("[" * 100_000, ["f.yaml:1: cannot be read as YAML: nested more than 100 deep"]),
    ],
)
def test_what_cannot_be_read(text: str, said: list[str]) -> None:
    found = problems(text)
    assert len(found) == len(said)
    for problem, start in zip(found, said, strict=True):
        assert problem.startswith(start)


def test_a_bomb_of_aliases_is_refused() -> None:
    lines = ["a0: &a0 [x,x,x,x,x,x,x,x,x,x]"]
    lines += [f"a{n}: &a{n} [{','.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12)]
    assert "more than" in problems("\n".join(lines))[0]


def test_missing_and_unreadable_files(tmp_path: Path) -> None:
    for content, said in ((None, "no such file"), (b"a: \xff", "is not UTF-8")):
        path = tmp_path / "x.yaml"
        if content is not None:
            path.write_bytes(content)
        with pytest.raises(ConfigError, match=said):
            read_yaml(path)


class Inner(Closed):
    warn: DurationField | None = None
    stale: DurationField | None = None


class Other(Closed):
    kind: Literal["other"]
    depth: int = 0


class Outer(Closed):
    name: str
    lag: Inner | None = None
    since: InstantField = 0
    react: Literal["eager", "manual"] | dict[str, Inner] = "manual"
    many: tuple[Inner | Other, ...] = ()
    password: SecretStr | None = None


def test_a_document_that_fits() -> None:
    (document,) = parse_yaml("name: x\nlag: {warn: 1h30m, stale: 7200}\nsince: 1970-01-01T00:00:01Z", "f.yaml")
    outer = validate(Outer, document)
    assert outer.lag == Inner.model_construct(warn=5_400_000_000, stale=7_200_000_000)
    assert outer.since == 1_000_000


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("name: x\nlga: 1", ["f.yaml:2: unknown key lga; did you mean lag?"]),
        ("name: x\nlag:\n  warm: 1h", ["f.yaml:3: unknown key warm; did you mean warn?"]),
        ("lag: {warn: 1h}", ["f.yaml:1: name is missing"]),
        ("name: x\nlag: {warn: soon}", ["f.yaml:2: lag.warn: 'soon' is not a duration; write one like 45s"]),
        ("name: x\nlag: 3", ["f.yaml:2: lag: should be a mapping; known keys are warn, stale"]),
        ("hello", ["f.yaml:1: should be a mapping; known keys are name, "]),
        ("name: x\nreact:\n  eager:\n    stalle: 1s", ["f.yaml:4: unknown key stalle; did you mean stale?"]),
        ("name: x\nreact: eagre", ["f.yaml:2: react: should be 'eager' or 'manual'"]),
        ("name: x\nmany:\n- warn: 1s\n- stall: 2s", ["f.yaml:4: unknown key stall; did you mean stale?"]),
    ],
)
def test_what_does_not_fit(text: str, said: list[str]) -> None:
    found = problems(text, Outer)
    for start in said:
        assert any(problem.startswith(start) for problem in found), found


class Dbt(Closed):
    dbt: str
    launcher: str = ""


class Python(Closed):
    python: str
    launcher: str = ""
    path: str = "."


class Catalog(Closed):
    catalog: tuple[Dbt | Python | str, ...]


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ("{dbt: x, launchr: y}", ["f.yaml:1: unknown key launchr; did you mean launcher?"]),
        ("{python: x, pth: y}", ["f.yaml:1: unknown key pth; did you mean path?"]),
        ("{dbt: [x]}", ["f.yaml:1: catalog.0.dbt: should be a valid string"]),
        ("{dbt: {a: b}, launcher: 3}", ["f.yaml:1: catalog.0.dbt: should", "f.yaml:1: catalog.0.launcher: should"]),
    ],
)
def test_of_a_union_only_the_branch_that_was_meant_complains(entry: str, said: list[str]) -> None:
    found = problems(f"catalog: [{entry}]", Catalog)
    assert len(found) == len(said), found
    assert all(problem.startswith(start) for problem, start in zip(found, said, strict=True)), found


def test_secrets_are_not_repeated_in_problems() -> None:
    assert "hunter2" not in " ".join(problems("name: x\npassword: {hunter2: 1}", Outer))


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("*.yaml", ["a.yaml", "b.yaml"]),
        ("**/*.yaml", ["a.yaml", "b.yaml", "deep/c.yaml"]),
        ("deep/c.yaml", ["deep/c.yaml"]),
        ("missing.yaml", ["missing.yaml"]),
        ("missing*.yaml", []),
        ("..data/a.yaml", ["..data/a.yaml"]),
    ],
)
@pytest.mark.parametrize("absolute", [False, True])
def test_files_that_a_pattern_names(tmp_path: Path, pattern: str, found: list[str], absolute: bool) -> None:
    """Also below a folder whose name has characters of globs; a mounted ConfigMap's second copies are left out."""
    base = tmp_path / ("[plain]" if not absolute else "plain")
    for name in ("b.yaml", "a.yaml", "deep/c.yaml", "..data/a.yaml", ".hidden.yaml", "folder.yaml/x.txt"):
        (base / name).parent.mkdir(parents=True, exist_ok=True)
        (base / name).touch()
    named = files_named(str(base / pattern) if absolute else pattern, base)
    assert named == [base / name for name in found]
