"""On which nodes the client runs."""

from typing import Any

import pytest

from tests.fakes.bench_cluster import node
from vllm_eks.bench.placement import Placement, place

BESIDE = Placement(
    labels={
        "node.kubernetes.io/instance-type": ("g6e.xlarge",),
        "topology.kubernetes.io/zone": ("us-west-2a", "us-west-2b"),
    },
    beside_the_model=True,
)


def placed(*nodes: dict[str, Any]) -> Placement:
    return place(nodes, instance_type="g6e.xlarge", zones=("us-west-2a", "us-west-2b"))


def test_the_client_runs_on_nodes_without_gpus_that_hold_the_image() -> None:
    found = placed(node("b"), node("a"), node("gpu", disk="95Gi", gpus=True), node("small", disk="18Gi"))

    assert found == Placement(labels={"kubernetes.io/hostname": ("a", "b")}, beside_the_model=False)


def test_quantities_are_read_in_every_unit() -> None:
    assert not placed(node("a", disk="47233297124", memory="7654321Ki")).beside_the_model


@pytest.mark.parametrize(
    "other",
    [
        {"disk": "18Gi"},
        {"memory": "3Gi"},
        {"disk": "unknown"},
        {"arch": "arm64"},
        {"os": "windows"},
        {"ready": "Unknown"},
        {"unschedulable": True},
        {"gpus": True},
        {"taints": [{"key": "team", "value": "a", "effect": "NoSchedule"}]},
    ],
    ids=str,
)
def test_otherwise_it_runs_beside_the_model(other: dict[str, Any]) -> None:
    assert placed(node("a", **other)) == BESIDE


def test_a_taint_that_only_asks_for_other_nodes_does_not_keep_the_client_away() -> None:
    soft = {"key": "team", "value": "a", "effect": "PreferNoSchedule"}
    assert not placed(node("a", taints=[soft])).beside_the_model


def test_without_nodes_it_waits_for_one_of_the_model() -> None:
    assert placed() == BESIDE
