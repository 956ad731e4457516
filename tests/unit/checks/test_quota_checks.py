"""Quotas: the limit, the usage of others, and the stack's running nodes. Moto has none of EC2's quotas."""

from typing import Any

import pytest

from checks.limits import cluster_limit_check, network_limit_checks, node_group_limit_checks
from checks.quotas import vcpu_checks
from tests.fakes.aws_account import STACK, Account, instance
from tests.support.plans import QWEN_8B, SCOUT, planned
from vllm_eks.check import Check
from vllm_eks.planner.search.gpu_nodes import GpuNodes

pytestmark = pytest.mark.usefixtures("moto_account")

G_QUOTA, P_QUOTA, G_SPOT, P4_SPOT, P5_SPOT = "L-DB2E81BA", "L-417A185B", "L-3819A6DF", "L-7212CCBC", "L-C4BD4855"
G_NAME = "Running On-Demand G and VT instances"
BLOCK: dict[str, Any] = {"capacity_type": "capacityBlock", "capacity_reservation_id": "cr-0123456789abcdef0"}
ELSEWHERE: dict[str, str] = {"team": "other"}


def nodes(model: str = SCOUT, type_: str = "g5.48xlarge", *, zones: str = "a", replicas: int = 1, **how: Any):
    plan = planned(model, type_, replicas=replicas, zones=len(zones))
    return GpuNodes(plan=plan, zones=tuple(f"us-west-2{letter}" for letter in zones), **how)


def checked(account: Account, **fleet: GpuNodes) -> list[Check]:
    return list(vcpu_checks(fleet, account.site))


def raise_to(vcpus: int, code: str = G_QUOTA) -> str:
    return (
        f"aws service-quotas request-service-quota-increase --service-code ec2 --quota-code {code} "
        f"--desired-value {vcpus} --region us-west-2"
    )


def test_a_limit_that_holds_all_nodes_passes_even_when_it_is_just_enough() -> None:
    (check,) = checked(Account(quotas={G_QUOTA: 384}), scout=nodes())
    assert check == Check(subject=f"quota {G_NAME} holds 384 vCPUs", status="passed", text="its limit is 384")


def test_a_limit_below_the_nodes_is_refused_with_both_numbers_and_a_fix() -> None:
    (check,) = checked(Account(quotas={G_QUOTA: 192}), scout=nodes())
    assert check == Check(
        subject=f"quota {G_NAME} (L-DB2E81BA)",
        status="failed",
        text=f"its limit is 192 vCPUs and the stack needs 384; request an increase: {raise_to(384)}",
    )


def test_a_quota_that_others_use_up_is_refused_with_their_use() -> None:
    account = Account(quotas={G_QUOTA: 500}, instances=[instance(tags=ELSEWHERE)])
    (check,) = checked(account, scout=nodes())
    assert check == Check(
        subject=f"quota {G_NAME} (L-DB2E81BA)",
        status="failed",
        text="its limit is 500 vCPUs, others use 192, and the stack needs 384; free some, or request "
        f"an increase: {raise_to(576)}",
    )


def test_the_stack_s_running_nodes_do_not_count_twice() -> None:
    running = [instance(), instance(), instance(tags=ELSEWHERE)]
    (check,) = checked(Account(quotas={G_QUOTA: 576}, instances=running), scout=nodes())
    assert (check.status, check.text) == ("passed", "its limit is 576, others use 192")
    # All nodes run, so an update starts none, however full the quota is.
    full = [*running, instance("g6.12xlarge", tags=ELSEWHERE), instance(tags=ELSEWHERE)]
    (check,) = checked(Account(quotas={G_QUOTA: 576}, instances=full), scout=nodes())
    assert check.status == "passed"
    (check,) = checked(Account(quotas={G_QUOTA: 576}, instances=full), scout=nodes(), more=nodes(QWEN_8B))
    assert check.status == "failed"


def test_another_stack_of_the_project_counts_as_others() -> None:
    other = instance(tags={"vllm-eks/stack": f"{STACK}2"})
    (check,) = checked(Account(quotas={G_QUOTA: 384}, instances=[other]), scout=nodes())
    assert (check.status, "others use 192" in check.text) == ("failed", True)


