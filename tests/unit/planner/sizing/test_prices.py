"""Prices add up: the price of an hour, of a node and of a token say the same."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.planner.sizing.test_choice import CHAT
from vllm_eks.cli.views.size_json import size_json
from vllm_eks.planner.hardware.instances import catalogue
from vllm_eks.planner.load.traffic import Traffic
from vllm_eks.planner.load.workloads import WORKLOADS
from vllm_eks.planner.search.cost import Infrastructure, cost_parts, known_usd, total_usd
from vllm_eks.planner.search.gpu_nodes import ON_DEMAND, SPOT, CapacityType, GpuNodes
from vllm_eks.planner.sizing.candidates import candidates
from vllm_eks.planner.sizing.choice import SizeAnswer
from vllm_eks.planner.sizing.sized import LoadLimit, SizedPlan

REGIONS = ("us-east-1", "us-west-2", "eu-west-1", "ap-southeast-4")
MACHINES = {
    f"{one.plan.instance.type} {one.plan.ranks}": one
    for one in candidates(CHAT.model, CHAT.options, CHAT.traffic, region="us-east-1", family="g6")
}
TYPES, COUNTS = st.sampled_from(sorted(MACHINES)), st.integers(1, 300)


def row_of(machine: str, replicas: int, region: str, load: float, largest: float) -> SizedPlan:
    """A row with these replicas at this load. All its latencies are those of one short replay."""
    one = MACHINES[machine]
    plan = one.sized(replicas)
    instance = catalogue(region)[plan.instance.type]
    traffic = Traffic(lengths=WORKLOADS["chat"].lengths, requests_per_second=load)
    return SizedPlan(
        plan=replace(plan, instance=instance),
        replica=replace(one.replica, traffic=traffic),
        load_per_replica=load / replicas,
        largest_load=largest / replicas,
        at_load=one.replica.alone_seen,
        limit=LoadLimit(broken=None, pressed="kv"),
        group=one.group,
    )


@settings(max_examples=30)
@given(
    machine=TYPES,
    replicas=COUNTS,
    region=st.sampled_from(REGIONS),
    load=st.floats(0.01, 1000.0),
    more=st.floats(1.0, 5.0),
    spot=st.booleans(),
)
def test_the_price_of_a_row_is_that_of_its_nodes_and_of_its_tokens(
    machine: str, replicas: int, region: str, load: float, more: float, spot: bool
) -> None:
    row = row_of(machine, replicas, region, load, load * more)
    answer = SizeAnswer(
        question=replace(CHAT, region=region), rows=(row,), level=CHAT.level, fits_anywhere=True, largest=None
    )
    (shown,) = size_json(answer, spot=spot)["candidates"]
    cost, per_node = shown["cost"], catalogue(region)[row.plan.instance.type].usd_per_hour
    nodes = -(-replicas // row.plan.replicas_per_node)
    tokens_per_request = WORKLOADS["chat"].output_tokens

    assert shown["nodes"] == nodes
    if per_node is None:
        assert (cost["usd_per_hour"], cost["usd_per_million_tokens"]) == (None, None)
        return
    # List prices on demand, also where spot is wanted.
    assert cost["usd_per_hour"] == pytest.approx(nodes * per_node, abs=1e-4)
    for key, requests_per_second in (("", load), ("_when_full", load * more)):
        millions_per_hour = requests_per_second * tokens_per_request * 3600 / 1e6
        assert cost[f"usd_per_million_tokens{key}"] * millions_per_hour == pytest.approx(cost["usd_per_hour"])


@settings(max_examples=30)
@given(
    chosen=st.lists(st.tuples(TYPES, COUNTS, st.sampled_from((ON_DEMAND, SPOT))), min_size=1, max_size=4),
    region=st.sampled_from(REGIONS),
)
def test_the_total_of_a_stack_is_the_sum_of_its_models_and_parts(
    chosen: list[tuple[str, int, CapacityType]], region: str
) -> None:
    rows = [row_of(machine, replicas, region, 1.0, 1.0) for machine, replicas, _ in chosen]
    fleet = {
        f"model-{number}": GpuNodes(plan=row.plan, zones=(f"{region}a",), capacity_type=capacity)
        for number, (row, (_, _, capacity)) in enumerate(zip(rows, chosen, strict=True))
    }
    parts = cost_parts(fleet, Infrastructure(control_planes=1, nat_gateways=2, kms_keys=1), region)
    models = [row.plan.usd_per_hour for row in rows]
    known = [usd for usd in models if usd is not None]
    beside = cost_parts({}, Infrastructure(control_planes=1, nat_gateways=2, kms_keys=1), region)

    assert known_usd(parts) == pytest.approx(sum(known) + known_usd(beside))
    is_known = len(known) == len(models) and total_usd(beside) is not None
    assert total_usd(parts) == (pytest.approx(known_usd(parts)) if is_known else None)
