"""The calls of `vllm-eks leftovers`: it only reads, reads all pages, and reports kinds that it could not list.

Moto returns short lists in one page and denies nothing, so pages and denials come from aws_wire.py.
"""

import re
from collections.abc import Callable
from datetime import UTC, datetime
from itertools import combinations
from typing import Any

import pytest

from tests.fakes.aws_wire import Wire
from tests.fakes.planted_aws import MARK, OURS, owned
from tests.support import leftovers_asking
from tests.support.leftovers_asking import FULL, KINDS, Ask, Gardens, full_account
from vllm_eks.errors import WrongQuestion

pytestmark = pytest.mark.emulated_aws

# Fixtures are found in the module that uses them.
session, garden, ours = leftovers_asking.session, leftovers_asking.garden, leftovers_asking.ours
wire, ask = leftovers_asking.wire, leftovers_asking.ask


DENIED = {
    "ec2.DescribeVolumes": ("volume", "UnauthorizedOperation", "ec2:DescribeVolumes"),
    "ec2.DescribeVpcs": ("VPC", "UnauthorizedOperation", "ec2:DescribeVpcs"),
    "ec2.DescribeInstances": ("instance", "UnauthorizedOperation", "ec2:DescribeInstances"),
    "eks.ListClusters": ("cluster", "AccessDeniedException", "eks:ListClusters"),
    "elastic-load-balancing.DescribeTags": (
        "classic load balancer",
        "AccessDenied",
        "elasticloadbalancing:DescribeTags",
    ),
    "elastic-load-balancing-v2.DescribeLoadBalancers": (
        "load balancer",
        "AccessDenied",
        "elasticloadbalancing:DescribeLoadBalancers",
    ),
    "auto-scaling.DescribeAutoScalingGroups": (
        "auto scaling group",
        "AccessDenied",
        "autoscaling:DescribeAutoScalingGroups",
    ),
    "cloudwatch-logs.DescribeLogGroups": ("log group", "AccessDeniedException", "logs:DescribeLogGroups"),
    "kms.ListAliases": ("KMS key", "AccessDeniedException", "kms:ListAliases"),
}


# Each is denied in two of five accounts, and no two in the same two. So for any pair, one is denied alone somewhere.
DENIED_IN = dict(zip(DENIED, combinations(range(5), 2), strict=False))


@pytest.mark.parametrize("account", range(5))
def test_without_a_permission_only_its_kind_is_skipped(ask: Ask, wire: Wire, ours: Any, account: int) -> None:
    full_account(wire, ours)
    calls = [call for call, accounts in DENIED_IN.items() if account in accounts]
    wire.refused |= {call: ("", DENIED[call][1]) for call in calls}
    said = ask(FULL)
    assert DENIED_IN.keys() == DENIED.keys()
    denied = {DENIED[call][0]: f"no permission for {DENIED[call][2]}" for call in calls}
    assert {one["kind"]: one["reason"] for one in said.json["not_asked"]}.items() >= denied.items()
    assert [one for one in KINDS if one not in said.ids] == [one for one in KINDS if one in denied]


def test_kinds_that_could_not_be_listed_are_reported(ask: Ask, wire: Wire) -> None:
    wire.refused["elastic-load-balancing-v2.DescribeLoadBalancers"] = ("", "AccessDenied")
    wire.refused["ec2.DescribeVolumes"] = ("", "InternalError")
    said = ask("ap-southeast-2", as_json=False)
    assert said.out == (
        f"{OURS} in ap-southeast-2, account 123456789012: nothing was found, but some kinds could not be listed.\n\n"
        "Some kinds could not be listed, so more may be left:\n"
        "  volume: ec2:DescribeVolumes in ap-southeast-2 failed with InternalError: Text of AWS\n"
        "  load balancer: no permission for elasticloadbalancing:DescribeLoadBalancers\n"
    )
    assert said.status == 1
    assert ask("ap-southeast-2").json["clean"] is False


def test_an_unreadable_key_does_not_hide_others(ask: Ask, wire: Wire, garden: Gardens) -> None:
    region = "eu-west-2"
    locked, mine = garden(region).key({}), garden(region).key(MARK)
    wire.refused["kms.DescribeKey"] = (locked, "AccessDeniedException")
    said = ask(region)
    assert said.ids == {"KMS key": [mine]}
    assert said.json["not_asked"] == [{"kind": "KMS key", "reason": "no permission for kms:DescribeKey on 1 of 2 keys"}]


READS = re.compile(r"\.(Describe|List|Get)[A-Z]|^sts\.AssumeRole$")


def test_every_call_only_reads(ask: Ask, wire: Wire, ours: Any) -> None:
    full_account(wire, ours)
    ask(FULL, "aws:assumeRoles: [{roleArn: 'arn:aws:iam::123456789012:role/deployer'}]")
    assert len(wire.calls) > 30
    assert [call for call in wire.calls if not READS.search(call)] == []
    services = {call.partition(".")[0] for call in wire.calls}
    assert services == {
        "sts",
        "amp",
        "ec2",
        "iam",
        "eks",
        "kms",
        "auto-scaling",
        "cloudwatch-logs",
        "elastic-load-balancing",
        "elastic-load-balancing-v2",
    }


def interface(number: int) -> dict[str, Any]:
    return {"NetworkInterfaceId": f"eni-{number}", "TagSet": [{"Key": "vllm-eks/stack", "Value": OURS}]}


