"""The arguments of vLLM's EngineArgs in a row of the oracle's table, as flags that the planner reads."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from vllm_eks.planner.engine.counted_flags import checked_flags, engine_flags
from vllm_eks.planner.engine.engine_flags import EngineFlags
from vllm_eks.planner.engine.flag_dispositions import dispositions, refusals_of, warnings_of
from vllm_eks.planner.engine.flag_reading import read_flags
from vllm_eks.planner.engine.flag_tables import flags_of
from vllm_eks.planner.engine.options import ResolvedOptions

OPTIONS_OF_A_PLAN = frozenset(
    (
        "enable_prefix_caching",
        "limit_mm_per_prompt",
        "decode_context_parallel_size",
        "enable_lora",
        "max_loras",
        "max_lora_rank",
        "enable_chunked_prefill",
    )
)
"""Arguments with a field of their own in ServingOptions."""


def counted(arguments: Mapping[str, Any], version: str) -> EngineFlags:
    """Return what the planner counts of the arguments.

    Raises:
        WrongQuestion: vLLM would refuse one of them.
    """
    return checked_flags(list(_words(arguments)), version)


def not_planned(arguments: Mapping[str, Any], version: str, checkpoint_quantization: str) -> str | None:
    """Return why vllm-eks refuses one of the arguments, whether or not vLLM does, or plans without it. Else None."""
    for flag in read_flags(list(_words(arguments)), flags_of(version)).flags:
        for row in refusals_of(flag, checkpoint_quantization):
            return f"vllm-eks refuses {flag.flag.name}: {row.reason}"
        for row in () if flag.flag.name in dispositions().counted else warnings_of(flag, checkpoint_quantization):
            return f"vllm-eks warns about {flag.flag.name}: {row.reason}"
    flags = engine_flags(list(_words(arguments)), version)
    if flags.speculation and flags.speculation.has_weights:
        return "the oracle builds no drafter"
    return None if flags.offload.is_off else "the oracle moves no weights to host memory"


def prefill_refusal(arguments: Mapping[str, Any], options: ResolvedOptions) -> str | None:
    """Return why a stack refuses enableChunkedPrefill (config/cross_field/options.py), or None."""
    whole = arguments.get("enable_chunked_prefill") is False
    if not whole or options.max_num_batched_tokens >= options.max_model_len:
        return None
    return "enableChunkedPrefill: false conflicts with maxNumBatchedTokens below maxModelLen"


def _words(arguments: Mapping[str, Any]) -> Iterator[str]:
    for name, value in arguments.items():
        flag = f"--{name.replace('_', '-')}"
        if name in OPTIONS_OF_A_PLAN:
            continue
        if isinstance(value, bool):
            yield flag if value else flag.replace("--", "--no-", 1)
        else:
            yield from (flag, value if isinstance(value, str) else json.dumps(value))
