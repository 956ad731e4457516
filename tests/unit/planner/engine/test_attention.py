"""The attention backend: KV cache dtype, block of latent attention, and what no backend runs."""

from dataclasses import replace

import pytest

from tests.support.plans import LLAMA_8B, SCOUT_W4A16, planned
from vllm_eks.planner.engine.attention import (
    attention_errors,
    grouped_block_tokens,
    kv_cache_dtype,
    kv_value_bytes,
    latent_block_tokens,
    latent_token_bytes,
)
from vllm_eks.planner.engine.options import ResolvedOptions, ServingOptions, resolve
from vllm_eks.planner.hardware.instances import find_instance
from vllm_eks.planner.models.architecture import Architecture
from vllm_eks.planner.models.known_models import find_model
from vllm_eks.planner.models.mixers import GroupedQuery
from vllm_eks.planner.models.quantization import Quantization

R1 = "deepseek-ai/DeepSeek-R1"
V32 = "deepseek-ai/DeepSeek-V3.2"
GLM_5 = "zai-org/GLM-5-FP8"
E5M2_AND_FP8 = "an fp8_e5m2 KV cache does not work with FP8 weights"
E5M2_AND_COMPRESSED = "an fp8_e5m2 KV cache goes with compressed-tensors weights only from vLLM 0.24"
GEMMA_3 = "google/gemma-3-27b-it"
BOTH_DIRECTIONS = "an FP8 KV cache with images that attend in both directions needs compute capability 8.9 or higher"
BFLOAT16_KV = "a bfloat16 KV cache needs compute capability 8.0 or higher"
SPARSE_E4M3 = "sparse attention (DeepSeek V3.2) has no fp8_e4m3 KV cache on Hopper: use --kv-cache-dtype fp8"
TURING, AMPERE, ADA, HOPPER, BLACKWELL, CONSUMER = 75, 86, 89, 90, 100, 120


def asked(version: str, dtype: str = "auto") -> ResolvedOptions:
    options = ServingOptions(vllm_version=version, kv_cache_dtype=dtype)
    return resolve(options, find_instance("p5.48xlarge"), context_limit_tokens=131072)


def of(model: str) -> Architecture:
    return find_model(model).architecture


def with_cache(method: str, dtype: str) -> Architecture:
    quantization = Quantization(method=method, weight_bits=8, kv_cache_dtype=dtype, stores_kv_scales=True)
    return replace(of(LLAMA_8B), quantization=quantization)


@pytest.mark.parametrize(
    ("method", "version", "requested", "found"),
    [
        ("modelopt", "0.13.0", "auto", "auto"),
        ("modelopt", "0.14.0", "auto", "fp8_e4m3"),
        ("modelopt", "0.14.0", "bfloat16", "bfloat16"),
        ("compressed-tensors", "0.14.1", "auto", "auto"),
        ("compressed-tensors", "0.15.1", "auto", "fp8_e4m3"),
        ("compressed-tensors", "0.21.0", "bfloat16", "fp8_e4m3"),
        ("compressed-tensors", "0.22.0", "bfloat16", "bfloat16"),
    ],
)
def test_the_checkpoint_sets_the_dtype_of_the_cache_unless_a_flag_does(
    method: str, version: str, requested: str, found: str
) -> None:
    model = with_cache(method, "fp8_e4m3")
    assert kv_cache_dtype(model, HOPPER, asked(version, requested)) == found
    assert kv_value_bytes(model, HOPPER, asked(version, requested)) == (1 if found.startswith("fp8") else 2)


@pytest.mark.parametrize(
    ("model", "sm", "version", "found"),
    [
        (V32, HOPPER, "0.11.0", "fp8"),
        (V32, HOPPER, "0.11.2", "auto"),
        (V32, CONSUMER, "0.32.0", "fp8"),
        (GLM_5, BLACKWELL, "0.31.0", "auto"),
        (GLM_5, BLACKWELL, "0.32.0", "fp8_e4m3"),
        (GLM_5, HOPPER, "0.32.0", "auto"),
    ],
)
def test_some_classes_have_an_fp8_cache_by_default(model: str, sm: int, version: str, found: str) -> None:
    assert kv_cache_dtype(of(model), sm, asked(version)) == found


@pytest.mark.parametrize(
    ("model", "sm", "version", "dtype", "tokens"),
    [
        (R1, AMPERE, "0.32.0", "auto", 16),
        (R1, HOPPER, "0.17.1", "auto", 64),
        (R1, HOPPER, "0.18.0", "auto", 16),
        (R1, HOPPER, "0.32.0", "fp8", 64),
        (R1, BLACKWELL, "0.14.1", "auto", 128),
        (R1, BLACKWELL, "0.15.0", "auto", 64),
        (R1, BLACKWELL, "0.18.0", "auto", 32),
        (V32, HOPPER, "0.32.0", "auto", 64),
        (V32, BLACKWELL, "0.32.0", "fp8", 64),
    ],
)
def test_the_kernels_of_latent_attention_decide_its_block(
    model: str, sm: int, version: str, dtype: str, tokens: int
) -> None:
    assert latent_block_tokens(of(model), sm, asked(version, dtype)) == tokens


