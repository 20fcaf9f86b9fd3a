"""What every dashboard has around its panels: head, variables, links to the others and to the daemon's own pages.

It also lays the panels out: rows of the grid's 24 columns, top to bottom, ids in that order.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from grafana_foundation_sdk.builders import dashboard as build
from grafana_foundation_sdk.models.common import DataSourceRef
from grafana_foundation_sdk.models.dashboard import (
    Dashboard,
    DashboardCursorSync,
    DashboardLinkType,
    GridPos,
    VariableOption,
    VariableRefresh,
    VariableSort,
)
from helm.dashboards import words

COLUMNS: Final = 24
SOURCE: Final = DataSourceRef(type_val="prometheus", uid="${datasource}")


@dataclass(frozen=True)
class Row:
    """Panels beside each other."""

    height: int
    panels: Sequence[tuple[int, Any]]
    """(width, panel); the widths come to 24."""
    title: str = ""
    """A heading above them, if any."""


def choice(name: str, label: str, query: str, description: str, *, all_of: bool = True) -> build.QueryVariable:
    """A variable whose values Prometheus knows: `label_values(…)`. With `all_of` many can be chosen, or all."""
    made = (
        build.QueryVariable(name)
        .label(label)
        .description(description)
        .datasource(SOURCE)
        .query({"query": query, "refId": f"variable-{name}", "qryType": 1})
        .definition(query)
        .refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(VariableSort.ALPHABETICAL_ASC)
    )
    if all_of:
        everything = VariableOption(selected=True, text=["All"], value=["$__all"])
        made = made.multi(True).include_all(True).all_value(".*").current(everything)
    return made


def team() -> build.QueryVariable:
    """Owners."""
    query = "label_values(team_group_policy:freshd_asset_verdict:count, team)"
    return choice("team", "Owner", query, "First owner of the assets.")


def group(metric: str = 'team_group_policy:freshd_asset_verdict:count{team=~"$team"}') -> build.QueryVariable:
    """Groups, of the chosen owners."""
    return choice("group", "Group", f"label_values({metric}, asset_group)", "Group of the assets.")


def dashboard(
    uid: str,
    title: str,
    description: str,
    rows: Sequence[Row],
    variables: Sequence[Any] = (),
    since: str = "now-24h",
) -> Dashboard:
    """The whole of it. `since`: the time that it shows at first."""
    made = (
        build.Dashboard(title)
        .uid(uid)
        .description(description)
        .tags(["freshd"])
        .readonly()
        .timezone("browser")
        .time(since, "now")
        .refresh("1m")
        .version(1)
        .tooltip(DashboardCursorSync.CROSSHAIR)
        .with_variable(build.DatasourceVariable("datasource").label("Data source").type("prometheus"))
    )
    for variable in variables:
        made = made.with_variable(variable)
    made = made.with_variable(
        build.ConstantVariable("freshd").value(words.PAGES).description("Where the daemon's own pages are.")
    )
    for link in _links():
        made = made.link(link)
    return _laid_out(made, rows).build()


def _links() -> list[build.DashboardLink]:
    others = (
        build.DashboardLink("freshd")
        .type(DashboardLinkType.DASHBOARDS)
        .tags(["freshd"])
        .tooltip("The other dashboards of freshd")
        .as_dropdown(False)
        .include_vars(True)
        .keep_time(True)
    )
    own = (
        build.DashboardLink("freshd's own page")
        .type(DashboardLinkType.LINK)
        .url("${freshd}/")
        .icon("external link")
        .tooltip("What the daemon itself shows: assets, incidents, what was not understood")
        .target_blank(True)
    )
    return [others, own]


def _laid_out(made: build.Dashboard, rows: Sequence[Row]) -> build.Dashboard:
    number, y = 0, 0
    for row in rows:
        if row.title:
            number += 1
            made = made.with_row(build.Row(row.title).id(number).grid_pos(GridPos(h=1, w=COLUMNS, x=0, y=y)))
            y += 1
        x = 0
        for width, panel in row.panels:
            number += 1
            panel.id(number).grid_pos(GridPos(h=row.height, w=width, x=x, y=y))
            made = made.with_panel(panel)
            x += width
        if x != COLUMNS:
            raise ValueError(f"a row of {made.build().title} is {x} columns wide, not {COLUMNS}")
        y += row.height
    return made