@pytest.mark.parametrize(
    "stranger",
    [
        instance("p5.48xlarge", tags=ELSEWHERE),
        instance("m7i.large", tags=ELSEWHERE),
        instance(tags=ELSEWHERE, InstanceLifecycle="spot"),
        instance(tags=ELSEWHERE, State={"Name": "stopped"}),
    ],
    ids=["P", "standard", "spot", "stopped"],
)
def test_instances_of_another_quota_are_ignored(stranger: dict[str, Any]) -> None:
    (check,) = checked(Account(quotas={G_QUOTA: 384}, instances=[stranger]), scout=nodes())
    assert (check.status, check.text) == ("passed", "its limit is 384")


def test_a_capacity_block_of_others_counts_against_no_quota() -> None:
    block = instance("p5.48xlarge", tags=ELSEWHERE, InstanceLifecycle="capacity-block")
    (check,) = checked(Account(quotas={P_QUOTA: 192}, instances=[block]), one=nodes(type_="p5.48xlarge"))
    assert check.status == "passed"


def test_all_models_count_together_by_quota() -> None:
    account = Account(quotas={G_QUOTA: 1000, P_QUOTA: 1000})
    found = checked(account, one=nodes(), two=nodes(QWEN_8B, "g6.12xlarge"), three=nodes(type_="p5.48xlarge"))
    assert [check.subject for check in found] == [
        "quota Running On-Demand P instances holds 192 vCPUs",
        f"quota {G_NAME} holds 432 vCPUs",
    ]


def test_parked_and_prepaid_nodes_need_no_quota() -> None:
    account = Account()
    assert checked(account, parked=nodes(parked=True), block=nodes(type_="p5.48xlarge", **BLOCK)) == []
    assert account.asked == []


@pytest.mark.parametrize(
    ("type_", "code", "name"),
    [
        ("g5.48xlarge", G_SPOT, "All G and VT Spot Instance Requests"),
        ("p4d.24xlarge", P4_SPOT, "All P4, P3 and P2 Spot Instance Requests"),
        ("p5.48xlarge", P5_SPOT, "All P5 Spot Instance Requests"),
    ],
)
def test_spot_nodes_count_against_the_spot_quota_of_their_family(type_: str, code: str, name: str) -> None:
    running = [instance(type_, tags=ELSEWHERE, InstanceLifecycle="spot"), instance(type_, tags=ELSEWHERE)]
    account = Account(quotas={code: 480}, instances=running)
    (check,) = checked(account, scout=nodes(QWEN_8B, type_, capacity_type="spot"))
    used = 96 if type_ == "p4d.24xlarge" else 192
    assert (check.status, check.text) == ("passed", f"its limit is 480, others use {used}")
    assert check.subject.startswith(f"quota {name} holds ")


def test_the_spot_quota_of_a_p6_is_unknown_not_passed() -> None:
    (check,) = checked(Account(), scout=nodes(QWEN_8B, "p6-b200.48xlarge", capacity_type="spot"))
    assert (check.status, check.subject) == ("unknown", "spot quota of p6-b200.48xlarge")


def test_without_permission_to_see_instances_a_high_limit_is_unknown_and_a_low_one_refused() -> None:
    denied = frozenset({"DescribeInstances"})
    (check,) = checked(Account(quotas={G_QUOTA: 384}, denied=denied), scout=nodes())
    assert (check.status, check.text) == (
        "unknown",
        "its limit is 384; the usage is unknown: no permission: allow ec2:DescribeInstances, or "
        "run aws ec2 describe-instances --filters Name=instance-type,Values=g*,vt* "
        "Name=instance-state-name,Values=pending,running --region us-west-2",
    )
    (check,) = checked(Account(quotas={G_QUOTA: 383}, denied=denied), scout=nodes())
    assert check.status == "failed"


def test_an_unchanged_quota_has_its_default() -> None:
    (check,) = checked(Account(default_quotas={G_QUOTA: 0}), scout=nodes())
    assert (check.status, check.text.split(";")[0]) == ("failed", "its limit is 0 vCPUs and the stack needs 384")


# --- addresses, VPCs, gateways, clusters, node groups

