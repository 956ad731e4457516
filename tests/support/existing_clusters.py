"""An existing cluster as EKS and EC2 describe it."""

from collections.abc import Mapping
from typing import Any

from checks.existing_cluster import ClusterRequest, FoundCluster, find_cluster
from tests.fakes.aws_account import Account, instance
from tests.support.nested import replaced
from vllm_eks.specs.cluster import ExistingClusterSpec

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
REQUESTED = ClusterRequest(
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
    """The rules of the group that EKS creates for a cluster: all traffic from itself."""
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


def looked_up(asked: Account, **requested: Any) -> FoundCluster:
    return find_cluster(replaced(REQUESTED, **requested), asked.site)


def texts(asked: Account, status: str = "failed", **requested: Any) -> list[str]:
    return [check.text for check in looked_up(asked, **requested).checks if check.status == status]
