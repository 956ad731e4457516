import sys
from collections.abc import Callable
from typing import Any

import pytest
from asking import LLAMA_8B, LLAMA_70B, MIXTRAL, QWEN_8B, QWEN_235B, SCOUT, SCOUT_W4A16, codes, planned

from planner import stages
from planner.faults import WrongQuestion
from planner.models import find_model
from planner.options import ServingOptions
from planner.search import attempt
from planner.suggest import compare
from planner.units import gib


def test_the_guide_s_first_stack_quantized_scout_fits_one_node() -> None:
    plan = planned(SCOUT_W4A16, max_model_len=16384)
    assert plan.fits
    assert plan.layout is not None
    assert (plan.layout.label, plan.total_nodes, plan.usd_per_hour) == ("TP=8 PP=1", 1, 16.288)


def test_the_guide_s_second_stack_full_scout_takes_two_nodes() -> None:
    plan = planned(SCOUT, max_model_len=16384, limit_mm_per_prompt={"image": 1})
    assert plan.fits
    assert plan.layout is not None
    assert (plan.layout.label, plan.total_nodes, plan.usd_per_hour) == ("TP=8 PP=2", 2, 32.576)
    assert plan.kv_cache_tokens == 358_168
    assert plan.kv_cache_tokens_range == (114_190, 480_566)
    assert plan.max_concurrency == 21.86
    assert plan.options.max_num_seqs == 128, "256 would take a third node"
    assert plan.largest_context_tokens == 334_256, "three layers of four keep 8,192 tokens and two batches at most"


@pytest.mark.parametrize(
    ("model", "label", "nodes", "weights_gib"),
    [(LLAMA_8B, "TP=8 PP=1", 1, 1.87), (LLAMA_70B, "TP=8 PP=1", 1, 16.43), (SCOUT, "TP=8 PP=2", 2, 12.75),
     (QWEN_235B, "TP=8 PP=4", 4, 14.24), (MIXTRAL, "TP=8 PP=1", 1, 10.88), (QWEN_8B, "TP=8 PP=1", 1, 1.91)],
)  # fmt: skip
def test_models_on_the_same_instance_type(model: str, label: str, nodes: int, weights_gib: float) -> None:
    plan = planned(model)
    assert plan.fits
    assert plan.layout is not None
    assert (plan.layout.label, plan.total_nodes) == (label, nodes)
    assert gib(plan.layout.tightest.weights.size_bytes) == pytest.approx(weights_gib, abs=0.01)


def test_full_scout_on_one_node_is_refused_with_what_it_needs_has_and_what_would_fit() -> None:
    plan = planned(SCOUT, pipeline_parallel_size=1)
    assert [(r.code, r.message) for r in plan.refusals] == [
        (
            "weights_do_not_fit",
            "TP=8 PP=1: stage 1 of 1 needs 27.80 GiB weights and tables + 0.42 activations + 0.79 overhead "
            "= 29.01 of 20.22 GiB a GPU (even with --max-num-seqs 32)",
        )
    ]
    assert plan.suggestions == (
        "--pipeline-parallel-size 2: 2 x g5.48xlarge ($32.58/h)",
        "the cheapest that fits: TP=1 PP=3 on 3 x g7e.2xlarge ($10.09/h)",
    )


@pytest.mark.parametrize(
    ("tp", "code"), [(7, "heads_not_divisible"), (3, "heads_not_divisible"), (16, "not_enough_gpus")]
)
def test_an_impossible_tensor_parallel_size_is_refused_and_a_legal_one_offered(tp: int, code: str) -> None:
    plan = planned(LLAMA_8B, tensor_parallel_size=tp)
    assert codes(plan)[0] == code
    assert plan.suggestions[0] == "TP=8 PP=1 on 1 x g5.48xlarge ($16.29/h)"


def test_a_refusal_lists_every_layout_tried_with_its_numbers() -> None:
    plan = planned(QWEN_235B, "g6.16xlarge")
    assert [r.message.split(":")[0] for r in plan.refusals] == [f"TP=1 PP={pp}" for pp in range(1, 17)]
    assert all("GiB" in r.message for r in plan.refusals)


def test_a_context_that_memory_does_not_hold_says_how_far_it_could_go() -> None:
    kept = {"pipeline_parallel_size": 1}
    plan = planned(LLAMA_70B, "g6e.12xlarge", max_model_len=131072, **kept)
    assert [(r.code, r.message) for r in plan.refusals] == [
        (
            "kv_cache_too_small",
            "TP=4 PP=1: stage 1 of 1 has 6.56 GiB of KV cache left, 5.30 on the cautious side (32.89 GiB weights and "
            "tables + 0.40 activations + 0.91 overhead = 34.20 of 40.77 GiB a GPU): 69,488 of the 131,072 tokens of "
            "one request (even with --max-num-seqs 32)",
        )
    ]
    assert plan.suggestions[0] == "--max-model-len 69488 fits this layout"
    assert planned(LLAMA_70B, "g6e.12xlarge", max_model_len=69488, **kept).fits
    assert not planned(LLAMA_70B, "g6e.12xlarge", max_model_len=69489, **kept).fits


