"""The kinds of panel that the dashboards are made of, each with title, description, unit and colours.

A panel is given its questions (`ask`) and says nothing that they do not. Numbers and tables ask for now, lines for the
time shown.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from grafana_foundation_sdk.builders import bargauge, common, prometheus, stat, statetimeline, table, timeseries
from grafana_foundation_sdk.builders import dashboard as build
from grafana_foundation_sdk.models.common import (
    BarGaugeDisplayMode,
    BigValueColorMode,
    BigValueGraphMode,
    BigValueTextMode,
    GraphDrawStyle,
    LegendDisplayMode,
    LegendPlacement,
    SortOrder,
    StackingMode,
    TableCellHeight,
    TooltipDisplayMode,
    VisibilityMode,
    VizOrientation,
)
from grafana_foundation_sdk.models.dashboard import (
    DataTransformerConfig,
    DynamicConfigValue,
    FieldColorModeId,
    ValueMapping,
)
from grafana_foundation_sdk.models.prometheus import PromQueryFormat
from helm.dashboards import words
from helm.dashboards.frame import SOURCE


def ask(expression: str, legend: str = "", *, now: bool = False, rows: bool = False) -> prometheus.Dataquery:
    """A question. `now`: for this instant, not the time shown. `rows`: as rows of a table."""
    query = prometheus.Dataquery().expr(" ".join(expression.split())).datasource(SOURCE)
    query = query.instant() if now or rows else query.range()
    query = query.legend_format(legend) if legend else query
    return query.format(PromQueryFormat.TABLE if rows else PromQueryFormat.TIME_SERIES)


def _asked(panel: Any, queries: Sequence[prometheus.Dataquery]) -> Any:
    for number, query in enumerate(queries):
        panel = panel.with_target(query.ref_id(chr(ord("A") + number)))
    return panel


def _common(panel: Any, title: str, description: str, unit: str, nothing: str) -> Any:
    panel = panel.title(title).description(description).datasource(SOURCE).unit(unit)
    return panel.no_value(nothing) if nothing else panel


def number(
    title: str,
    description: str,
    query: str,
    unit: str,
    colours: build.ThresholdsConfig,
    *,
    legend: str = "",
    nothing: str = "none",
    names: bool = False,
    mappings: Sequence[ValueMapping] = (),
    decimals: int | None = None,
    link: Mapping[str, Any] | None = None,
) -> Any:
    """One large number, or one for each series; `names` shows the series' name instead of its value."""
    panel = _asked(_common(stat.Panel(), title, description, unit, nothing), [ask(query, legend, now=True)])
    panel = (
        panel.thresholds(colours)
        .color_scheme(build.FieldColor().mode(FieldColorModeId.THRESHOLDS))
        .color_mode(BigValueColorMode.BACKGROUND_SOLID if not names else BigValueColorMode.NONE)
        .graph_mode(BigValueGraphMode.NONE)
        .text_mode(BigValueTextMode.NAME if names else BigValueTextMode.AUTO)
        .orientation(VizOrientation.AUTO)
        .reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
        .mappings(list(mappings))
    )
    if link is not None:
        panel = panel.data_links([link_to(link)])
    return panel if decimals is None else panel.decimals(decimals)


def link_to(link: Mapping[str, Any]) -> build.DashboardLink:
    """A data link: title and address."""
    return build.DashboardLink(link["title"]).url(link["url"]).target_blank(link.get("targetBlank", False))


@dataclass(frozen=True)
class Column:
    """A column of a table."""

    field: str
    """Its name in what Prometheus answers: a label, `Value`, or `Value #A` where there are many questions."""
    title: str
    width: int | None = None
    unit: str = ""
    colours: build.ThresholdsConfig | None = None
    """Its cells have the colour of their value."""
    words: Mapping[str, tuple[str, str]] | None = None
    """Its values in words, with a colour each."""
    links: Sequence[Mapping[str, Any]] = ()

    def settings(self) -> list[DynamicConfigValue]:
        """What Grafana is told of it."""
        made: list[DynamicConfigValue] = []
        if self.width is not None:
            made.append(DynamicConfigValue("custom.width", self.width))
        if self.unit:
            made.append(DynamicConfigValue("unit", self.unit))
        if self.colours is not None:
            made.append(DynamicConfigValue("thresholds", self.colours.build()))
        if self.words is not None:
            made.append(DynamicConfigValue("mappings", words.mapped(self.words)))
        if self.colours is not None or self.words is not None:
            made.append(DynamicConfigValue("color", {"mode": "thresholds"}))
            made.append(DynamicConfigValue("custom.cellOptions", {"type": "color-text"}))
        if self.links:
            made.append(DynamicConfigValue("links", list(self.links)))
        return made


