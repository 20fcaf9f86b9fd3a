"""How the dashboards are laid out and linked, and that the committed files are what the code makes."""

from __future__ import annotations

import re
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
from helm.dashboards import files
from tests.dashboards.reading import FOLDER, all_panels, dashboards, variables

UIDS = ["freshd-asset", "freshd-daemon", "freshd-overview", "freshd-reaction", "freshd-slo"]
FIRST_SCREEN = 23
"""Rows of the grid that a screen of 1080 lines shows under Grafana's own head."""


def test_the_committed_files_are_what_the_code_makes() -> None:
    committed = {path.name: path.read_text(encoding="utf-8") for path in FOLDER.glob("*.json")}
    assert committed == dict(files()), "run: make dashboards"


def test_uids_never_change() -> None:
    """Bookmarks, links in messages and people's habits rest on them."""
    assert {name: made["uid"] for name, made in dashboards().items()} == {uid: uid for uid in UIDS}
    assert all(made.get("id") is None for made in dashboards().values())


@pytest.mark.parametrize("name", UIDS)
def test_nothing_overlaps_and_nothing_is_wider_than_the_screen(name: str) -> None:
    made = dashboards()[name]["panels"]
    ids = [panel["id"] for panel in made]
    assert len(ids) == len(set(ids))
    boxes = [(panel["title"], panel["gridPos"]) for panel in made]
    assert [title for title, at in boxes if at["x"] < 0 or at["w"] < 1 or at["x"] + at["w"] > 24] == []

    def apart(one: Any, two: Any) -> bool:
        beside = one["x"] + one["w"] <= two["x"] or two["x"] + two["w"] <= one["x"]
        return bool(beside or one["y"] + one["h"] <= two["y"] or two["y"] + two["h"] <= one["y"])

    assert [(one, two) for (one, at), (two, to) in combinations(boxes, 2) if not apart(at, to)] == []
    # No holes either: Grafana would move what is below into them.
    covered = sum(at["w"] * at["h"] for _, at in boxes)
    assert covered == 24 * max(at["y"] + at["h"] for _, at in boxes)


def test_the_first_screen_of_the_overview_answers_the_question_of_the_morning() -> None:
    """What is late, by how much, why, and who owns it."""
    seen = {
        panel["title"]: panel
        for panel in dashboards()["freshd-overview"]["panels"]
        if panel["gridPos"]["y"] + panel["gridPos"]["h"] <= FIRST_SCREEN
    }
    wanted = {"Late", "Late by at most", "At risk", "Fresh", "Late, worst first", "Open incidents and their causes"}
    assert wanted <= set(seen)
    titles = {step["id"]: step["options"] for step in seen["Late, worst first"]["transformations"]}
    named = list(titles["organize"]["renameByName"].values())
    assert named[:4] == ["Asset", "Late by", "Why", "Owner"]


def _links(tree: Any) -> list[str]:
    """Every address in it."""
    if isinstance(tree, dict):
        own = [tree["url"]] if isinstance(tree.get("url"), str) else []
        return own + [url for value in tree.values() for url in _links(value)]
    return [url for value in tree for url in _links(value)] if isinstance(tree, list) else []


ROUTES = [r"/", r"/assets/.+", r"/api/deadletters"]


@pytest.mark.parametrize("name", UIDS)
def test_links_lead_somewhere(name: str) -> None:
    urls = _links(dashboards()[name])
    assert urls
    for url in urls:
        if url.startswith("${freshd}"):
            assert any(re.fullmatch(route, url.removeprefix("${freshd}")) for route in ROUTES), url
            continue
        path, _, query = url.partition("?")
        target = dashboards()[path.removeprefix("/d/")]
        given = set(re.findall(r"var-(\w+)=", query)) | set(re.findall(r"\$\{(\w+):queryparam\}", query))
        assert given <= set(variables(target)), url


@pytest.mark.parametrize(("name", "panel"), [(n, p) for n, p in all_panels() if p["type"] == "table"])
def test_cells_take_their_links_from_columns_that_exist(name: str, panel: Any) -> None:
    shown = set(panel["transformations"][-1]["options"]["renameByName"].values())
    used = {field for url in _links(panel) for field in re.findall(r"__data\.fields\.(\w+)", url)}
    assert used <= shown
    assert {override["matcher"]["options"] for override in panel["fieldConfig"]["overrides"]} <= shown
    assert [sort["displayName"] in shown for sort in panel["options"]["sortBy"]] == [True]


def test_every_dashboard_leads_to_the_others_and_to_the_daemon() -> None:
    for made in dashboards().values():
        others, page = made["links"]
        assert (others["type"], others["tags"], others["includeVars"], others["keepTime"]) == (
            "dashboards", ["freshd"], True, True,
        )  # fmt: skip
        assert page["url"] == "${freshd}/"
        assert "freshd" in made["tags"]


def test_the_pages_of_the_daemon_that_links_name_exist() -> None:
    routes = (Path(__file__).parents[2] / "daemon/freshd/adapters/web/routes.py").read_text(encoding="utf-8")
    for path in ('"/"', '"/assets/{key:path}"', '"/api/deadletters"'):
        assert path in routes
