"""Names that the monitors, the policies and the charts' values share."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from vllm_eks.specs.observability import MONITORING_NAMESPACE

RELEASE = "kube-prometheus-stack"
"""The release's name, and with `cleanPrometheusOperatorObjectNames` also that of its Prometheus and Alertmanager."""
PROMETHEUS_SERVICE_ACCOUNT = "prometheus"
CLAIM_TEMPLATE = "data"
CLAIM = f"{CLAIM_TEMPLATE}-prometheus-{RELEASE}-0"
"""The claim of Prometheus's only pod: the template's name and the pod's (prometheus-operator 0.93.1, VolumeClaimName
in pkg/prometheus/common.go). The StatefulSet uses a claim with this name if it exists."""
GRAFANA_SECRET = "grafana-admin"
GRAFANA_USER = "admin"
DCGM_RELEASE = "dcgm-exporter"
BLACKBOX_RELEASE = "prometheus-blackbox-exporter"
BLACKBOX_ADDRESS = f"{BLACKBOX_RELEASE}.{MONITORING_NAMESPACE}.svc:9115"
FRONT_DOOR_MODULE = "front_door"
METRICS_PORT = 8001
"""The port of every leader that only answers GET /metrics. The chart names it `metrics`."""


@dataclass(frozen=True, kw_only=True)
class PodLabel:
    """A label with one of several values."""

    key: str
    values: Sequence[str]


PROMETHEUS_PODS = PodLabel(key="app.kubernetes.io/name", values=("prometheus", "prometheus-agent"))
"""The label that the operator sets on pods of a Prometheus and of an agent (prometheus-operator 0.93.1)."""

NODE_LABEL = {"sourceLabels": ["__meta_kubernetes_pod_node_name"], "targetLabel": "node"}
"""A relabeling: the label `node` of every series of a pod."""


def object_name(name: str) -> str:
    """Return a stack's name in the form of a Kubernetes object's. EKS and Pulumi also accept capitals and underscores.

    >>> object_name("vllm-eks-Dev_1")
    'vllm-eks-dev-1'
    """
    return re.sub("[^a-z0-9-]", "-", name.lower())
