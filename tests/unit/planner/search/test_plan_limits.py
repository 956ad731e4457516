"""What a plan must hold beside memory, what a comparison says, and what planning costs."""

import sys
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from tests.support.plans import (
    LLAMA_8B,
    QWEN_8B,
    QWEN_235B,
    SCOUT,
    codes,
    planned,
)
from vllm_eks.cli.views.plan_json import plan_json
from vllm_eks.errors import WrongQuestion
from vllm_eks.planner.engine.options import ServingOptions
from vllm_eks.planner.memory import stages
from vllm_eks.planner.models.known_models import find_model
from vllm_eks.planner.search.cheapest import cheapest
from vllm_eks.planner.search.compare import Order, compare, lowest_price, recommended
from vllm_eks.planner.search.layouts import try_layouts
from vllm_eks.planner.search.plan import Plan


def test_local_disks_must_hold_the_download_of_every_node() -> None:
    plan = planned(SCOUT, "g6.xlarge")
    assert plan.refusals[0].code == "host_too_small"
    assert plan.refusals[0].message == (
        "each node needs 263 GB for 217 GB of weights and the unpacked image, and g6.xlarge has 250 GB of local NVMe"
    )


def test_files_in_32_bits_need_no_larger_gpu() -> None:
    usual = find_model(LLAMA_8B)
    wide = replace(
        usual,
        architecture=replace(usual.architecture, dtype="float32"),
        known_weights_bytes=2 * usual.weights_bytes,
        header_parts=None,
    )
    for requested in (ServingOptions(), ServingOptions(tensor_parallel_size=1, max_model_len=4096)):
        found, expected = (cheapest(model, requested, None) for model in (wide, usual))
        assert found
        assert expected
        assert (found.instance.type, found.ranks) == (expected.instance.type, expected.ranks)


def test_cuda_graphs_outside_the_budget_need_memory_outside_it() -> None:
    requested = {"vllm_version": "0.19.1", "gpu_memory_utilization": 0.99, "pipeline_parallel_size": 1}
    plan = planned(QWEN_8B, "g5.xlarge", max_num_seqs=256, **requested)
    assert codes(plan)[0] == "weights_do_not_fit"
    assert "captures up to 0.60 GiB of CUDA graphs outside the budget" in plan.refusals[0].message


def test_before_the_multi_node_start_a_replica_stays_on_one_node() -> None:
    plan = planned(SCOUT, vllm_version="0.10.2")
    assert [r.message.split(":")[0] for r in plan.refusals] == ["TP=8 PP=1"]


def test_every_stage_needs_a_layer_with_a_cache() -> None:
    # Half of its layers are MLPs only.
    plan = planned("nvidia/Nemotron-H-56B-Base-8K", "g6e.24xlarge", pipeline_parallel_size=99)
    assert [(refusal.code, refusal.message) for refusal in plan.refusals] == [
        (
            "pipeline_unsupported",
            "TP=4 PP=99: stage 2 has no layer with a KV cache or a state, and vLLM does not start such a stage: use "
            "fewer stages",
        )
    ]
    assert plan_json(plan)["kv_cache_tokens"] == 0


@pytest.mark.parametrize(
    ("requested", "message"),
    [
        ({"vllm_version": "0.7.3"}, "vLLM 0.7.3 is not supported: use 0.8 to 0.33"),
        ({"vllm_version": "latest"}, "vLLM version 'latest' must look like \"0.21.0\""),
        ({"gpu_memory_utilization": 0}, "--gpu-memory-utilization 0 must be above 0 and at most 1"),
        (
            {"tensor_parallel_size": 0, "replicas": 0},
            "--tensor-parallel-size 0 must be 1 or more; replicas 0 must be 1 or more",
        ),
        (
            {"max_num_seqs": 4096},
            "--max-num-seqs 4096 is more than --max-num-batched-tokens 2048, which vLLM refuses: raise "
            "--max-num-batched-tokens",
        ),
        (
            {"kv_cache_dtype": "int4"},
            "--kv-cache-dtype 'int4' is not one of auto, bfloat16, float16, fp8, fp8_e4m3, fp8_e5m2",
        ),
    ],
)
def test_an_invalid_input_is_not_a_refusal(requested: dict[str, Any], message: str) -> None:
    with pytest.raises(WrongQuestion) as caught:
        planned(LLAMA_8B, **requested)
    assert str(caught.value) == message


def test_a_comparison_has_every_type_and_those_that_fit_first() -> None:
    plans = compare(find_model(SCOUT), ServingOptions())
    fitting = [p for p in plans if p.fits]
    assert len(plans) == 58
    assert plans[: len(fitting)] == fitting
    assert {p.instance.type: p.total_nodes for p in fitting}["g7e.24xlarge"] == 1


def test_the_recommended_order_prefers_sure_fits_then_one_node_then_the_token_price() -> None:
    plans = [p for p in compare(find_model(SCOUT), ServingOptions()) if p.fits]

    def rank(found: Plan) -> tuple[bool, ...]:
        estimated = found.instance.gpu_memory_source == "estimate"
        elsewhere = not found.instance.zone_ids.get("us-east-1")
        return (
            elsewhere,
            found.verdict != "fits",
            found.options.max_model_len < 8192,
            found.nodes_per_replica > 1,
            estimated,
        )

    assert [rank(p) for p in plans] == sorted(rank(p) for p in plans)
    first = [p for p in plans if rank(p) == rank(plans[0])]
    prices = [float("inf") if p.usd_per_million_tokens is None else p.usd_per_million_tokens for p in first]
    assert prices == sorted(prices)
    assert recommended(plans[::-1], ServingOptions()) == plans[0]
    assert len({rank(p) for p in plans}) > 2, "otherwise this proves little"


