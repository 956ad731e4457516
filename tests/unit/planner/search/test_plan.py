import pytest

from tests.support.plans import (
    LLAMA_8B,
    LLAMA_70B,
    MIXTRAL,
    QWEN_8B,
    QWEN_235B,
    SCOUT,
    SCOUT_W4A16,
    codes,
    planned,
)
from vllm_eks.planner.units import gib


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
    assert plan.kv_cache_tokens == 302_375
    assert plan.kv_cache_tokens_range == (204_893, 369_924)
    assert plan.max_concurrency == 18.46
    assert plan.options.max_num_seqs == 256
    assert plan.largest_context_tokens == 629_040, "three layers of four keep 8,192 tokens and two batches at most"


@pytest.mark.parametrize(
    ("model", "label", "nodes", "weights_gib"),
    [
        (LLAMA_8B, "TP=8 PP=1", 1, 1.87),
        (LLAMA_70B, "TP=8 PP=1", 1, 16.43),
        (SCOUT, "TP=8 PP=2", 2, 12.75),
        (QWEN_235B, "TP=8 PP=4", 4, 14.24),
        (MIXTRAL, "TP=8 PP=1", 1, 10.88),
        (QWEN_8B, "TP=8 PP=1", 1, 1.91),
    ],
)
def test_models_on_the_same_instance_type(model: str, label: str, nodes: int, weights_gib: float) -> None:
    plan = planned(model)
    assert plan.fits
    assert plan.layout is not None
    assert (plan.layout.label, plan.total_nodes) == (label, nodes)
    assert gib(plan.layout.tightest.weights.size_bytes) == pytest.approx(weights_gib, abs=0.01)


def test_full_scout_on_one_node_is_refused_with_its_sums_and_alternatives() -> None:
    plan = planned(SCOUT, pipeline_parallel_size=1)
    assert [(r.code, r.message) for r in plan.refusals] == [
        (
            "weights_do_not_fit",
            "TP=8 PP=1: stage 1 of 1 needs 27.80 GiB weights and tables + 0.46 activations + 0.92 overhead "
            "= 29.19 of 20.22 GiB a GPU (even with --max-num-seqs 32, --max-model-len 2048)",
        )
    ]
    assert plan.suggestions == (
        "--pipeline-parallel-size 2: 2 x g5.48xlarge ($32.58/h)",
        "the cheapest that fits: TP=4 PP=1 on 1 x g7e.24xlarge ($16.57/h)",
    )


@pytest.mark.parametrize(
    ("tp", "code"), [(7, "heads_not_divisible"), (3, "heads_not_divisible"), (16, "not_enough_gpus")]
)
def test_an_impossible_tensor_parallel_size_is_refused_and_a_valid_one_suggested(tp: int, code: str) -> None:
    plan = planned(LLAMA_8B, tensor_parallel_size=tp)
    assert codes(plan)[0] == code
    assert plan.suggestions[0] == "TP=8 PP=1 on 1 x g5.48xlarge ($16.29/h)"


def test_a_refusal_lists_every_layout_tried_with_its_numbers() -> None:
    plan = planned(QWEN_235B, "g6.16xlarge")
    assert [r.message.split(":")[0] for r in plan.refusals] == [f"TP=1 PP={pp}" for pp in range(1, 17)]
    assert all("GiB" in r.message for r in plan.refusals)


def test_a_context_that_does_not_fit_gets_the_longest_one_that_does() -> None:
    kept = {"pipeline_parallel_size": 1}
    plan = planned(LLAMA_70B, "g6e.12xlarge", max_model_len=131072, **kept)
    assert [(r.code, r.message) for r in plan.refusals] == [
        (
            "kv_cache_too_small",
            "TP=4 PP=1: stage 1 of 1 has 6.70 GiB left for the KV cache, 5.91 by the low estimate (32.89 GiB weights "
            "and tables + 0.40 activations + 0.77 overhead = 34.06 of 40.77 GiB a GPU): 86,288 of the 131,072 tokens "
            "of one request (even with --max-num-seqs 32, --max-num-batched-tokens 512)",
        )
    ]
    assert plan.suggestions[0] == "--max-model-len 77392 fits 1 x g6e.12xlarge ($10.49/h)"
    verdicts = {length: planned(LLAMA_70B, "g6e.12xlarge", max_model_len=length, **kept) for length in (77392, 86288)}
    assert [found.verdict for found in verdicts.values()] == ["fits", "likely_fits"]
    assert verdicts[86288].warnings == (
        "likely fits, not surely: kv_cache_too_small: TP=4 PP=1: stage 1 of 1 has 6.70 GiB left for the KV cache, 5.91 "
        "by the low estimate (32.89 GiB weights and tables + 0.40 activations + 0.77 overhead = 34.06 of 40.77 GiB a "
        "GPU): 77,408 of the 86,288 tokens of one request; --max-model-len 77408 surely fits",
    )
    assert planned(LLAMA_70B, "g6e.12xlarge", max_model_len=88500, **kept).verdict == "refused"


def test_a_context_above_the_model_s_own_limit_is_refused_as_such() -> None:
    plan = planned(LLAMA_8B, max_model_len=9000)
    assert [(r.code, r.message) for r in plan.refusals] == [
        ("context_too_long", "--max-model-len 9,000 is above the model's own limit of 8,192 tokens")
    ]
    assert plan.suggestions[0] == "--max-model-len 8192 fits 1 x g5.48xlarge ($16.29/h)"


def test_replicated_kv_heads_get_a_note() -> None:
    assert planned(QWEN_235B).notes[0].startswith("4 KV heads are replicated over TP=8")


@pytest.mark.parametrize(("replicas", "tp", "nodes"), [(1, 8, 1), (3, 8, 3), (4, 2, 1), (5, 2, 2)])
def test_replicas_of_one_stage_share_a_node_as_its_gpus_allow(replicas: int, tp: int, nodes: int) -> None:
    assert planned(QWEN_8B, replicas=replicas, tensor_parallel_size=tp).total_nodes == nodes


def test_replicas_over_several_nodes_never_share_one() -> None:
    plan = planned(LLAMA_70B, tensor_parallel_size=4, pipeline_parallel_size=4, replicas=2)
    assert plan.fits
    assert (plan.nodes_per_replica, plan.total_nodes) == (4, 8)
