"""The nodes of a model: their number in each zone, their capacity type, and its risks."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checks.plans import capacity_warnings, plan_check
from components.stack_outputs import plan_sizes
from tests.support.plans import QWEN_8B, SCOUT, planned
from vllm_eks.errors import WrongQuestion
from vllm_eks.planner.search.gpu_nodes import GpuNodes

ID = "cr-0123456789abcdef0"


def nodes(model: str = SCOUT, *, zones: str = "a", replicas: int = 1, tp: int | None = None, **how: Any) -> GpuNodes:
    plan = planned(model, replicas=replicas, zones=len(zones), tensor_parallel_size=tp)
    return GpuNodes(plan=plan, zones=tuple(f"us-west-2{letter}" for letter in zones), **how)


def test_each_zone_has_an_equal_part_of_the_nodes() -> None:
    found = nodes(zones="ab", replicas=4)
    assert (found.per_zone, found.total) == (4, 8)
    assert found.usd_per_hour == pytest.approx(8 * 16.288)


def test_replicas_share_a_node_only_inside_their_zone() -> None:
    together = nodes(QWEN_8B, replicas=2, tp=4)
    apart = nodes(QWEN_8B, zones="ab", replicas=2, tp=4)
    assert (together.total, apart.total) == (1, 2)
    assert apart.plan.idle_gpus == 8
    assert apart.plan.in_one_zone.replicas == 1
    assert apart.plan.in_one_zone.total_nodes == apart.per_zone == 1


@given(
    zones=st.integers(1, 4),
    share=st.integers(1, 6),
    tp=st.sampled_from([1, 2, 4, 8]),
)
def test_a_zone_never_has_fewer_nodes_than_its_share_needs(zones: int, share: int, tp: int) -> None:
    spread = planned(QWEN_8B, replicas=zones * share, zones=zones, tensor_parallel_size=tp)
    alone = planned(QWEN_8B, replicas=share, tensor_parallel_size=tp)
    assert spread.total_nodes == zones * alone.total_nodes
    assert spread.nodes_per_zone * 8 >= share * tp
    assert spread.idle_gpus == zones * alone.idle_gpus


def test_replicas_that_cannot_be_spread_evenly_are_an_error() -> None:
    with pytest.raises(WrongQuestion, match="replicas 3 cannot be spread evenly over 2 zones"):
        planned(QWEN_8B, replicas=3, zones=2)


def test_a_parked_model_has_no_nodes_and_no_cost_and_keeps_its_plan() -> None:
    found = nodes(parked=True)
    assert (found.per_zone, found.total, found.running_replicas, found.usd_per_hour) == (0, 0, 0, 0.0)
    assert found.plan.total_nodes == 2
    assert plan_sizes(found) == {**plan_sizes(nodes()), "nodes": 0, "replicas": 0, "parked": True, "usdPerHour": 0.0}
    assert plan_check("scout", found).text.endswith("; parked, so no node runs")


def test_only_the_groups_beyond_the_home_zone_have_a_zone_in_their_name() -> None:
    assert nodes().group_names("vllm-eks-dev", "scout") == [("us-west-2a", "vllm-eks-dev-scout")]
    assert nodes(zones="ba", replicas=2).group_names("vllm-eks-dev", "scout") == [
        ("us-west-2b", "vllm-eks-dev-scout"),
        ("us-west-2a", "vllm-eks-dev-scout-us-west-2a"),
    ]


@pytest.mark.parametrize(
    ("how", "kind"),
    [
        ({}, "one placement group"),
        ({"capacity_type": "spot"}, "spot, one placement group"),
        ({"capacity_reservation_id": ID}, f"reservation {ID}, placement group none"),
        ({"capacity_reservation_id": ID, "placement_group": "ours"}, f"reservation {ID}, placement group ours"),
        ({"capacity_reservation_id": ID, "capacity_type": "capacityBlock"}, f"Capacity Block {ID}"),
    ],
)
def test_the_topology_shows_the_capacity_type_of_the_nodes(how: dict[str, Any], kind: str) -> None:
    assert nodes(**how).kind == kind


def test_spot_gets_a_warning_and_a_stronger_one_if_a_replica_has_several_nodes() -> None:
    (several,) = capacity_warnings("scout", nodes(capacity_type="spot"))
    assert (several.subject, several.status) == ("models.scout.capacityType", "warning")
    assert several.text.startswith(
        "spot: EC2 may reclaim any of a replica's 2 nodes with two minutes' notice, and the whole replica starts again"
    )
    (one,) = capacity_warnings("qwen3", nodes(QWEN_8B, capacity_type="spot"))
    assert one.text.startswith("spot: EC2 may reclaim its node")
    assert list(capacity_warnings("scout", nodes())) == []


def test_stages_without_a_placement_group_get_a_warning() -> None:
    (warning,) = capacity_warnings("scout", nodes(capacity_reservation_id=ID))
    assert warning.subject == "models.scout.placementGroup"
    assert warning.text == (
        "none, because the reservation has none: the 2 nodes of a replica may be far apart, and every token crosses "
        "between them"
    )
    for close in (
        nodes(capacity_reservation_id=ID, placement_group="ours"),
        nodes(capacity_reservation_id=ID, capacity_type="capacityBlock"),
        nodes(QWEN_8B, capacity_reservation_id=ID),
    ):
        assert list(capacity_warnings("scout", close)) == []
