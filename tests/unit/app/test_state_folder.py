"""Where launchers keep the folders of runs: one table, and what a reload does with it."""

from __future__ import annotations

from pathlib import Path

import pytest

from freshd.adapters.clock import SystemClock
from freshd.app.parts import Launchers, state_folder
from freshd.app.project import load_project
from freshd.model.errors import ConfigError
from freshd.settings import load_settings

LAUNCHERS = "launchers: {build: {kind: command, argv: ['true'], timeout: %s}}\n"


@pytest.mark.parametrize(
    ("number", "text", "environ", "folder"),
    [
        (1, "", {}, ".freshd"),
        (2, "store: sqlite:///data/freshd.db", {}, "data/.freshd"),
        (3, "store: postgresql://u@h/d", {}, ".freshd"),
        (4, "store: sqlite:///data/freshd.db\nstate_dir: kept", {}, "kept"),
        (5, "state_dir: /data/freshd", {}, "/data/freshd"),
        (6, "state_dir: kept", {"FRESHD_STATE_DIR": "/data/freshd"}, "/data/freshd"),
    ],
)
def test_where_it_lies(tmp_path: Path, number: int, text: str, environ: dict[str, str], folder: str) -> None:
    (tmp_path / "freshd.yaml").write_text(text, encoding="utf-8")
    assert state_folder(load_settings(tmp_path / "freshd.yaml", environ)) == tmp_path / folder


def test_a_reload_moves_no_launcher(tmp_path: Path) -> None:
    """The new launcher of a changed one would not find the runs that go on."""
    file = tmp_path / "freshd.yaml"
    file.write_text("state_dir: first\n" + LAUNCHERS % "1m", encoding="utf-8")
    launchers = Launchers(load_project(file), lambda key: pytest.fail(key), SystemClock(), born=0)
    file.write_text("state_dir: second\n" + LAUNCHERS % "2m", encoding="utf-8")
    launchers.replace(load_project(file))
    launchers.close()
    assert (tmp_path / "first" / "launchers" / "build").is_dir() and not (tmp_path / "second").exists()


def test_a_folder_that_cannot_be_made_names_the_setting(tmp_path: Path) -> None:
    file = tmp_path / "freshd.yaml"
    (tmp_path / "taken").write_text("a file")
    file.write_text("state_dir: taken\n" + LAUNCHERS % "1m", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"cannot keep its runs in .*taken.* state_dir"):
        Launchers(load_project(file), lambda key: pytest.fail(key), SystemClock(), born=0)
