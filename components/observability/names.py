"""Names that the monitors, the policies and the charts' values share."""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass

from vllm_eks.specs.observability import MONITORING_NAMESPACE, PROMETHEUS_POD_NAMES

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
METRICS_PORT = "metrics"
"""The chart's name of the port of every leader that only answers GET /metrics. The number is in the chart alone."""
DIGEST_CHARACTERS = 8
MAX_OBJECT_NAME = 253
"""The limit for the names of most Kubernetes objects, which are DNS subdomains."""


@dataclass(frozen=True, kw_only=True)
class PodLabel:
    """A label with one of several values."""

    key: str
    values: Sequence[str]


PROMETHEUS_PODS = PodLabel(key="app.kubernetes.io/name", values=PROMETHEUS_POD_NAMES)

NODE_LABEL = {"sourceLabels": ["__meta_kubernetes_pod_node_name"], "targetLabel": "node"}
"""A relabeling: the label `node` of every series of a pod."""


def object_name(name: str, most: int = MAX_OBJECT_NAME) -> str:
    """Return a stack's name in the form of a Kubernetes object's. EKS and Pulumi also accept capitals and underscores.

    A changed name ends in a digest of the original one, because two stacks could otherwise get the same name.

    >>> object_name("vllm-eks-dev"), object_name("vllm-eks-Dev_1"), object_name("vllm-eks-dev", 10)
    ('vllm-eks-dev', 'vllm-eks-dev-1-9992fbae', 'v-5dc6a0e4')
    """
    accepted = re.sub("[^a-z0-9-]", "-", name.lower())
    if accepted == name and len(name) <= most:
        return name
    digest = hashlib.sha256(name.encode()).hexdigest()[:DIGEST_CHARACTERS]
    return f"{accepted[: most - len(digest) - 1].rstrip('-')}-{digest}"