def test_a_type_that_the_region_does_not_offer_is_never_recommended_before_one_that_it_does() -> None:
    plans = compare(find_model(QWEN_8B), ServingOptions(), region="eu-west-1")
    at_home = compare(find_model(QWEN_8B), ServingOptions())
    assert at_home[0].instance.type == "g6e.xlarge"
    assert "eu-west-1" not in at_home[0].instance.zone_ids
    best = recommended(plans, ServingOptions())
    lowest, suggested = lowest_price(plans), cheapest(find_model(QWEN_8B), ServingOptions(), "eu-west-1")
    for found in (plans[0], best, lowest, suggested):
        assert found
        assert "eu-west-1" in found.instance.zone_ids
    unknown = compare(find_model(QWEN_8B), ServingOptions(), region="cn-north-1")
    assert unknown[0].fits, "of this region no zone is known"


@pytest.mark.parametrize(
    ("order", "value"),
    [
        ("price", lambda found: found.usd_per_hour),
        ("token-price", lambda found: found.usd_per_million_tokens),
        ("throughput", lambda found: -found.throughput.tokens_per_second.best),
    ],
)
def test_a_comparison_is_sorted_as_requested(order: Order, value: Callable[[Plan], float]) -> None:
    plans = [p for p in compare(find_model(SCOUT), ServingOptions(), order=order) if p.fits and p.usd_per_hour]
    assert [value(p) for p in plans] == sorted(value(p) for p in plans)


@pytest.mark.parametrize("model", [SCOUT, LLAMA_8B, QWEN_235B, "Qwen/Qwen3.5-397B-A17B", "google/gemma-3-27b-it"])
def test_the_suggested_type_has_the_lowest_price_of_the_comparison(model: str) -> None:
    refused = planned(model, "g4dn.xlarge", max_model_len=8192, tensor_parallel_size=2)
    lowest = lowest_price(compare(find_model(model), ServingOptions(max_model_len=8192)))
    assert lowest is not None
    assert lowest.layout is not None
    machines = f"{lowest.total_nodes} x {lowest.instance.type} (${lowest.usd_per_hour:.2f}/h)"
    assert f"the cheapest that fits: {lowest.layout.label} on {machines}" in refused.suggestions


def test_the_same_input_has_the_same_plan() -> None:
    first, second = planned(SCOUT), planned(SCOUT)
    assert (first.layout, first.refusals, first.notes) == (second.layout, second.refusals, second.notes)


def test_requested_sizes_are_kept() -> None:
    plan = try_layouts(find_model(QWEN_8B), planned(QWEN_8B).instance, ServingOptions(pipeline_parallel_size=2))
    assert plan.layout is not None
    assert plan.layout.pipeline_parallel_size == 2


def test_the_margin_is_the_low_estimate_minus_one_request() -> None:
    plan = planned(LLAMA_8B, "g5.xlarge")
    assert plan.layout is not None
    stage = plan.layout.tightest
    assert plan.margin_bytes == stage.kv_cache.low - 512 * 16 * 131072
    later = planned(LLAMA_8B, "g5.xlarge", vllm_version="0.29.0")
    assert later.layout is not None
    assert later.margin_bytes == later.layout.tightest.kv_cache.low - 513 * 16 * 131072, "one block is reserved"


def test_more_nodes_than_an_eks_node_group_holds_are_refused() -> None:
    held = planned(LLAMA_8B, "g6.xlarge", replicas=450)
    assert held.fits
    plan = planned(LLAMA_8B, "g6.xlarge", replicas=451)
    assert [(refusal.code, refusal.message) for refusal in plan.refusals] == [
        (
            "not_enough_gpus",
            "451 replicas need 451 nodes in one zone, and an EKS managed node group can have 450: lower "
            "--replicas, or spread them over zones",
        )
    ]
    assert planned(LLAMA_8B, "g6.xlarge", replicas=452, zones=2).fits


def calls_of(ask: Callable[[], object]) -> int:
    """Return how many Python functions are called for an answer of which nothing is known yet.

    The same at each run, where time depends on the machine and on what else it does.
    """
    stages._layout.cache_clear()
    called = 0

    def count(frame: object, event: str, argument: object) -> None:
        nonlocal called
        called += event == "call"

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        ask()
    finally:
        sys.setprofile(before)
    return called


def test_a_plan_a_refusal_and_a_comparison_cost_little() -> None:
    hybrid = "Qwen/Qwen3.5-397B-A17B"
    for instance in ("g5.48xlarge", "g6.xlarge"):
        # 23,000 at most when this was written, a fiftieth of a second.
        assert calls_of(lambda instance=instance: planned(hybrid, instance)) < 50_000
    # 152,000 for 58 instance types.
    assert calls_of(lambda: compare(find_model(hybrid), ServingOptions())) < 350_000