def rows(
    title: str,
    description: str,
    queries: Sequence[str],
    columns: Sequence[Column],
    *,
    by: str,
    down: bool = True,
    unit: str = "short",
    nothing: str = "none",
) -> Any:
    """A table of what is so now, in order of the column titled `by`. Labels without a column are not shown."""
    panel = _asked(
        _common(table.Panel(), title, description, unit, nothing), [ask(query, rows=True) for query in queries]
    )
    if len(queries) > 1:
        panel = panel.with_transformation(DataTransformerConfig("merge", options={}))
    order = {"include": {"names": [column.field for column in columns]}}
    panel = (
        panel.with_transformation(DataTransformerConfig("filterFieldsByName", options=order))
        .with_transformation(
            DataTransformerConfig(
                "organize",
                options={
                    "excludeByName": {},
                    "indexByName": {column.field: index for index, column in enumerate(columns)},
                    "renameByName": {column.field: column.title for column in columns},
                },
            )
        )
        .cell_height(TableCellHeight.SM)
        .show_header(True)
        .sort_by([common.TableSortByFieldState().display_name(by).desc(down)])
        .thresholds(words.one("text"))
    )
    for column in columns:
        if made := column.settings():
            panel = panel.override_by_name(column.title, made)
    return panel


def bars(
    title: str,
    description: str,
    query: str,
    legend: str,
    colours: build.ThresholdsConfig,
    *,
    unit: str = "short",
    nothing: str = "none",
    link: Mapping[str, Any] | None = None,
) -> Any:
    """Lying bars of what is so now, the longest first as the question sorts them."""
    panel = _asked(_common(bargauge.Panel(), title, description, unit, nothing), [ask(query, legend, now=True)])
    panel = (
        panel.thresholds(colours)
        .color_scheme(build.FieldColor().mode(FieldColorModeId.THRESHOLDS))
        .orientation(VizOrientation.HORIZONTAL)
        .display_mode(BarGaugeDisplayMode.BASIC)
        .show_unfilled(True)
        .reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
        .min(0)
    )
    return panel if link is None else panel.data_links([link_to(link)])


def lines(
    title: str,
    description: str,
    queries: Sequence[tuple[str, str]],
    unit: str,
    *,
    colours: Mapping[str, str] | None = None,
    stacked: bool = False,
    drawn_as_bars: bool = False,
    dashed: Sequence[str] = (),
    zero: bool = True,
    thresholds: build.ThresholdsConfig | None = None,
    nothing: str = "",
) -> Any:
    """Lines over the time shown: (question, legend) each. `colours` by series' name; `dashed` for limits."""
    asked = [ask(query, legend) for query, legend in queries]
    panel = _asked(_common(timeseries.Panel(), title, description, unit, nothing), asked)
    panel = (
        panel.line_width(2)
        .fill_opacity(60 if stacked or drawn_as_bars else 5)
        .show_points(VisibilityMode.NEVER)
        .draw_style(GraphDrawStyle.BARS if drawn_as_bars else GraphDrawStyle.LINE)
        .stacking(common.StackingConfig().mode(StackingMode.NORMAL if stacked else StackingMode.NONE))
        .tooltip(common.VizTooltipOptions().mode(TooltipDisplayMode.MULTI).sort(SortOrder.DESCENDING))
        .legend(
            common.VizLegendOptions()
            .display_mode(LegendDisplayMode.LIST)
            .placement(LegendPlacement.BOTTOM)
            .show_legend(True)
            .calcs([])
        )
        .thresholds(thresholds or words.one(words.NEUTRAL))
    )
    if zero:
        panel = panel.min(0)
    for name, colour in (colours or {}).items():
        by = panel.override_by_regexp if name.startswith("/") else panel.override_by_name
        panel = by(name, words.fixed(colour))
    for name in dashed:
        style = DynamicConfigValue("custom.lineStyle", {"fill": "dash", "dash": [10, 10]})
        panel = panel.override_by_regexp(f"/{name}/", [style, DynamicConfigValue("custom.fillOpacity", 0)])
    return panel


def states(
    title: str,
    description: str,
    queries: Sequence[tuple[str, str]],
    mappings: Sequence[ValueMapping],
    colours: build.ThresholdsConfig,
    *,
    nothing: str = "",
) -> Any:
    """What state each series was in, over the time shown."""
    asked = [ask(query, legend) for query, legend in queries]
    panel = _asked(_common(statetimeline.Panel(), title, description, "none", nothing), asked)
    return (
        panel.mappings(list(mappings))
        .thresholds(colours)
        .color_scheme(build.FieldColor().mode(FieldColorModeId.THRESHOLDS))
        .merge_values(True)
        .row_height(0.85)
        .show_value(VisibilityMode.AUTO)
        .per_page(20)
        .legend(common.VizLegendOptions().show_legend(False).display_mode(LegendDisplayMode.LIST).calcs([]))
    )
