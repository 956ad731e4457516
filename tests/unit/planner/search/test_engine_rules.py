"""What vLLM refuses once it knows its KV cache, and how the planner's own defaults keep clear of it."""

from dataclasses import replace

import pytest

from tests.accuracy.spared_nodes import multi_node_plans, spared
from tests.support.plans import LLAMA_8B, LLAMA_70B, QWEN_32B, codes, laid_out, planned
from vllm_eks.planner.engine.options import ServingOptions
from vllm_eks.planner.hardware.instances import catalogue, find_instance
from vllm_eks.planner.models.known_models import find_model
from vllm_eks.planner.search.compare import compare
from vllm_eks.planner.search.layouts import try_layouts

HYBRID = "Qwen/Qwen3.5-27B"
LARGE_HYBRID = "Qwen/Qwen3.5-122B-A10B"


def test_a_hybrid_s_default_number_of_sequences_stays_within_its_state_blocks() -> None:
    plan = planned(HYBRID, "g7e.2xlarge")
    assert plan.fits
    assert plan.options.max_num_seqs == 512 <= laid_out(plan).blocks[0] < 1024
    assert plan.notes[0] == (
        "lowered to fit 1 x g7e.2xlarge ($3.36/h): --max-num-seqs 512 (default 1024); with the defaults the model "
        "needs 2 x "
        "g7e.2xlarge ($6.73/h)"
    )


@pytest.mark.parametrize("version", ["0.20.2", "0.21.0", "0.27.0", "0.33.0"])
def test_more_sequences_than_state_blocks_are_refused_if_requested(version: str) -> None:
    asked = {"max_num_seqs": 1024, "pipeline_parallel_size": 1, "vllm_version": version}
    plan = planned(HYBRID, "g7e.2xlarge", **asked)
    assert codes(plan) == ["engine_refuses"]
    most = laid_out(plan).least_blocks(cautious=False)
    assert plan.refusals[0].message == (
        f"TP=1 PP=1: vLLM {version} refuses more sequences than blocks of linear-attention state: --max-num-seqs is "
        f"1,024 and the likely estimate is {most} blocks; set it to {most} or less, or use --enforce-eager "
        "(even with --max-num-batched-tokens 2048, --max-model-len 2048)"
    )
    assert plan.suggestions[0].startswith("--max-num-seqs 512 (instead of 1024) fits 1 x g7e.2xlarge")
    assert planned(HYBRID, "g7e.2xlarge", **{**asked, "max_num_seqs": 512}).fits
    assert planned(HYBRID, "g7e.2xlarge", **asked, enforce_eager=True).fits, "no CUDA graph is captured"


def test_before_0_20_fewer_graphs_were_captured_instead() -> None:
    found = planned(HYBRID, "g7e.2xlarge", max_num_seqs=1024, pipeline_parallel_size=1, vllm_version="0.19.1")
    assert "engine_refuses" not in codes(found)


def test_models_without_states_have_no_such_limit() -> None:
    assert planned(QWEN_32B, "g7e.2xlarge", max_num_seqs=1024, max_model_len=40960).fits


@pytest.mark.parametrize("model", [HYBRID, LARGE_HYBRID, "Qwen/Qwen3-Next-80B-A3B-Instruct"])
def test_no_hybrid_that_fits_has_more_sequences_than_blocks(model: str) -> None:
    plans = compare(find_model(model), ServingOptions())
    likely = [plan for plan in plans if plan.verdict == "likely_fits"]
    assert [p.instance.type for p in likely if p.options.max_num_seqs > laid_out(p).blocks[1]] == []
    fitting = [plan for plan in plans if plan.verdict == "fits"]
    assert fitting
    assert [p.instance.type for p in fitting if p.options.max_num_seqs > laid_out(p).blocks[0]] == []


def test_with_prefix_caching_some_versions_need_a_batch_as_large_as_a_block_of_states() -> None:
    asked = {"enable_prefix_caching": True, "tensor_parallel_size": 1, "pipeline_parallel_size": 8}
    plan = planned(LARGE_HYBRID, "g6e.48xlarge", vllm_version="0.21.0", **asked)
    block = laid_out(plan).cache.block_tokens
    assert plan.options.max_num_batched_tokens == max(block, 2048) == block
    assert any(
        note == f"--max-num-batched-tokens is raised to {block}: this version refuses vLLM's default of 2048, which is "
        "below one block of linear-attention state"
        for note in plan.notes
    )
    small = planned(LARGE_HYBRID, "g6e.48xlarge", vllm_version="0.21.0", max_num_batched_tokens=2000, **asked)
    assert [(r.code, r.message) for r in small.refusals] == [
        (
            "engine_refuses",
            "TP=1: with prefix caching, vLLM 0.21.0 requires a batch at least as large as one block of "
            f"linear-attention state: --max-num-batched-tokens 2,000 is below {block:,}; set it to {block} or more",
        )
    ]
    for free in ({"vllm_version": "0.27.0"}, {"vllm_version": "0.17.1"}, {"enable_prefix_caching": False}):
        found = planned(
            LARGE_HYBRID, "g6e.48xlarge", **{"vllm_version": "0.21.0", "max_num_batched_tokens": 2000, **asked, **free}
        )
        assert "engine_refuses" not in codes(found)


