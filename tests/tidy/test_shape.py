"""Size, words and habits of the code: what keeps it readable."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from statistics import median

import pytest
from tests.tidy.sources import PACKAGE, ROOT, modules, name_of, tracked, tree

MODULE_LINES = 450
MEDIAN_LINES = 160
FUNCTION_LINES = 60
VAGUE = {"utils", "util", "helpers", "helper", "manager", "misc", "common", "process", "data"}

Function = ast.FunctionDef | ast.AsyncFunctionDef


def lines_of(path: Path) -> int:
    return len(path.read_text(encoding="utf-8").splitlines())


def functions(path: Path) -> Iterator[Function]:
    return (node for node in ast.walk(tree(path)) if isinstance(node, Function))


def test_modules_are_short() -> None:
    long = {name_of(path): lines_of(path) for path in modules() if lines_of(path) > MODULE_LINES}
    assert long == {}
    assert median(lines_of(path) for path in modules() if lines_of(path) > 5) <= MEDIAN_LINES


def test_functions_are_short() -> None:
    long = {
        f"{name_of(path)}:{node.lineno} {node.name}": size
        for path in modules()
        for node in functions(path)
        if (size := (node.end_lineno or node.lineno) - node.lineno + 1) > FUNCTION_LINES
    }
    assert long == {}


def test_names_say_something() -> None:
    vague = [name_of(path) for path in modules() if VAGUE & {path.stem, *path.relative_to(PACKAGE).parts}]
    assert vague == []


@pytest.mark.parametrize("path", [path for path in modules() if lines_of(path) > 1], ids=name_of)
def test_what_others_use_is_described(path: Path) -> None:
    """A module says what it is for; so does every public class, function and method."""
    missing = [] if ast.get_docstring(tree(path)) else ["the module"]
    scopes: list[tuple[str, ast.AST]] = [("", tree(path))]
    while scopes:
        prefix, scope = scopes.pop()
        for node in ast.iter_child_nodes(scope):
            if not isinstance(node, ast.ClassDef | Function) or node.name.startswith("_"):
                continue
            said_elsewhere = isinstance(node, Function) and _says_it_all(node)
            if ast.get_docstring(node) is None and not said_elsewhere:
                missing.append(f"{prefix}{node.name} (line {node.lineno})")
            if isinstance(node, ast.ClassDef):
                scopes.append((f"{node.name}.", node))
    assert missing == []


def _says_it_all(node: Function) -> bool:
    """A signature that is described where it is promised: a protocol's one-liner, an overload, an override, a no-op."""
    body = [part for part in node.body if not (isinstance(part, ast.Expr) and isinstance(part.value, ast.Constant))]
    decorators = {_dotted(part) for part in node.decorator_list}
    empty = all(isinstance(part, ast.Pass) or ast.unparse(part) == "return None" for part in body)
    return empty or bool(decorators & {"override", "overload", "typing.override", "typing.overload"})


def _dotted(node: ast.AST) -> str:
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    return ".".join(reversed([*parts, node.id])) if isinstance(node, ast.Name) else ""


CLOCKS = {
    "time.time", "time.time_ns", "time.monotonic", "time.monotonic_ns", "time.perf_counter", "time.perf_counter_ns",
    "datetime.now", "datetime.utcnow", "datetime.today", "date.today", "datetime.datetime.now",
    "datetime.datetime.utcnow", "datetime.date.today", "time.localtime", "time.gmtime",
}  # fmt: skip


def reads_time(module: ast.Module) -> list[int]:
    """The lines in which a module reads a clock, by whatever name it imported it."""
    renamed = {
        alias.asname or alias.name: f"{node.module}.{alias.name}"
        for node in ast.walk(module)
        if isinstance(node, ast.ImportFrom) and node.module in ("time", "datetime")
        for alias in node.names
    } | {
        alias.asname: alias.name
        for node in ast.walk(module)
        if isinstance(node, ast.Import)
        for alias in node.names
        if alias.asname and alias.name in ("time", "datetime")
    }
    found = []
    for node in ast.walk(module):
        if isinstance(node, ast.Attribute | ast.Name):
            first, _, rest = _dotted(node).partition(".")
            whole = ".".join(filter(None, (renamed.get(first, first), rest)))
            if whole in CLOCKS:
                found.append(node.lineno)
    return found


