"""An existing network and cluster: the same interface as new ones, and nothing of them is created or deleted."""

import json

import pulumi
import pytest

from components.cluster.existing_cluster import ExistingCluster, stack_cluster
from components.network.existing_network import ExistingNetwork, stack_network
from components.network.network import Network, NetworkArgs
from tests.support.clusters import ACCESS, ARGS, STACK
from tests.support.nested import replaced
from vllm_eks.specs.cluster import ExistingClusterSpec, FoundControlPlane
from vllm_eks.specs.network import FoundVpc, NetworkSpec

SUBNETS = {"us-west-2a": "subnet-a", "us-west-2b": "subnet-b"}
VPC = FoundVpc(vpc_id="vpc-1", private_subnets=SUBNETS)
FOUND = FoundControlPlane(endpoint="https://api.example", certificate_authority="Q0E=", security_group_id="sg-theirs")
NEW = NetworkArgs(stack=STACK, network=NetworkSpec(zones=list(SUBNETS)))


def existing_cluster(**changes: object) -> ExistingCluster:
    theirs = ExistingClusterSpec(name="theirs", security_group_ids=["sg-nodes"])
    args = replaced(ARGS, access=replaced(ACCESS, cluster_name="theirs"), existing=theirs, **changes)
    found = stack_cluster("vllm-dev", args, existing=FOUND, opts=pulumi.ResourceOptions())
    assert isinstance(found, ExistingCluster)
    return found


def test_nothing_is_created_in_an_existing_network(engine) -> None:
    engine.run(lambda: stack_network("vllm-dev", NEW, existing=VPC))

    assert [one.type for one in engine.registrations] == ["vllm-eks:index:ExistingNetwork"]


def test_an_existing_network_returns_its_subnets_by_zone_and_no_public_one(engine) -> None:
    def program() -> pulumi.Output:
        network = ExistingNetwork("vllm-dev", VPC)
        assert network.public_subnet_ids == []
        return pulumi.Output.all(
            network.vpc_id, network.private_subnet_id("us-west-2b"), pulumi.Output.all(*network.private_subnet_ids)
        )

    assert engine.value(program) == ["vpc-1", "subnet-b", ["subnet-a", "subnet-b"]]


def test_a_zone_an_existing_network_lacks_is_reported(engine) -> None:
    def program() -> None:
        with pytest.raises(ValueError, match="zone 'us-west-2d' is not one of the network's zones"):
            ExistingNetwork("vllm-dev", VPC).private_subnet_id("us-west-2d")

    engine.run(program)


def test_without_an_existing_network_a_new_one_is_created(engine) -> None:
    engine.run(lambda: stack_network("vllm-dev", NEW, existing=None))

    assert engine.of_type("vllm-eks:index:Network")
    assert issubclass(Network, pulumi.ComponentResource)


def test_an_existing_cluster_gets_a_node_role_and_a_provider_and_nothing_else(engine) -> None:
    engine.run(existing_cluster)

    assert engine.children() == {
        "vllm-eks-test": {"ExistingCluster vllm-dev"},
        "vllm-dev": {"NodeRole vllm-dev-node", "kubernetes vllm-dev-kubernetes"},
        "vllm-dev-node": {
            "Role vllm-dev-node-role",
            "RolePolicyAttachment vllm-dev-node-AmazonEKSWorkerNodePolicy",
            "RolePolicyAttachment vllm-dev-node-AmazonEC2ContainerRegistryPullOnly",
            "RolePolicyAttachment vllm-dev-node-AmazonEKS_CNI_Policy",
        },
    }


def test_its_nodes_join_it_by_its_own_name_and_security_groups(engine) -> None:
    def program() -> pulumi.Output:
        connection = existing_cluster().connection
        return pulumi.Output.all(connection.cluster_name, connection.security_group_ids, connection.kubernetes_version)

    assert engine.value(program) == ["theirs", ["sg-theirs", "sg-nodes"], "1.36"]


def test_its_kubeconfig_is_secret_and_its_identity_fixed(engine) -> None:
    engine.run(existing_cluster)

    provider = engine.only("pulumi:providers:kubernetes")
    kubeconfig = json.loads(provider.inputs["kubeconfig"])
    assert provider.secret_paths == {"kubeconfig"}
    assert provider.inputs["clusterIdentifier"] == "us-west-2/theirs"
    assert kubeconfig["clusters"][0]["cluster"] == {
        "server": "https://api.example",
        "certificate-authority-data": "Q0E=",
    }
    assert kubeconfig["users"][0]["user"]["exec"]["args"][2:4] == ["--cluster-name", "theirs"]
