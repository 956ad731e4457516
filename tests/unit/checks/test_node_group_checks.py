"""Existing node groups: a failed one is reported with EKS's reason and the commands to replace it. Moto has no
health."""

from typing import Any

import pytest

from checks.node_groups import FoundGroups, find_node_groups
from tests.fakes.aws_account import STACK, STACK_TAG, Account
from vllm_eks.check import Check

pytestmark = pytest.mark.usefixtures("moto_account")

CAPACITY = (
    "Could not launch On-Demand Instances. InsufficientInstanceCapacity - We currently do not have sufficient "
    "g5.48xlarge capacity in the Availability Zone you requested (us-west-2a)."
)
QUOTA = (
    "Could not launch On-Demand Instances. VcpuLimitExceeded - You have requested more vCPU capacity than your current "
    "vCPU limit of 0 allows for the instance bucket that the specified instance type belongs to."
)
OPTIONS = f"--cluster-name {STACK} --nodegroup-name scout-nodes-1 --region us-west-2"
REPLACE = (
    "pulumi up stops at it and prints the command that replaces it. If it reports the group as unchanged, run: aws eks "
    f"delete-nodegroup {OPTIONS} && aws eks wait nodegroup-deleted {OPTIONS} && pulumi up --refresh."
)


def group(status: str = "ACTIVE", *issues: tuple[str, str], **more: Any) -> dict[str, Any]:
    return {
        "nodegroupName": "scout-nodes-1",
        "clusterName": STACK,
        "status": status,
        "tags": {STACK_TAG: STACK},
        "labels": {"vllm-eks/model": "scout"},
        "health": {"issues": [{"code": code, "message": message} for code, message in issues]},
        **more,
    }


def found(*groups: dict[str, Any], **more: Any) -> FoundGroups:
    by_name = {one["nodegroupName"]: {"nodegroup": one} for one in groups}
    answers = {
        "ListNodegroups": {"nodegroups": list(by_name)},
        "DescribeNodegroup": lambda asked: by_name[asked["nodegroupName"]],
    }
    return find_node_groups(STACK, Account(answers=answers, **more).site)


def only(*groups: dict[str, Any]) -> Check:
    (check,) = found(*groups).checks
    return check


def test_healthy_groups_pass() -> None:
    assert only(group()) == Check(
        subject=f"node groups of {STACK} are healthy",
        status="passed",
        text="1 of the stack's exist, and EKS reports no issues",
    )


def test_no_capacity_is_reported_with_the_next_step() -> None:
    assert only(group("CREATE_FAILED", ("AsgInstanceLaunchFailures", CAPACITY))) == Check(
        subject="models.scout",
        status="warning",
        text=f"node group scout-nodes-1 is CREATE_FAILED (AsgInstanceLaunchFailures: {CAPACITY}). {REPLACE} AWS has no "
        "capacity there now: choose another zone or instanceType, reserve capacity (capacityReservationId), or "
        "try again later.",
    )


def test_a_full_quota_is_reported_as_such() -> None:
    text = only(group("CREATE_FAILED", ("AsgInstanceLaunchFailures", QUOTA))).text
    assert text.endswith(f"{REPLACE} The vCPU quota is used up: request an increase, or stop other instances.")


def test_a_group_that_failed_without_a_reason_is_reported() -> None:
    assert only(group("CREATE_FAILED")).text == (
        f"node group scout-nodes-1 is CREATE_FAILED (EKS gives no reason). {REPLACE}"
    )


def test_a_degraded_group_is_reported_with_its_reason() -> None:
    check = only(group("DEGRADED", ("Ec2LaunchTemplateNotFound", "lt-1\n is gone")))
    assert check.text == (
        "node group scout-nodes-1 is DEGRADED (Ec2LaunchTemplateNotFound: lt-1 is gone). Check it: aws eks "
        f"describe-nodegroup {OPTIONS} --query nodegroup.health."
    )


def test_an_active_group_with_issues_is_reported() -> None:
    check = only(group("ACTIVE", ("AsgInstanceLaunchFailures", CAPACITY)))
    assert check.text.startswith("node group scout-nodes-1 is ACTIVE with issues: AsgInstanceLaunchFailures: ")
    assert check.text.endswith("or try again later.")


@pytest.mark.parametrize("status", ["CREATING", "UPDATING", "DELETING"])
def test_a_group_in_transition_must_be_awaited(status: str) -> None:
    assert only(group(status)).text == (
        f"node group scout-nodes-1 is {status}: EKS refuses other changes until that ends: wait"
    )


def test_the_system_nodes_are_reported_as_such() -> None:
    assert only(group("CREATE_FAILED", labels={})).subject == "system nodes"


def test_groups_of_others_are_only_counted() -> None:
    theirs = group("CREATE_FAILED", tags={STACK_TAG: f"{STACK}2"}, nodegroupName="theirs")
    both = found(group(), theirs)
    assert ([check.status for check in both.checks], both.own, both.others) == (["passed"], ("scout-nodes-1",), 1)


def test_a_cluster_that_does_not_exist_has_no_groups() -> None:
    account = Account(answers={"ListNodegroups": "ResourceNotFoundException"})
    assert find_node_groups(STACK, account.site) == FoundGroups()


def test_without_permission_their_health_is_unknown() -> None:
    (check,) = found(group(), denied=frozenset({"ListNodegroups"})).checks
    assert (check.status, check.text) == (
        "unknown",
        "no permission: allow eks:ListNodegroups and eks:DescribeNodegroup, or run aws eks list-nodegroups "
        f"--cluster-name {STACK} --region us-west-2",
    )
