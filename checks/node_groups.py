"""Checks the stack's existing node groups. A failed group is reported with EKS's reason and the commands to replace it.

Pulumi's state may list a failed group as complete, for example after `pulumi refresh`. Then `pulumi up` changes
nothing, and the model's pods wait for nodes that never start.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from checks.asking import Question, ask, error_code
from checks.site import STACK_TAG, Site
from vllm_eks.aws.session import Record
from vllm_eks.check import Check

MODEL_LABEL = "vllm-eks/model"
FAILED = ("CREATE_FAILED", "DELETE_FAILED", "DEGRADED")
IN_PROGRESS = ("CREATING", "UPDATING", "DELETING")
NO_CLUSTER = "ResourceNotFoundException"

NO_CAPACITY = ("InsufficientInstanceCapacity", "do not have sufficient", "UnfulfillableCapacity")
NO_QUOTA = ("VcpuLimitExceeded", "MaxSpotInstanceCountExceeded", "InstanceLimitExceeded", "vCPU capacity than your")
"""Parts of EC2's messages to an Auto Scaling group, which EKS includes in a node group's health."""


@dataclass(frozen=True, kw_only=True)
class FoundGroups:
    """The node groups of a cluster, and the checks of the stack's own."""

    checks: tuple[Check, ...] = ()
    own: tuple[str, ...] = ()
    others: int = 0
    """Number of node groups that are not the stack's."""


@dataclass(frozen=True, kw_only=True)
class _Group:
    """One node group of the stack."""

    cluster: str
    record: Record
    issues: list[Record] = field(default_factory=list[Record])

    @property
    def subject(self) -> str:
        model = self.record.get("labels", {}).get(MODEL_LABEL)
        return f"models.{model}" if model else "system nodes"


def find_node_groups(cluster: str, site: Site) -> FoundGroups:
    """Return the stack's node groups in a cluster, with a check of each unhealthy one.

    Args:
        cluster: The cluster's name. A cluster that does not exist has no groups.
        site: The account and region.
    """
    question = Question(
        subject=f"node groups of {cluster} are healthy",
        actions="eks:ListNodegroups and eks:DescribeNodegroup",
        command=f"aws eks list-nodegroups --cluster-name {cluster} --region {site.region}",
    )
    found = ask(question, lambda: _groups(cluster, site))
    if isinstance(found, Check):
        return FoundGroups(checks=(found,))
    own = [_Group(cluster=cluster, record=one, issues=one.get("health", {}).get("issues", [])) for one in found[0]]
    checks = tuple(check for group in own for check in _checks(group, site))
    if own and not checks:
        text = f"{len(own)} of the stack's exist, and EKS reports no issues"
        checks = (Check(subject=question.subject, status="passed", text=text),)
    return FoundGroups(checks=checks, own=tuple(one.record["nodegroupName"] for one in own), others=found[1])


def _groups(cluster: str, site: Site) -> tuple[list[Record], int]:
    try:
        names = site.api.pages("eks", "list_nodegroups", "nodegroups", clusterName=cluster)
    except Exception as error:
        if error_code(error) == NO_CLUSTER:
            return [], 0
        raise
    groups = [
        site.api.answer("eks", "describe_nodegroup", clusterName=cluster, nodegroupName=name)["nodegroup"]
        for name in names
    ]
    own = [group for group in groups if group.get("tags", {}).get(STACK_TAG) == site.stack]
    return own, len(groups) - len(own)


def _checks(group: _Group, site: Site) -> Iterator[Check]:
    name, status = group.record["nodegroupName"], group.record["status"]
    reasons = "; ".join(f"{one.get('code')}: {' '.join(one.get('message', '').split())}" for one in group.issues)
    if status in IN_PROGRESS:
        text = f"node group {name} is {status}: EKS refuses other changes until that ends: wait"
        yield Check(subject=group.subject, status="warning", text=text)
    elif status in FAILED:
        text = f"node group {name} is {status} ({reasons or 'EKS gives no reason'}). {_advice(group, reasons, site)}"
        yield Check(subject=group.subject, status="warning", text=text)
    elif group.issues:
        text = f"node group {name} is {status} with issues: {reasons}{_no_capacity(reasons)}"
        yield Check(subject=group.subject, status="warning", text=text)


def _advice(group: _Group, reasons: str, site: Site) -> str:
    name = group.record["nodegroupName"]
    options = f"--cluster-name {group.cluster} --nodegroup-name {name} --region {site.region}"
    if group.record["status"] == "DEGRADED":
        return f"Check it: aws eks describe-nodegroup {options} --query nodegroup.health.{_no_capacity(reasons)}"
    return (
        "pulumi up stops at it and prints the command that replaces it. If it reports the group as unchanged, run: "
        f"aws eks delete-nodegroup {options} && aws eks wait nodegroup-deleted {options} && pulumi up --refresh."
        f"{_no_capacity(reasons)}"
    )


def _no_capacity(reasons: str) -> str:
    if any(sign in reasons for sign in NO_QUOTA):
        return " The vCPU quota is used up: request an increase, or stop other instances."
    if any(sign in reasons for sign in NO_CAPACITY):
        return (
            " AWS has no capacity there now: choose another zone or instanceType, reserve capacity "
            "(capacityReservationId), or try again later."
        )
    return ""
