"""Alerts of silence: without these series, other alerts cannot fire."""

from collections.abc import Iterator

from vllm_eks.monitoring import series
from vllm_eks.monitoring.node_alerts import WEIGHTS_CLAIMS
from vllm_eks.monitoring.rule import AlertRule
from vllm_eks.monitoring.running import READY
from vllm_eks.monitoring.series import GAP_SECONDS, Scope, one_line
from vllm_eks.monitoring.watched import WatchedStack

SILENT_SECONDS = 900


def silence_alerts(stack: WatchedStack) -> Iterator[AlertRule]:
    """Yield an alert for each exporter that other alerts of the stack need."""
    yield _leaders(stack.scope)
    pods = stack.scope.of_cluster("kube_pod_status_ready")
    yield _rule(f"absent({pods})", "kube-state-metrics", "pods (kube-state-metrics)")
    # A parked model has no nodes.
    yield _rule(
        f"max by (node) ({stack.scope.held(series.MODEL_NODE)}) unless on (node) {stack.scope.own(series.GPUS_SEEN)}",
        "dcgm-exporter",
        "the GPUs of {{ $labels.node }} (DCGM exporter)",
    )
    yield _volumes(stack.scope)
    if stack.endpoint:
        planned, probes = stack.scope.own(series.GROUPS_PLANNED), stack.scope.of_pods("probe_success", 'model!=""')
        yield _rule(
            f"max by (model, namespace) ({planned}) unless on (model, namespace) {probes}",
            "blackbox-exporter",
            "the address of {{ $labels.model }} (blackbox exporter)",
        )


def _rule(expr: str, source: str, silent: str) -> AlertRule:
    return AlertRule(
        name="VllmEksMetricsMissing",
        expr=one_line(expr),
        for_seconds=SILENT_SECONDS,
        severity="warning",
        summary=f"No metrics of {silent}",
        description=f"Prometheus has no metrics of {silent}. Alerts that need them cannot fire.",
        labels={"source": source},
    )


def _leaders(scope: Scope) -> AlertRule:
    ready = f"last_over_time({scope.of_pods('kube_pod_status_ready', READY)}[{GAP_SECONDS}s])"
    return _rule(
        f"""{scope.held(series.LEADER_POD)} and on (namespace, pod) (max by (namespace, pod) ({ready}) == 1)
            unless on (namespace, pod) {scope.of_pods("vllm:num_requests_running")}""",
        "vllm",
        "{{ $labels.pod }} in {{ $labels.namespace }}, which is ready",
    )


def _volumes(scope: Scope) -> AlertRule:
    claims = scope.of_pods("kube_pod_spec_volumes_persistentvolumeclaims_info", WEIGHTS_CLAIMS)
    running = scope.of_pods("kube_pod_status_phase", 'phase="Running"')
    sizes = scope.of_pods("kubelet_volume_stats_capacity_bytes", WEIGHTS_CLAIMS)
    return _rule(
        f"""max by (namespace, persistentvolumeclaim) ({claims} and on (namespace, pod, uid) ({running} == 1))
            unless on (namespace, persistentvolumeclaim) {sizes}""",
        "kubelet",
        "the disks of {{ $labels.namespace }} (kubelet)",
    )
