"""Speculative decoding: what --speculative-config says, what vLLM refuses of it, and what it takes."""

import json
import re
from dataclasses import replace
from typing import Any

import pytest

from tests.support.plans import LLAMA_8B, QWEN_8B, QWEN_32B, codes, laid_out, planned
from vllm_eks.planner.engine.counted_flags import checked_flags
from vllm_eks.planner.engine.flag_rules import drafter_errors
from vllm_eks.planner.engine.speculation import Speculation, parse_speculation
from vllm_eks.planner.models.known_models import find_model
from vllm_eks.planner.ranges import Range
from vllm_eks.planner.search.plan import Plan

QWEN_27B = "Qwen/Qwen3.5-27B"
DEEPSEEK = "deepseek-ai/DeepSeek-V3"


def speculating(model: str, instance: str, config: dict[str, Any], **requested: Any) -> Plan:
    args = ("--speculative-config", json.dumps(config))
    return planned(model, instance, flags=checked_flags(args, "0.27.0"), **requested)


@pytest.mark.parametrize(
    ("config", "method", "tokens"),
    [
        ({"method": "ngram", "num_speculative_tokens": 3}, "ngram", 3),
        ({"model": "[ngram]", "num_speculative_tokens": 3}, "ngram", 3),
        ({"method": "suffix"}, "suffix", 24),
        ({"method": "suffix", "suffix_decoding_max_tree_depth": 8}, "suffix", 8),
        ({"method": "deepseek_mtp", "num_speculative_tokens": 1}, "mtp", 1),
        ({"method": "qwen3_5_mtp", "num-speculative-tokens": 1}, "mtp", 1),
        ({"model": "yuhuili/EAGLE3-LLaMA3.1-Instruct-8B", "num_speculative_tokens": 2}, "eagle3", 2),
        ({"model": "yuhuili/EAGLE-LLaMA3-Instruct-8B", "num_speculative_tokens": 2}, "eagle", 2),
        ({"model": "Qwen/Qwen3-0.6B", "num_speculative_tokens": 5}, "draft_model", 5),
        ({"method": "draft_model", "model": "Qwen/Qwen3-0.6B", "num_speculative_tokens": 5}, "draft_model", 5),
    ],
)
def test_the_method_is_the_one_that_vllm_chooses(config: dict[str, Any], method: str, tokens: int) -> None:
    read = parse_speculation(config)
    assert (read.method, read.tokens) == (method, tokens)
    assert read.draft is (find_model("Qwen/Qwen3-0.6B") if method == "draft_model" else None)


@pytest.mark.parametrize(
    ("config", "error"),
    [
        (
            {"method": "eagel", "num_speculative_tokens": 1},
            "'eagel' is not a method: write one of dflash, draft_model, dspark, eagle, eagle3, medusa, mlp_speculator, "
            "mtp, ngram, ngram_gpu, suffix",
        ),
        (
            {"method": "eagle3", "num_speculative_tokens": 1},
            "method eagle3 has no model: add model, the id of the draft model",
        ),
        ({"method": "mtp"}, "num_speculative_tokens is missing: add it, for example 3"),
        (
            {"method": "ngram", "num_speculative_tokens": 0},
            "num_speculative_tokens 0 is not a whole number of 1 or more",
        ),
        ({"method": 1}, "method is not text: write for example ngram, eagle3 or mtp"),
        (
            {"model": "org/small", "num_speculative_tokens": 1},
            "the draft model org/small is not locked, so its memory is unknown: run vllm-eks lock org/small",
        ),
        (
            {"method": "custom_class", "model": "a.B", "num_speculative_tokens": 1},
            "the memory of method custom_class is not in the plan: use another method, or remove it",
        ),
    ],
)
def test_an_unknown_or_unserved_method_is_an_error(config: dict[str, Any], error: str) -> None:
    with pytest.raises(ValueError, match=re.escape(error[:20])) as refused:
        parse_speculation(config)
    assert str(refused.value) == error


def test_ngram_loads_nothing() -> None:
    plain, drafting = (
        planned(QWEN_8B, "g6e.xlarge"),
        speculating(QWEN_8B, "g6e.xlarge", {"method": "ngram", "num_speculative_tokens": 4}),
    )
    before, after = laid_out(plain).tightest, laid_out(drafting).tightest
    assert after.weights == before.weights
    assert after.block_bytes == before.block_bytes


def test_a_locked_draft_model_is_loaded_completely_and_has_its_own_cache() -> None:
    config = {"model": "Qwen/Qwen3-0.6B", "num_speculative_tokens": 5}
    plain, drafting = planned(QWEN_32B, "p5.48xlarge"), speculating(QWEN_32B, "p5.48xlarge", config)
    before, after = laid_out(plain).tightest, laid_out(drafting).tightest
    small = find_model("Qwen/Qwen3-0.6B")
    assert after.weights.size_bytes - before.weights.size_bytes == pytest.approx(small.parts.total_bytes / 8, rel=0.01)
    assert after.weights.rule.endswith("; and draft_model: Qwen/Qwen3-0.6B, 1.11 GiB over TP=8")
    assert after.drafted_layers == 28
    # 28 layers of one KV head of 128 values on each of 8 ranks, keys and values in 16 bits
    assert after.kv_bytes_per_token - before.kv_bytes_per_token == 28 * 2 * 128 * 2
    alone = speculating(QWEN_32B, "p5.48xlarge", config | {"draft_tensor_parallel_size": 1})
    assert laid_out(alone).tightest.kv_bytes_per_token - before.kv_bytes_per_token == 28 * 2 * 8 * 128 * 2