@pytest.mark.parametrize(
    ("sm", "version", "tp", "vector_bytes"),
    [
        (HOPPER, "0.32.0", 8, 656),
        (BLACKWELL, "0.17.1", 8, 656),
        (BLACKWELL, "0.18.0", 8, 576),
        (BLACKWELL, "0.18.0", 4, 656),
        (BLACKWELL, "0.20.0", 4, 576),
        (CONSUMER, "0.32.0", 4, 656),
    ],
)
def test_fp8_vectors_of_sparse_attention_are_packed_except_by_flashinfer_s_kernel(
    sm: int, version: str, tp: int, vector_bytes: int
) -> None:
    found = latent_token_bytes(of(V32), sm, asked(version, "fp8"), tensor_parallel_size=tp)
    assert found == vector_bytes
    assert latent_token_bytes(of(R1), sm, asked(version, "fp8"), tensor_parallel_size=tp) == 576
    assert latent_token_bytes(of(LLAMA_8B), sm, asked(version), tensor_parallel_size=tp) == 0


@pytest.mark.parametrize(
    ("model", "sm", "version", "dtype", "errors"),
    [
        (R1, AMPERE, "0.32.0", "fp8", ["latent attention with an FP8 KV cache needs compute capability 8.9 or higher"]),
        (R1, AMPERE, "0.32.0", "auto", []),
        (R1, ADA, "0.32.0", "fp8", []),
        (
            R1,
            ADA,
            "0.17.1",
            "fp8",
            ["latent attention with an FP8 KV cache needs compute capability 9.0 or 10.0 before vLLM 0.18"],
        ),
        (R1, HOPPER, "0.32.0", "fp8_e5m2", ["latent attention has no fp8_e5m2 KV cache", E5M2_AND_FP8]),
        (V32, ADA, "0.32.0", "auto", ["sparse attention (DeepSeek V3.2) needs compute capability 9.0 or 10.0"]),
        (V32, CONSUMER, "0.23.0", "auto", ["sparse attention (DeepSeek V3.2) needs compute capability 9.0 or 10.0"]),
        (V32, CONSUMER, "0.24.0", "auto", []),
        (V32, HOPPER, "0.17.1", "fp8_e4m3", []),
        (V32, HOPPER, "0.18.0", "fp8_e4m3", [SPARSE_E4M3]),
        (V32, HOPPER, "0.29.0", "fp8_e4m3", [SPARSE_E4M3]),
        (V32, HOPPER, "0.30.0", "fp8_e4m3", []),
        (V32, HOPPER, "0.32.0", "fp8", []),
        (V32, BLACKWELL, "0.32.0", "fp8_e4m3", []),
        (
            "openai/gpt-oss-20b",
            AMPERE,
            "0.32.0",
            "fp8",
            ["attention sinks (gpt-oss) with an FP8 KV cache need compute capability 8.9 or higher"],
        ),
        ("openai/gpt-oss-20b", ADA, "0.32.0", "fp8", []),
        (GEMMA_3, AMPERE, "0.32.0", "fp8", [BOTH_DIRECTIONS]),
        (GEMMA_3, ADA, "0.32.0", "fp8", []),
        (GEMMA_3, AMPERE, "0.32.0", "auto", []),
        ("Qwen/Qwen3-30B-A3B-FP8", HOPPER, "0.32.0", "fp8_e5m2", [E5M2_AND_FP8]),
        (LLAMA_8B, AMPERE, "0.32.0", "fp8_e5m2", []),
        (SCOUT_W4A16, HOPPER, "0.23.0", "fp8_e5m2", [E5M2_AND_COMPRESSED]),
        (SCOUT_W4A16, HOPPER, "0.24.0", "fp8_e5m2", []),
        (LLAMA_8B, TURING, "0.23.0", "bfloat16", []),
        (LLAMA_8B, TURING, "0.24.0", "bfloat16", [BFLOAT16_KV]),
        (LLAMA_8B, AMPERE, "0.24.0", "bfloat16", []),
        ("deepseek-ai/DeepSeek-V2-Lite", TURING, "0.25.1", "bfloat16", []),
        ("deepseek-ai/DeepSeek-V2-Lite", TURING, "0.26.0", "bfloat16", [BFLOAT16_KV]),
    ],
)
def test_a_cache_that_no_backend_supports_is_refused(
    model: str, sm: int, version: str, dtype: str, errors: list[str]
) -> None:
    assert list(attention_errors(of(model), sm, asked(version, dtype))) == errors


@pytest.mark.parametrize(
    ("sm", "version", "dtype", "head_dim", "tokens"),
    [
        (HOPPER, "0.32.0", "fp8", 512, 64),
        (BLACKWELL, "0.32.0", "fp8", 512, 16),
        (HOPPER, "0.27.0", "fp8", 512, 16),
        (HOPPER, "0.32.0", "auto", 512, 16),
        (HOPPER, "0.32.0", "fp8", 256, 16),
    ],
)
def test_hopper_s_kernel_of_fp8_caches_and_large_heads_has_blocks_of_64(
    sm: int, version: str, dtype: str, head_dim: int, tokens: int
) -> None:
    model = replace(of(LLAMA_8B), attention=(GroupedQuery(heads=8, kv_heads=4, head_dim=head_dim),))
    assert grouped_block_tokens(model, sm, asked(version, dtype)) == tokens


def test_a_refusal_names_the_gpu() -> None:
    plan = planned(R1, "g5.48xlarge", kv_cache_dtype="fp8")
    assert [(refusal.code, refusal.message) for refusal in plan.refusals][:1] == [
        (
            "dtype_unsupported",
            "latent attention with an FP8 KV cache needs compute capability 8.9 or higher, not A10G (compute "
            "capability 8.6)",
        )
    ]
