"""The third-party Helm charts that this release installs: their publishers and pinned versions."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class ChartSource:
    """A chart in a repository, in an OCI registry (only an address), or in a local folder."""

    chart: str
    repository: str | None = None
    version: str | None = None


NVIDIA_DEVICE_PLUGIN = ChartSource(
    chart="nvidia-device-plugin", repository="https://nvidia.github.io/k8s-device-plugin", version="0.20.0"
)
"""Not 0.19.0 to 0.19.2: these mount every InfiniBand device and conflict with the EFA plugin."""

# The publisher's versions have a prefix v. Without it, a Release would differ after every refresh.
EFA_DEVICE_PLUGIN = ChartSource(
    chart="aws-efa-k8s-device-plugin", repository="https://aws.github.io/eks-charts", version="v0.5.30"
)

LEADER_WORKER_SET = ChartSource(chart="oci://registry.k8s.io/lws/charts/lws", version="0.10.0")
"""Not below 0.8, because the upgrade deletes the CRD, and with it every LeaderWorkerSet."""

KUBE_PROMETHEUS_STACK = ChartSource(
    chart="kube-prometheus-stack", repository="https://prometheus-community.github.io/helm-charts", version="88.5.3"
)
"""With Prometheus operator 0.93.1."""

DCGM_EXPORTER = ChartSource(
    chart="dcgm-exporter", repository="https://nvidia.github.io/dcgm-exporter/helm-charts", version="4.8.2"
)

BLACKBOX_EXPORTER = ChartSource(
    chart="prometheus-blackbox-exporter",
    repository="https://prometheus-community.github.io/helm-charts",
    version="11.17.2",
)

AWS_LOAD_BALANCER_CONTROLLER = ChartSource(
    chart="aws-load-balancer-controller", repository="https://aws.github.io/eks-charts", version="3.5.0"
)
"""Controller v3.5.0, which supports Kubernetes 1.22 and later. Helm installs the chart's CRDs once and never updates
them, so an update of this pin that needs a new field of TargetGroupBinding has an upgrade note."""


FLUENT_BIT = ChartSource(chart="fluent-bit", repository="https://fluent.github.io/helm-charts", version="0.58.1")
"""With Fluent Bit 5.1.1. `components.logs.fluent_bit` writes its whole configuration."""


@dataclass(frozen=True, kw_only=True)
class ControllerCharts:
    """The sources of the controllers' charts, or None if a controller exists already, because two would conflict."""

    nvidia_device_plugin: ChartSource | None = NVIDIA_DEVICE_PLUGIN
    leader_worker_set: ChartSource | None = LEADER_WORKER_SET
    efa_device_plugin: ChartSource | None = EFA_DEVICE_PLUGIN
    aws_load_balancer_controller: ChartSource | None = AWS_LOAD_BALANCER_CONTROLLER
    fluent_bit: ChartSource | None = FLUENT_BIT


@dataclass(frozen=True, kw_only=True)
class ControllerImages:
    """The controllers' images as full references, or None for the chart's default."""

    nvidia_device_plugin: str | None = None
    leader_worker_set: str | None = None
    efa_device_plugin: str | None = None
    aws_load_balancer_controller: str | None = None
    fluent_bit: str | None = None


@dataclass(frozen=True, kw_only=True)
class MonitoringCharts:
    """The sources of the charts for metrics, or None if the cluster has them already."""

    kube_prometheus_stack: ChartSource | None = KUBE_PROMETHEUS_STACK
    dcgm_exporter: ChartSource | None = DCGM_EXPORTER
    blackbox_exporter: ChartSource | None = BLACKBOX_EXPORTER


@dataclass(frozen=True, kw_only=True)
class MonitoringImages:
    """The images of the charts for metrics."""

    registry: str | None = None
    """A mirror of docker.io, quay.io and registry.k8s.io, with the same repositories, or None for these."""
    dcgm_exporter: str | None = None
    """A full reference, or None for the chart's default."""
