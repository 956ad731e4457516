"""--dtype: what it does to weights, KV cache and activations, and what vLLM refuses of it."""

import pytest

from tests.support.plans import LLAMA_8B, SCOUT_W4A16, codes, laid_out, planned
from vllm_eks.planner.engine.engine_flags import EngineFlags
from vllm_eks.planner.search.plan import Plan


def with_dtype(model: str, instance: str, dtype: str) -> Plan:
    return planned(model, instance, flags=EngineFlags(dtype=dtype))


def test_32_bits_take_twice_the_weights_and_the_cache() -> None:
    usual, wide = laid_out(planned(LLAMA_8B, "p5.48xlarge")), laid_out(with_dtype(LLAMA_8B, "p5.48xlarge", "float32"))
    assert wide.tightest.weights.size_bytes == 2 * usual.tightest.weights.size_bytes
    assert wide.tightest.kv_bytes_per_token == 2 * usual.tightest.kv_bytes_per_token
    assert wide.tightest.tables.size_bytes == 2 * usual.tightest.tables.size_bytes
    assert wide.tightest.activations.size_bytes > usual.tightest.activations.size_bytes


def test_a_model_unstable_in_float16_runs_in_32_bits_where_bfloat16_is_missing() -> None:
    """The T4 has float16 and float32, of which vLLM takes the latter for Gemma (_resolve_auto_dtype)."""
    gemma = "google/gemma-2-9b-it"
    usual, wide = (
        laid_out(planned(gemma, instance, tensor_parallel_size=4, pipeline_parallel_size=1))
        for instance in ("g6.12xlarge", "g4dn.12xlarge")
    )
    assert wide.tightest.weights.size_bytes == 2 * usual.tightest.weights.size_bytes
    assert wide.tightest.kv_bytes_per_token == 2 * usual.tightest.kv_bytes_per_token
    llama = [laid_out(planned(LLAMA_8B, one, tensor_parallel_size=4)) for one in ("g6.12xlarge", "g4dn.12xlarge")]
    assert llama[0].tightest.weights.size_bytes == llama[1].tightest.weights.size_bytes


def test_16_bits_change_nothing() -> None:
    usual, half = planned(LLAMA_8B, "g6e.xlarge"), with_dtype(LLAMA_8B, "g6e.xlarge", "float16")
    assert half.kv_cache_tokens == usual.kv_cache_tokens


@pytest.mark.parametrize(
    ("model", "instance", "dtype", "message"),
    [
        (
            LLAMA_8B,
            "g4dn.12xlarge",
            "bfloat16",
            "--dtype bfloat16: T4 (compute capability 7.5) lacks it; use float16 or auto",
        ),
        (
            SCOUT_W4A16,
            "g5.48xlarge",
            "float32",
            "--dtype float32: compressed-tensors weights need 16-bit values; use auto",
        ),
        (
            "openai/gpt-oss-20b",
            "g6e.xlarge",
            "float16",
            "--dtype float16: mxfp4 weights need bfloat16; use auto",
        ),
        (
            "google/gemma-3-12b-it",
            "g6e.xlarge",
            "float16",
            "--dtype float16: Gemma3ForConditionalGeneration is numerically unstable in it; use bfloat16 or float32",
        ),
    ],
)
def test_dtypes_that_vllm_refuses_are_refused(model: str, instance: str, dtype: str, message: str) -> None:
    refused = with_dtype(model, instance, dtype)
    assert set(codes(refused)) == {"dtype_unsupported"}
    assert refused.refusals[0].message == message
