"""Blocks and groups, compared with vLLM's code and logs."""

from dataclasses import replace
from typing import Any

import pytest

from tests.support.plans import LLAMA_8B, QWEN_8B, QWEN_235B, SCOUT
from vllm_eks.planner.engine.engine_flags import EngineFlags
from vllm_eks.planner.engine.options import ResolvedOptions, ServingOptions, resolve
from vllm_eks.planner.hardware.instances import find_instance
from vllm_eks.planner.memory.kv_cache import CacheLayout, cache_layout
from vllm_eks.planner.models.known_models import find_model

GPT_OSS = "openai/gpt-oss-120b"
DEEPSEEK = "deepseek-ai/DeepSeek-R1"
NEXT_35 = "Qwen/Qwen3.5-397B-A17B"
GEMMA_27B = "google/gemma-3-27b-it"
HOPPER = 90


def asked(**requested: Any) -> ResolvedOptions:
    return resolve(ServingOptions(**requested), find_instance("p5.48xlarge"), context_limit_tokens=131072)


def cache(model: str, tp: int = 1, **requested: Any) -> CacheLayout:
    return cache_layout(find_model(model).architecture, HOPPER, asked(**requested), tensor_parallel_size=tp)


def all_layers(model: str) -> range:
    return range(find_model(model).architecture.num_hidden_layers)


@pytest.mark.parametrize(
    ("model", "tp", "bytes_per_token"),
    [
        (LLAMA_8B, 1, 131072),
        (LLAMA_8B, 8, 16384),
        (QWEN_8B, 1, 147456),
        (QWEN_235B, 4, 48128),
        (QWEN_235B, 8, 48128),
        (DEEPSEEK, 1, 70272),
        (DEEPSEEK, 8, 70272),
        ("deepseek-ai/DeepSeek-V3.2", 8, 78324),
        (GPT_OSS, 1, 73728),
        (NEXT_35, 1, 30720),
        (SCOUT, 8, 24576),
        ("microsoft/phi-4", 1, 204800),
    ],
)
def test_bytes_per_token_and_gpu_with_replication_and_latent_attention(
    model: str, tp: int, bytes_per_token: int
) -> None:
    assert cache(model, tp).token_bytes(all_layers(model)) == bytes_per_token


def test_fp8_halves_a_token_except_for_the_sparse_indexer() -> None:
    assert cache(LLAMA_8B, kv_cache_dtype="fp8").token_bytes(all_layers(LLAMA_8B)) == 65536
    sparse = find_model("deepseek-ai/DeepSeek-V3.2").architecture
    options = asked(kv_cache_dtype="fp8", vllm_version="0.32.0")
    # 43,189 in vllm_memory 1.5, and 48,068 on Hopper, where a token's vector is packed (findings P4).
    for sm, bytes_per_token in ((100, 43_188), (90, 48_068)):
        found = cache_layout(sparse, sm, options, tensor_parallel_size=8)
        assert (found.token_bytes(range(61)), found.block_tokens) == (bytes_per_token, 64)


def test_a_float32_model_has_its_cache_in_16_bits_as_vllm_casts_it() -> None:
    wide = replace(find_model(LLAMA_8B).architecture, dtype="float32")
    assert cache_layout(wide, HOPPER, asked(), tensor_parallel_size=1).token_bytes(range(32)) == 131072


def test_layers_of_one_kind_are_one_group() -> None:
    found = cache(LLAMA_8B)
    assert len(found.groups) == 1
    assert found.blocks_per_request(100, asked()) == 7
    assert found.block_bytes(range(32)) == 16 * 131072


