"""The metrics of a stack: what collects them, from which charts, and what its alerts watch."""

from dataclasses import dataclass, field

from vllm_eks.pins.charts import MonitoringCharts, MonitoringImages
from vllm_eks.specs.alerts import AlertsSpec
from vllm_eks.specs.endpoint import EndpointSpec
from vllm_eks.specs.observability import PrometheusSpec


@dataclass(frozen=True, kw_only=True)
class MonitoringSpec:
    """What the stack file says about metrics, alerts, and their charts."""

    prometheus: PrometheusSpec | None = None
    """None for no metrics."""
    alerts: AlertsSpec = field(default_factory=AlertsSpec)
    charts: MonitoringCharts = field(default_factory=MonitoringCharts)
    images: MonitoringImages = field(default_factory=MonitoringImages)
    endpoint: EndpointSpec | None = None
    """The load balancer, if pods can reach it."""
