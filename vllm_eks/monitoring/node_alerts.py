"""Alerts of nodes: errors of GPUs, repairs that do not happen, and disks."""

from collections.abc import Iterator

from vllm_eks.monitoring import series
from vllm_eks.monitoring.rule import AlertRule
from vllm_eks.monitoring.series import of_model, one_line
from vllm_eks.monitoring.watched import WatchedStack
from vllm_eks.monitoring.xids import PATTERN

GPU_LOST_SECONDS = 300
"""A device plugin or exporter that restarts is back within a minute or two."""
HARDWARE_SECONDS = 1800
"""EKS replaces or reboots a node 10 minutes after AcceleratedHardwareReady is False (EKS user guide, "Automatically
repair nodes"). The rest is for the drain, up to 120 s a pod, and for the new instance."""
READY_SECONDS = 2700
"""For Ready, EKS waits 30 minutes before it replaces the node."""
FREE_SHARE = 0.15
"""The kubelet deletes images at 85 % of the same disks (imageGCHighThresholdPercent), and evicts pods at 90 %
(evictionHard, nodefs.available)."""
XID_LABELS = "node, gpu, UUID, modelName, err_code, err_msg"


def node_alerts(stack: WatchedStack) -> Iterator[AlertRule]:
    """Yield the alerts of nodes."""
    yield _xid()
    yield from _not_repaired()
    yield _gpu_lost()
    yield _disk(stack.namespaces)


def _xids() -> str:
    """Return the GPUs whose last error is a fatal one. The exporter keeps the last code until the node restarts."""
    return f'max by ({XID_LABELS}) (DCGM_FI_DEV_XID_ERRORS{{err_code=~"{PATTERN}"}}) > 0'


def _xid() -> AlertRule:
    return AlertRule(
        name="VllmEksGpuXid",
        expr=_xids(),
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


def _not_repaired() -> Iterator[AlertRule]:
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

    condition = "max by (node, condition) (kube_node_status_condition"
    yield rule(
        "hardware",
        f'{condition}{{condition="AcceleratedHardwareReady",status="false"}}) == 1',
        HARDWARE_SECONDS,
        "AcceleratedHardwareReady of {{ $labels.node }} has been False",
    )
    yield rule(
        "xid",
        f"max by (node) ({_xids()})",
        HARDWARE_SECONDS,
        "A GPU of {{ $labels.node }} has shown XID {{ $value }}",
    )
    gpu_nodes = 'kube_node_status_capacity{resource="nvidia_com_gpu"} > 0'
    yield rule(
        "ready",
        f'{condition}{{condition="Ready",status="true"}}) == 0 and on (node) ({gpu_nodes})',
        READY_SECONDS,
        "Ready of {{ $labels.node }} has not been True",
    )


def _gpu_lost() -> AlertRule:
    def gpus(kind: str) -> str:
        return f'max by (node) (kube_node_status_{kind}{{resource="nvidia_com_gpu"}})'

    return AlertRule(
        name="VllmEksGpuLost",
        # The device plugin takes an unhealthy GPU from the allocatable ones. One that fell off the bus is gone for the
        # driver.
        expr=one_line(
            f"""{gpus("capacity")} - {gpus("allocatable")} > 0
                or {gpus("capacity")} - on (node) {series.GPUS_SEEN} > 0"""
        ),
        for_seconds=GPU_LOST_SECONDS,
        severity="critical",
        summary="{{ $labels.node }} has lost {{ $value }} GPUs",
        description=(
            "{{ $value }} GPUs of {{ $labels.node }} are gone for Kubernetes or for the driver. The next group that "
            "starts there cannot get all its GPUs, and stays pending."
        ),
    )


def _disk(namespaces: str) -> AlertRule:
    claims = f'{{namespace=~"{namespaces}",persistentvolumeclaim=~".+-weights-.+"}}'
    volume = "kubelet_volume_stats"
    free = f"""min by (namespace, persistentvolumeclaim, node) (
        {volume}_available_bytes{claims} / {volume}_capacity_bytes{claims})"""
    return AlertRule(
        name="VllmEksWeightsDiskFull",
        expr=one_line(f"{of_model(f'({free})')} < {FREE_SHARE}"),
        for_seconds=900,
        severity="warning",
        summary="{{ $labels.model }}: the disks of {{ $labels.node }} have {{ $value | humanizePercentage }} free",
        description=(
            "The local disks of {{ $labels.node }}, which hold the weights of {{ $labels.model }}, images and logs, "
            "have {{ $value | humanizePercentage }} free. The kubelet deletes images now, and evicts pods below 10 %."
        ),
    )
