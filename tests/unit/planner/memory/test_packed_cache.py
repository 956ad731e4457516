"""DeepSeek V4's caches. The numbers are those of vLLM 0.32's own classes (tests/data/oracle)."""

from dataclasses import replace
from typing import Any

import pytest

from vllm_eks.errors import WrongQuestion
from vllm_eks.planner.engine.attention import attention_errors
from vllm_eks.planner.engine.options import ResolvedOptions, ServingOptions, resolve
from vllm_eks.planner.engine.quantized_shards import quantized_shard_errors
from vllm_eks.planner.hardware.instances import find_instance
from vllm_eks.planner.memory.kv_cache import CacheLayout, cache_layout
from vllm_eks.planner.memory.mxfp4 import expert_growth
from vllm_eks.planner.memory.packed_cache import packed_caches, packed_groups
from vllm_eks.planner.models.architecture import Architecture
from vllm_eks.planner.models.config_json import parse_config
from vllm_eks.planner.models.layer_weights import compute_layer
from vllm_eks.planner.models.mixers import CompressedLatent
from vllm_eks.planner.models.quantization import Quantization
from vllm_eks.planner.vllm_version import Version

FLASH: dict[str, Any] = {
    "architectures": ["DeepseekV4ForCausalLM"],
    "hidden_size": 4096,
    "num_hidden_layers": 43,
    "num_attention_heads": 64,
    "num_key_value_heads": 1,
    "head_dim": 512,
    "qk_rope_head_dim": 64,
    "q_lora_rank": 1024,
    "o_groups": 8,
    "o_lora_rank": 1024,
    "sliding_window": 128,
    "compress_ratios": [0, 0, *[4, 128] * 20, 4, 0],
    "index_n_heads": 64,
    "index_head_dim": 128,
    "hc_mult": 4,
    "n_routed_experts": 256,
    "num_experts_per_tok": 6,
    "n_shared_experts": 1,
    "moe_intermediate_size": 2048,
    "vocab_size": 129280,
    "max_position_embeddings": 1048576,
    "expert_dtype": "fp4",
    "quantization_config": {"quant_method": "fp8", "weight_block_size": [128, 128]},
}


def flash(**changes: object) -> Architecture:
    return parse_config({**FLASH, **changes}, where="v4")


def kinds(model: Architecture) -> list[CompressedLatent]:
    return [one for one in model.attention if isinstance(one, CompressedLatent)]


def asked(version: str = "0.32.0", length: int = 8192) -> ResolvedOptions:
    requested = ServingOptions(vllm_version=version, max_model_len=length, max_num_batched_tokens=2048)
    return resolve(requested, find_instance("p5.48xlarge"), context_limit_tokens=1048576)


def layout(pp: int = 1) -> CacheLayout:
    return cache_layout(flash(), 90, asked(), tensor_parallel_size=8, pipeline_parallel_size=pp)


def test_a_layer_keeps_a_window_and_the_tokens_of_its_compressors() -> None:
    window, indexed, long = (list(packed_caches(kinds(flash())[index])) for index in (0, 2, 3))
    assert [one.page_bytes for one in window] == [37440]
    assert [one.page_bytes for one in indexed] == [37440, 37440, 32832, 8640, 8640]
    assert [one.page_bytes for one in long] == [37440, 1728, 32832]
    assert [(one.window_tokens, one.block_tokens) for one in long] == [(128, 64), (None, 256), (128, 8)]


def test_caches_of_one_window_and_block_share_block_numbers() -> None:
    groups = packed_groups(kinds(flash()), (0, 29, 0))
    assert [(len(group.layers), group.block_tokens, sum(group.pages)) for group in groups] == [
        (22, 64, 823680),
        (21, 64, 786240),
        (62, 256, 1002240),
        (42, 4, 870912),
        (20, 8, 656640),
    ]


def test_before_0_29_windows_are_as_large_as_the_most_layers_with_one_page_size() -> None:
    """Of an answer of 0.27.0 to a drawn question: V4 Pro, cut to its first four layers."""
    pro = [kinds(flash())[index] for index in (3, 3, 2, 3)]
    sizes = [[len(group.layers) for group in packed_groups(pro, version)] for version in ((0, 28, 0), (0, 29, 0))]
    assert sizes == [[2, 2, 5, 3, 2], [1, 1, 1, 1, 5, 1, 1, 1, 2]]