def test_a_context_above_the_model_s_own_limit_is_refused_as_such() -> None:
    plan = planned(LLAMA_8B, max_model_len=9000)
    assert [(r.code, r.message) for r in plan.refusals] == [
        ("context_too_long", "max model len 9,000 is above the model's own limit of 8,192 tokens")
    ]
    assert plan.suggestions[0] == "--max-model-len 8192 or less"


def test_replicated_kv_heads_are_pointed_out() -> None:
    assert planned(QWEN_235B).notes[0].startswith("4 KV heads are replicated over TP=8")


@pytest.mark.parametrize(("replicas", "tp", "nodes"), [(1, 8, 1), (3, 8, 3), (4, 2, 1), (5, 2, 2)])
def test_replicas_of_one_stage_share_a_node_as_its_gpus_allow(replicas: int, tp: int, nodes: int) -> None:
    assert planned(QWEN_8B, replicas=replicas, tensor_parallel_size=tp).total_nodes == nodes


def test_replicas_over_several_nodes_never_share_one() -> None:
    plan = planned(LLAMA_70B, tensor_parallel_size=4, pipeline_parallel_size=4, replicas=2)
    assert plan.fits
    assert (plan.nodes_per_replica, plan.total_nodes) == (4, 8)


def test_local_disks_must_hold_what_every_node_downloads() -> None:
    plan = planned(SCOUT, "g6.xlarge")
    assert plan.refusals[0].code == "host_too_small"
    assert plan.refusals[0].message == (
        "each node downloads 217 GB of weights and unpacks the image: 263 GB do not fit the 250 GB of local NVMe "
        "of g6.xlarge"
    )


def test_cuda_graphs_outside_the_budget_need_memory_beside_it() -> None:
    wishes = {"vllm_version": "0.19.1", "gpu_memory_utilization": 0.99, "pipeline_parallel_size": 1}
    plan = planned(QWEN_8B, "g5.xlarge", max_num_seqs=256, **wishes)
    assert codes(plan)[0] == "weights_do_not_fit"
    assert "captures up to 1.06 GiB of CUDA graphs outside the budget" in plan.refusals[0].message


def test_before_the_native_start_a_replica_stays_on_one_node() -> None:
    plan = planned(SCOUT, vllm_version="0.10.2")
    assert [r.message.split(":")[0] for r in plan.refusals] == ["TP=8 PP=1"]


@pytest.mark.parametrize(
    ("wishes", "message"),
    [
        ({"vllm_version": "0.7.3"}, "vLLM 0.7.3 is outside what the planner has read: 0.8 to 0.33"),
        ({"vllm_version": "latest"}, "vLLM version 'latest' is not of the form \"0.21.0\""),
        ({"gpu_memory_utilization": 0}, "gpu memory utilization 0 must be above 0 and at most 1"),
        ({"tensor_parallel_size": 0, "replicas": 0},
         "tensor parallel size 0 must be 1 or more; replicas 0 must be 1 or more"),
        ({"max_num_seqs": 4096},
         "max num seqs 4096 is more than max num batched tokens 2048: vLLM refuses that; raise the second"),
        ({"kv_cache_dtype": "int4"},
         "kv cache dtype 'int4' is not one of auto, bfloat16, float16, fp8, fp8_e4m3, fp8_e5m2"),
    ],
)  # fmt: skip
def test_a_wrong_question_is_no_refusal(wishes: dict[str, Any], message: str) -> None:
    with pytest.raises(WrongQuestion) as caught:
        planned(LLAMA_8B, **wishes)
    assert str(caught.value) == message


def test_a_comparison_has_every_type_those_that_fit_first_the_cheapest_first() -> None:
    plans = compare(find_model(SCOUT), ServingOptions())
    fitting = [p for p in plans if p.fits]
    assert len(plans) == 58
    assert plans[: len(fitting)] == fitting
    prices = [float("inf") if p.usd_per_hour is None else p.usd_per_hour for p in fitting]
    assert prices == sorted(prices)
    assert {p.instance.type: p.total_nodes for p in fitting}["g7e.24xlarge"] == 1


@pytest.mark.parametrize("model", [SCOUT, LLAMA_8B, QWEN_235B, "Qwen/Qwen3.5-397B-A17B", "google/gemma-3-27b-it"])
def test_the_cheapest_that_is_suggested_is_the_first_of_the_comparison(model: str) -> None:
    refused = planned(model, "g4dn.xlarge", max_model_len=8192, tensor_parallel_size=2)
    first = compare(find_model(model), ServingOptions(max_model_len=8192))[0]
    assert first.layout is not None
    machines = f"{first.total_nodes} x {first.instance.type} (${first.usd_per_hour:.2f}/h)"
    assert f"the cheapest that fits: {first.layout.label} on {machines}" in refused.suggestions


def test_the_same_question_has_the_same_answer() -> None:
    first, second = planned(SCOUT), planned(SCOUT)
    assert (first.layout, first.refusals, first.notes) == (second.layout, second.refusals, second.notes)


def test_an_attempt_never_offers_more_than_was_asked() -> None:
    plan = attempt(find_model(QWEN_8B), planned(QWEN_8B).instance, ServingOptions(pipeline_parallel_size=2))
    assert plan.layout is not None
    assert plan.layout.pipeline_parallel_size == 2


def test_the_margin_is_what_the_cautious_side_keeps_beyond_one_request() -> None:
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
            "451 replicas take 451 nodes in one zone, and an EKS managed node group holds 450 at most: lower "
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
