"""Alerts of nodes: errors of GPUs, repairs that do not happen, and disks."""

from collections.abc import Iterator

from vllm_eks.monitoring import series
from vllm_eks.monitoring.rule import AlertRule
from vllm_eks.monitoring.series import GAP_SECONDS, Scope, one_line
from vllm_eks.monitoring.watched import WatchedStack
from vllm_eks.monitoring.xids import PATTERN

GPU_LOST_SECONDS = 300
"""A device plugin or exporter that restarts is back within a minute or two."""
HARDWARE_SECONDS = 1800
"""EKS replaces or reboots a node 10 minutes after AcceleratedHardwareReady is False (EKS user guide, "Automatically
repair nodes"). The rest is for the drain, up to 120 s a pod, and for the new instance."""
READY_SECONDS = 2700
"""For the other conditions, EKS waits 30 minutes before it replaces the node."""
CONDITIONS = "Ready|ContainerRuntimeReady|KernelReady|NetworkingReady|StorageReady"
"""The conditions for which EKS replaces a node after 30 minutes (EKS user guide, "Automatically repair nodes"; EKS node
monitoring agent 1.7.0, pkg/conditions/conditions.go). The agent sets its own ones to True when it starts, and to False
for an error. The status of Ready is Unknown if the kubelet does not answer."""
XID_WINDOW = "15m"
"""The exporter shows only the last code, and an error of the program often follows that of the GPU."""
FREE_SHARE = 0.15
"""The kubelet deletes images at 85 % of the same disks (imageGCHighThresholdPercent), and evicts pods at 90 %
(evictionHard, nodefs.available)."""
WEIGHTS_CLAIMS = 'persistentvolumeclaim=~".+-weights-.+"'
XID_LABELS = "node, gpu, UUID, modelName, err_code, err_msg"


def node_alerts(stack: WatchedStack) -> Iterator[AlertRule]:
    """Yield the alerts of the stack's own nodes. Another stack of the cluster has alerts of its nodes."""
    yield _xid(stack.scope)
    yield from _not_repaired(stack.scope)
    yield _gpu_lost(stack.scope)
    yield _disk(stack.scope)


def _xids(scope: Scope, window: str) -> str:
    """Return the GPUs that showed a fatal code. The exporter keeps the last code until the node restarts."""
    xids = scope.of_cluster("DCGM_FI_DEV_XID_ERRORS", f'err_code=~"{PATTERN}"')
    return scope.of_nodes(f"max by ({XID_LABELS}) (last_over_time({xids}[{window}])) > 0")


def _xid(scope: Scope) -> AlertRule:
    return AlertRule(
        name="VllmEksGpuXid",
        expr=_xids(scope, XID_WINDOW),
        for_seconds=0,
        # EKS repairs the node by itself after 10 minutes. VllmEksNodeNotRepaired is for the case that it does not.
        severity="warning",
        summary="{{ $labels.node }}: GPU {{ $labels.gpu }} has XID {{ $labels.err_code }}",
        description=(
            "The {{ $labels.modelName }} number {{ $labels.gpu }} of {{ $labels.node }} reported XID "
            "{{ $labels.err_code }}: {{ $labels.err_msg }}. It needs a reset or another machine. Its group "
            "restarts when EKS has repaired the node, 10 minutes later."
        ),
    )


def _not_repaired(scope: Scope) -> Iterator[AlertRule]:
    def rule(sign: str, expr: str, for_seconds: int, state: str) -> AlertRule:
        return AlertRule(
            name="VllmEksNodeNotRepaired",
            expr=expr,
            for_seconds=for_seconds,
            severity="critical",
            summary="{{ $labels.node }} is broken, and EKS has not repaired it",
            description=f"{state} for {for_seconds // 60} minutes. EKS should have replaced or rebooted the node.",
            labels={"sign": sign},
        )

    def conditions(*matchers: str) -> str:
        status = scope.of_cluster("kube_node_status_condition", *matchers)
        return f"max by (node, condition) (last_over_time({status}[{GAP_SECONDS}s]))"

    yield rule(
        "hardware",
        scope.of_nodes(conditions('condition="AcceleratedHardwareReady"', 'status="false"') + " == 1"),
        HARDWARE_SECONDS,
        "AcceleratedHardwareReady of {{ $labels.node }} has been False",
    )
    yield rule(
        "xid",
        f"max by (node) ({_xids(scope, f'{GAP_SECONDS}s')})",
        HARDWARE_SECONDS,
        "A GPU of {{ $labels.node }} has shown XID {{ $value }}",
    )
    yield rule(
        "ready",
        scope.of_nodes(conditions(f'condition=~"{CONDITIONS}"', 'status="true"') + " == 0"),
        READY_SECONDS,
        "{{ $labels.condition }} of {{ $labels.node }} has not been True",
    )


def _gpu_lost(scope: Scope) -> AlertRule:
    expected = (
        f"max by (model, namespace, node) ({scope.held(series.MODEL_NODE)} * on (model, namespace) group_left "
        f"{scope.own(series.GPUS_PER_NODE)})"
    )
    allocatable = scope.of_cluster("kube_node_status_allocatable", 'resource="nvidia_com_gpu"')
    healthy = f"max by (node) (last_over_time({allocatable}[{GAP_SECONDS}s]))"
    return AlertRule(
        name="VllmEksGpuLost",
        # The device plugin takes an unhealthy GPU from the allocatable ones. One that fell off the bus is gone for the
        # driver, and after a reboot also from the node's capacity. So the instance type says how many there should be.
        expr=one_line(
            f"""{expected} - on (node) group_left {healthy} > 0
                or {expected} - on (node) group_left {scope.held(series.GPUS_SEEN)} > 0"""
        ),
        for_seconds=GPU_LOST_SECONDS,
        severity="critical",
        summary="{{ $labels.node }} has lost {{ $value }} GPUs",
        description=(
            "{{ $value }} GPUs of {{ $labels.node }} are gone for Kubernetes or for the driver. The next group that "
            "starts there cannot get all its GPUs, and stays pending."
        ),
    )


def _disk(scope: Scope) -> AlertRule:
    available, capacity = (
        scope.of_pods(f"kubelet_volume_stats_{what}_bytes", WEIGHTS_CLAIMS) for what in ("available", "capacity")
    )
    free = f"min by (namespace, persistentvolumeclaim, node) ({available} / {capacity})"
    return AlertRule(
        name="VllmEksWeightsDiskFull",
        expr=one_line(f"{scope.of_model(f'({free})')} < {FREE_SHARE}"),
        for_seconds=900,
        severity="warning",
        summary="{{ $labels.model }}: the disks of {{ $labels.node }} have {{ $value | humanizePercentage }} free",
        description=(
            "The local disks of {{ $labels.node }}, which hold the weights of {{ $labels.model }}, images and logs, "
            "have {{ $value | humanizePercentage }} free. The kubelet deletes images now, and evicts pods below 10 %."
        ),
    )