def test_before_0_27_blocks_are_tuples_of_pages() -> None:
    """Answers of 0.21.0: V4 Flash on H100, 8 GiB (with tilelang replaced by an empty module)."""
    options, short = asked("0.21.0", 32768), asked("0.21.0")
    found = cache_layout(flash(), 90, options, tensor_parallel_size=8, pipeline_parallel_size=1)
    blocks = 8 * 2**30 // found.block_bytes(range(43))
    assert (blocks, found.printed_tokens(blocks, options)) == (8167, 302049)
    assert found.token_bytes(range(43)) == 364590
    cut = replace(flash(), num_hidden_layers=12, attention=flash().attention[:12])
    stages = cache_layout(cut, 90, short, tensor_parallel_size=4, pipeline_parallel_size=2)
    assert stages.printed_tokens(59891, short) == 594699, "vLLM prints it by the first stage"


def test_the_largest_group_of_a_stage_is_its_block() -> None:
    assert layout().block_bytes(range(43)) == 1002240
    assert [layout(2).block_bytes(one) for one in (range(22), range(22, 43))] == [478080, 524160]
    assert layout().token_bytes(range(43)) == 328878


def test_the_experts_have_their_own_format() -> None:
    values = 3 * 4096 * 2048 * 256
    assert compute_layer(flash(), 5).expert_bytes == values * (0.5 + 1 / 32)
    assert compute_layer(flash(expert_dtype=None), 5).expert_bytes == pytest.approx(values, rel=0.001)
    nvfp4 = {**FLASH["quantization_config"], "moe_quant_algo": "NVFP4"}
    assert compute_layer(flash(quantization_config=nvfp4), 5).expert_bytes == values * (0.5 + 1 / 16)


def test_each_kind_of_layer_has_its_table() -> None:
    assert [(one.positions, one.dim, one.value_bytes, one.layers) for one in flash().rotary_tables] == [
        (1048576, 64, 4, "full"),
        (1048576, 64, 4, "sliding"),
    ]


def test_a_size_that_is_missing_is_an_error() -> None:
    with pytest.raises(WrongQuestion, match=r"^v4: config\.json needs a whole number above 0 for o_groups$"):
        flash(o_groups=None)


def test_compressed_attention_needs_hopper_and_keeps_an_fp8_cache() -> None:
    options = resolve(ServingOptions(vllm_version="0.32.0"), find_instance("p5.48xlarge"), context_limit_tokens=8192)
    assert list(attention_errors(flash(), 90, options)) == []
    assert list(attention_errors(flash(), 80, options)) == [
        "compressed attention (DeepSeek V4) needs compute capability 9.0 or higher"
    ]
    wide, older = replace(options, kv_cache_dtype="bfloat16"), replace(options, version=(0, 29, 0))
    assert list(attention_errors(flash(), 90, wide)) == [
        "compressed attention (DeepSeek V4) has no KV cache of type bfloat16: use --kv-cache-dtype fp8"
    ]
    assert list(attention_errors(flash(), 90, older)) == [
        "compressed attention (DeepSeek V4) has no KV cache of type auto: use --kv-cache-dtype fp8"
    ]
    assert list(attention_errors(flash(), 90, replace(older, kv_cache_dtype="fp8"))) == []


def test_compressed_attention_has_one_fp8_format_under_every_name() -> None:
    options = resolve(ServingOptions(vllm_version="0.32.0"), find_instance("p5.48xlarge"), context_limit_tokens=8192)
    quantized = replace(flash(), quantization=Quantization(method="fp8", weight_bits=8, stores_kv_scales=True))
    assert list(attention_errors(quantized, 90, replace(options, kv_cache_dtype="fp8_e5m2"))) == []


@pytest.mark.parametrize(
    ("sm", "version", "growth"), [(100, (0, 26, 0), 2.0), (100, (0, 27, 0), 1.0), (90, (0, 26, 0), 1.0)]
)
def test_mxfp4_experts_are_rounded_up_to_128_or_on_blackwell_to_256(sm: int, version: Version, growth: float) -> None:
    assert expert_growth(flash(), sm, 16, version) == growth
    assert expert_growth(flash(moe_intermediate_size=3072), 90, 16, version) == 256 / 192
    assert expert_growth(flash(expert_dtype=None), sm, 16, version) == 1.0


SHARED_192 = (
    "shared expert intermediate size 3072 over TP=16 gives 192 per rank, which is not a multiple of the FP8 block 128"
)


@pytest.mark.parametrize(("version", "messages"), [("0.23.0", [SHARED_192]), ("0.24.0", [])])
def test_shards_of_the_output_are_those_of_its_groups_and_shared_experts_are_padded(
    version: str, messages: list[str]
) -> None:
    pro = flash(moe_intermediate_size=3072, num_attention_heads=128, o_groups=16)
    found = quantized_shard_errors(pro, find_instance("p5.48xlarge"), 16, asked(version))
    assert list(found) == messages
