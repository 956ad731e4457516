"""The metrics of a stack: what collects them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

MONITORING_NAMESPACE = "monitoring-system"
"""The namespace of everything that the stack installs for metrics."""
OWN_POLICY = "monitoring-only"
"""The NetworkPolicy in that namespace."""
PROMETHEUS_POD_NAMES = ("prometheus", "prometheus-agent")
"""The values of the label app.kubernetes.io/name that the operator sets on pods of a Prometheus and of an agent
(prometheus-operator 0.93.1)."""
DEFAULT_RETENTION_DAYS = 15
"""Prometheus's own default (storage documentation)."""
DEFAULT_STORAGE_GIB = 50


@dataclass(frozen=True, kw_only=True)
class InstalledPrometheus:
    """A Prometheus that the stack installs, with Alertmanager and Grafana."""

    retention_days: int = DEFAULT_RETENTION_DAYS
    storage_gib: int = DEFAULT_STORAGE_GIB
    storage_class: str | None = None
    """The StorageClass of an existing cluster, or None for a volume of the stack."""
    alertmanager_config_secret: str | None = None
    """The user's Secret with Alertmanager's configuration."""


@dataclass(frozen=True, kw_only=True)
class ExistingPrometheus:
    """A Prometheus with its operator that the cluster already has."""

    namespace: str
    """Of its pods."""
    labels: Mapping[str, str] = field(default_factory=dict[str, str])
    """The labels of monitors and rules that it selects."""


@dataclass(frozen=True, kw_only=True)
class ManagedPrometheus:
    """A workspace of Amazon Managed Service for Prometheus, and an agent that the stack installs."""

    workspace_arn: str | None = None
    """An existing workspace, or None to create one."""
    alert_topic_arn: str | None = None
    """The SNS topic that receives alerts."""


PrometheusSpec: TypeAlias = InstalledPrometheus | ExistingPrometheus | ManagedPrometheus


@dataclass(frozen=True, kw_only=True)
class ObservabilitySpec:
    """What the stack file says about metrics."""

    prometheus: PrometheusSpec | None = None
    """None for no metrics."""

    @property
    def needs_volume(self) -> bool:
        """Whether the stack creates a volume for its own Prometheus."""
        return isinstance(self.prometheus, InstalledPrometheus) and self.prometheus.storage_class is None
