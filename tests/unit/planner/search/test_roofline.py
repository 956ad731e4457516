"""The bound on tokens per second: what memory and links allow, and no more."""

from dataclasses import replace

import pytest

from tests.support.plans import LLAMA_8B, LLAMA_70B, QWEN_235B, SCOUT, planned
from vllm_eks.planner.models.known_models import find_model
from vllm_eks.planner.search.plan import Plan
from vllm_eks.planner.search.roofline import roofline, usd_per_million_tokens, weights_read_share


def bound(plan: Plan, **changes: object):
    assert plan.layout is not None
    instance = replace(plan.instance, **changes)
    return roofline(plan.model, instance, plan.layout, plan.options, concurrency=plan.max_concurrency)


def test_a_step_reads_the_weights_and_every_running_request_s_cache_once() -> None:
    plan = planned(LLAMA_8B, "g5.xlarge", max_num_seqs=2)
    stage = plan.layout.tightest  # pyright: ignore[reportOptionalMemberAccess]
    read = stage.weights.size_bytes + 2 * 512 * 16 * 131072
    found = bound(plan)
    assert found is not None
    assert found.running_requests == 2
    assert found.tokens_per_second == pytest.approx(2 * 600e9 / read)


def test_never_more_requests_than_the_cache_holds() -> None:
    plan = planned(LLAMA_8B, "g5.xlarge")
    found = bound(plan)
    assert found is not None
    assert found.running_requests == int(plan.max_concurrency)


def test_a_slow_link_limits_gpus_that_share_layers() -> None:
    plan = planned(LLAMA_70B, "g6e.48xlarge")
    fast, slow = bound(plan), bound(plan, gpu_interconnect_gbytes_per_second=0.1)
    assert fast is not None
    assert slow is not None
    running, layers = slow.running_requests, 80
    seconds = 2 * layers * 2 * running * 8192 * 2 * 7 / 8 / 0.1e9
    assert slow.tokens_per_second == pytest.approx(running / seconds)
    assert slow.tokens_per_second < fast.tokens_per_second


def test_the_slowest_stage_sets_the_pace() -> None:
    plan = planned(SCOUT)
    found = bound(plan)
    assert plan.layout is not None
    assert found is not None
    running = found.running_requests
    blocks = running * plan.layout.cache.blocks_per_request(8192, plan.options)
    steps = [
        (
            stage.weights.size_bytes * weights_read_share(plan.model, running)
            + blocks * plan.layout.cache.block_bytes(stage.layer_range)
        )
        / 600e9
        for stage in plan.layout.stages
    ]
    assert len(steps) == 2
    assert found.tokens_per_second == pytest.approx(running / max(steps))


def test_experts_that_no_request_selects_are_not_read() -> None:
    model = find_model(QWEN_235B)
    assert weights_read_share(find_model(LLAMA_8B), 1) == 1.0
    one, many = weights_read_share(model, 1), weights_read_share(model, 10_000)
    assert one == pytest.approx(1 - 0.967 * (1 - 8 / 128), abs=0.005)
    assert many == pytest.approx(1.0)


@pytest.mark.parametrize("plan", [planned(LLAMA_8B, "g5.xlarge")])
def test_without_a_bandwidth_there_is_no_estimate_and_no_price(plan: Plan) -> None:
    assert bound(plan, gpu_memory_bandwidth_gbytes_per_second=None) is None
    unknown = replace(plan, instance=replace(plan.instance, gpu_memory_bandwidth_gbytes_per_second=None))
    assert (unknown.roofline, unknown.usd_per_million_tokens) == (None, None)


def test_a_million_tokens_cost_the_hourly_price_over_the_rate() -> None:
    assert usd_per_million_tokens(3.6, 1000) == pytest.approx(1.0)
    plan = planned(LLAMA_8B, "g5.48xlarge", tensor_parallel_size=2, replicas=4)
    assert plan.roofline is not None
    assert plan.usd_per_million_tokens == pytest.approx(16.288 / 3.6e3 / (4 * plan.roofline.tokens_per_second) * 1e6)
