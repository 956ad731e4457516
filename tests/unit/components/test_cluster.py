"""What goes into pulumi-eks's Cluster and what stands beside it. Its own children no mock can show."""

import json
from pathlib import Path

import pulumi
import pytest

from components.cluster.cluster import Cluster, ClusterArgs
from components.network.cluster_subnets import ClusterSubnets
from tests.support.nested import replaced
from vllm_eks.specs.access import ClusterAccess, Deployer
from vllm_eks.specs.cluster import ClusterSpec

ADDONS = {
    "vpc-cni": "v1.23.0-eksbuild.1",
    "kube-proxy": "v1.36.0-eksbuild.14",
    "coredns": "v1.14.3-eksbuild.3",
    "eks-pod-identity-agent": "v1.4.0-eksbuild.1",
    "eks-node-monitoring-agent": "v1.7.0-eksbuild.1",
}
ACCESS = ClusterAccess(cluster_name="vllm-dev", deployer=Deployer(region="us-west-2"))
ARGS = ClusterArgs(
    access=ACCESS,
    cluster=ClusterSpec(
        kubernetes_version="1.36",
        node_release_version="1.36.2-20260714",
        public_access_cidrs=["203.0.113.7/32"],
        system_instance_type="m7i.large",
        addon_versions=ADDONS,
    ),
    subnets=ClusterSubnets(
        vpc_id="vpc-1",
        public=["subnet-pub-a", "subnet-pub-b"],
        private=["subnet-a", "subnet-b", "subnet-c"],
        of_system_nodes=["subnet-a", "subnet-b"],
    ),
    tags={"team": "serving"},
    template_tags={"vllm-eks/stack": "vllm-dev"},
)
CONTROL_PLANE = "eks:index:Cluster"
NODE_GROUP = "aws:eks/nodeGroup:NodeGroup"
PROVIDER = "pulumi:providers:kubernetes"


def build(**changes: object) -> Cluster:
    return Cluster("main", replaced(ARGS, **changes))


def test_exactly_these_resources_hang_under_the_cluster(engine) -> None:
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


def test_the_control_plane_is_asked_for_with_exactly_these_inputs(engine) -> None:
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


def test_each_admin_gets_an_entry_of_its_own_even_with_equal_role_names(engine) -> None:
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


def test_the_log_group_is_made_before_eks_would_make_it(engine) -> None:
    engine.run(build)

    logs = engine.only("aws:cloudwatch/logGroup:LogGroup").inputs
    assert (logs["name"], logs["retentionInDays"]) == ("/aws/eks/vllm-dev/cluster", 90)
    assert "main-logs" in engine.only(CONTROL_PLANE).depends_on


@pytest.mark.parametrize("addon", ["coredns", "eks-pod-identity-agent", "eks-node-monitoring-agent"])
def test_own_addons_are_pinned(engine, addon: str) -> None:
    engine.run(build)

    inputs = dict(engine.named(f"main-{addon}", "aws:eks/addon:Addon").inputs)
    inputs.pop("configurationValues", None)
    assert inputs == {
        "clusterName": "vllm-dev",
        "addonName": addon,
        "addonVersion": ADDONS[addon],
        "resolveConflictsOnCreate": "OVERWRITE",
        "resolveConflictsOnUpdate": "OVERWRITE",
        "tags": {"team": "serving"},
    }


@pytest.mark.parametrize("addon", ["coredns", "eks-node-monitoring-agent"])
def test_addons_that_wait_for_a_node_come_after_the_system_nodes(engine, addon: str) -> None:
    engine.run(build)

    assert {"main-system-nodes", "main-control-plane"} <= engine.named(
        f"main-{addon}", "aws:eks/addon:Addon"
    ).depends_on


def test_the_pod_identity_agent_does_not_wait_for_nodes(engine) -> None:
    engine.run(build)

    agent = engine.named("main-eks-pod-identity-agent", "aws:eks/addon:Addon")
    assert "main-control-plane" in agent.depends_on
    assert "main-system-nodes" not in agent.depends_on


