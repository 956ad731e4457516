"""Flags of `vllm serve` that change what clients can ask for, not how the model is split."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

AUTO = "auto"

FAMILY_PARSERS: Mapping[str, tuple[str | None, str | None]] = {
    "LlamaForCausalLM": ("llama3_json", None),
    "Llama4ForCausalLM": ("llama4_pythonic", None),
    "Llama4ForConditionalGeneration": ("llama4_pythonic", None),
    "MistralForCausalLM": ("mistral", None),
    "Mistral3ForConditionalGeneration": ("mistral", None),
    "MixtralForCausalLM": ("mistral", None),
    "Qwen2ForCausalLM": ("hermes", None),
    "Qwen2MoeForCausalLM": ("hermes", None),
    "Qwen3ForCausalLM": ("hermes", "qwen3"),
    "Qwen3MoeForCausalLM": ("hermes", "qwen3"),
    "Qwen3VLForConditionalGeneration": ("hermes", "qwen3"),
    "Qwen3VLMoeForConditionalGeneration": ("hermes", "qwen3"),
    "Qwen3NextForCausalLM": ("hermes", "qwen3"),
    "Qwen3_5ForConditionalGeneration": ("qwen3_coder", "qwen3"),
    "Qwen3_5MoeForConditionalGeneration": ("qwen3_coder", "qwen3"),
    "DeepseekV3ForCausalLM": ("deepseek_v3", "deepseek_r1"),
    "DeepseekV32ForCausalLM": ("deepseek_v32", None),
    "KimiK25ForConditionalGeneration": ("kimi_k2", "kimi_k2"),
    "Glm4MoeForCausalLM": ("glm45", "glm45"),
    "GptOssForCausalLM": ("openai", "openai_gptoss"),
    "MiniMaxM2ForCausalLM": ("minimax_m2", "minimax_m2"),
}
"""Architecture -> tool-call parser, reasoning parser: which fits its usual chat template. General knowledge; a
fine-tune may speak otherwise, and then its parser is named."""


@dataclass(frozen=True, kw_only=True)
class ServingFlags:
    """Wishes about what clients can ask for; None leaves vLLM's own default."""

    tool_call_parser: str | None = None
    """A parser's name, or AUTO for the family's."""
    reasoning_parser: str | None = None
    enable_prefix_caching: bool | None = None
    enable_chunked_prefill: bool | None = None
    lora_modules: Mapping[str, str] = field(default_factory=dict)
    """Name that clients ask for -> the adapter's Hugging Face id."""
    max_loras: int = 1
    max_lora_rank: int = 16


def family_parsers(architecture: str) -> tuple[str | None, str | None]:
    """Return the tool-call and the reasoning parser of a family; None where none is known."""
    return FAMILY_PARSERS.get(architecture, (None, None))


def serving_flags(flags: ServingFlags, architecture: str) -> Sequence[str]:
    """Return the arguments of `vllm serve` for the wishes.

    Raises:
        ValueError: AUTO was wished, and no parser of the family is known.
    """
    tool, reasoning = family_parsers(architecture)
    args: list[str] = []
    if flags.tool_call_parser:
        args += ["--enable-auto-tool-choice", "--tool-call-parser", _chosen(flags.tool_call_parser, tool)]
    if flags.reasoning_parser:
        args += ["--reasoning-parser", _chosen(flags.reasoning_parser, reasoning)]
    for name, wish in (
        ("prefix-caching", flags.enable_prefix_caching),
        ("chunked-prefill", flags.enable_chunked_prefill),
    ):
        if wish is not None:
            args.append(f"--enable-{name}" if wish else f"--no-enable-{name}")
    if flags.lora_modules:
        args += ["--enable-lora", "--max-loras", str(flags.max_loras), "--max-lora-rank", str(flags.max_lora_rank)]
        args += ["--lora-modules", *(f"{name}={path}" for name, path in flags.lora_modules.items())]
    return args


def _chosen(wish: str, of_family: str | None) -> str:
    if wish != AUTO:
        return wish
    if of_family is None:
        raise ValueError("no parser of this family is known")
    return of_family
