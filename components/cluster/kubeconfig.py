"""The kubeconfig of an EKS cluster."""

import json

from vllm_eks.specs.access import ClusterAccess


def eks_kubeconfig(access: ClusterAccess, *, endpoint: str, certificate_authority: str) -> str:
    """Return a kubeconfig (JSON, which is valid YAML) that gets its tokens from the `aws` command.

    The token must come from the same identity that Pulumi uses. The kubeconfig of pulumi-eks has no profile, so it
    would use the shell's identity.

    Args:
        access: The cluster, and the profile and role for its token.
        endpoint: The API server's URL.
        certificate_authority: Its certificate in base64.
    """
    cluster_name, deployer = access.cluster_name, access.deployer
    arguments = ["eks", "get-token", "--cluster-name", cluster_name, "--region", deployer.region, "--output", "json"]
    if deployer.role_arn:
        arguments += ["--role-arn", deployer.role_arn]
    token_command = {
        "apiVersion": "client.authentication.k8s.io/v1beta1",
        "command": "aws",
        "args": arguments,
        "env": [{"name": "AWS_PROFILE", "value": deployer.profile}] if deployer.profile else [],
        "interactiveMode": "Never",
    }
    cluster = {"server": endpoint, "certificate-authority-data": certificate_authority}
    context = {"cluster": cluster_name, "user": cluster_name}
    return json.dumps(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": cluster_name, "cluster": cluster}],
            "users": [{"name": cluster_name, "user": {"exec": token_command}}],
            "contexts": [{"name": cluster_name, "context": context}],
            "current-context": cluster_name,
        }
    )
