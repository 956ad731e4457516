"""What Prometheus scrapes besides the charts' own monitors, as bodies of the operator's resources."""

from collections.abc import Mapping
from typing import Any, TypeAlias

from components.controllers.accelerators import LEADER_WORKER_SET_NAMESPACE
from components.observability.names import (
    BLACKBOX_ADDRESS,
    DCGM_RELEASE,
    FRONT_DOOR_MODULE,
    METRICS_PORT,
    NODE_LABEL,
)
from vllm_eks.specs.observability import MONITORING_NAMESPACE

Body: TypeAlias = Mapping[str, Any]

MODEL_INTERVAL = "15s"
"""Half of the others', because a queue can grow and empty within a minute."""
PROBE_INTERVAL = "60s"
LEADER_WORKER_SET_METRICS_PORT = 8443
"""The controller's default, over TLS with its own certificate, for callers that may get /metrics (kubernetes-sigs/lws
0.10.0, cmd/main.go)."""
LEADER_WORKER_SET_PODS = {"control-plane": "controller-manager", "app.kubernetes.io/name": "lws"}


def leaders(model: str) -> dict[str, str]:
    """Return the labels of a model's leaders. Workers have no server and no metrics."""
    return {"leaderworkerset.sigs.k8s.io/name": model, "leaderworkerset.sigs.k8s.io/worker-index": "0"}


def model_monitor(model: str, namespace: str) -> Body:
    """Return the spec of a PodMonitor for a model's leaders."""
    group = {
        "sourceLabels": ["__meta_kubernetes_pod_label_leaderworkerset_sigs_k8s_io_group_index"],
        "targetLabel": "group",
    }
    return {
        "namespaceSelector": {"matchNames": [namespace]},
        "selector": {"matchLabels": leaders(model)},
        "podMetricsEndpoints": [
            {
                "port": METRICS_PORT,
                "interval": MODEL_INTERVAL,
                "relabelings": [{"targetLabel": "model", "replacement": model}, group, NODE_LABEL],
            }
        ],
    }


def dcgm_monitor() -> Body:
    """Return the spec of a PodMonitor for the DCGM exporter.

    Its series have the namespace, pod and container that use the GPU. The exporter's own would take their place.
    """
    return {
        "namespaceSelector": {"matchNames": [MONITORING_NAMESPACE]},
        "selector": {"matchLabels": {"app.kubernetes.io/name": DCGM_RELEASE}},
        "podMetricsEndpoints": [
            {
                "port": "metrics",
                "relabelings": [NODE_LABEL, {"action": "labeldrop", "regex": "namespace|pod|container"}],
            }
        ],
    }


def leader_worker_set_monitor() -> Body:
    """Return the spec of a ServiceMonitor for the LeaderWorkerSet controllers.

    They check the token of Prometheus's service account. A PodMonitor cannot send it.
    """
    return {
        "namespaceSelector": {"matchNames": [LEADER_WORKER_SET_NAMESPACE]},
        "selector": {"matchLabels": {"vllm-eks/metrics": "lws"}},
        "endpoints": [
            {
                "port": "metrics",
                "scheme": "https",
                "bearerTokenFile": "/var/run/secrets/kubernetes.io/serviceaccount/token",
                # Its certificate is self-signed, and new at each start.
                "tlsConfig": {"insecureSkipVerify": True},
            }
        ],
    }


def front_door_probe(model: str, namespace: str, hostname: str) -> Body:
    """Return the spec of a Probe that requests a model's health through the front door."""
    return {
        "jobName": "front-door",
        "interval": PROBE_INTERVAL,
        "module": FRONT_DOOR_MODULE,
        "prober": {"url": BLACKBOX_ADDRESS},
        "targets": {
            "staticConfig": {
                "static": [f"https://{hostname}/health"],
                "labels": {"model": model, "namespace": namespace},
            }
        },
    }
