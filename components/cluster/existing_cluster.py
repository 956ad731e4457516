"""A cluster that is there already, with the same face as a new one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
import pulumi_kubernetes as k8s

from components.cluster.access import AccessArgs, cluster_kubeconfig, kubernetes_provider
from components.cluster.cluster import Cluster, ClusterArgs
from components.cluster.cni_role import CNI_POLICY
from components.iam.iam_roles import IamArgs
from components.iam.partitions import aws_partition
from components.nodes.cluster_connection import ClusterConnection
from components.nodes.node_role import NODE_POLICIES, NodeRole, NodeRoleArgs


@dataclass(frozen=True, kw_only=True)
class ExistingClusterArgs:
    """What an ExistingCluster needs."""

    endpoint: str
    certificate_authority: str
    """Base64."""
    security_group_id: str
    """The cluster's own group, which EKS made."""
    node_security_group_ids: Sequence[str]
    """Further groups of its nodes, whose rules let nodes and pods talk to each other."""
    kubernetes_version: str
    node_release_version: str
    access: AccessArgs
    iam: IamArgs
    tags: Mapping[str, str]


class ExistingCluster(pulumi.ComponentResource):
    """A cluster of somebody else, which gets GPU nodes and releases, and is never changed or deleted itself."""

    kubernetes: k8s.Provider
    kubeconfig: pulumi.Output[str]
    """Secret; asks the `aws` command for a token."""
    connection: ClusterConnection
    """What its GPU node groups join it by."""

    def __init__(self, name: str, args: ExistingClusterArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("vllm-eks:index:ExistingCluster", name, {}, opts)
        child = pulumi.ResourceOptions(parent=self)
        role = NodeRole(
            f"{name}-node",
            # Whether its CNI has a role of its own is not known here, so our nodes bring the policy.
            NodeRoleArgs(
                partition=aws_partition(args.access.region),
                policies=(*NODE_POLICIES, CNI_POLICY),
                iam=args.iam,
                tags=args.tags,
            ),
            opts=child,
        )
        self.kubeconfig = cluster_kubeconfig(
            args.access, endpoint=args.endpoint, certificate_authority=args.certificate_authority
        )
        self.kubernetes = kubernetes_provider(f"{name}-kubernetes", args.access, self.kubeconfig, child)
        self.connection = ClusterConnection(
            cluster_name=args.access.cluster_name,
            node_role_arn=role.arn,
            security_group_ids=[args.security_group_id, *args.node_security_group_ids],
            kubernetes_version=args.kubernetes_version,
            node_release_version=args.node_release_version,
        )
        self.register_outputs({"kubeconfig": self.kubeconfig, "node_role_arn": role.arn})


def cluster_of(
    name: str,
    args: ClusterArgs,
    *,
    existing: Mapping[str, str] | None,
    node_security_group_ids: Sequence[str],
    opts: pulumi.ResourceOptions,
) -> Cluster | ExistingCluster:
    """Return the cluster of a stack: the existing one where its facts are given, else a new one.

    Args:
        name: The name of its resources.
        args: What a new cluster needs; an existing one takes access, versions and tags from it.
        existing: Endpoint, certificate_authority and security_group_id of an existing cluster.
        node_security_group_ids: Further security groups for GPU nodes of an existing cluster.
        opts: Of either.
    """
    if existing is None:
        return Cluster(name, args, opts)
    facts = ExistingClusterArgs(
        **existing,
        kubernetes_version=args.kubernetes_version,
        node_release_version=args.node_release_version,
        node_security_group_ids=node_security_group_ids,
        access=args.access,
        iam=args.iam,
        tags=args.tags,
    )
    return ExistingCluster(name, facts, opts)
