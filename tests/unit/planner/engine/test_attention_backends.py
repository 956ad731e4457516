"""Backends of --attention-backend that vLLM refuses for a model, a GPU or a data type."""

from typing import Any

import pytest

from tests.support.plans import LLAMA_8B, planned
from vllm_eks.errors import WrongQuestion
from vllm_eks.planner.engine.attention import latent_block_tokens
from vllm_eks.planner.engine.counted_flags import checked_flags
from vllm_eks.planner.engine.options import ServingOptions, resolve
from vllm_eks.planner.hardware.instances import find_instance
from vllm_eks.planner.models.known_models import find_model

DEEPSEEK, GEMMA, GPT_OSS = "deepseek-ai/DeepSeek-V3", "google/gemma-3-27b-it", "openai/gpt-oss-20b"
H100, L40S = "H100 (compute capability 9.0)", "L40S (compute capability 8.9)"
B200 = "B200 (compute capability 10.0)"
A10G, T4 = "A10G (compute capability 8.6)", "T4 (compute capability 7.5)"
MIMO, GEMMA_4 = "XiaomiMiMo/MiMo-V2-Flash", "google/gemma-4-26B-A4B"
FP8 = {"kv_cache_dtype": "fp8"}
NO_IMAGES = {"limit_mm_per_prompt": {"image": 0, "video": 0}}


def refusal_of(name: str, model: str, instance: str, version: str = "0.27.0", **requested: Any) -> str | None:
    flags = checked_flags(("--attention-backend", name), version)
    found = planned(model, instance, flags=flags, vllm_version=version, **requested)
    start = f"--attention-backend {name.upper()}: "
    return next((one.message.removeprefix(start) for one in found.refusals if one.message.startswith(start)), None)


@pytest.mark.parametrize(
    ("name", "model", "instance", "requested", "reason"),
    [
        ("FLASHMLA", DEEPSEEK, "g6e.48xlarge", {}, f"it needs compute capability 9.0, not {L40S}"),
        ("CUTLASS_MLA", DEEPSEEK, "p5.48xlarge", {}, f"it needs compute capability 10.0, not {H100}"),
        (
            "FLASH_ATTN",
            DEEPSEEK,
            "p5.48xlarge",
            {},
            "it runs grouped attention, and DeepseekV3ForCausalLM has latent attention",
        ),
        (
            "TRITON_MLA",
            LLAMA_8B,
            "g6e.xlarge",
            {},
            "it runs latent attention, and LlamaForCausalLM has grouped attention",
        ),
        ("FLASH_ATTN", LLAMA_8B, "g4dn.12xlarge", {}, f"it needs compute capability 8.0 or higher, not {T4}"),
        ("FLASHINFER", LLAMA_8B, "g4dn.12xlarge", {}, f"it needs compute capability 8.0 or higher, not {T4}"),
        (
            "flash_attn",
            LLAMA_8B,
            "g5.12xlarge",
            FP8,
            f"it has no FP8 KV cache on {A10G}",
        ),
        ("FLEX_ATTENTION", LLAMA_8B, "p5.48xlarge", FP8, f"it has no FP8 KV cache on {H100}"),
        (
            "FLASHMLA",
            DEEPSEEK,
            "p6-b200.48xlarge",
            {},
            f"it needs compute capability 9.0, not {B200}",
        ),
        ("FLASH_ATTN", GPT_OSS, "g6e.xlarge", {}, f"it has no attention sinks on {L40S}"),
        ("FLASHINFER", MIMO, "p5.48xlarge", {}, "it has no heads of 192 values"),
        ("FLASH_ATTN", GEMMA_4, "g6e.12xlarge", NO_IMAGES, f"it has no heads of 512 values on {L40S}"),
        ("FLASHINFER", GPT_OSS, "g6e.xlarge", {}, f"it has no attention sinks on {L40S}"),
        (
            "FLASH_ATTN",
            GEMMA,
            "g6e.12xlarge",
            {},
            f"it has no attention between all tokens of an image on {L40S}",
        ),
    ],
)
def test_a_backend_that_does_not_run_the_model_is_refused(
    name: str, model: str, instance: str, requested: dict[str, Any], reason: str
) -> None:
    assert refusal_of(name, model, instance, **requested) == f"{reason}; remove it, and vLLM chooses one"


def test_backends_of_other_hardware_are_refused() -> None:
    assert refusal_of("ROCM_ATTN", LLAMA_8B, "g6e.xlarge") == "it does not run on NVIDIA GPUs; remove it"


@pytest.mark.parametrize(
    ("name", "model", "instance", "version", "requested"),
    [
        ("FLASH_ATTN", LLAMA_8B, "g5.12xlarge", "0.27.0", {}),
        ("FLASHINFER", LLAMA_8B, "g4dn.12xlarge", "0.21.0", {}),
        ("FLASHINFER", LLAMA_8B, "g6e.xlarge", "0.27.0", FP8),
        ("TRITON_ATTN", GPT_OSS, "g6e.xlarge", "0.27.0", {}),
        ("FLASH_ATTN", GPT_OSS, "p5.4xlarge", "0.27.0", {}),
        ("FLASH_ATTN", GEMMA, "g6e.12xlarge", "0.27.0", NO_IMAGES),
        ("FLASHMLA", DEEPSEEK, "p5en.48xlarge", "0.27.0", {}),
        ("auto", LLAMA_8B, "g4dn.12xlarge", "0.27.0", {}),
        ("TURBOQUANT", LLAMA_8B, "g6e.xlarge", "0.27.0", {}),
    ],
)
def test_a_backend_that_runs_the_model_or_is_not_known_is_not(
    name: str, model: str, instance: str, version: str, requested: dict[str, Any]
) -> None:
    assert refusal_of(name, model, instance, version, **requested) is None


def test_float32_needs_a_backend_that_has_it() -> None:
    for name, reason in (("FLASH_ATTN", "it does not run in float32"), ("TRITON_ATTN", None)):
        flags = checked_flags(("--attention-backend", name, "--dtype", "float32"), "0.27.0")
        messages = [one.message for one in planned(LLAMA_8B, "g6e.12xlarge", flags=flags).refusals]
        expected = [f"--attention-backend {name}: {reason}; remove it, and vLLM chooses one"] if reason else []
        assert messages == expected


def test_blocks_of_latent_attention_follow_the_backend() -> None:
    hopper, model = find_instance("p5en.48xlarge"), find_model(DEEPSEEK).architecture
    blocks: dict[str, int] = {}
    for name in ("auto", "FLASHMLA", "TRITON_MLA", "CUTLASS_MLA"):
        asked = ServingOptions(flags=checked_flags(("--attention-config.backend", name), "0.27.0"))
        blocks[name] = latent_block_tokens(model, 90, resolve(asked, hopper, context_limit_tokens=8192))
    assert blocks == {"auto": 16, "FLASHMLA": 64, "TRITON_MLA": 16, "CUTLASS_MLA": 128}


def test_a_backend_given_twice_is_an_error() -> None:
    with pytest.raises(WrongQuestion) as told:
        checked_flags(("--attention-backend", "FLASHMLA", "--attention-config.backend", "FLASHMLA"), "0.27.0")
    assert str(told.value) == (
        "--attention-config.backend: --attention-backend and backend of --attention-config are both given: remove one"
    )
