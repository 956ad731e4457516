"""Types of values with which no attention backend runs a model on a GPU."""

from dataclasses import replace

import pytest

from tests.support.plans import LLAMA_8B
from tests.unit.planner.engine.test_attention import (
    ADA,
    AMPERE,
    BLACKWELL,
    BOTH_DIRECTIONS,
    GEMMA_3,
    HOPPER,
    V32,
    asked,
    of,
)
from vllm_eks.planner.engine.attention import attention_errors, grouped_block_tokens
from vllm_eks.planner.engine.engine_flags import NO_FLAGS, EngineFlags
from vllm_eks.planner.models.mixers import GroupedQuery


@pytest.mark.parametrize(
    ("version", "flags", "errors"),
    [
        ("0.26.0", EngineFlags(language_model_only=True), [BOTH_DIRECTIONS]),
        ("0.27.0", EngineFlags(language_model_only=True), []),
        ("0.27.0", EngineFlags(), [BOTH_DIRECTIONS]),
    ],
)
def test_images_that_are_not_served_do_not_attend(version: str, flags: EngineFlags, errors: list[str]) -> None:
    options = replace(asked(version, "fp8"), flags=flags)
    assert list(attention_errors(of(GEMMA_3), AMPERE, options)) == errors


@pytest.mark.parametrize(
    ("head_dim", "version", "words"),
    [(96, "0.32.0", "heads of 96 values"), (512, "0.22.0", None), (512, "0.21.0", "heads of 512 values")],
)
def test_an_fp8_cache_on_ampere_needs_heads_that_flashinfer_has(head_dim: int, version: str, words: str | None) -> None:
    model = replace(of(LLAMA_8B), attention=(GroupedQuery(heads=8, kv_heads=4, head_dim=head_dim),))
    text = f"an FP8 KV cache with {words} needs compute capability 8.9 or higher"
    assert list(attention_errors(model, AMPERE, asked(version, "fp8"))) == ([text] if words else [])
    assert list(attention_errors(model, ADA, asked(version, "fp8"))) == []


def test_an_fp8_cache_on_ampere_needs_16_bit_values() -> None:
    wide = replace(asked("0.32.0", "fp8"), flags=EngineFlags(dtype="float32"))
    assert list(attention_errors(of(LLAMA_8B), AMPERE, wide)) == [
        "an FP8 KV cache with float32 values needs compute capability 8.9 or higher"
    ]


@pytest.mark.parametrize(
    ("version", "cache", "flags", "words"),
    [
        ("0.24.0", "float16", NO_FLAGS, ["has no float16 KV cache on Hopper before vLLM 0.25"]),
        ("0.25.1", "float16", NO_FLAGS, []),
        ("0.24.0", "auto", EngineFlags(dtype="float16"), ["on Hopper needs bfloat16 values here"]),
        ("0.25.1", "auto", EngineFlags(dtype="float16"), []),
        ("0.32.0", "fp8", EngineFlags(dtype="float16"), ["on Hopper needs bfloat16 values here"]),
    ],
)
def test_sparse_attention_on_hopper_runs_in_bfloat16(
    version: str, cache: str, flags: EngineFlags, words: list[str]
) -> None:
    options = replace(asked(version, cache), flags=flags)
    found = list(attention_errors(of(V32), HOPPER, options))
    assert len(found) == len(words)
    assert all(word in error for word, error in zip(words, found, strict=True))
    assert list(attention_errors(of(V32), BLACKWELL, options)) == []


def test_latent_attention_does_not_run_in_32_bits() -> None:
    wide = replace(asked("0.27.0"), flags=EngineFlags(dtype="float32"))
    assert list(attention_errors(of("deepseek-ai/DeepSeek-V2-Lite"), HOPPER, wide)) == [
        "latent attention does not run in float32: use bfloat16 or float16"
    ]
    assert list(attention_errors(of(LLAMA_8B), HOPPER, wide)) == []


@pytest.mark.parametrize(
    ("model", "version", "flags", "tokens"),
    [
        ("google/gemma-3-12b-it", "0.30.0", NO_FLAGS, 64),
        ("google/gemma-3-12b-it", "0.29.0", NO_FLAGS, 16),
        ("google/gemma-3-12b-it", "0.30.0", EngineFlags(language_model_only=True), 16),
        (GEMMA_3, "0.30.0", NO_FLAGS, 16),
        (LLAMA_8B, "0.30.0", NO_FLAGS, 16),
    ],
)
def test_images_that_attend_in_both_directions_have_larger_blocks_on_blackwell(
    model: str, version: str, flags: EngineFlags, tokens: int
) -> None:
    """Gemma 3 27B has heads of 128 values, which the kernels lack."""
    options = replace(asked(version), flags=flags)
    assert grouped_block_tokens(of(model), BLACKWELL, options) == tokens


def test_an_fp8_cache_on_ampere_excludes_triton_by_name() -> None:
    triton = replace(asked("0.32.0", "fp8"), flags=EngineFlags(attention_backend="TRITON_ATTN"))
    assert list(attention_errors(of(LLAMA_8B), AMPERE, triton)) == [
        "an FP8 KV cache with --attention-backend TRITON_ATTN needs compute capability 8.9 or higher"
    ]
    assert list(attention_errors(of(LLAMA_8B), ADA, triton)) == []