EIPS, VPCS, GATEWAYS, CLUSTERS, GROUPS, SIZE = (
    "L-0263D0A3",
    "L-F678F1CE",
    "L-A4707A72",
    "L-1194D53C",
    "L-6D54EA21",
    "L-BD136A63",
)
MARK = [{"Key": "vllm-eks/stack", "Value": STACK}]


def network(addresses: list[dict[str, Any]], vpcs: int = 1, **quotas: float) -> dict[str, tuple[str, str]]:
    account = Account(
        quotas={EIPS: 5, VPCS: 5, GATEWAYS: 5, **quotas},
        answers={
            "DescribeAddresses": {"Addresses": addresses},
            "DescribeVpcs": {"Vpcs": [{"VpcId": f"vpc-{number}"} for number in range(vpcs)]},
            "DescribeInternetGateways": {"InternetGateways": []},
        },
    )
    found = network_limit_checks(4, account.site)
    return {check.subject.split("(")[0].rstrip(): (check.status, check.text) for check in found}


def test_a_nat_gateway_in_each_of_four_zones_needs_four_addresses() -> None:
    found = network([{"AllocationId": "eipalloc-1"}])
    assert found["quota EC2-VPC Elastic IPs holds 4 more"] == ("passed", "its limit is 5, others use 1")
    found = network([{"AllocationId": "eipalloc-1"}, {"AllocationId": "eipalloc-2"}])
    assert found["quota EC2-VPC Elastic IPs"] == (
        "failed",
        "its limit is 5 addresses, others use 2, and the stack needs 4; free some, or request an increase: "
        "aws service-quotas request-service-quota-increase --service-code ec2 --quota-code L-0263D0A3 --desired-value "
        "6 --region us-west-2",
    )


def test_the_stack_s_addresses_do_not_count_twice() -> None:
    own = [{"AllocationId": f"eipalloc-{number}", "Tags": MARK} for number in range(4)]
    assert network([*own, {"AllocationId": "eipalloc-9"}])["quota EC2-VPC Elastic IPs holds 4 more"][0] == "passed"


def test_a_region_full_of_vpcs_is_refused() -> None:
    assert network([], vpcs=5)["quota VPCs per Region"][1].startswith(
        "its limit is 5 VPCs, others use 5, and the stack needs 1; free some, or request an increase: aws "
        "service-quotas request-service-quota-increase --service-code vpc "
    )


def test_a_full_account_refuses_a_new_cluster_but_keeps_its_own() -> None:
    others = [f"other-{number}" for number in range(99)]
    for names, status in ((others, "passed"), ([*others, STACK], "passed"), ([*others, "one-more"], "failed")):
        account = Account(quotas={CLUSTERS: 100}, answers={"ListClusters": {"clusters": names}})
        assert cluster_limit_check(account.site).status == status


def groups(account: Account, models: int, own: int = 0, others: int = 0, largest: int = 1) -> list[Check]:
    fleet = {f"m{number}": nodes(QWEN_8B, replicas=largest) for number in range(models)}
    names = [f"group-{number}" for number in range(own)]
    return list(node_group_limit_checks(fleet, account.site, own_groups=names, other_groups=others, system_groups=1))


def test_a_usual_number_of_node_groups_makes_no_queries() -> None:
    account = Account()
    assert groups(account, models=29) == []
    assert account.asked == []


@pytest.mark.parametrize(("models", "others", "limit"), [(30, 0, 30), (20, 10, 30), (60, 0, 50)])
def test_more_node_groups_than_a_cluster_takes_are_refused(models: int, others: int, limit: int) -> None:
    (check,) = groups(Account(quotas={GROUPS: limit}), models, others=others)
    assert (check.subject, check.status) == ("quota Managed node groups per cluster (L-6D54EA21)", "failed")
    (check,) = groups(Account(quotas={GROUPS: models + others + 1}), models, others=others)
    assert check.status == "passed"


def test_more_nodes_than_a_group_takes_are_refused() -> None:
    (check,) = groups(Account(default_quotas={SIZE: 450}), models=1, largest=451)
    assert (check.status, check.text.split(";")[0]) == (
        "failed",
        "its limit is 450 nodes and the stack needs 451",
    )
