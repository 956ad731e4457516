"""`vllm serve` flags that change what clients can request, not how the model is split."""

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
"""Architecture -> (tool-call parser, reasoning parser) for its usual chat template, from general knowledge. A
fine-tune with another template needs its parser set by name."""


@dataclass(frozen=True, kw_only=True)
class ServingFlags:
    """Requested settings for what clients can request. None means vLLM's default."""

    tool_call_parser: str | None = None
    """The name of a parser, or AUTO for the family's parser."""
    reasoning_parser: str | None = None
    enable_prefix_caching: bool | None = None
    enable_chunked_prefill: bool | None = None
    lora_modules: Mapping[str, str] = field(default_factory=dict[str, str])
    """Model name in requests -> Hugging Face id of the adapter."""
    max_loras: int = 1
    max_lora_rank: int = 16


def family_parsers(architecture: str) -> tuple[str | None, str | None]:
    """Return the tool-call parser and the reasoning parser of a family, each None when unknown."""
    return FAMILY_PARSERS.get(architecture, (None, None))


def serving_flags(flags: ServingFlags, architecture: str) -> Sequence[str]:
    """Return the arguments of `vllm serve` for the settings.

    Raises:
        ValueError: A parser is AUTO, and none is known for the family.
    """
    tool, reasoning = family_parsers(architecture)
    args: list[str] = []
    if flags.tool_call_parser:
        args += ["--enable-auto-tool-choice", "--tool-call-parser", _parser(flags.tool_call_parser, tool)]
    if flags.reasoning_parser:
        args += ["--reasoning-parser", _parser(flags.reasoning_parser, reasoning)]
    for name, enabled in (
        ("prefix-caching", flags.enable_prefix_caching),
        ("chunked-prefill", flags.enable_chunked_prefill),
    ):
        if enabled is not None:
            args.append(f"--enable-{name}" if enabled else f"--no-enable-{name}")
    if flags.lora_modules:
        args += ["--enable-lora", "--max-loras", str(flags.max_loras), "--max-lora-rank", str(flags.max_lora_rank)]
        args += ["--lora-modules", *(f"{name}={path}" for name, path in flags.lora_modules.items())]
    return args


def _parser(requested: str, of_family: str | None) -> str:
    if requested != AUTO:
        return requested
    if of_family is None:
        raise ValueError("no parser is known for this family: set its name")
    return of_family
