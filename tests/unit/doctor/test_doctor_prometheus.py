"""The doctor finds what an existing Prometheus lacks. The preview cannot, because it queries only AWS."""

from pathlib import Path

import pytest

from tests.fakes.kube_server import Kubernetes
from tests.support.doctor_runs import STACK, Doctor

EXISTING = "  vllm-eks:observability: {prometheus: existing, prometheusNamespace: monitoring}\n"
KINDS = "/apis/monitoring.coreos.com/v1"
PODS = "/api/v1/namespaces/monitoring/pods"
OWN = "/api/v1/namespaces/monitoring-system"
POLICY = "/apis/networking.k8s.io/v1/namespaces/monitoring-system/networkpolicies/monitoring-only"
ALL = {"resources": [{"kind": kind} for kind in ("PodMonitor", "ServiceMonitor", "Probe", "PrometheusRule")]}


@pytest.fixture
def with_metrics(doctor: Doctor, folder: Path) -> Doctor:
    (folder / "Pulumi.dev.yaml").write_text(STACK.rstrip() + "\n" + EXISTING)
    return doctor


def test_an_existing_prometheus_with_all_parts_is_no_finding(with_metrics: Doctor, kubernetes: Kubernetes) -> None:
    kubernetes.others = {KINDS: ALL, PODS: {"items": [{}]}, OWN: {}, POLICY: {}}
    assert [one for one in with_metrics()[1] if "observability" in one["subject"]] == []


def test_a_cluster_without_the_operator_is_a_finding_before_up(with_metrics: Doctor, kubernetes: Kubernetes) -> None:
    kubernetes.others = {
        KINDS: {"resources": [{"kind": "PodMonitor"}]},
        PODS: {"items": []},
        OWN: {"kind": "Namespace"},
    }
    status, findings = with_metrics()
    assert status == 1
    assert [
        (one["subject"], one["title"], one["remedy"]) for one in findings if one["subject"].startswith("observability")
    ] == [
        (
            "observability.prometheus",
            "the cluster has no ServiceMonitor, Probe, PrometheusRule in monitoring.coreos.com/v1, which prometheus: "
            "existing needs",
            "install the Prometheus operator with its CRDs, or set prometheus: install",
        ),
        (
            "observability.prometheusNamespace",
            "no pod of a Prometheus is in the namespace monitoring, so nothing may read the metrics",
            "set the namespace that this shows: kubectl get pods --all-namespaces --selector "
            "app.kubernetes.io/name=prometheus",
        ),
        (
            "observability",
            "the namespace monitoring-system exists, and it is not from a stack, which creates its own",
            "delete it, or use a cluster without it: pulumi up fails while it exists",
        ),
    ]


def test_a_missing_permission_is_unknown_and_never_passed(with_metrics: Doctor, kubernetes: Kubernetes) -> None:
    kubernetes.others = {KINDS: ALL}
    findings = with_metrics()[1]
    assert [one["severity"] for one in findings if one["subject"] == "the existing Prometheus"] == ["unknown"]
