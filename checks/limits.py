"""Checks of other quotas: addresses and VPCs of a new network, clusters, node groups and their nodes."""

from collections.abc import Iterator, Mapping, Sequence

from checks.asking import Question
from checks.quotas import Quota, quota_check
from checks.site import STACK_TAG, Site, clusters
from vllm_eks.aws.session import tags_of
from vllm_eks.check import Check
from vllm_eks.planner.search.gpu_nodes import GpuNodes

# EC2, VPC and EKS quota lists; the defaults: EKS user guide, service quotas.
ADDRESSES = Quota(service="ec2", code="L-0263D0A3", name="EC2-VPC Elastic IPs", unit="addresses")
VPCS = Quota(service="vpc", code="L-F678F1CE", name="VPCs per Region", unit="VPCs")
GATEWAYS = Quota(service="vpc", code="L-A4707A72", name="Internet gateways per Region", unit="internet gateways")
CLUSTERS = Quota(service="eks", code="L-1194D53C", name="Clusters", unit="clusters")
NODE_GROUPS = Quota(service="eks", code="L-6D54EA21", name="Managed node groups per cluster", unit="node groups")
NODES = Quota(service="eks", code="L-BD136A63", name="Nodes per managed node group", unit="nodes")
DEFAULT_NODE_GROUPS, DEFAULT_NODES = 30, 450
"""EKS user guide, service quotas. No account has less, so smaller stacks need no check."""


def network_limit_checks(nat_gateways: int, site: Site) -> Iterator[Check]:
    """Yield the checks that the quotas allow the NAT gateways' addresses, a VPC and its internet gateway."""
    for quota, needed, operation, key in (
        (ADDRESSES, nat_gateways, "describe_addresses", "Addresses"),
        (VPCS, 1, "describe_vpcs", "Vpcs"),
        (GATEWAYS, 1, "describe_internet_gateways", "InternetGateways"),
    ):
        words = operation.split("_")
        question = Question(
            subject=f"quota {quota.name} holds {needed} more",
            actions="ec2:" + "".join(word.capitalize() for word in words),
            command=f"aws ec2 {'-'.join(words)} --region {site.region}",
        )

        def use(operation: str = operation, key: str = key) -> tuple[int, int]:
            listed = site.api.pages("ec2", operation, key)
            own = [one for one in listed if tags_of(one.get("Tags")).get(STACK_TAG) == site.stack]
            return len(listed), len(own)

        yield quota_check(quota, needed, question, use, site)


def cluster_limit_check(site: Site) -> Check:
    """Return the check that the quota allows one more cluster."""
    question = Question(
        subject=f"quota {CLUSTERS.name} holds 1 more",
        actions="eks:ListClusters",
        command=f"aws eks list-clusters --region {site.region}",
    )

    def use() -> tuple[int, int]:
        names = clusters(site)
        return len(names), int(site.stack in names)

    return quota_check(CLUSTERS, 1, question, use, site)


def node_group_limit_checks(
    fleet: Mapping[str, GpuNodes], site: Site, *, own_groups: Sequence[str], other_groups: int, system_groups: int
) -> Iterator[Check]:
    """Yield the checks that the quotas allow the stack's node groups, and the nodes in each.

    Args:
        fleet: The GPU nodes of each model.
        site: The account and region.
        own_groups: Names of the stack's existing node groups.
        other_groups: Number of other node groups in the cluster.
        system_groups: Number of the stack's node groups that are not for models.
    """
    groups = sum(len(nodes.zones) for nodes in fleet.values()) + system_groups
    largest = max((nodes.per_zone for nodes in fleet.values()), default=0)
    if groups + other_groups > DEFAULT_NODE_GROUPS:
        question = Question(subject=f"quota {NODE_GROUPS.name} holds {groups}", actions="", command="")
        yield quota_check(
            NODE_GROUPS, groups, question, lambda: (len(own_groups) + other_groups, len(own_groups)), site
        )
    if largest > DEFAULT_NODES:
        question = Question(subject=f"quota {NODES.name} holds {largest}", actions="", command="")
        yield quota_check(NODES, largest, question, lambda: (0, 0), site)
