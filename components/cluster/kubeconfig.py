"""The kubeconfig of an EKS cluster."""

import json


def eks_kubeconfig(
    *,
    cluster_name: str,
    endpoint: str,
    certificate_authority: str,
    region: str,
    profile: str | None = None,
    role_arn: str | None = None,
) -> str:
    """Return a kubeconfig (JSON, which is YAML) that gets its tokens from the `aws` command.

    The token must be asked for by the same identity that Pulumi uses: the one pulumi-eks writes names no profile,
    and authenticates as whoever the shell happens to be.

    Args:
        cluster_name: The cluster's name in EKS.
        endpoint: The API server's URL.
        certificate_authority: Its certificate, base64.
        region: The cluster's region.
        profile: The AWS profile to use, when not the surrounding one.
        role_arn: The role to take on before asking for a token.
    """
    arguments = ["eks", "get-token", "--cluster-name", cluster_name, "--region", region, "--output", "json"]
    if role_arn:
        arguments += ["--role-arn", role_arn]
    token_command = {
        "apiVersion": "client.authentication.k8s.io/v1beta1",
        "command": "aws",
        "args": arguments,
        "env": [{"name": "AWS_PROFILE", "value": profile}] if profile else [],
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
