"""Destroy leaves nothing behind: for each known hazard, the dependency that keeps the order, in both shipped stacks.

The hazards are those of terraform-aws-eks, eksctl and pulumi-eks: resources that hang or remain when two are deleted in
the wrong order. This proves the order of the engine, but not how AWS responds.
"""

from collections.abc import Callable

import pytest

from tests.support.chart_rendering import Rendered, model_values, render_text, tool
from tests.support.resource_graph import Graph
from vllm_eks.pins.charts import LEADER_WORKER_SET
from vllm_eks.preview.recording import Recording

SYSTEM_NODES, GPU_NODES = "NodeGroup system-nodes", "NodeGroup llama-4-scout-nodes"
EVERY_NODE_GROUP = (SYSTEM_NODES, GPU_NODES)
MODEL = "Release llama-4-scout-release"
IN_THE_CLUSTER = (MODEL, "Namespace llama-4-scout-namespace", "Secret llama-4-scout-api-key", "Release lws")
CONTROL_PLANE = "Cluster control-plane"
"""pulumi-eks's component, which contains the EKS cluster, vpc-cni, kube-proxy and the access entries."""

BEFORE = {
    "what a custom resource's controller must still finish is gone before the controller": [
        (MODEL, "Release lws"),
        (MODEL, "Release nvidia-device-plugin"),
    ],
    "a controller is gone before the nodes it runs on, and so is its namespace": [
        ("Release lws", SYSTEM_NODES),
        ("Namespace lws-namespace", SYSTEM_NODES),
        (MODEL, SYSTEM_NODES),
    ],
    "pods are gone before their nodes, so that no drain waits for them": [
        (MODEL, GPU_NODES),
        ("Namespace llama-4-scout-namespace", GPU_NODES),
    ],
    "nodes are gone before the CNI that gives their network interfaces back": [
        *((nodes, CONTROL_PLANE) for nodes in EVERY_NODE_GROUP),
        *((nodes, "PodIdentityAssociation cni-association") for nodes in EVERY_NODE_GROUP),
        *((nodes, "RolePolicyAttachment cni-AmazonEKS_CNI_Policy") for nodes in EVERY_NODE_GROUP),
        *((nodes, "Addon eks-pod-identity-agent") for nodes in EVERY_NODE_GROUP),
    ],
    "nodes are gone before their role loses a policy": [
        (nodes, f"RolePolicyAttachment node-{policy}")
        for nodes in EVERY_NODE_GROUP
        for policy in ("AmazonEKSWorkerNodePolicy", "AmazonEC2ContainerRegistryPullOnly")
    ],
    "nodes and the control plane are gone before the ways out of their subnets": [
        (one, other)
        for one in (*EVERY_NODE_GROUP, CONTROL_PLANE)
        for other in (
            "NatGateway nat-us-west-2a",
            "Route private-us-west-2a-nat",
            "RouteTableAssociation private-us-west-2a",
            "Route public-internet",
            "VpcEndpoint s3",
            "InternetGateway internet-gateway",
        )
    ],
    "everything in the cluster is gone while the caller still has access to it": [
        (one, CONTROL_PLANE) for one in IN_THE_CLUSTER
    ],
    "CoreDNS is gone before the nodes it runs on": [("Addon coredns", SYSTEM_NODES)],
    "the control plane is gone before its log group and its key, or EKS creates the first again": [
        (CONTROL_PLANE, "LogGroup prod-logs"),
        (CONTROL_PLANE, "Key secrets"),
    ],
    "instances are gone before their placement group": [(GPU_NODES, "PlacementGroup placement")],
    "an address is given back before the gateway it is reached by": [
        ("Eip nat-us-west-2a", "InternetGateway internet-gateway"),
        ("NatGateway nat-us-west-2a", "Eip nat-us-west-2a"),
    ],
    "nothing is left in the VPC when it goes": [
        (one, "Vpc vpc") for one in (CONTROL_PLANE, *EVERY_NODE_GROUP, "FlowLog flow-logs-vpc", "VpcEndpoint s3")
    ],
}


@pytest.fixture(scope="module")
def graphs(recorded_stack: Callable[[str], Recording]) -> dict[str, tuple[Recording, Graph]]:
    recordings = {stack: recorded_stack(stack) for stack in ("dev", "prod")}
    return {stack: (recording, Graph(recording)) for stack, recording in recordings.items()}


@pytest.mark.parametrize("hazard", BEFORE)
@pytest.mark.parametrize("stack", ["dev", "prod"])
def test_the_dependency_against_a_hazard_exists(
    graphs: dict[str, tuple[Recording, Graph]], stack: str, hazard: str
) -> None:
    _, graph = graphs[stack]
    if (stack, hazard) == ("dev", "instances are gone before their placement group"):
        pytest.skip("a replica of one node has no placement group")
    for first, second in BEFORE[hazard]:
        second = second.replace("prod", stack)
        assert graph.goes_before(first, second), f"{first} must go before {second}"
        assert not graph.goes_before(second, first)


def test_gpu_capacity_holds_up_nothing_but_its_own_model(graphs: dict[str, tuple[Recording, Graph]]) -> None:
    recording, graph = graphs["prod"]
    held = {
        one.name
        for one in recording.registrations
        if one.is_custom and graph.goes_before(f"{one.type.rpartition(':')[2]} {one.name}", GPU_NODES)
    }
    assert held == {
        "llama-4-scout-namespace",
        "llama-4-scout-api-key",
        "llama-4-scout-made-api-key",
        "llama-4-scout-hugging-face-token",
        "llama-4-scout-release",
    }


@pytest.mark.skipif(tool("helm") is None, reason="helm is neither on PATH nor in $KUBE_LAB/bin")
def test_the_chart_makes_no_load_balancer_and_no_volume_that_would_outlive_the_cluster() -> None:
    objects = Rendered(render_text(model_values())).objects
    kinds = {found["kind"] for found in objects}
    assert not kinds & {"Ingress", "Gateway", "StatefulSet", "APIService"}
    # The only claim is for a folder on the nodes, which is neither provisioned nor released.
    claims = [found for found in objects if found["kind"] == "PersistentVolumeClaim"]
    assert [(claim["spec"]["storageClassName"], claim["spec"]["volumeName"]) for claim in claims] == [
        ("", found["metadata"]["name"]) for found in objects if found["kind"] == "PersistentVolume"
    ]
    assert {found["spec"]["type"] for found in objects if found["kind"] == "Service"} == {"ClusterIP"}


def test_leader_worker_set_is_past_the_upgrade_that_deletes_every_one_of_its_kind() -> None:
    major, minor, _ = str(LEADER_WORKER_SET.version).split(".")
    assert (int(major), int(minor)) >= (0, 8)


def test_only_logs_to_keep_remain(graphs: dict[str, tuple[Recording, Graph]]) -> None:
    for recording, _ in graphs.values():
        kept = [one.name for one in recording.registrations if one.request.retainOnDelete or one.request.protect]
        assert kept == []
