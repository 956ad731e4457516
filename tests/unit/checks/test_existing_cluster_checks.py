"""Clusters that exist: what EKS and EC2 answer about one, and each error with its exact words."""

from collections.abc import Mapping
from typing import Any

import pytest

from checks.existing_cluster import ClusterWish, FoundCluster, find_cluster
from tests.fakes.aws_account import STACK_TAG, Account, instance
from tests.support.nested import replaced
from vllm_eks.check import Check
from vllm_eks.specs.cluster import ExistingClusterSpec, FoundControlPlane

pytestmark = pytest.mark.usefixtures("moto_account")

CLUSTER: dict[str, Any] = {
    "name": "theirs",
    "status": "ACTIVE",
    "version": "1.36",
    "endpoint": "https://theirs.example",
    "certificateAuthority": {"data": "Q0E="},
    "resourcesVpcConfig": {"vpcId": "vpc-1", "clusterSecurityGroupId": "sg-cluster"},
    "kubernetesNetworkConfig": {"ipFamily": "ipv4"},
    "accessConfig": {"authenticationMode": "API_AND_CONFIG_MAP"},
    "computeConfig": {"enabled": False},
}
WISH = ClusterWish(
    cluster=ExistingClusterSpec(name="theirs"),
    kubernetes_version="1.36",
    known_versions=("1.35", "1.36"),
    vpc_id="vpc-1",
)
ADDONS = {name: {"addonVersion": "v1.0.0-eksbuild.1"} for name in ("vpc-cni", "kube-proxy", "coredns")}
CALENDAR = dict.fromkeys(("1.34", "1.35", "1.36", "1.37"), ("STANDARD_SUPPORT", "2027-08-02"))


def rule(group: str, *, egress: bool = False, protocol: str = "-1", port: int = -1, **target: Any) -> dict[str, Any]:
    return {
        "GroupId": group,
        "IsEgress": egress,
        "IpProtocol": protocol,
        "FromPort": port,
        "ToPort": port,
        **target,
    }


def itself(group: str) -> dict[str, Any]:
    """What EKS gives its own group of a cluster: all from itself."""
    return rule(group, ReferencedGroupInfo={"GroupId": group})


def out(group: str) -> dict[str, Any]:
    return rule(group, egress=True, CidrIpv4="0.0.0.0/0")


def node(*groups: str, **more: Any) -> dict[str, Any]:
    tags = {"kubernetes.io/cluster/theirs": "owned"}
    return instance("m7i.large", tags=tags, SecurityGroups=[{"GroupId": group} for group in groups], **more)


SAME_GROUP = [itself("sg-cluster"), out("sg-cluster")]


def account(
    cluster: Mapping[str, Any] = CLUSTER,
    *,
    rules: list[dict[str, Any]] = SAME_GROUP,
    nodes: list[dict[str, Any]] | None = None,
    **more: Any,
) -> Account:
    return Account(
        answers={
            "DescribeCluster": {"cluster": cluster},
            "DescribeVpcs": {"Vpcs": [{"VpcId": "vpc-1", "CidrBlock": "10.0.0.0/16"}]},
            "DescribeSecurityGroupRules": {"SecurityGroupRules": rules},
        },
        instances=[node("sg-cluster")] if nodes is None else nodes,
        **{"versions": CALENDAR, "addons": ADDONS, **more},
    )


def looked_up(asked: Account, **wish: Any) -> FoundCluster:
    return find_cluster(replaced(WISH, **wish), asked.site)


def texts(asked: Account, status: str = "failed", **wish: Any) -> list[str]:
    return [check.text for check in looked_up(asked, **wish).checks if check.status == status]


def test_a_cluster_with_what_is_needed_passes_and_gives_its_facts() -> None:
    found = looked_up(account())
    assert {check.status for check in found.checks} == {"passed"}
    assert found.checks[0] == Check(
        subject="cluster theirs has what the stack needs", status="passed", text="ACTIVE, 1.36, in vpc-1"
    )
    assert found.control_plane == FoundControlPlane(
        endpoint="https://theirs.example", certificate_authority="Q0E=", security_group_id="sg-cluster"
    )


# --- the cluster itself


def test_a_version_that_the_stack_can_have_is_to_be_written() -> None:
    assert texts(account({**CLUSTER, "version": "1.35"})) == [
        'theirs runs Kubernetes 1.35, and the stack\'s nodes would run 1.36: write kubernetesVersion: "1.35", with a '
        "nodeReleaseVersion of it"
    ]


