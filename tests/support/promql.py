"""The metrics and labels that PromQL expressions name."""

import json
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import promql_parser

GRAFANA = ((r"\$__rate_interval", "5m"), (r"\$\{?\w+\}?", ".+"))
"""Variables of Grafana, and what Prometheus gets instead."""


@dataclass(kw_only=True)
class Named:
    """What an expression names."""

    matched: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    """Each metric, with the labels that its selectors match."""
    grouped: set[str] = field(default_factory=set)
    """Labels of by, on and group_left."""
    made: set[str] = field(default_factory=set)
    """Labels that label_replace adds."""


def prometheus_sees(expr: str) -> str:
    """Return an expression of a dashboard as Prometheus gets it."""
    for pattern, value in GRAFANA:
        expr = re.sub(pattern, value, expr)
    return expr


def named_in(expr: str) -> Named:
    """Parse an expression, and return what it names."""
    named = Named()

    def visit(node: Any) -> bool:
        if isinstance(node, promql_parser.MatrixSelector):
            node = node.vector_selector
        if isinstance(node, promql_parser.VectorSelector):
            named.matched[node.name or ""].update(matcher.name for matcher in node.matchers.matchers)
        elif isinstance(node, promql_parser.AggregateExpr) and node.modifier:
            named.grouped.update(node.modifier.labels)
        elif isinstance(node, promql_parser.BinaryExpr) and node.modifier:
            named.grouped.update(node.modifier.matching.labels if node.modifier.matching else [])
            named.grouped.update(node.modifier.group_labels or [])
        elif isinstance(node, promql_parser.Call) and node.func.name == "label_replace":
            named.made.add(node.args[1].val)
        return True

    promql_parser.walk(promql_parser.parse(prometheus_sees(expr)), visit)
    return named


@dataclass(frozen=True, kw_only=True)
class Query:
    """An expression of a dashboard, and the panel or variable that has it."""

    place: str
    expr: str


def dashboard_queries(text: str) -> Iterator[Query]:
    """Yield the queries of a dashboard's panels and variables."""
    dashboard: Mapping[str, Any] = json.loads(text)
    for panel in dashboard["panels"]:
        for target in panel.get("targets", ()):
            yield Query(place=f"{dashboard['title']}, {panel['title']}", expr=target["expr"])
    for variable in dashboard["templating"]["list"]:
        found = re.fullmatch(r"label_values\((.+), \w+\)", str(variable["query"]))
        if found:
            yield Query(place=f"{dashboard['title']}, variable {variable['name']}", expr=found[1])
