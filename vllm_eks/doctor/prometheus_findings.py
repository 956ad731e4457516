"""Turns facts about an existing Prometheus into findings."""

from collections.abc import Iterator

from vllm_eks.doctor.facts import ExistingPrometheusFacts, Finding
from vllm_eks.specs.observability import MONITORING_NAMESPACE, PROMETHEUS_POD_NAMES

API = "monitoring.coreos.com/v1"
POD_LABEL = "app.kubernetes.io/name"


def existing_prometheus_findings(facts: ExistingPrometheusFacts) -> Iterator[Finding]:
    """Yield what would make `pulumi up` fail, or leave the stack without metrics."""
    if facts.missing_kinds:
        yield Finding(
            subject="observability.prometheus",
            severity="problem",
            title=f"the cluster has no {', '.join(facts.missing_kinds)} in {API}, which prometheus: existing needs",
            remedy="install the Prometheus operator with its CRDs, or set prometheus: install",
            code="no_operator",
        )
    if not facts.has_prometheus:
        yield Finding(
            subject="observability.prometheusNamespace",
            severity="problem",
            title=f"no pod of a Prometheus is in the namespace {facts.namespace}, so nothing may read the metrics",
            remedy=f"set the namespace that this shows: kubectl get pods --all-namespaces --selector {POD_LABEL}="
            f"{PROMETHEUS_POD_NAMES[0]}",
            code="no_prometheus",
        )
    if facts.own_namespace_is_taken:
        yield Finding(
            subject="observability",
            severity="problem",
            title=f"the namespace {MONITORING_NAMESPACE} exists, and it is not from a stack, which creates its own",
            remedy="delete it, or use a cluster without it: pulumi up fails while it exists",
            code="namespace_taken",
        )