def test_layers_for_multi_token_prediction_are_loaded_with_their_cache() -> None:
    plain = planned(DEEPSEEK, "p5en.48xlarge")
    drafting = speculating(DEEPSEEK, "p5en.48xlarge", {"method": "deepseek_mtp", "num_speculative_tokens": 1})
    before, after = laid_out(plain).tightest, laid_out(drafting).tightest
    layer = before.weights.size_bytes / 61
    assert layer < after.weights.size_bytes - before.weights.size_bytes < 1.4 * layer
    assert after.kv_bytes_per_token * 61 == before.kv_bytes_per_token * 62


def test_a_hybrid_keeps_a_state_for_each_drafted_token() -> None:
    plain = planned(QWEN_27B, "p5.48xlarge", tensor_parallel_size=8)
    two = speculating(QWEN_27B, "p5.48xlarge", {"method": "mtp", "num_speculative_tokens": 2}, tensor_parallel_size=8)
    cache, drafting = laid_out(plain).cache, laid_out(two).cache
    states = sum(1 for group in cache.groups if group.cache.state_bytes)
    more = drafting.blocks_per_request(1, two.options) - cache.blocks_per_request(1, plain.options)
    assert more == 2 * states
    state, larger = (max(group.cache.state_bytes for group in one.groups) for one in (cache, drafting))
    # 10240 channels of the convolution over TP=8 keep two more tokens in 16 bits.
    assert larger - state == 10240 // 8 * 2 * 2


def test_the_drafter_is_on_the_last_stage_with_its_own_embedding() -> None:
    config = {"method": "mtp", "num_speculative_tokens": 1}
    plain, drafting = (
        laid_out(plan)
        for plan in (
            planned(DEEPSEEK, "p5.48xlarge", pipeline_parallel_size=2, tensor_parallel_size=8),
            speculating(DEEPSEEK, "p5.48xlarge", config, pipeline_parallel_size=2, tensor_parallel_size=8),
        )
    )
    assert drafting.stages[0].weights == plain.stages[0].weights
    assert [stage.drafted_layers for stage in drafting.stages] == [0, 1]
    one_node = laid_out(speculating(DEEPSEEK, "p5en.48xlarge", config)).tightest.weights
    one_plain = laid_out(planned(DEEPSEEK, "p5en.48xlarge")).tightest.weights
    more = drafting.stages[1].weights.size_bytes - plain.stages[1].weights.size_bytes
    embedding = 129280 * 7168 * 2 / 8
    assert more - (one_node.size_bytes - one_plain.size_bytes) == pytest.approx(embedding, rel=1e-6)


def test_a_head_that_is_not_locked_is_a_guess_with_a_wide_range() -> None:
    plain = laid_out(planned(LLAMA_8B, "g6e.xlarge")).tightest.weights.bytes
    head = laid_out(
        speculating(LLAMA_8B, "g6e.xlarge", {"method": "eagle3", "model": "org/head", "num_speculative_tokens": 3})
    ).tightest.weights
    best = head.bytes.best - plain.best
    guess = plain + Range(best / 2, best, best * 2)
    assert (head.bytes.low, head.bytes.high) == (pytest.approx(guess.low), pytest.approx(guess.high))
    assert head.rule.endswith("; and eagle3: one dense layer, a guess, because org/head is not locked")


@pytest.mark.parametrize(
    ("model", "config", "message"),
    [
        (
            QWEN_8B,
            {"method": "mtp", "num_speculative_tokens": 1},
            "--speculative-config: Qwen3ForCausalLM has no layers for multi-token prediction in its config.json; use "
            "another method",
        ),
        (
            LLAMA_8B,
            {"model": "Qwen/Qwen3-0.6B", "num_speculative_tokens": 1},
            "--speculative-config: Qwen/Qwen3-0.6B has a vocabulary of 151936, the model one of 128256; use a draft "
            "model of the same family",
        ),
        (
            QWEN_8B,
            {"model": "Qwen/Qwen3-0.6B", "num_speculative_tokens": 1, "draft_tensor_parallel_size": 3},
            "--speculative-config: draft_tensor_parallel_size 3 must be 1 or 8, the model's",
        ),
    ],
)
def test_drafters_that_do_not_suit_the_model_are_refused(model: str, config: dict[str, Any], message: str) -> None:
    refused = speculating(model, "p5.48xlarge", config)
    assert set(codes(refused)) == {"engine_refuses"}
    assert message in [refusal.message for refusal in refused.refusals]


@pytest.mark.parametrize(("version", "refused"), [((0, 21, 0), True), ((0, 27, 0), False)])
def test_heads_on_hidden_states_are_for_some_models_before_0_22(version: tuple[int, int, int], refused: bool) -> None:
    head = Speculation(method="eagle3", tokens=3, model="org/eagle3")

    def errors(model: str) -> list[str]:
        return list(drafter_errors(find_model(model).architecture, head, tensor_parallel_size=1, version=version))

    text = "--speculative-config: vLLM before 0.22 has no eagle3 for Glm4MoeForCausalLM; use another method"
    assert errors("zai-org/GLM-4.5-Air") == ([text] if refused else [])
    assert errors(LLAMA_8B) == errors(QWEN_8B) == []


def test_drafted_tokens_are_a_multiple_of_the_layers_that_draft_them() -> None:
    three_layers = replace(find_model(DEEPSEEK).architecture, draft_layers=3)

    def errors(tokens: int) -> list[str]:
        drafting = Speculation(method="mtp", tokens=tokens)
        return list(drafter_errors(three_layers, drafting, tensor_parallel_size=8, version=(0, 27, 0)))

    assert errors(2) == errors(3) == errors(6) == []
    assert errors(4) == ["--speculative-config: 4 tokens are not a multiple of the 3 layers for multi-token prediction"]