def group(number: int) -> dict[str, Any]:
    tags = [{"Key": f"kubernetes.io/cluster/{OURS}", "Value": "owned"}]
    # Required fields in AWS's model.
    always = {"MinSize": 0, "MaxSize": 1, "DefaultCooldown": 300, "AvailabilityZones": [], "HealthCheckType": "EC2"}
    made = {"CreatedTime": datetime(2026, 11, 1, tzinfo=UTC)}
    return {"AutoScalingGroupName": f"asg-{number}", "Tags": tags, "DesiredCapacity": 1, **always, **made}


PAGES: dict[str, tuple[str, str, str, Callable[[int], Any]]] = {
    "ec2.DescribeNetworkInterfaces": ("network interface", "NetworkInterfaces", "NextToken", interface),
    "auto-scaling.DescribeAutoScalingGroups": ("auto scaling group", "AutoScalingGroups", "NextToken", group),
}


@pytest.mark.parametrize("call", PAGES)
def test_every_page_is_read(ask: Ask, wire: Wire, call: str) -> None:
    kind, key, token, made = PAGES[call]
    wire.pages[call] = [{key: [made(1), made(2)], token: "more"}, {key: [], token: "and more"}, {key: [made(3)]}]
    assert len(ask("sa-east-1").ids[kind]) == 3
    assert wire.calls.count(call) == 3


def test_the_cluster_may_be_on_the_last_page(ask: Ask, wire: Wire) -> None:
    wire.pages["eks.ListClusters"] = [{"clusters": ["another"], "nextToken": "more"}, {"clusters": [OURS]}]
    wire.pages["eks.DescribeCluster"] = [{"cluster": {"status": "DELETING", "tags": {}}}]
    wire.pages["eks.ListNodegroups"] = [{"nodegroups": []}]
    said = ask("sa-east-1")
    assert said.ids == {"cluster": [OURS]}
    assert said.json["in_use"] == f"The cluster {OURS} is being deleted: run this again when it is gone."


def test_load_balancers_are_queried_in_batches(ask: Ask, wire: Wire, garden: Gardens) -> None:
    region = "ap-southeast-1"
    gardener = garden(region)
    gardener.network({})
    for number in range(21):
        gardener.target_group({"elbv2.k8s.aws/cluster": OURS}, f"tg-{number}")
    gardener.classic_load_balancer(owned(OURS), "classic")
    assert {kind: len(ids) for kind, ids in ask(region).ids.items()} == {
        "classic load balancer": 1,
        "target group": 21,
    }
    # AWS accepts 20 in one request, and moto any number.
    assert wire.calls.count("elastic-load-balancing-v2.DescribeTags") == 2


def test_a_page_of_ec2_has_a_size(ask: Ask, wire: Wire) -> None:
    ask("sa-east-1")
    seen = [body for call, body in zip(wire.calls, wire.bodies, strict=True) if call.startswith("ec2.")]
    # Addresses and placement groups always come in one page.
    assert len([one for one in seen if "'MaxResults': 200" in one]) == len(seen) - 2 > 8


@pytest.mark.parametrize(
    ("lines", "reported"),
    [
        (("aws:region: us west",), "'us west' is not a valid AWS region."),
        (("aws:region: ''",), "Pulumi.dev.yaml has no aws:region, so the region of the stack is unknown"),
        (
            ("aws:region: us-west-2", "aws:assumeRoles: [{roleArn: a}, {roleArn: b}]"),
            "aws:assumeRoles of Pulumi.dev.yaml must be one role, [{roleArn: ...}]",
        ),
        (
            ("aws:region: us-west-2", "aws:assumeRoles: none"),
            "aws:assumeRoles of Pulumi.dev.yaml must be one role, [{roleArn: ...}]",
        ),
    ],
)
def test_a_stack_file_without_a_region_is_reported(ask: Ask, lines: tuple[str, ...], reported: str) -> None:
    with pytest.raises(WrongQuestion) as caught:
        ask(*lines)
    assert str(caught.value) == reported


def test_credentials_that_are_refused_end_the_search(ask: Ask, wire: Wire) -> None:
    wire.refused["sts.GetCallerIdentity"] = ("", "ExpiredToken")
    with pytest.raises(WrongQuestion) as caught:
        ask("aws:region: us-west-2")
    assert str(caught.value) == (
        "AWS rejected the credentials in us-west-2 (ExpiredToken): they are wrong or expired, or the region is not "
        "enabled in the account."
    )


def test_the_role_of_the_stack_is_assumed_with_its_external_id(ask: Ask, wire: Wire) -> None:
    role = "aws:assumeRoles: [{roleArn: 'arn:aws:iam::123456789012:role/deployer', externalId: '42'}]"
    ask("aws:region: sa-east-1", role)
    assert wire.calls[:2] == ["sts.AssumeRole", "sts.GetCallerIdentity"]
    assert "'RoleArn': 'arn:aws:iam::123456789012:role/deployer'" in wire.bodies[0]
    assert "'ExternalId': '42'" in wire.bodies[0]
    wire.refused["sts.AssumeRole"] = ("", "AccessDenied")
    with pytest.raises(
        WrongQuestion, match=r"^these AWS credentials lack the permission sts:AssumeRole in sa-east-1: allow"
    ):
        ask("aws:region: sa-east-1", role)


def test_the_commands_name_the_stack_s_profile(ask: Ask, garden: Gardens) -> None:
    garden("ca-central-1").key(MARK)
    (left,) = ask("aws:region: ca-central-1", "aws:profile: work").json["left"]
    assert left["commands"][0].endswith(f" --key-id {left['id']} --region ca-central-1 --profile work")
