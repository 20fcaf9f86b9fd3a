"""Which change of a file is news: other contents, come to rest; and nothing else."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from freshd.app import watching
from freshd.app.project import load_project
from freshd.app.watching import Watcher, marks_of
from freshd.model.errors import ConfigError, Problem
from freshd.model.time import MINUTE, SECOND, Instant
from freshd.settings import load_settings

ASSETS = "assets:\n  - {key: shop/raw}\n"
POLICIES = "policies: [{name: hourly, select: '*', expect: {lag: {stale: 1h}}}]\n"


class Hand:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.at: Instant = 0

    def now(self) -> Instant:
        return self.at


class Desk:
    """A folder of files with a watcher over them."""

    def __init__(self, folder: Path, settings: str) -> None:
        self.path = folder / "freshd.yaml"
        self.folder = folder
        self.clock = Hand()
        self.path.write_text(settings)
        (folder / "assets.yaml").write_text(ASSETS)
        (folder / "policies").mkdir(exist_ok=True)
        (folder / "policies" / "one.yaml").write_text(POLICIES)
        self.settings = load_settings(self.path)
        read = marks_of(self.path, self.settings)
        self.watcher = Watcher(self.clock, lambda: (self.path, self.settings), read, lambda names: None)

    def looks(self, times: int) -> list[tuple[str, ...]]:
        found = []
        for _ in range(times):
            self.clock.at += 2 * SECOND
            found.append(self.watcher.look())
        return found


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path, "catalog: [assets.yaml]\npolicies: policies/*.yaml\n")


def test_a_touch_is_no_news_and_other_contents_are_told_once(desk: Desk) -> None:
    os.utime(desk.folder / "assets.yaml", (1, 1))
    assert desk.looks(3) == [(), (), ()]
    (desk.folder / "assets.yaml").write_text(ASSETS + "  - {key: shop/more}\n")
    assert desk.looks(4) == [(), ("assets.yaml",), (), ()]


def test_what_is_still_being_written_waits_until_it_rests(desk: Desk) -> None:
    for size in range(4):
        (desk.folder / "assets.yaml").write_text(ASSETS + "#" * size)
        assert desk.looks(1) == [()]
    assert desk.looks(2) == [("assets.yaml",), ()]


def test_files_that_come_and_go_are_news(desk: Desk) -> None:
    (desk.folder / "policies" / "two.yaml").write_text(POLICIES)
    assert desk.looks(2)[-1] == ("policies/two.yaml",)
    (desk.folder / "policies" / "one.yaml").unlink()
    assert desk.looks(2)[-1] == ("policies/one.yaml",)


def test_contents_put_back_before_they_rested_are_no_news(desk: Desk) -> None:
    (desk.folder / "assets.yaml").write_text("other")
    assert desk.looks(1) == [()]
    (desk.folder / "assets.yaml").write_text(ASSETS)
    assert desk.looks(3) == [(), (), ()]


def test_what_was_tried_by_somebody_else_is_no_news(desk: Desk) -> None:
    (desk.folder / "assets.yaml").write_text("other")
    desk.watcher.take(marks_of(desk.path, desk.settings))
    assert desk.looks(3) == [(), (), ()]
    desk.watcher.again()
    assert "assets.yaml" in desk.looks(1)[0]


def test_a_config_map_that_is_swapped_is_seen(tmp_path: Path) -> None:
    """As the kubelet does it: `..data` is a link to a folder; the new folder is made aside and the link renamed."""
    for version, text in (("..v1", ASSETS), ("..v2", ASSETS + "  - {key: shop/more}\n")):
        (tmp_path / "map" / version).mkdir(parents=True)
        (tmp_path / "map" / version / "assets.yaml").write_text(text)
        os.utime(tmp_path / "map" / version / "assets.yaml", (1, 1))
    (tmp_path / "map" / "..data").symlink_to("..v1")
    (tmp_path / "map" / "assets.yaml").symlink_to("..data/assets.yaml")
    desk = Desk(tmp_path, "catalog: [map/assets.yaml]\n")
    assert desk.looks(2) == [(), ()]
    (tmp_path / "map" / "..next").symlink_to("..v2")
    (tmp_path / "map" / "..next").rename(tmp_path / "map" / "..data")
    assert desk.looks(3) == [(), ("map/assets.yaml",), ()]


def test_the_modules_of_python_assets_are_watched(tmp_path: Path) -> None:
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "__init__.py").write_text("")
    (tmp_path / "shop" / "assets.py").write_text("a = 1")
    desk = Desk(tmp_path, "catalog: [{python: shop.assets}]\n")
    (tmp_path / "shop" / "assets.py").write_text("a = 2")
    assert desk.looks(2)[-1] == ("shop/assets.py",)


def test_a_url_is_fetched_as_often_as_its_poll_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    held, fetched = ["one"], []

    def digest(place: str) -> str:
        fetched.append(place)
        if held[0] == "gone":
            raise ConfigError([Problem(place, "the server answered 503")])
        return held[0]

    monkeypatch.setattr(watching, "digest_of_url", digest)
    url = "https://user:secret@dbt.example/manifest.json"
    desk = Desk(tmp_path, f"catalog: [{{dbt: '{url}', poll: 1m}}]\n")
    desk.watcher.take({**marks_of(desk.path, desk.settings), "https://dbt.example/manifest.json": "one"})
    assert set(desk.looks(31)) == {()}
    assert fetched == [url]
    for text, news in (("two", {(), ("https://dbt.example/manifest.json",)}), ("gone", {()}), ("two", {()})):
        held[0] = text
        desk.clock.at += MINUTE
        assert set(desk.looks(3)) == news, text
    assert len(fetched) == 4


def test_a_manifest_with_a_poll_is_looked_at_no_oftener(tmp_path: Path) -> None:
    desk = Desk(tmp_path, "catalog: [{dbt: manifest.json, poll: 1m}]\n")
    desk.looks(2)
    (tmp_path / "manifest.json").write_text("{}")
    assert set(desk.looks(25)) == {()}
    assert ("manifest.json",) in desk.looks(10)


def test_a_reading_knows_what_it_was_made_of(tmp_path: Path) -> None:
    desk = Desk(tmp_path, "catalog: [assets.yaml]\npolicies: policies/*.yaml\n")
    assert load_project(desk.path).files == marks_of(desk.path, desk.settings)


def test_a_poll_that_is_too_quick_is_refused_where_it_stands(tmp_path: Path) -> None:
    (tmp_path / "freshd.yaml").write_text("catalog:\n  - {dbt: manifest.json, poll: 100ms}\n")
    with pytest.raises(ConfigError) as found:
        load_settings(tmp_path / "freshd.yaml")
    (problem,) = found.value.problems
    assert problem.where.endswith("freshd.yaml:2")
    assert "write 1m" in problem.message
