"""Whether security groups allow traffic between GPU nodes and an existing cluster's own nodes."""

from typing import Any

import pytest

from tests.fakes.aws_account import STACK_TAG, instance
from tests.support.existing_clusters import SAME_GROUP, account, looked_up, node, out, rule, texts

pytestmark = pytest.mark.usefixtures("moto_account")
# --- security groups: terraform-aws-eks gives its nodes their own group, whose rules refer to itself


OF_NODES = [
    rule("sg-nodes", protocol="tcp", port=53, ReferencedGroupInfo={"GroupId": "sg-nodes"}),
    rule("sg-nodes", protocol="udp", port=53, ReferencedGroupInfo={"GroupId": "sg-nodes"}),
    {
        **rule("sg-nodes", protocol="tcp", ReferencedGroupInfo={"GroupId": "sg-nodes"}),
        "FromPort": 1025,
        "ToPort": 65535,
    },
    out("sg-nodes"),
    *SAME_GROUP,
]


def test_nodes_with_their_own_group_cannot_be_reached() -> None:
    (text,) = texts(account(nodes=[node("sg-nodes")], rules=OF_NODES))
    assert text == (
        "security groups block traffic from sg-cluster to sg-nodes, udp 53 (CoreDNS); from sg-cluster to "
        "sg-nodes, tcp 53 (CoreDNS); to sg-cluster from sg-nodes, tcp 8000 (the models' port): add sg-nodes to "
        "cluster.existing.securityGroupIds if its rules allow traffic within the group, or add rules: aws ec2 "
        "authorize-security-group-ingress --group-id <target> --source-group <source> --protocol udp --port 53 "
        "--region us-west-2"
    )


def test_gpu_nodes_with_the_same_group_can_be_reached() -> None:
    asked = account(nodes=[node("sg-nodes")], rules=OF_NODES)
    assert texts(asked, security_group_ids=("sg-nodes",)) == []
    (passed,) = [
        check for check in looked_up(asked, security_group_ids=("sg-nodes",)).checks if "groups" in check.subject
    ]
    assert passed.text == "between sg-cluster and sg-nodes and sg-nodes: 53 and 8000"


@pytest.mark.parametrize("cidr", ["0.0.0.0/0", "10.0.0.0/8", "10.0.0.0/16"])
def test_rules_for_the_network_are_enough(cidr: str) -> None:
    rules = [
        rule("sg-nodes", protocol="udp", port=53, CidrIpv4=cidr),
        rule("sg-nodes", protocol="6", port=53, CidrIpv4=cidr),
        out("sg-nodes"),
        rule("sg-cluster", protocol="tcp", port=8000, CidrIpv4=cidr),
        out("sg-cluster"),
    ]
    assert texts(account(nodes=[node("sg-nodes")], rules=rules)) == []


@pytest.mark.parametrize(
    ("dropped", "what"),
    [(0, "udp 53"), (1, "tcp 53"), (2, "tcp 8000"), (3, "tcp 8000"), (4, "udp 53")],
    ids=["DNS in", "DNS over TCP in", "nodes out", "port 8000 in", "GPU nodes out"],
)
def test_each_rule_that_is_missing_is_reported(dropped: int, what: str) -> None:
    rules = [
        rule("sg-nodes", protocol="udp", port=53, ReferencedGroupInfo={"GroupId": "sg-cluster"}),
        rule("sg-nodes", protocol="tcp", port=53, ReferencedGroupInfo={"GroupId": "sg-cluster"}),
        out("sg-nodes"),
        rule("sg-cluster", protocol="tcp", port=8000, ReferencedGroupInfo={"GroupId": "sg-nodes"}),
        out("sg-cluster"),
    ]
    assert texts(account(nodes=[node("sg-nodes")], rules=rules)) == []
    del rules[dropped]
    (text,) = texts(account(nodes=[node("sg-nodes")], rules=rules))
    assert what in text


@pytest.mark.parametrize("part", [{"CidrIpv4": "10.0.128.0/17"}, {"PrefixListId": "pl-1"}], ids=["part", "list"])
def test_ambiguous_rules_leave_it_unknown(part: dict[str, Any]) -> None:
    rules = [rule("sg-nodes", **part), out("sg-nodes"), *SAME_GROUP, rule("sg-cluster", **part)]
    found = looked_up(account(nodes=[node("sg-nodes")], rules=rules)).checks[-1]
    assert (found.status, found.text.split(":")[0]) == (
        "unknown",
        "some rules cover only part of the VPC, or use prefix lists",
    )


def test_partly_blocked_nodes_are_a_warning() -> None:
    asked = account(nodes=[node("sg-nodes"), node("sg-cluster")], rules=OF_NODES)
    assert texts(asked) == []
    assert len(texts(asked, "warning")) == 1


def test_without_other_nodes_it_is_unknown() -> None:
    tags = {"kubernetes.io/cluster/theirs": "owned", STACK_TAG: "vllm-eks-test"}
    ours = instance(tags=tags, SecurityGroups=[{"GroupId": "sg-cluster"}])
    for nodes in ([], [ours]):
        found = looked_up(account(nodes=nodes)).checks[-1]
        assert (found.status, found.text.split(" (")[0]) == ("unknown", "no other node of theirs was found")


def test_rules_that_cannot_be_read_are_unknown() -> None:
    found = looked_up(account(denied=frozenset({"DescribeSecurityGroupRules"}))).checks[-1]
    assert (found.status, found.text.split(" or run")[0]) == (
        "unknown",
        "no permission: allow ec2:DescribeInstances, ec2:DescribeVpcs and ec2:DescribeSecurityGroupRules,",
    )
