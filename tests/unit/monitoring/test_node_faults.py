"""Alerts of nodes fire after their time with exact texts, alone, and resolve."""

import pytest

from tests.support.faults import AT, OF_SCOUT, OF_STACK, between, fault
from tests.support.promtool import Alert, RuleTest, Segment
from tests.support.watched_stacks import gpu, healthy, xid

XID = {
    **OF_STACK,
    "severity": "warning",
    "node": "node-0",
    "gpu": "0",
    "UUID": "GPU-node-0-0",
    "modelName": "NVIDIA A10G",
    "err_code": "79",
    "err_msg": "error 79",
}

pytestmark = pytest.mark.promtool


def not_repaired(sign: str, description: str, **labels: str) -> Alert:
    return Alert(
        name="VllmEksNodeNotRepaired",
        labels={**OF_STACK, "severity": "critical", "node": "node-0", "sign": sign, **labels},
        summary="node-0 is broken, and EKS has not repaired it",
        description=f"{description} minutes. EKS should have replaced or rebooted the node.",
        page="node-not-repaired.md",
    )


def test_xids(promtool) -> None:
    # The exporter has one series with the last code. The node restarts after 20 minutes.
    gone: list[Segment] = [(AT, 0), (1, None)]
    fell = fault(
        Alert(
            name="VllmEksGpuXid",
            labels=XID,
            summary="node-0: GPU 0 has XID 79",
            description=(
                "The NVIDIA A10G number 0 of node-0 reported XID 79: error 79. It needs a reset or another machine. "
                "Its group restarts when EKS has repaired the node, 10 minutes later."
            ),
            page="gpu-xid.md",
        ),
        {xid("node-0", 0, 0): gone, xid("node-0", 0, 79): [(AT, None), (20, 79), (1, None)]},
        quiet=AT - 1,
        fires=AT + 1,
        resolved=AT + 37,
    )
    stays = fault(
        not_repaired("xid", "A GPU of node-0 has shown XID 79 for 30"),
        {xid("node-0", 0, 0): gone, xid("node-0", 0, 79): [(AT, None), (40, 79), (1, None)]},
        quiet=AT + 29,
        fires=AT + 32,
        resolved=AT + 57,
        beside={"VllmEksGpuXid": 1},
    )
    # XID 31 is the program's own fault: healthy() has one.
    promtool([fell, stays])


def condition(name: str, status: str) -> str:
    return f'kube_node_status_condition{{node="node-0",condition="{name}",status="{status}"}}'


def test_nodes(promtool) -> None:
    hardware = fault(
        not_repaired(
            "hardware",
            "AcceleratedHardwareReady of node-0 has been False for 30",
            condition="AcceleratedHardwareReady",
        ),
        {condition("AcceleratedHardwareReady", "false"): between(AT, 55, 0, 1)},
        quiet=AT + 29,
        fires=AT + 32,
        resolved=57,
    )
    silent = fault(
        not_repaired("ready", "Ready of node-0 has not been True for 45", condition="Ready"),
        {condition("Ready", "true"): between(AT, 70, 1, 0)},
        quiet=AT + 44,
        fires=AT + 47,
        resolved=72,
    )
    repaired = RuleTest(
        name="repaired after 25 minutes",
        series={**healthy(), condition("AcceleratedHardwareReady", "false"): between(AT, AT + 25, 0, 1)},
        firing={AT + 24: {}, AT + 35: {}},
    )
    promtool([hardware, silent, repaired])


def lost(count: int) -> Alert:
    return Alert(
        name="VllmEksGpuLost",
        labels={**OF_SCOUT, "severity": "critical", "node": "node-2"},
        summary=f"node-2 has lost {count} GPUs",
        description=(
            f"{count} GPUs of node-2 are gone for Kubernetes or for the driver. The next group that starts there "
            "cannot get all its GPUs, and stays pending."
        ),
        page="gpu-lost.md",
    )


def test_gpus_and_disks(promtool) -> None:
    unhealthy = fault(
        lost(1),
        {'kube_node_status_allocatable{node="node-2",resource="nvidia_com_gpu",unit="integer"}': between(AT, 30, 2, 1)},
        quiet=AT + 4,
        fires=AT + 7,
        resolved=32,
    )
    unseen = fault(
        lost(1),
        {gpu("DCGM_FI_DEV_FB_USED", "node-2", 1): between(AT, 30, 1, None)},
        quiet=AT + 4,
        fires=AT + 7,
        resolved=32,
    )
    claim = 'namespace="vllm-scout",persistentvolumeclaim="scout-weights-0a1b2c3d",node="node-3"'
    full = fault(
        Alert(
            name="VllmEksWeightsDiskFull",
            labels={
                **OF_SCOUT,
                "severity": "warning",
                "node": "node-3",
                "persistentvolumeclaim": "scout-weights-0a1b2c3d",
            },
            summary="scout: the disks of node-3 have 10% free",
            description=(
                "The local disks of node-3, which hold the weights of scout, images and logs, have 10% free. The "
                "kubelet deletes images now, and evicts pods below 10 %."
            ),
            page="weights-disk-full.md",
        ),
        {f"kubelet_volume_stats_available_bytes{{{claim}}}": between(AT, 45, 5e12, 7e11)},
        quiet=AT + 14,
        fires=AT + 17,
        resolved=47,
    )
    promtool([unhealthy, unseen, full])
