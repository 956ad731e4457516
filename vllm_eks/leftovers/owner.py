"""Decides whether a resource belongs to a stack, by exact tag values and names and never by a prefix.

`vllm-eks-dev` is also a prefix of the names of the stack dev2, so `Name` tags are ignored.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

STACK_TAG = "vllm-eks/stack"
"""The tag on all of the stack's resources. `config.load` has the same value, but takes seconds to import."""

CLUSTER_TAG = "kubernetes.io/cluster/"
"""Prefix of the cluster's name. The value is `owned`, or `shared` for resources with another owner."""

CLUSTER_NAME_TAGS = (
    "aws:eks:cluster-name",
    "eks:cluster-name",
    "cluster.k8s.amazonaws.com/name",
    "elbv2.k8s.aws/cluster",
    "ebs.csi.aws.com/cluster-name",
)
"""Tags of EKS, the CNI, the load balancer controller and the EBS driver. The value is the cluster's name."""

INSTANCE_TAG = "node.k8s.amazonaws.com/instance_id"
CNI_DESCRIPTION = re.compile(r"aws-K8S-i-[0-9a-f]+")


@dataclass(frozen=True, kw_only=True)
class Owner:
    """A stack, with the values that mark its resources."""

    name: str
    """`<project>-<stack>`: the value of the stack's tag, and the name of its own cluster."""
    existing_cluster: str | None = None
    """The existing cluster that has the stack's nodes."""
    existing_vpc: str | None = None
    """The existing VPC that the stack uses."""
    hosted_zone: str | None = None
    """The zone of the endpoint's records."""
    hostnames: frozenset[str] = frozenset()
    """The models' host names."""
    existing_workspace: str | None = None
    """The existing Prometheus workspace that the stack writes to."""

    def why(self, tags: Mapping[str, str], *, named: str | None = None) -> str | None:
        """Return the tag or name that makes a resource this stack's, or None.

        Args:
            tags: The resource's tags.
            named: The reason to return when the exact name matches and no tag contradicts it.
        """
        if STACK_TAG in tags:
            return f"tag {STACK_TAG}={self.name}" if tags[STACK_TAG] == self.name else None
        # Resources of an existing cluster are not the stack's, even if the cluster has the stack's name.
        if self.existing_cluster == self.name:
            return None
        reasons = list(cluster_reasons(tags))
        if any(cluster != self.name for cluster, _ in reasons):
            return None
        return reasons[0][1] if reasons else named

    def why_interface(
        self, tags: Mapping[str, str], description: str, vpc_id: str, *, vpcs: set[str], instances: set[str]
    ) -> str | None:
        """Return why a network interface is this stack's, or None. `vpcs` and `instances` are the stack's own."""
        instance = tags.get(INSTANCE_TAG, "")
        if instance in instances and STACK_TAG not in tags:
            return f"tag {INSTANCE_TAG}={instance}, a node of the stack"
        named = None
        if description == f"Amazon EKS {self.name}":
            named = f"description {description}"
        elif CNI_DESCRIPTION.fullmatch(description) and vpc_id in vpcs:
            named = f"description {description}, in the stack's own {vpc_id}"
        return self.why(tags, named=named)


def cluster_reasons(tags: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Yield each cluster that a tag names as the owner, with the tag."""
    for key in CLUSTER_NAME_TAGS:
        if key in tags:
            yield tags[key], f"tag {key}={tags[key]}"
    for key, value in tags.items():
        if key.startswith(CLUSTER_TAG) and value == "owned":
            yield key.removeprefix(CLUSTER_TAG), f"tag {key}=owned"
