"""Whose a thing in the account is: told by whole tag values and whole names, never by how a name begins.

`vllm-eks-dev` is also the beginning of what the stack dev2 makes, so `Name` tags decide nothing here.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

STACK_TAG = "vllm-eks/stack"
"""On all that the stack's program makes; `config.load` says the same, but takes seconds to load."""

CLUSTER_TAG = "kubernetes.io/cluster/"
"""Before the cluster's name; the value is `owned`, or `shared` on what belongs to somebody else."""

CLUSTER_NAME_TAGS = (
    "aws:eks:cluster-name",
    "eks:cluster-name",
    "cluster.k8s.amazonaws.com/name",
    "elbv2.k8s.aws/cluster",
    "ebs.csi.aws.com/cluster-name",
)
"""Written by EKS, the CNI, the load balancer controller and the EBS driver; the value is the cluster's name."""

INSTANCE_TAG = "node.k8s.amazonaws.com/instance_id"
CNI_DESCRIPTION = re.compile(r"aws-K8S-i-[0-9a-f]+")


@dataclass(frozen=True, kw_only=True)
class Owner:
    """A stack, as what it made is marked with it."""

    name: str
    """`<project>-<stack>`: the value of the stack's tag, and the name of its own cluster."""
    existing_cluster: str | None = None
    """The cluster of somebody else that the stack puts its nodes into."""
    existing_vpc: str | None = None
    """The VPC of somebody else that the stack lives in."""

    def why(self, tags: Mapping[str, str], *, named: str | None = None) -> str | None:
        """Return which tag or name makes a thing this stack's, or None where it is not.

        Args:
            tags: The thing's tags.
            named: The reason when its whole name alone says so, and no tag says otherwise.
        """
        if STACK_TAG in tags:
            return f"tag {STACK_TAG}={self.name}" if tags[STACK_TAG] == self.name else None
        # What a cluster of somebody else made is theirs, even where it is called like the stack.
        if self.existing_cluster == self.name:
            return None
        reasons = list(cluster_reasons(tags))
        if any(cluster != self.name for cluster, _ in reasons):
            return None
        return reasons[0][1] if reasons else named

    def why_interface(
        self, tags: Mapping[str, str], description: str, vpc_id: str, *, vpcs: set[str], instances: set[str]
    ) -> str | None:
        """Return why a network interface is this stack's, or None; `vpcs` and `instances` are the stack's own."""
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
    """Yield each cluster that the tags name as the owner, with the tag that does."""
    for key in CLUSTER_NAME_TAGS:
        if key in tags:
            yield tags[key], f"tag {key}={tags[key]}"
    for key, value in tags.items():
        if key.startswith(CLUSTER_TAG) and value == "owned":
            yield key.removeprefix(CLUSTER_TAG), f"tag {key}=owned"
