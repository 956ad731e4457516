import json
from typing import Any

from components.cluster.kubeconfig import eks_kubeconfig
from vllm_eks.specs.access import ClusterAccess, Deployer


def kubeconfig(deployer: Deployer) -> dict[str, Any]:
    access = ClusterAccess(cluster_name="vllm-dev", deployer=deployer)
    return json.loads(eks_kubeconfig(access, endpoint="https://abc.eks.amazonaws.com", certificate_authority="Y2E="))


def test_it_gets_a_token_from_the_aws_command_in_the_cluster_s_region() -> None:
    assert kubeconfig(Deployer(region="us-west-2")) == {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [
            {
                "name": "vllm-dev",
                "cluster": {"server": "https://abc.eks.amazonaws.com", "certificate-authority-data": "Y2E="},
            }
        ],
        "users": [
            {
                "name": "vllm-dev",
                "user": {
                    "exec": {
                        "apiVersion": "client.authentication.k8s.io/v1beta1",
                        "command": "aws",
                        "args": [
                            "eks",
                            "get-token",
                            "--cluster-name",
                            "vllm-dev",
                            "--region",
                            "us-west-2",
                            "--output",
                            "json",
                        ],
                        "env": [],
                        "interactiveMode": "Never",
                    }
                },
            }
        ],
        "contexts": [{"name": "vllm-dev", "context": {"cluster": "vllm-dev", "user": "vllm-dev"}}],
        "current-context": "vllm-dev",
    }


def test_it_authenticates_with_the_same_profile_and_role_as_pulumi() -> None:
    config = kubeconfig(Deployer(region="us-west-2", profile="gpu", role_arn="arn:aws:iam::1:role/deploy"))

    command = config["users"][0]["user"]["exec"]
    assert command["env"] == [{"name": "AWS_PROFILE", "value": "gpu"}]
    assert command["args"][-2:] == ["--role-arn", "arn:aws:iam::1:role/deploy"]