@pytest.mark.parametrize(
    ("version", "requested", "pages"),
    [
        ("0.21.0", None, 1),
        ("0.21.0", True, 2),
        ("0.27.0", None, 1),
        ("0.27.0", True, 2),
        ("0.28.0", None, 2),
        ("0.28.0", False, 1),
    ],
)
def test_prefix_caching_of_a_hybrid_keeps_a_second_state_where_it_is_on(
    version: str, requested: bool | None, pages: int
) -> None:
    plan = planned(HYBRID, "p5.48xlarge", vllm_version=version, enable_prefix_caching=requested)
    cache = laid_out(plan).cache
    states = sum(1 for group in cache.groups if group.cache.state_bytes)
    full = -(-8192 // cache.block_tokens) * (len(cache.groups) - states)
    assert cache.blocks_per_request(8192, plan.options) == full + pages * states


def test_a_default_is_lowered_before_a_node_is_added() -> None:
    asked = {"max_model_len": 49152, "vllm_version": "0.21.0"}
    one = planned(LLAMA_70B, **asked)
    assert (one.total_nodes, one.options.max_num_seqs, one.verdict) == (1, 64, "fits"), "the largest that surely fits"
    larger = {"max_num_seqs": 128, "max_num_batched_tokens": 2048, "pipeline_parallel_size": 1}
    assert planned(LLAMA_70B, **larger, **asked).verdict == "likely_fits"
    two = planned(QWEN_32B, tensor_parallel_size=4, replicas=2)
    assert (two.total_nodes, two.options.max_num_seqs, two.usd_per_hour) == (1, 256, 16.288)
    kept = planned(LLAMA_70B, max_num_seqs=1024, max_num_batched_tokens=4096)
    assert (kept.total_nodes, kept.options.max_num_seqs) == (2, 1024), "what was asked for is kept"
    assert (kept.options.max_num_batched_tokens, kept.options.max_model_len) == (4096, 8192)
    roomy = planned(LLAMA_8B)
    assert roomy.options.max_num_seqs == 256
    assert not [note for note in roomy.notes if "is chosen" in note]


def test_no_multi_node_plan_would_have_needed_fewer_nodes_with_a_smaller_batch() -> None:
    models = [find_model(model) for model in (LLAMA_70B, QWEN_32B, HYBRID, "Qwen/Qwen3-235B-A22B-FP8")]
    plans = list(multi_node_plans(models, catalogue().values()))
    assert len(plans) > 20, "otherwise this proves little"
    assert [one.text for one in map(spared, plans) if one] == []


@pytest.mark.parametrize(("version", "label"), [("0.21.0", None), ("0.30.0", "TP=4 PP=2")])
def test_the_search_adds_no_stages_that_the_version_refuses(version: str, label: str | None) -> None:
    plan = planned("Qwen/Qwen3-VL-30B-A3B-Instruct", "g4dn.12xlarge", vllm_version=version)
    if label:
        assert laid_out(plan).label == label
        return
    assert codes(plan) == ["weights_do_not_fit", "pipeline_unsupported"]
    assert plan.refusals[-1].message == (
        "Qwen3VLMoeForConditionalGeneration with PP=2 does not start in vLLM 0.21.0 (vllm#43271): use 0.30.0 or "
        "later, or PP=1"
    )


def test_the_search_adds_no_stages_to_a_class_without_pipeline_parallelism() -> None:
    facts = find_model(LLAMA_70B)
    whole = replace(facts, architecture=replace(facts.architecture, without_pipeline="the class has none"))
    plan = try_layouts(whole, find_instance("g6.12xlarge"), ServingOptions())
    assert [(one.code, one.message) for one in plan.refusals[-1:]] == [("pipeline_unsupported", "the class has none")]
    assert try_layouts(facts, find_instance("g6.12xlarge"), ServingOptions()).fits
