"""Unit tests of rules with Prometheus's own promtool."""

import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

import yaml

from tests.support.chart_rendering import DUMPER, tool

MISSING = (
    "promtool is neither on PATH nor in $KUBE_LAB/bin: install Prometheus, or build the lab's (build.sh prometheus)"
)

Segment: TypeAlias = tuple[int, float | None] | tuple[int, float, float]
"""For some minutes: a value, None for no sample, or a first value and what each minute adds."""
Series: TypeAlias = Mapping[str, Sequence[Segment]]


@dataclass(frozen=True, kw_only=True)
class Alert:
    """An alert that fires, with its exact labels and texts."""

    name: str
    labels: Mapping[str, str]
    summary: str
    description: str
    page: str


@dataclass(frozen=True, kw_only=True)
class RuleTest:
    """Series, and the alerts that fire at some minutes."""

    name: str
    series: Series
    firing: Mapping[int, Mapping[str, int]]
    """By minute, the number of each alert that fires. No other alert may fire."""
    alerts: Mapping[int, Sequence[Alert]] = field(default_factory=dict)
    """Alerts with their texts, by minute."""
    values: Mapping[int, Mapping[str, float]] = field(default_factory=dict)
    """The values of expressions, by minute."""
    labelled: Mapping[int, Mapping[str, Mapping[str, float]]] = field(default_factory=dict)
    """All series of expressions, by minute: their labels, and values."""

    def as_yaml(self) -> dict[str, Any]:
        """Return the test as promtool reads it."""
        return {
            "name": self.name,
            "interval": "1m",
            "input_series": [{"series": name, "values": samples(segments)} for name, segments in self.series.items()],
            "alert_rule_test": [
                {
                    "eval_time": f"{minute}m",
                    "alertname": alert.name,
                    "exp_alerts": [
                        {
                            "exp_labels": dict(alert.labels),
                            "exp_annotations": {
                                "summary": alert.summary,
                                "description": alert.description,
                                "runbook": f"docs/runbooks/{alert.page}",
                            },
                        }
                    ],
                }
                for minute, alerts in self.alerts.items()
                for alert in alerts
            ],
            "promql_expr_test": [
                {
                    "expr": 'count by (alertname) (ALERTS{alertstate="firing"})',
                    "eval_time": f"{minute}m",
                    "exp_samples": [
                        {"labels": f'{{alertname="{name}"}}', "value": count} for name, count in alerts.items()
                    ],
                }
                for minute, alerts in self.firing.items()
            ]
            + [
                {"expr": expr, "eval_time": f"{minute}m", "exp_samples": [{"labels": "{}", "value": value}]}
                for minute, values in self.values.items()
                for expr, value in values.items()
            ]
            + [
                {
                    "expr": expr,
                    "eval_time": f"{minute}m",
                    "exp_samples": [{"labels": labels, "value": value} for labels, value in found.items()],
                }
                for minute, exprs in self.labelled.items()
                for expr, found in exprs.items()
            ],
        }


def lasting(segment: Segment, minutes: int) -> Segment:
    """Return the same values for another time."""
    return (minutes, segment[1], segment[2]) if len(segment) == 3 else (minutes, segment[1])


def samples(segments: Sequence[Segment]) -> str:
    """Return the values in promtool's notation. A series that disappears is stale at once, as after a real scrape.

    >>> samples([(3, 1), (2, None), (4, 0, -60), (1, None)])
    '1+0x2 stale _x1 0-60x3 stale'
    """
    parts: list[str] = []
    for count, value, *step in segments:
        if not count:
            continue
        if value is not None:
            parts.append(f"{value:.15g}{step[0] if step else 0:+.15g}x{count - 1}")
        elif not parts:
            parts.append(f"_x{count}")
        else:
            parts.append("stale" if count == 1 else f"stale _x{count - 1}")
    return " ".join(parts)


def run_promtool(folder: Path, rules: Mapping[str, Any], tests: Sequence[RuleTest]) -> str:
    """Run the tests, and return promtool's output when any fails, or an empty text."""
    promtool = tool("promtool")
    assert promtool, MISSING
    (folder / "rules.yml").write_text(yaml.dump(rules, Dumper=DUMPER))
    file = {
        "rule_files": ["rules.yml"],
        "evaluation_interval": "1m",
        # Otherwise the order is random, and the first evaluation of a group may lack the series of another one.
        "group_eval_order": [group["name"] for group in rules["groups"]],
        "tests": [test.as_yaml() for test in tests],
    }
    (folder / "tests.yml").write_text(yaml.dump(file, Dumper=DUMPER))
    done = subprocess.run([promtool, "test", "rules", "tests.yml"], cwd=folder, capture_output=True, text=True)
    return "" if done.returncode == 0 else done.stdout + done.stderr
