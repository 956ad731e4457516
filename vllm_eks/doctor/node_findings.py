"""Findings about EKS's node groups and about Kubernetes' GPU nodes. Pure."""

from collections.abc import Iterator

from vllm_eks.doctor.facts import Finding, NodeGroupFacts, Object
from vllm_eks.pods.causes import cause_of, line_with_cause, masked

TERMINATE = (
    "kubectl drain {node} --ignore-daemonsets --delete-emptydir-data, then terminate its instance: EKS replaces it"
)
AGENT_CONDITIONS = {
    "AcceleratedHardwareReady": "one of its GPUs failed: " + TERMINATE,
    "KernelReady": "its kernel has a problem: " + TERMINATE,
    "NetworkingReady": "its network has a problem (check kubectl -n kube-system logs -l k8s-app=aws-node): "
    + TERMINATE,
    "StorageReady": "its disks have a problem: " + TERMINATE,
    "ContainerRuntimeReady": "its containerd has a problem: " + TERMINATE,
}
"""Conditions of EKS's node monitoring agent. False means a problem."""
KUBELET_CONDITIONS = {
    "MemoryPressure": "it is running out of memory: choose a larger instanceType",
    "DiskPressure": "its disk is filling up with old revisions of weights: " + TERMINATE,
    "PIDPressure": "it is running out of processes: " + TERMINATE,
}
"""Conditions of the kubelet. True means a problem."""
AGENT_SERVER_REMEDY = (
    "the agent's DCGM server does not answer, which is not a GPU failure: check that its pod runs on this node "
    "(kubectl -n kube-system get pods -o wide); pulumi up configures it to tolerate the node's taint"
)
AGAIN = (
    "correct that, then run pulumi up; if it changes nothing: "
    "aws eks delete-nodegroup --cluster-name {cluster} --nodegroup-name {group}, pulumi refresh, pulumi up"
)


def node_group_findings(group: NodeGroupFacts) -> Iterator[Finding]:
    """Yield the problems of a node group that EKS reports."""
    failed = "FAILED" in group.status or group.status == "DEGRADED"
    again = AGAIN.format(cluster=group.cluster, group=group.name) if "FAILED" in group.status else ""
    for code, message in group.issues:
        text = f"{code}: {message}"
        cause = cause_of(text)
        remedy = "; ".join(part for part in (cause.remedy if cause else "", again) if part)
        yield Finding(
            subject=f"node group {group.name}",
            severity="problem",
            title=cause.title if cause else f"EKS reports {code}",
            evidence=f"{group.status}, {line_with_cause(text, cause) if cause else masked(text)[:300]}",
            remedy=remedy,
            code=cause.code if cause else "",
        )
    if not group.issues and group.status not in ("ACTIVE", "UPDATING"):
        yield Finding(
            subject=f"node group {group.name}",
            severity="problem" if failed else "ok",
            title=f"is {group.status}, and EKS gives no reason",
            remedy=again,
        )


def node_findings(node: Object) -> Iterator[Finding]:
    """Yield the bad conditions of a node, from the kubelet and from the node monitoring agent."""
    name = node["metadata"]["name"]
    for condition in node.get("status", {}).get("conditions") or ():
        kind, status = condition.get("type", ""), condition.get("status", "")
        reason, message = condition.get("reason", ""), condition.get("message", "")
        if kind == "Ready" and status != "True":
            remedy = "wait five minutes; " + TERMINATE
        elif kind in AGENT_CONDITIONS and status == "False":
            remedy = (
                AGENT_SERVER_REMEDY if "DCGM" in reason and "DCGMDiagnostic" not in reason else AGENT_CONDITIONS[kind]
            )
        elif kind in KUBELET_CONDITIONS and status == "True":
            remedy = KUBELET_CONDITIONS[kind]
        else:
            continue
        yield Finding(
            subject=f"node {name}",
            severity="problem",
            title=f"{kind} is {status}",
            evidence=masked(f"{reason}: {message}")[:300],
            remedy=remedy.format(node=name),
            code="node",
        )
