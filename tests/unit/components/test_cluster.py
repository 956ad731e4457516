"""The inputs of pulumi-eks's Cluster and the resources next to it. Mocks cannot show its own children."""

import pulumi

from components.cluster.cluster import Cluster
from tests.support.clusters import ACCESS, ARGS, CONTROL_PLANE, build
from tests.support.nested import replaced


def test_the_cluster_has_exactly_these_children(engine) -> None:
    engine.run(build)

    assert engine.children() == {
        "vllm-eks-test": {"Cluster main"},
        "main": {
            "Key main-secrets",
            "Alias main-secrets",
            "LogGroup main-logs",
            "Cluster main-control-plane",
            "NodeRole main-node",
            "CniRole main-cni",
            "SystemNodeGroup main-system",
            "Addon main-eks-pod-identity-agent",
            "Addon main-coredns",
            "Addon main-eks-node-monitoring-agent",
            "kubernetes main-kubernetes",
        },
        "main-node": {
            "Role main-node-role",
            "RolePolicyAttachment main-node-AmazonEKSWorkerNodePolicy",
            "RolePolicyAttachment main-node-AmazonEC2ContainerRegistryPullOnly",
        },
        "main-cni": {
            "Role main-cni-role",
            "RolePolicyAttachment main-cni-AmazonEKS_CNI_Policy",
            "PodIdentityAssociation main-cni-association",
        },
        "main-system": {"LaunchTemplate main-system-template", "NodeGroup main-system-nodes"},
    }


def test_children_stay_inside_when_the_cluster_is_nested(engine) -> None:
    class Outer(pulumi.ComponentResource):
        def __init__(self) -> None:
            super().__init__("test:index:Outer", "outer")
            Cluster("main", ARGS, opts=pulumi.ResourceOptions(parent=self))

    engine.run(Outer)

    assert set(engine.children()) == {"vllm-eks-test", "outer", "main", "main-node", "main-cni", "main-system"}
    assert engine.children()["outer"] == {"Cluster main"}


def test_the_control_plane_has_exactly_these_inputs(engine) -> None:
    engine.run(build)

    # The SDK's own defaults.
    overwrite = {"resolveConflictsOnCreate": "OVERWRITE", "resolveConflictsOnUpdate": "OVERWRITE"}
    assert engine.only(CONTROL_PLANE).inputs == {
        "name": "vllm-dev",
        "version": "1.36",
        "upgradePolicy": {"supportType": "STANDARD"},
        "vpcId": "vpc-1",
        "publicSubnetIds": ["subnet-pub-a", "subnet-pub-b"],
        "privateSubnetIds": ["subnet-a", "subnet-b", "subnet-c"],
        "authenticationMode": "API",
        "accessEntries": {},
        "endpointPrivateAccess": True,
        "endpointPublicAccess": True,
        "publicAccessCidrs": ["203.0.113.7/32"],
        "encryptionConfigKeyArn": "arn:aws:offline:::main-secrets",
        "deletionProtection": False,
        "enabledClusterLogTypes": ["api", "audit", "authenticator", "controllerManager", "scheduler"],
        "bootstrapSelfManagedAddons": False,
        "vpcCniOptions": {"addonVersion": "v1.23.0-eksbuild.1", "enableNetworkPolicy": True, **overwrite},
        "kubeProxyAddonOptions": {"version": "v1.36.0-eksbuild.14", **overwrite},
        "corednsAddonOptions": {"enabled": False, **overwrite},
        "skipDefaultNodeGroup": True,
        "skipDefaultSecurityGroups": True,
        "tags": {"team": "serving"},
    }


def test_without_public_ranges_the_api_server_is_private(engine) -> None:
    engine.run(lambda: build(public_access_cidrs=[]))

    inputs = engine.only(CONTROL_PLANE).inputs
    assert inputs["endpointPrivateAccess"] is True
    assert inputs["endpointPublicAccess"] is False
    assert "publicAccessCidrs" not in inputs


def test_each_admin_gets_its_own_entry_even_with_equal_role_names(engine) -> None:
    arns = [f"arn:aws-us-gov:iam::{account}:role/platform/Admin" for account in ("111111111111", "222222222222")]
    engine.run(lambda: build(admins=arns, access=replaced(ACCESS, region="us-gov-west-1")))

    entries = engine.only(CONTROL_PLANE).inputs["accessEntries"]
    assert sorted(entry["principalArn"] for entry in entries.values()) == arns
    assert all(name.startswith("Admin-") and "::" not in name for name in entries)
    for entry in entries.values():
        assert entry["accessPolicies"]["admin"] == {
            "policyArn": "arn:aws-us-gov:eks::aws:cluster-access-policy/AmazonEKSClusterAdminPolicy",
            "accessScope": {"type": "cluster"},
        }


def test_secrets_are_encrypted_with_an_own_key_that_rotates(engine) -> None:
    engine.run(build)
    assert engine.only("aws:kms/key:Key").inputs["enableKeyRotation"] is True
    assert engine.only("aws:kms/alias:Alias").inputs["name"] == "alias/eks/vllm-dev"
    assert "main-secrets" in engine.only(CONTROL_PLANE).depends_on


def test_the_log_group_is_created_before_the_cluster(engine) -> None:
    engine.run(build)

    logs = engine.only("aws:cloudwatch/logGroup:LogGroup").inputs
    assert (logs["name"], logs["retentionInDays"]) == ("/aws/eks/vllm-dev/cluster", 90)
    assert "main-logs" in engine.only(CONTROL_PLANE).depends_on
