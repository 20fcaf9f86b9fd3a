"""A reading of files that say the same of the assets goes on with the graph of the one before."""

from __future__ import annotations

from pathlib import Path

from freshd.app.project import Project, load_project


def read(folder: Path, assets: str, stale: str) -> Project:
    (folder / "assets.yaml").write_text(assets)
    (folder / "policies.yaml").write_text(
        f"policies:\n  - name: p\n    select: '*'\n    expect:\n      lag: {{stale: {stale}}}\n"
    )
    path = folder / "freshd.yaml"
    path.write_text("catalog: [assets.yaml]\npolicies: [policies.yaml]\n")
    return load_project(path)


def test_other_policies_over_the_same_assets(tmp_path: Path) -> None:
    one = read(tmp_path, "assets: [{key: a}, {key: b}]\n", "1h")
    two = read(tmp_path, "assets: [{key: a}, {key: b}]\n", "2h").after(one)
    assert two.graph is one.graph
    assert two.catalog.assets is one.catalog.assets
    assert two.charter.policies["p"] != one.charter.policies["p"]


def test_other_assets(tmp_path: Path) -> None:
    one = read(tmp_path, "assets: [{key: a}, {key: b}]\n", "1h")
    two = read(tmp_path, "assets: [{key: a, description: new}, {key: b}]\n", "1h").after(one)
    assert two.graph.assets["a"].description == "new"