def test_a_version_that_is_too_old_for_this_release_is_to_be_upgraded() -> None:
    assert texts(account({**CLUSTER, "version": "1.34"})) == [
        "theirs runs Kubernetes 1.34, and this release makes nodes of 1.35 and 1.36 only: upgrade the cluster first, "
        "one minor version at a time: aws eks update-cluster-version --name theirs --kubernetes-version 1.35 --region "
        "us-west-2"
    ]


def test_a_version_that_is_newer_than_this_release_needs_another_release() -> None:
    assert texts(account({**CLUSTER, "version": "1.37"})) == [
        "theirs runs Kubernetes 1.37, and this release makes nodes of 1.35 and 1.36 only: use a later release of "
        "vllm-eks"
    ]


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"status": "CREATING"}, "theirs is CREATING, not ACTIVE: wait until it is"),
        (
            {"resourcesVpcConfig": {"vpcId": "vpc-2", "clusterSecurityGroupId": "sg-cluster"}},
            "theirs is in vpc-2, and network.existing names vpc-1: write its own VPC",
        ),
        (
            {"kubernetesNetworkConfig": {"ipFamily": "ipv6"}},
            "theirs gives pods IPv6 addresses (ipFamily ipv6), and the models' network policies allow IPv4 only, so "
            "nothing resolves or downloads: use a cluster of ipFamily ipv4, which cannot be changed later",
        ),
    ],
    ids=["state", "VPC", "IPv6"],
)
def test_a_cluster_that_does_not_suit_is_refused(changes: dict[str, Any], text: str) -> None:
    assert texts(account({**CLUSTER, **changes})) == [text]


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"status": "UPDATING"}, "theirs is UPDATING: changes to its node groups"),
        ({"computeConfig": {"enabled": True}}, "theirs is in Auto Mode, whose network, DNS and Pod Identity work on"),
        ({"accessConfig": {"authenticationMode": "CONFIG_MAP"}}, "theirs knows no access entries (authenticationMode"),
        (
            {"health": {"issues": [{"code": "Ec2SubnetNotFound", "message": "subnet-1 is gone"}]}},
            "theirs has an issue: Ec2SubnetNotFound: subnet-1 is gone",
        ),
    ],
    ids=["updating", "Auto Mode", "ConfigMap", "health"],
)
def test_what_may_go_wrong_is_a_warning(changes: dict[str, Any], text: str) -> None:
    asked = account({**CLUSTER, **changes})
    (warning,) = texts(asked, "warning")
    assert warning.startswith(text)
    assert texts(asked) == []


def test_an_end_of_standard_support_is_a_warning() -> None:
    (warning,) = texts(account(versions={"1.36": ("EXTENDED_SUPPORT", "2027-08-02")}), "warning")
    assert warning.startswith("standard support of 1.36 ended on 2027-08-02")


def test_a_cluster_that_cannot_be_looked_up_stops_the_stack() -> None:
    assert texts(Account(answers={"DescribeCluster": "ResourceNotFoundException"})) == [
        "theirs: AWS did not answer (ResourceNotFoundException: Text of AWS): aws eks describe-cluster --name theirs "
        "--region us-west-2"
    ]
    assert texts(Account(denied=frozenset({"DescribeCluster"}))) == [
        "theirs: no permission to ask: allow eks:DescribeCluster, or run aws eks describe-cluster --name theirs "
        "--region us-west-2"
    ]


# --- add-ons


def test_an_addon_that_eks_does_not_manage_is_unknown_not_missing() -> None:
    asked = account(addons={"vpc-cni": ADDONS["vpc-cni"], "kube-proxy": ADDONS["kube-proxy"]})
    (unknown,) = [check for check in looked_up(asked).checks if check.status == "unknown"]
    assert unknown.subject == "cluster theirs has coredns"
    assert unknown.text.startswith("EKS does not manage it, and a self-managed coredns will do: kubectl")


def test_weights_in_s3_need_the_pod_identity_agent() -> None:
    assert texts(account(), copies_weights=True) == [
        "theirs has no add-on eks-pod-identity-agent, and weights.source: s3 needs it: without it pods get no AWS "
        "credentials: aws eks create-addon --cluster-name theirs --addon-name eks-pod-identity-agent --region us-west-2"
    ]
    agent = {"eks-pod-identity-agent": {"addonVersion": "v1.4.0-eksbuild.1"}}
    assert texts(account(addons={**ADDONS, **agent}), copies_weights=True) == []


