"""The values of two exporters: for GPUs, and for the front door with its certificate."""

from typing import Any

from components.controllers.images import split_image
from components.nodes.gpu_taint import GPU_TOLERATION
from components.observability.names import FRONT_DOOR_MODULE
from vllm_eks.monitoring.gpu_counters import gpu_counters_csv

HOST_ENGINE_PORT = 5555
"""The hostPort of `dcgm-server`, the DCGM host engine of the EKS node monitoring agent (aws/eks-node-monitoring-agent
1.7.0, chart)."""
COUNTERS_FILE = "/etc/dcgm-exporter/default-counters.csv"
"""Where the chart mounts its list of metrics."""
MODEL_NODES = {
    "nodeAffinity": {
        "requiredDuringSchedulingIgnoredDuringExecution": {
            "nodeSelectorTerms": [{"matchExpressions": [{"key": "vllm-eks/model", "operator": "Exists"}]}]
        }
    }
}
"""The GPU nodes of stacks, by the label of their node groups."""


def dcgm_values(*, host_engine: bool, image: str | None) -> dict[str, Any]:
    """Return the values of the DCGM exporter.

    Args:
        host_engine: Whether to read from the host engine of the EKS node monitoring agent. Otherwise the exporter
            starts its own.
        image: Its image, or None for the chart's.
    """
    remote = ["-r", f"$(NODE_IP):{HOST_ENGINE_PORT}"] if host_engine else []
    node_ip = {"name": "NODE_IP", "valueFrom": {"fieldRef": {"fieldPath": "status.hostIP"}}}
    values: dict[str, Any] = {
        "arguments": ["-f", COUNTERS_FILE, *remote],
        "extraEnv": [node_ip] if host_engine else [],
        "customMetrics": gpu_counters_csv(),
        "tolerations": [GPU_TOLERATION],
        "affinity": MODEL_NODES,
        # SYS_ADMIN is only for profiling.
        "securityContext": {"capabilities": {"add": []}},
        "service": {"enable": False},
        "serviceMonitor": {"enabled": False},
    }
    return {**values, "image": split_image(image)} if image else values


def blackbox_values(registry: str | None) -> dict[str, Any]:
    """Return the values of the exporter that requests /health through the front door."""
    module = {
        "prober": "http",
        "timeout": "10s",
        "http": {"fail_if_not_ssl": True, "follow_redirects": False, "preferred_ip_protocol": "ip4"},
    }
    values: dict[str, Any] = {
        "config": {"modules": {FRONT_DOOR_MODULE: module}},
        "resources": {"requests": {"cpu": "10m", "memory": "32Mi"}, "limits": {"memory": "64Mi"}},
    }
    return {**values, "global": {"imageRegistry": registry}} if registry else values
