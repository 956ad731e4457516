"""What the dashboards are made of: a few kinds of panels, all on a 24-column grid."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from grafana_foundation_sdk.builders import common, dashboard, prometheus, stat, statetimeline, timeseries
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.common import LegendDisplayMode, LegendPlacement, SortOrder, TooltipDisplayMode
from grafana_foundation_sdk.models.dashboard import DashboardLinkType, DataSourceRef, VariableRefresh
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

Kind = Literal["lines", "number", "states"]
SOURCE = DataSourceRef(type_val="prometheus", uid="${datasource}")
HALF, QUARTER, WHOLE = 12, 6, 24
"""Widths, of 24 columns."""
HEIGHT, NUMBER_HEIGHT = 8, 4
STEP = "$__rate_interval"
"""Grafana's window of a rate: at least four scrapes."""


@dataclass(frozen=True, kw_only=True)
class Query:
    """One expression, and the name of its series in the legend."""

    expr: str
    legend: str = "__auto"


@dataclass(frozen=True, kw_only=True)
class Panel:
    """A panel. Every one says what it shows."""

    title: str
    description: str
    unit: str
    """Grafana's name of the unit (https://github.com/grafana/grafana, packages/grafana-data/src/valueFormats)."""
    queries: Sequence[Query]
    kind: Kind = "lines"
    span: int = HALF
    most: float | None = None
    """The top of the axis, if it has one."""


@dataclass(frozen=True, kw_only=True)
class Row:
    """A heading with the panels below it."""

    title: str
    panels: Sequence[Panel]


@dataclass(frozen=True, kw_only=True)
class Variable:
    """A choice at the top of a dashboard: the values of a label."""

    name: str
    label: str
    query: str


@dataclass(frozen=True, kw_only=True)
class Page:
    """A dashboard."""

    uid: str
    title: str
    description: str
    variables: Sequence[Variable]
    rows: Sequence[Row]

    def as_json(self) -> str:
        """Return the dashboard as Grafana reads it."""
        built = (
            dashboard.Dashboard(self.title)
            .uid(self.uid)
            .description(self.description)
            .tags(["vllm-eks"])
            .timezone("browser")
            .time("now-3h", "now")
            .refresh("1m")
            .readonly()
            .link(
                dashboard.DashboardLink("Other dashboards")
                .type(DashboardLinkType.DASHBOARDS)
                .tags(["vllm-eks"])
                .as_dropdown(True)
                .include_vars(True)
                .keep_time(True)
            )
            .with_variable(dashboard.DatasourceVariable("datasource").label("Prometheus").type("prometheus"))
        )
        for variable in self.variables:
            built = built.with_variable(_variable(variable))
        for row in self.rows:
            built = built.with_row(dashboard.Row(row.title))
            for panel in row.panels:
                built = built.with_panel(_panel(panel))
        return JSONEncoder(sort_keys=True, indent=1).encode(built.build()) + "\n"


def _variable(variable: Variable) -> dashboard.QueryVariable:
    return (
        dashboard.QueryVariable(variable.name)
        .label(variable.label)
        .query(variable.query)
        .datasource(SOURCE)
        .refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
        .multi(True)
        .include_all(True)
        # Also series without the label, such as that of the cluster.
        .all_value(".*")
    )


def _panel(panel: Panel) -> timeseries.Panel | stat.Panel | statetimeline.Panel:
    made = {"lines": _lines, "number": _number, "states": _states}[panel.kind]()
    made = made.title(panel.title).description(panel.description).datasource(SOURCE).unit(panel.unit)
    made = made.span(panel.span).height(NUMBER_HEIGHT if panel.kind == "number" else HEIGHT)
    for index, query in enumerate(panel.queries):
        target = prometheus.Dataquery().expr(query.expr).legend_format(query.legend).ref_id(chr(ord("A") + index))
        made = made.with_target(target.format(PromQueryFormat.TIME_SERIES).range())
    return made.max(panel.most) if panel.most is not None else made


def _legend() -> common.VizLegendOptions:
    made = common.VizLegendOptions().display_mode(LegendDisplayMode.LIST).placement(LegendPlacement.BOTTOM)
    return made.show_legend(True)


def _lines() -> timeseries.Panel:
    tooltip = common.VizTooltipOptions().mode(TooltipDisplayMode.MULTI).sort(SortOrder.DESCENDING)
    return timeseries.Panel().min(0).fill_opacity(5).legend(_legend()).tooltip(tooltip)


def _number() -> stat.Panel:
    return stat.Panel().reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))


def _states() -> statetimeline.Panel:
    return statetimeline.Panel().legend(_legend())