def test_windows_and_full_layers_share_blocks_as_gpt_oss_logged() -> None:
    found = cache(GPT_OSS, tp=4, vllm_version="0.10.2")
    assert [len(group.layers) for group in found.groups] == [18, 18]
    blocks = int(45.32 * 2**30 // found.block_bytes(all_layers(GPT_OSS)))
    options = asked(vllm_version="0.10.2", max_model_len=16384, max_num_batched_tokens=2048, max_num_seqs=256)
    assert found.printed_tokens(blocks, options) == pytest.approx(2_640_144, rel=1e-4)
    assert blocks / found.blocks_per_request(16384, options) == pytest.approx(284.25, rel=1e-3)


def test_from_0_20_the_printed_tokens_are_concurrency_times_length() -> None:
    options = asked(vllm_version="0.21.0", max_model_len=16384, max_num_batched_tokens=2048, max_num_seqs=256)
    found = cache(GPT_OSS, tp=4, vllm_version="0.21.0")
    assert found.blocks_per_request(16384, options) == 1024 + 137
    assert found.printed_tokens(330_000, options) == int(330_000 / 1161 * 16384)


@pytest.mark.parametrize(
    ("model", "version", "pp", "batches"),
    [
        (GPT_OSS, "0.25.1", 3, 1),
        (GPT_OSS, "0.27.0", 1, 2),
        (GPT_OSS, "0.27.0", 2, 2),
        (GPT_OSS, "0.27.0", 3, 3),
        (GPT_OSS, "0.32.0", 1, 2),
        (GPT_OSS, "0.32.0", 3, 4),
        (GEMMA_27B, "0.25.1", 2, 1),
        (GEMMA_27B, "0.27.0", 2, 3),
        (GEMMA_27B, "0.28.0", 3, 4),
        (SCOUT, "0.27.0", 2, 2),
        (SCOUT, "0.29.0", 2, 3),
        (NEXT_35, "0.28.0", 3, 3),
    ],
)
def test_a_window_holds_the_batches_in_flight(model: str, version: str, pp: int, batches: int) -> None:
    architecture, options = find_model(model).architecture, asked(vllm_version=version, max_num_batched_tokens=2048)
    found = cache_layout(architecture, HOPPER, options, tensor_parallel_size=8, pipeline_parallel_size=pp)
    assert found.batches_in_flight == batches


@pytest.mark.parametrize(("pp", "batches"), [(1, 1), (3, 3)])
def test_without_async_scheduling_a_window_holds_a_batch_of_each_stage(pp: int, batches: int) -> None:
    options = replace(asked(vllm_version="0.32.0"), flags=EngineFlags(async_scheduling=False))
    architecture = find_model(GPT_OSS).architecture
    found = cache_layout(architecture, HOPPER, options, tensor_parallel_size=8, pipeline_parallel_size=pp)
    assert found.batches_in_flight == batches


@pytest.mark.parametrize(
    ("model", "pp", "blocks", "tokens"),
    [
        ("openai/gpt-oss-20b", 2, 349_525, 3_163_877),
        ("openai/gpt-oss-20b", 3, 524_288, 4_190_211),
        (GEMMA_27B, 2, 104_857, 267_931),
        (GEMMA_27B, 3, 131_072, 299_092),
    ],
)
def test_a_pipeline_s_windows_leave_the_tokens_that_0_32_counts_for_8_gib(
    model: str, pp: int, blocks: int, tokens: int
) -> None:
    """As get_kv_cache_configs and get_kv_cache_capacity of 0.32.0 answered at TP=8 for an A10G."""
    options = asked(vllm_version="0.32.0", max_model_len=8192, max_num_batched_tokens=2048, max_num_seqs=256)
    architecture = find_model(model).architecture
    found = cache_layout(architecture, HOPPER, options, tensor_parallel_size=8, pipeline_parallel_size=pp)
    assert found.printed_tokens(blocks, options) == tokens


def test_a_window_of_one_stage_holds_two_batches_from_0_26() -> None:
    requested = {"max_model_len": 16384, "max_num_batched_tokens": 2048, "max_num_seqs": 256}
    needed = [
        cache(GPT_OSS, tp=4, vllm_version=version).blocks_per_request(16384, asked(vllm_version=version, **requested))
        for version in ("0.25.1", "0.26.0")
    ]
    assert needed == [1161, 1024 + 265]


@pytest.mark.parametrize(
    ("version", "groups"), [("0.11.2", [10, 9, 9, 9, 9, 8, 8]), ("0.21.0", [10, 9, 9, 9, 9, 8, 8])]
)
def test_gemma_s_many_windows_are_cut_into_groups_of_its_ten_full_layers(version: str, groups: list[int]) -> None:
    found = cache(GEMMA_27B, vllm_version=version)
    assert sorted((len(group.layers) for group in found.groups), reverse=True) == groups


@pytest.mark.parametrize(("version", "groups"), [("0.11.2", 3), ("0.12.0", 3), ("0.18.1", 2)])
def test_kinds_of_nearly_equal_number_are_padded_since_0_12_and_more_so_since_0_17(version: str, groups: int) -> None:
    model = find_model("google/gemma-2-9b-it").architecture
    windows = tuple(replace(model.attention[0]) for _ in range(7))  # 7 windows, 5 whole layers: a ratio of 1.4
    uneven = replace(model, num_hidden_layers=12, attention=(*windows, *(model.attention[1],) * 5))
    options = asked(vllm_version=version)
    assert len(cache_layout(uneven, HOPPER, options, tensor_parallel_size=1).groups) == groups


def test_a_hybrid_s_block_is_as_long_as_its_state_is_large() -> None:
    found = cache(NEXT_35)
    assert found.block_tokens == 2096  # logged: 4 MiB of 32-bit state and its convolution
    assert [len(group.layers) for group in found.groups] == [15, 15, 15, 15]
    assert found.blocks_per_request(8192, asked(vllm_version="0.24.0")) == 4 + 3
    assert found.blocks_per_request(8192, asked(vllm_version="0.28.0")) == 4 + 6, "prefix caching keeps two states"


def test_a_hybrid_s_state_is_split_over_tp_until_its_attention_page_stops_shrinking() -> None:
    assert [cache(NEXT_35, tp=tp).block_tokens for tp in (1, 2, 4, 8)] == [2096, 2096, 1056, 528]


@pytest.mark.parametrize(("version", "tokens"), [("0.19.1", 528), ("0.20.0", 576), ("0.32.0", 576)])
def test_a_hybrid_s_block_is_a_multiple_of_the_block_size_that_a_flag_sets(version: str, tokens: int) -> None:
    found = cache(NEXT_35, tp=8, vllm_version=version, flags=EngineFlags(block_tokens=64))
    assert found.block_tokens == tokens  # asked of vLLM 0.27's classes


@pytest.mark.parametrize(("version", "tokens"), [("0.24.0", 128), ("0.25.0", 16), ("0.29.0", 16), ("0.30.0", 128)])
def test_some_releases_give_windows_the_kernels_block_whatever_a_flag_sets(version: str, tokens: int) -> None:
    gemma = find_model(GEMMA_27B).architecture
    windows = replace(gemma, num_hidden_layers=5, attention=gemma.attention[:5])
    options = asked(vllm_version=version, flags=EngineFlags(block_tokens=128))
    assert cache_layout(windows, HOPPER, options, tensor_parallel_size=1).block_tokens == tokens
    assert cache_layout(gemma, HOPPER, options, tensor_parallel_size=1).block_tokens == 128


def test_llama_4_keeps_all_chunks_before_0_13_and_frees_them_since() -> None:
    requested = {"max_model_len": 65536, "max_num_batched_tokens": 2048, "max_num_seqs": 256}
    old, new = (asked(vllm_version=version, **requested) for version in ("0.12.0", "0.21.0"))
    model = find_model(SCOUT).architecture
    before, since = (cache_layout(model, HOPPER, options, tensor_parallel_size=8) for options in (old, new))
    assert (len(before.groups), len(since.groups)) == (1, 4)
    assert before.blocks_per_request(65536, old) == 4096
    assert since.blocks_per_request(65536, new) == 4096 + 3 * 640
    assert since.blocks_per_request(4096, new) == 4 * 256, "a short request fills no chunk"


def test_decode_context_parallel_spreads_one_cache_over_ranks_as_kimi_logged() -> None:
    model = "moonshotai/Kimi-K2-Thinking"
    blocks = int(46.8 * 2**30 // cache(model, tp=8).block_bytes(all_layers(model)))
    for ranks, tokens in ((1, 715_072), (8, 5_721_088)):
        for version in ("0.11.2", "0.21.0"):
            options = asked(vllm_version=version, decode_context_parallel_size=ranks)
            assert cache(model, tp=8).printed_tokens(blocks, options) == pytest.approx(tokens, rel=2e-3)


def test_only_the_longest_group_of_a_stage_takes_memory() -> None:
    found = cache(GPT_OSS)
    assert found.page_bytes == 16 * 2048
    assert found.block_bytes(range(18)) == 9 * found.page_bytes
    assert found.block_bytes(range(5)) == 3 * found.page_bytes


def test_one_block_is_reserved_from_0_29() -> None:
    found = cache(LLAMA_8B)
    assert (found.reserved_blocks((0, 28, 0)), found.reserved_blocks((0, 29, 0))) == (0, 1)


def test_a_window_longer_than_the_context_takes_one_block_more_than_full_attention() -> None:
    found = cache("microsoft/Phi-4-mini-instruct", vllm_version="0.32.0")
    assert {group.cache.window_tokens for group in found.groups} == {262_144}
    assert found.blocks_per_request(8192, asked()) == 8192 // 16 + 1
    # 65,408 tokens in 8 GiB, as vLLM's own classes count (oracle table, 0.32.0).
    assert found.printed_tokens(4096, asked(max_model_len=8192)) == 65_408
