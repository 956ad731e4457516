"""An existing cluster, with the same interface as a new one."""

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
import pulumi_kubernetes as k8s

from components.cluster.access import cluster_kubeconfig, kubernetes_provider
from components.cluster.cluster import Cluster, ClusterArgs
from components.cluster.cni_role import CNI_POLICY
from components.nodes.cluster_connection import ClusterConnection
from components.nodes.node_role import NODE_POLICIES, NodeRole, NodeRoleArgs
from vllm_eks.aws.partitions import aws_partition
from vllm_eks.specs.access import ClusterAccess
from vllm_eks.specs.cluster import ClusterSpec, FoundControlPlane
from vllm_eks.specs.stack import IamSpec


@dataclass(frozen=True, kw_only=True)
class ExistingClusterArgs:
    """The arguments of an ExistingCluster."""

    control_plane: FoundControlPlane
    cluster: ClusterSpec
    access: ClusterAccess
    iam: IamSpec
    tags: Mapping[str, str]


class ExistingCluster(pulumi.ComponentResource):
    """An existing cluster that gets GPU nodes and releases. The stack never changes or deletes it."""

    kubernetes: k8s.Provider
    kubeconfig: pulumi.Output[str]
    """A secret. It gets tokens from the `aws` command."""
    connection: ClusterConnection
    """What GPU node groups need to join the cluster."""

    def __init__(self, name: str, args: ExistingClusterArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("vllm-eks:index:ExistingCluster", name, {}, opts)
        child = pulumi.ResourceOptions(parent=self)
        role = NodeRole(
            f"{name}-node",
            # Whether its CNI has its own role is unknown here, so the node role includes the policy.
            NodeRoleArgs(
                partition=aws_partition(args.access.deployer.region),
                policies=(*NODE_POLICIES, CNI_POLICY),
                iam=args.iam,
                tags=args.tags,
            ),
            opts=child,
        )
        self.kubeconfig = cluster_kubeconfig(
            args.access,
            endpoint=args.control_plane.endpoint,
            certificate_authority=args.control_plane.certificate_authority,
        )
        self.kubernetes = kubernetes_provider(f"{name}-kubernetes", args.access, self.kubeconfig, child)
        node_groups = args.cluster.existing.security_group_ids if args.cluster.existing else ()
        self.connection = ClusterConnection(
            cluster_name=args.access.cluster_name,
            node_role_arn=role.arn,
            security_group_ids=[args.control_plane.security_group_id, *node_groups],
            kubernetes_version=args.cluster.kubernetes_version,
            node_release_version=args.cluster.node_release_version,
        )
        self.register_outputs({"kubeconfig": self.kubeconfig, "node_role_arn": role.arn})


def stack_cluster(
    name: str, args: ClusterArgs, *, existing: FoundControlPlane | None, opts: pulumi.ResourceOptions
) -> Cluster | ExistingCluster:
    """Return the existing cluster if its control plane was found, or else a new cluster.

    Args:
        name: The name of its resources.
        args: The arguments of a new cluster. An existing one uses its access, versions, groups and tags.
        existing: The control plane of an existing cluster.
        opts: The options of either one.
    """
    if existing is None:
        return Cluster(name, args, opts)
    existing_args = ExistingClusterArgs(
        control_plane=existing, cluster=args.cluster, access=args.access, iam=args.stack.iam, tags=args.stack.tags
    )
    return ExistingCluster(name, existing_args, opts)
