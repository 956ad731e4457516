"""The identities for AWS and for a cluster's API server."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Deployer:
    """The region and the identity of a stack's AWS provider."""

    region: str
    profile: str | None = None
    """The AWS profile, or None for the environment's credentials."""
    role_arn: str | None = None
    """The role that the provider assumes."""
    external_id: str | None = None
    """What the role asks for, if it does. `aws eks get-token` cannot state it."""


@dataclass(frozen=True, kw_only=True)
class ClusterAccess:
    """The identity and kubeconfig for a cluster's API server."""

    cluster_name: str
    deployer: Deployer
    """The kubeconfig gets tokens with the same profile and role."""
    kubeconfig_path: str | None = None
    """A kubeconfig to use instead of the cluster's own, for example through a tunnel."""
