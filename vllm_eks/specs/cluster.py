"""The cluster of a stack: its settings, and the properties of an existing cluster."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class ExistingClusterSpec:
    """An existing cluster."""

    name: str
    security_group_ids: Sequence[str] = ()
    """Additional security groups of its nodes, whose rules allow traffic between nodes and pods."""


@dataclass(frozen=True, kw_only=True)
class ClusterSpec:
    """The control plane of a stack, and the versions that its nodes run."""

    kubernetes_version: str
    node_release_version: str
    """The release of the AL2023 AMI, such as 1.36.2-20260714."""
    addon_versions: Mapping[str, str]
    """For vpc-cni, kube-proxy, coredns, eks-pod-identity-agent and eks-node-monitoring-agent."""
    system_instance_type: str
    public_access_cidrs: Sequence[str]
    """The ranges that may reach the API server from outside. Empty makes it private."""
    admins: Sequence[str] = ()
    """ARNs of principals, without the cluster's creator, which EKS makes an admin and refuses to add twice."""
    deletion_protection: bool = False
    """Whether EKS refuses to delete the cluster. An update must turn it off before a destroy."""
    keep_logs: bool = False
    """Whether the logs of the control plane and the network are kept when the stack is destroyed."""
    existing: ExistingClusterSpec | None = None
    """None for a new cluster."""


@dataclass(frozen=True, kw_only=True)
class FoundControlPlane:
    """The properties of an existing cluster that nodes and a kubeconfig need."""

    endpoint: str
    certificate_authority: str
    """In base64."""
    security_group_id: str
    """The security group that EKS created for the cluster."""
