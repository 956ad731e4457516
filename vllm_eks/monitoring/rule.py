"""Alert rules and recording rules of Prometheus, and the objects that hold them."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

Severity = Literal["critical", "warning"]
"""critical: wake the on-call engineer, because requests fail or GPUs are paid for nothing, and a person can fix it.
warning: look at it in working hours."""
Yaml: TypeAlias = "str | Mapping[str, Yaml] | Sequence[Yaml]"

INTERVAL_SECONDS = 60
"""How often rules are evaluated. Amazon Managed Service for Prometheus evaluates every 60 s by default."""
MOST_RULES_PER_GROUP = 20
"""The default of Cortex, the ruler of Amazon Managed Service for Prometheus."""
RUNBOOKS = "docs/runbooks"


@dataclass(frozen=True, kw_only=True)
class RecordingRule:
    """A series that is computed from others."""

    record: str
    expr: str
    labels: Mapping[str, str] = field(default_factory=dict[str, str])

    def as_yaml(self, stack: str, cluster: str | None) -> Mapping[str, Yaml]:
        """Return the rule as Prometheus reads it. Its series have the labels of the stack and its cluster."""
        of_cluster = {"cluster": cluster} if cluster else {}
        return {"record": self.record, "expr": self.expr, "labels": {**self.labels, **of_cluster, "stack": stack}}


@dataclass(frozen=True, kw_only=True)
class AlertRule:
    """A condition that the stack's operators should know of."""

    name: str
    expr: str
    for_seconds: int
    """How long the condition holds before the alert fires."""
    severity: Severity
    summary: str
    """One line, with Prometheus's templates."""
    description: str
    """The numbers, and what they mean."""
    labels: Mapping[str, str] = field(default_factory=dict[str, str])

    @property
    def page(self) -> str:
        """The name of its runbook page.

        >>> AlertRule(name="VllmEksGpuXid", expr="", for_seconds=0, severity="warning", summary="", description="").page
        'gpu-xid.md'
        """
        words = re.findall("[A-Z][a-z]+", self.name.removeprefix("VllmEks"))
        return "-".join(words).lower() + ".md"

    def as_yaml(self, stack: str, runbook_base_url: str | None) -> Mapping[str, Yaml]:
        """Return the rule as Prometheus reads it."""
        runbook = (
            {"runbook_url": f"{runbook_base_url.rstrip('/')}/{self.page}"}
            if runbook_base_url
            else {"runbook": f"{RUNBOOKS}/{self.page}"}
        )
        return {
            "alert": self.name,
            "expr": self.expr,
            "for": f"{self.for_seconds}s",
            "labels": {**self.labels, "severity": self.severity, "stack": stack},
            "annotations": {"summary": self.summary, "description": self.description, **runbook},
        }


@dataclass(frozen=True, kw_only=True)
class RuleGroup:
    """Rules that Prometheus evaluates in this order."""

    name: str
    rules: Sequence[RecordingRule | AlertRule]

    @property
    def alerts(self) -> list[AlertRule]:
        """The alert rules."""
        return [rule for rule in self.rules if isinstance(rule, AlertRule)]


def groups_as_yaml(
    groups: Sequence[RuleGroup], *, stack: str, cluster: str | None = None, runbook_base_url: str | None = None
) -> Mapping[str, Yaml]:
    """Return the content of a rule file, which is also the `spec` of a PrometheusRule.

    Args:
        groups: The rules.
        stack: The label `stack` of all alerts and recorded series.
        cluster: The label `cluster` of recorded series, if the exporters' series have it.
        runbook_base_url: The address of the runbooks, or None.
    """
    return {
        "groups": [
            {
                "name": group.name,
                "interval": f"{INTERVAL_SECONDS}s",
                "rules": [
                    rule.as_yaml(stack, cluster)
                    if isinstance(rule, RecordingRule)
                    else rule.as_yaml(stack, runbook_base_url)
                    for rule in group.rules
                ],
            }
            for group in groups
        ]
    }
