"""Who talks to AWS and to a cluster's API server, and from where."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Deployer:
    """Where a stack's AWS provider deploys, and as whom."""

    region: str
    profile: str | None = None
    """The AWS profile; None: the surrounding one."""
    role_arn: str | None = None
    """The role that the provider assumes."""
    external_id: str | None = None
    """What the role asks for, if it does. `aws eks get-token` cannot state it."""


@dataclass(frozen=True, kw_only=True)
class ClusterAccess:
    """Who talks to a cluster's API server, and from where."""

    cluster_name: str
    deployer: Deployer
    """The kubeconfig asks for tokens with the same profile and role."""
    kubeconfig_path: str | None = None
    """A kubeconfig to use in place of the cluster's own: through a tunnel, say."""
