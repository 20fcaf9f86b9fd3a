"""Where cells and series lead: to the asset's own dashboard, to the objectives, to the daemon's page of an asset.

A table's cells are named by the titles of its columns, as Grafana has them after renaming.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from helm.dashboards import words

KEPT: Final = "${datasource:queryparam}&${__url_time_range}"


def _cell(title: str) -> str:
    return f"${{__data.fields.{title}:percentencode}}"


def _link(title: str, url: str, blank: bool = False) -> Mapping[str, Any]:
    return {"title": title, "url": url, "targetBlank": blank}


def asset(column: str = "Asset") -> Mapping[str, Any]:
    """The asset dashboard of the asset in that column."""
    return _link("Its dashboard", f"/d/{words.ASSET}?{KEPT}&var-asset={_cell(column)}")


def page(column: str = "Asset") -> Mapping[str, Any]:
    """The daemon's page of the asset in that column."""
    return _link("freshd's page of it", f"${{freshd}}/assets/${{__data.fields.{column}}}", True)


TO_ASSET: Final = asset()
TO_PAGE: Final = page()
TO_CAUSE: Final = asset("Cause")
TO_CAUSE_PAGE: Final = page("Cause")
TO_SLO: Final = _link("Its objective", f"/d/{words.SLO}?{KEPT}&var-policy={_cell('Policy')}")
OF_OWNER: Final = _link("Only this owner", f"/d/{words.OVERVIEW}?{KEPT}&var-team={_cell('Owner')}")
OF_GROUP: Final = _link(
    "Only this group", f"/d/{words.OVERVIEW}?{KEPT}&${{team:queryparam}}&var-group={_cell('Group')}"
)


def of_series(label: str) -> Mapping[str, Any]:
    """The overview of the owner (`team`) or group (`asset_group`) that a bar stands for."""
    variable = {"team": "team", "asset_group": "group"}[label]
    value = f"${{__field.labels.{label}:percentencode}}"
    return _link("Only this", f"/d/{words.OVERVIEW}?{KEPT}&var-{variable}={value}")
