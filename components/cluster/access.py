"""The kubeconfig of a cluster, and the Kubernetes provider that uses it."""

from pathlib import Path

import pulumi
import pulumi_kubernetes as k8s

from components.cluster.kubeconfig import eks_kubeconfig
from vllm_eks.specs.access import ClusterAccess


def cluster_kubeconfig(
    access: ClusterAccess, *, endpoint: pulumi.Input[str], certificate_authority: pulumi.Input[str]
) -> pulumi.Output[str]:
    """Return the cluster's kubeconfig, which is a secret. It gets tokens from the `aws` command."""

    def render(known: list[str]) -> str:
        known_endpoint, known_authority = known
        return eks_kubeconfig(access, endpoint=known_endpoint, certificate_authority=known_authority)

    return pulumi.Output.secret(pulumi.Output.all(endpoint, certificate_authority).apply(render))


def kubernetes_provider(
    name: str, access: ClusterAccess, kubeconfig: pulumi.Output[str], opts: pulumi.ResourceOptions
) -> k8s.Provider:
    """Return the provider for all resources inside the cluster."""
    path = access.kubeconfig_path
    return k8s.Provider(
        name,
        kubeconfig=str(Path(path).expanduser().resolve()) if path else kubeconfig,
        # Without it, a kubeconfig that changes or is not yet known replaces everything in the cluster.
        cluster_identifier=f"{access.deployer.region}/{access.cluster_name}",
        # Without it, the provider replaces a Secret when its content changes, and its new name restarts every pod.
        enable_secret_mutable=True,
        opts=opts,
    )
