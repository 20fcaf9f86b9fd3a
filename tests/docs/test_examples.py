"""Every example on every page is tried: files are read, events decoded, commands run against a real daemon."""

from __future__ import annotations

import os
import re
import shutil
import sqlite3
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from tests.docs.checks import check_event, check_folder, check_yaml, promtool, rules_of
from tests.docs.pages import ROOT, Block, anchors, blocks, links, name_of, pages, prose
from tests.docs.shell import Shell
from tests.docs.tables import TABLES, written

from freshd.cli.commands import app

SHOWN = {"", "text", "console", "yaml", "json", "promql", "python", "sql"}
"""Languages that blocks may have; each but the first two is tried."""


PAGES_WITH_BLOCKS = [page for page in pages() if any(blocks(page))]
PROGRAMS = ("curl", "openssl")
"""What examples use that a machine may not have."""
AT_ONCE = 3
"""Pages tried at one time: what they do is mostly waiting for processes of their own."""


@pytest.fixture(scope="session")
def tried(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[Path, Future[None]]]:
    """The pages that are to be tried, under way."""
    wanted = {
        item.callspec.params["page"]
        for item in request.session.items
        if isinstance(item, pytest.Function) and item.name.startswith("test_examples_work")
    }
    with ThreadPoolExecutor(AT_ONCE) as pool:
        yield {page: pool.submit(_try, page, tmp_path_factory.mktemp("docs") / "page") for page in sorted(wanted)}


@pytest.mark.parametrize("page", PAGES_WITH_BLOCKS, ids=name_of)
def test_examples_work(page: Path, tried: dict[Path, Future[None]]) -> None:
    """In the order of the page: a named block is a file in the page's folder, a console block runs there."""
    tried[page].result()


def _try(page: Path, folder: Path) -> None:
    folder.mkdir()
    if page.parent.parent.name == "examples":
        shutil.copytree(page.parent, folder, dirs_exist_ok=True)
    missing = [
        name for name in PROGRAMS if not shutil.which(name) and any(name in block.text for block in blocks(page))
    ]
    if missing:
        assert not os.environ.get("CI"), f"{missing} are missing; make components installs them"
        pytest.skip(f"not installed: {missing}")
    shell = Shell(folder)
    try:
        for block in blocks(page):
            if not block.excuse:
                _take(block, shell)
        check_folder(folder)
        shell.close()
    finally:
        shell.kill()


def _take(block: Block, shell: Shell) -> None:
    assert block.language in SHOWN, f"{block.where}: nobody tries {block.language}"
    if block.language == "yaml":
        check_yaml(block)
    elif block.language == "json":
        check_event(block)
    elif block.language == "console":
        shell.run(block)
    elif block.language == "python":
        assert block.name, f"{block.where}: a module needs a name, so that a catalogue reads it"
    elif block.language == "sql":
        with closing(sqlite3.connect(f"file:{shell.folder}/freshd.db?mode=ro", uri=True)) as store:
            for query in filter(None, map(str.strip, block.text.split(";"))):
                store.execute(query).fetchall()
    if block.name:
        path = shell.folder / block.name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(block.text, encoding="utf-8")


@pytest.mark.parametrize("page", pages(), ids=name_of)
def test_promql_is_taken_by_prometheus(page: Path, tmp_path: Path) -> None:
    for block in blocks(page):
        if block.language == "promql" or (block.language == "yaml" and "\ngroups:" in "\n" + block.text):
            (tmp_path / "rules.yaml").write_text(rules_of(block), encoding="utf-8")
            promtool("check", "rules", "rules.yaml", cwd=tmp_path)
        elif block.language == "yaml" and "\nscrape_configs:" in "\n" + block.text:
            (tmp_path / "prometheus.yml").write_text(block.text, encoding="utf-8")
            promtool("check", "config", "--syntax-only", "prometheus.yml", cwd=tmp_path)


@pytest.mark.parametrize("page", pages(), ids=name_of)
def test_links_lead_somewhere(page: Path) -> None:
    for link in links(page):
        if "://" in link or link.startswith("mailto:"):
            continue
        target, _, anchor = link.partition("#")
        path = (page.parent / target).resolve() if target else page
        assert path.exists(), f"{name_of(page)}: {link} leads nowhere"
        assert path.is_relative_to(ROOT), f"{name_of(page)}: {link} leads out of the project"
        assert not anchor or anchor in anchors(path), f"{name_of(page)}: {link}: no such heading"


@pytest.mark.parametrize("page", pages(), ids=name_of)
def test_targets_of_make_exist(page: Path) -> None:
    makefile = (ROOT / "Makefile").read_text()
    (benches,) = re.findall(r"^BENCHES := (.+)", makefile, re.M)
    known = set(re.findall(r"^([a-z-]+):", makefile, re.M)) | {f"bench-{name}" for name in benches.split()}
    named = re.findall(r"(?:^|`)make ([a-z-]+)", page.read_text(encoding="utf-8"), re.M)
    assert set(named) <= known


@pytest.mark.parametrize("page", pages(), ids=name_of)
def test_commands_exist(page: Path) -> None:
    known = {name for command in app.registered_commands if (name := command.name or _called(command))}
    named = re.findall(r"`freshd ([a-z]+)", prose(page))
    assert set(named) <= known


@pytest.mark.parametrize("page", TABLES, ids=name_of)
def test_tables_are_current(page: Path) -> None:
    assert written(page)[1] == TABLES[page](), "make lint writes it anew"


def _called(command: Any) -> str:
    return str(command.callback.__name__)


def test_every_page_is_linked_from_the_readme() -> None:
    linked = {(ROOT / link.partition("#")[0]).resolve() for link in links(ROOT / "README.md") if "://" not in link}
    assert {page for page in pages() if page.parent.name == "docs"} <= linked