def test_an_addon_that_may_not_be_seen_is_unknown() -> None:
    found = looked_up(account(denied=frozenset({"DescribeAddon"})), copies_weights=True)
    unknown = [check.text.split(",")[0] for check in found.checks if check.status == "unknown"]
    assert unknown == ["no permission to ask: allow eks:DescribeAddon"] * 4


def test_an_addon_that_does_not_work_is_a_warning_with_its_reason() -> None:
    issue = {"code": "InsufficientNumberOfReplicas", "message": "no node is there"}
    degraded = {"addonVersion": "v1", "status": "DEGRADED", "health": {"issues": [issue]}}
    assert texts(account(addons={**ADDONS, "coredns": degraded}), "warning") == [
        "the add-on coredns of theirs is DEGRADED (InsufficientNumberOfReplicas: no node is there)"
    ]


# --- security groups: terraform-aws-eks gives its nodes a group of their own, whose rules name itself

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


def test_nodes_behind_a_group_of_their_own_are_out_of_reach() -> None:
    (text,) = texts(account(nodes=[node("sg-nodes")], rules=OF_NODES))
    assert text == (
        "security groups do not let traffic through from sg-cluster to sg-nodes, udp 53 (CoreDNS); from sg-cluster to "
        "sg-nodes, tcp 53 (CoreDNS); to sg-cluster from sg-nodes, tcp 8000 (the models' port): add sg-nodes to "
        "cluster.existing.securityGroupIds if its own rules let it talk to itself, or add rules: aws ec2 "
        "authorize-security-group-ingress --group-id <target> --source-group <source> --protocol udp --port 53 "
        "--region us-west-2"
    )


def test_gpu_nodes_that_carry_that_group_too_are_in_reach() -> None:
    asked = account(nodes=[node("sg-nodes")], rules=OF_NODES)
    assert texts(asked, security_group_ids=("sg-nodes",)) == []
    (passed,) = [
        check for check in looked_up(asked, security_group_ids=("sg-nodes",)).checks if "groups" in check.subject
    ]
    assert passed.text == "between sg-cluster and sg-nodes and sg-nodes: 53 and 8000"


@pytest.mark.parametrize("cidr", ["0.0.0.0/0", "10.0.0.0/8", "10.0.0.0/16"])
def test_rules_that_name_the_network_will_do(cidr: str) -> None:
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
def test_each_rule_that_is_missing_is_told(dropped: int, what: str) -> None:
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
def test_rules_that_may_or_may_not_help_leave_it_unknown(part: dict[str, Any]) -> None:
    rules = [rule("sg-nodes", **part), out("sg-nodes"), *SAME_GROUP, rule("sg-cluster", **part)]
    found = looked_up(account(nodes=[node("sg-nodes")], rules=rules)).checks[-1]
    assert (found.status, found.text.split(":")[0]) == (
        "unknown",
        "rules name networks or prefix lists that hold a part of the VPC",
    )


def test_where_only_some_nodes_are_out_of_reach_it_is_a_warning() -> None:
    asked = account(nodes=[node("sg-nodes"), node("sg-cluster")], rules=OF_NODES)
    assert texts(asked) == []
    assert len(texts(asked, "warning")) == 1


def test_where_no_other_node_is_seen_it_is_unknown() -> None:
    tags = {"kubernetes.io/cluster/theirs": "owned", STACK_TAG: "vllm-eks-test"}
    ours = instance(tags=tags, SecurityGroups=[{"GroupId": "sg-cluster"}])
    for nodes in ([], [ours]):
        found = looked_up(account(nodes=nodes)).checks[-1]
        assert (found.status, found.text.split(" (")[0]) == ("unknown", "no other node of theirs was found")


def test_rules_that_may_not_be_seen_are_unknown() -> None:
    found = looked_up(account(denied=frozenset({"DescribeSecurityGroupRules"}))).checks[-1]
    assert (found.status, found.text.split(" or run")[0]) == (
        "unknown",
        "no permission to ask: allow ec2:DescribeInstances, ec2:DescribeVpcs and ec2:DescribeSecurityGroupRules,",
    )