def test_system_nodes_lie_in_the_two_subnets_given_and_use_the_cluster_s_own_settings(engine) -> None:
    engine.run(build)

    nodes = engine.only(NODE_GROUP).inputs
    assert nodes["subnetIds"] == ["subnet-a", "subnet-b"]
    assert nodes["instanceTypes"] == ["m7i.large"]
    assert (nodes["clusterName"], nodes["version"], nodes["releaseVersion"]) == ("vllm-dev", "1.36", "1.36.2-20260714")
    assert nodes["tags"] == {"team": "serving", "Name": "main-system"}


def test_system_nodes_are_gone_before_what_they_need_to_leave_cleanly(engine) -> None:
    engine.run(build)

    needed = {
        "main-control-plane",
        "main-eks-pod-identity-agent",
        "main-node-AmazonEKSWorkerNodePolicy",
        "main-node-AmazonEC2ContainerRegistryPullOnly",
        "main-cni-association",
    }
    assert needed <= engine.only(NODE_GROUP).depends_on
    assert {"main-control-plane", "main-eks-pod-identity-agent"} <= engine.only(
        "vllm-eks:index:SystemNodeGroup"
    ).depends_on


def test_whoever_uses_the_node_role_waits_for_its_policies_and_the_pod_identity_agent(engine) -> None:
    def program() -> None:
        pulumi.CustomResource("test:index:User", "user", {"role": build().node_role_arn})

    engine.run(program)

    assert {
        "main-node-AmazonEKSWorkerNodePolicy",
        "main-node-AmazonEC2ContainerRegistryPullOnly",
        "main-cni-association",
        "main-eks-pod-identity-agent",
    } <= engine.only("test:index:User").depends_on


def test_the_kubernetes_provider_uses_a_secret_kubeconfig_and_a_fixed_identity(engine) -> None:
    engine.run(lambda: build(access=replaced(ACCESS, profile="gpu", role_arn="arn:aws:iam::1:role/deploy")))

    provider = engine.only(PROVIDER)
    user = json.loads(provider.inputs["kubeconfig"])["users"][0]["user"]["exec"]
    assert provider.secret_paths == {"kubeconfig"}
    assert provider.inputs["clusterIdentifier"] == "us-west-2/vllm-dev"
    assert provider.inputs["enableSecretMutable"] == "true", "or a changed key makes another Secret, and pods restart"
    assert "main-control-plane" in provider.depends_on
    assert user["env"] == [{"name": "AWS_PROFILE", "value": "gpu"}]
    assert user["args"][-2:] == ["--role-arn", "arn:aws:iam::1:role/deploy"]


def test_a_kubeconfig_of_the_user_s_own_is_given_by_its_whole_path(
    engine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    engine.run(lambda: build(access=replaced(ACCESS, kubeconfig_path="tunnel.yaml")))

    assert engine.only(PROVIDER).inputs["kubeconfig"] == str(tmp_path / "tunnel.yaml")
    assert engine.only(PROVIDER).inputs["clusterIdentifier"] == "us-west-2/vllm-dev"


def test_it_gives_out_what_gpu_nodes_need_and_keeps_the_kubeconfig_secret(engine) -> None:
    seen: list[object] = []

    async def program() -> None:
        cluster = build()
        seen.extend([await cluster.cluster_name.future(), await cluster.node_security_group_id.future()])
        seen.append(await cluster.kubeconfig.is_secret())

    engine.run(program)
    assert seen == ["vllm-dev", "vllm-dev-security-group-id", True]


def test_deletion_protection_and_kept_logs_are_there_for_who_wants_them(start_engine) -> None:
    plain, kept = start_engine(), None
    plain.run(build)
    kept = start_engine()
    kept.run(lambda: build(deletion_protection=True, keep_logs=True))

    assert [one.only(CONTROL_PLANE).inputs["deletionProtection"] for one in (plain, kept)] == [False, True]
    assert [one.only(CONTROL_PLANE).request.protect for one in (plain, kept)] == [False, True], "and all inside"
    logs = [one.only("aws:cloudwatch/logGroup:LogGroup").request.retainOnDelete for one in (plain, kept)]
    assert logs == [False, True]
