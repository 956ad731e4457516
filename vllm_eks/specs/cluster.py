"""The cluster of a stack: what its settings ask for, and what was found of a cluster that exists."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class ExistingClusterSpec:
    """A cluster that exists."""

    name: str
    security_group_ids: Sequence[str] = ()
    """Further groups of its nodes, whose rules let nodes and pods talk to each other."""


@dataclass(frozen=True, kw_only=True)
class ClusterSpec:
    """The control plane of a stack, and what its nodes run."""

    kubernetes_version: str
    node_release_version: str
    """The AL2023 image's release, such as 1.36.2-20260714."""
    addon_versions: Mapping[str, str]
    """Of vpc-cni, kube-proxy, coredns, eks-pod-identity-agent and eks-node-monitoring-agent."""
    system_instance_type: str
    public_access_cidrs: Sequence[str]
    """Who may reach the API server from outside; none makes it private."""
    admins: Sequence[str] = ()
    """Principals' ARNs. Not the one that creates the cluster: EKS makes it an admin, and refuses to do so twice."""
    deletion_protection: bool = False
    """Whether EKS refuses to delete the cluster; to be switched off, by an update, before a destroy."""
    keep_logs: bool = False
    """Whether the logs of control plane and network outlive the stack."""
    existing: ExistingClusterSpec | None = None
    """None: a new cluster."""


@dataclass(frozen=True, kw_only=True)
class FoundControlPlane:
    """What nodes and a kubeconfig need of a cluster that exists."""

    endpoint: str
    certificate_authority: str
    """Base64."""
    security_group_id: str
    """The cluster's own group, which EKS made."""
