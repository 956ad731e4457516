"""Reads what an existing cluster has for a stack with `prometheus: existing`. The preview queries only AWS."""

from collections.abc import Mapping
from typing import Any

from vllm_eks.doctor.api import KubernetesApi, UnreadableAnswerError
from vllm_eks.doctor.facts import ExistingPrometheusFacts
from vllm_eks.doctor.prometheus_findings import API, POD_LABEL
from vllm_eks.specs.observability import MONITORING_NAMESPACE, OWN_POLICY, PROMETHEUS_POD_NAMES

KINDS = ("PodMonitor", "ServiceMonitor", "Probe", "PrometheusRule")
"""The kinds of the Prometheus operator that a stack creates."""


def read_existing_prometheus(cluster: KubernetesApi, observability: Mapping[str, object]) -> ExistingPrometheusFacts:
    """Return the facts about the operator, Prometheus and the stack's namespace. Raises UnreadableAnswerError."""
    namespace = str(observability.get("prometheusNamespace") or "")
    names = ",".join(PROMETHEUS_POD_NAMES)
    pods = cluster.items(f"/api/v1/namespaces/{namespace}/pods", labelSelector=f"{POD_LABEL} in ({names})")
    known: dict[str, Any] = _found(cluster, f"/apis/{API}") or {}
    kinds = {one["kind"] for one in known.get("resources", [])}
    policies = f"/apis/networking.k8s.io/v1/namespaces/{MONITORING_NAMESPACE}/networkpolicies/{OWN_POLICY}"
    exists = _found(cluster, f"/api/v1/namespaces/{MONITORING_NAMESPACE}") is not None
    return ExistingPrometheusFacts(
        missing_kinds=[kind for kind in KINDS if kind not in kinds],
        namespace=namespace,
        has_prometheus=bool(pods),
        own_namespace_is_taken=exists and _found(cluster, policies) is None,
    )


def _found(cluster: KubernetesApi, path: str) -> dict[str, Any] | None:
    try:
        return cluster.object(path)
    except UnreadableAnswerError as error:
        if error.status == 404:
            return None
        raise