CLOCK = PACKAGE / "adapters" / "clock.py"
WORKERS = PACKAGE / "adapters" / "launch" / "workers"
"""Processes of their own, which the daemon's clock does not reach: they time themselves and what they run."""


def test_only_the_clock_reads_the_time() -> None:
    looked_at = [path for path in modules() if path != CLOCK and not path.is_relative_to(WORKERS)]
    readers = {name_of(path): lines for path in looked_at if (lines := reads_time(tree(path)))}
    assert readers == {}


@pytest.mark.parametrize(
    "text",
    [
        "import time\ntime.time()",
        "import time as t\nt.monotonic()",
        "from time import perf_counter as p\np()",
        "from datetime import datetime\ndatetime.now(UTC)",
        "import datetime\ndatetime.datetime.utcnow()",
        "from datetime import date\ndate.today()",
        "import time\nx = field(default_factory=time.time)",
    ],
)
def test_reading_the_time_is_noticed(text: str) -> None:
    assert reads_time(ast.parse(text))


def test_sleeping_and_converting_is_not_reading_the_time() -> None:
    assert (
        reads_time(ast.parse("import time\ntime.sleep(1)\nfrom datetime import datetime\ndatetime(2026, 1, 1)")) == []
    )


# Hosts stand here in pieces, so that this file is not what it looks for.
HOSTS = (
    *("py" + "pi.org", "python" + "hosted.org", "registry." + "npmjs.org", "crates" + ".io", "proxy." + "golang.org"),
    *("repo1." + "maven.org", "repo." + "maven.apache.org", "deb." + "debian.org", "security." + "debian.org"),
)
REGISTRIES = re.compile("|".join(map(re.escape, HOSTS)), re.IGNORECASE)


def text_files() -> list[Path]:
    """Files of ours that hold text."""
    return [path for path in tracked() if path.stat().st_size < 5_000_000 and b"\0" not in path.read_bytes()[:4_096]]


def test_no_package_registry_is_named() -> None:
    """Where packages come from is the machine's affair."""
    named = [
        f"{name_of(path)}: {found[0]}"
        for path in text_files()
        if (found := REGISTRIES.search(path.read_text(encoding="utf-8", errors="replace")))
    ]
    assert named == []
    assert REGISTRIES.search("https://" + "py" + "pi.org/simple")


OUTSIDE = re.compile(r"(\.\./)+" + r"shared\b|/work/" + r"(shared|main)\b")


def test_the_project_stands_by_itself() -> None:
    """Nothing but a test, which skips without it, looks beside the project."""
    leaning = [
        name_of(path)
        for path in text_files()
        if not path.is_relative_to(ROOT / "tests")
        and OUTSIDE.search(path.read_text(encoding="utf-8", errors="replace"))
    ]
    assert leaning == []
    assert OUTSIDE.search("see ../" + "shared/data")


def test_no_secret_is_a_plain_text_in_the_settings() -> None:
    """A setting that names a secret is a SecretStr or a file's path."""
    plain = [
        f"{name_of(path)}:{node.lineno} {node.target.id}"
        for path in modules()
        for model in ast.walk(tree(path))
        if isinstance(model, ast.ClassDef) and any(_dotted(base).endswith("Closed") for base in model.bases)
        for node in model.body
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)
        if re.fullmatch(r"(.*_)?(password|token|secret|bearer)", node.target.id)
        if "SecretStr" not in ast.unparse(node.annotation)
    ]
    assert plain == []
