"""A cluster's add-ons, system nodes, Kubernetes provider and outputs."""

import json
from pathlib import Path

import pulumi
import pytest

from tests.support.clusters import ACCESS, ADDONS, CONTROL_PLANE, build
from tests.support.nested import replaced

NODE_GROUP = "aws:eks/nodeGroup:NodeGroup"
PROVIDER = "pulumi:providers:kubernetes"


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


def test_system_nodes_are_in_the_given_subnets_and_use_the_cluster_s_settings(engine) -> None:
    engine.run(build)

    nodes = engine.only(NODE_GROUP).inputs
    assert nodes["subnetIds"] == ["subnet-a", "subnet-b"]
    assert nodes["instanceTypes"] == ["m7i.large"]
    assert (nodes["clusterName"], nodes["version"], nodes["releaseVersion"]) == ("vllm-dev", "1.36", "1.36.2-20260714")
    assert nodes["tags"] == {"team": "serving", "Name": "main-system"}


def test_system_nodes_are_deleted_before_their_dependencies(engine) -> None:
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


def test_users_of_the_node_role_wait_for_its_policies_and_the_pod_identity_agent(engine) -> None:
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


def test_a_user_s_kubeconfig_is_passed_by_its_full_path(
    engine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    engine.run(lambda: build(access=replaced(ACCESS, kubeconfig_path="tunnel.yaml")))

    assert engine.only(PROVIDER).inputs["kubeconfig"] == str(tmp_path / "tunnel.yaml")
    assert engine.only(PROVIDER).inputs["clusterIdentifier"] == "us-west-2/vllm-dev"


def test_the_cluster_outputs_the_inputs_of_gpu_nodes_and_keeps_the_kubeconfig_secret(engine) -> None:
    seen: list[object] = []

    async def program() -> None:
        cluster = build()
        seen.extend([await cluster.cluster_name.future(), await cluster.node_security_group_id.future()])
        seen.append(await cluster.kubeconfig.is_secret())

    engine.run(program)
    assert seen == ["vllm-dev", "vllm-dev-security-group-id", True]


def test_deletion_protection_and_kept_logs_are_optional(start_engine) -> None:
    plain, kept = start_engine(), None
    plain.run(build)
    kept = start_engine()
    kept.run(lambda: build(deletion_protection=True, keep_logs=True))

    assert [one.only(CONTROL_PLANE).inputs["deletionProtection"] for one in (plain, kept)] == [False, True]
    assert [one.only(CONTROL_PLANE).request.protect for one in (plain, kept)] == [False, True], "and all inside"
    logs = [one.only("aws:cloudwatch/logGroup:LogGroup").request.retainOnDelete for one in (plain, kept)]
    assert logs == [False, True]
