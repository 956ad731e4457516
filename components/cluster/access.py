"""The way to talk to a cluster's API server: its kubeconfig, and the provider that uses it."""

from dataclasses import dataclass
from pathlib import Path

import pulumi
import pulumi_kubernetes as k8s

from components.cluster.kubeconfig import eks_kubeconfig


@dataclass(frozen=True, kw_only=True)
class AccessArgs:
    """Who talks to the API server, and from where."""

    cluster_name: str
    region: str
    aws_profile: str | None = None
    aws_role_arn: str | None = None
    """The profile and the role that Pulumi's AWS provider uses; the kubeconfig asks for tokens as the same."""
    kubeconfig_path: str | None = None
    """A kubeconfig to use in place of the cluster's own: through a tunnel, say."""


def cluster_kubeconfig(
    args: AccessArgs, *, endpoint: pulumi.Input[str], certificate_authority: pulumi.Input[str]
) -> pulumi.Output[str]:
    """Return the cluster's kubeconfig, a secret; it asks the `aws` command for a token."""

    def render(facts: dict[str, str]) -> str:
        return eks_kubeconfig(
            **facts,
            cluster_name=args.cluster_name,
            region=args.region,
            profile=args.aws_profile,
            role_arn=args.aws_role_arn,
        )

    facts = pulumi.Output.all(endpoint=endpoint, certificate_authority=certificate_authority)
    return pulumi.Output.secret(facts.apply(render))


def kubernetes_provider(
    name: str, args: AccessArgs, kubeconfig: pulumi.Output[str], opts: pulumi.ResourceOptions
) -> k8s.Provider:
    """Return the provider of everything inside the cluster."""
    path = args.kubeconfig_path
    return k8s.Provider(
        name,
        kubeconfig=str(Path(path).expanduser().resolve()) if path else kubeconfig,
        # Without it, a kubeconfig that changes (or is not yet known) replaces everything in the cluster.
        cluster_identifier=f"{args.region}/{args.cluster_name}",
        # Without it the provider replaces a Secret whose content changes, and its new name restarts every pod.
        enable_secret_mutable=True,
        opts=opts,
    )
