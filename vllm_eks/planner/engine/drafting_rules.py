"""What vLLM refuses of speculative decoding, by the model and the other options.

Sources: config/speculative.py, config/vllm.py (async_scheduling, max_num_scheduled_tokens) and engine/arg_utils.py
(create_engine_config) of 0.21.0, 0.27.0 and 0.32.0.
"""

from collections.abc import Iterator

from vllm_eks.planner.engine.flag_rules import drafter_errors
from vllm_eks.planner.engine.model_runner import NEVER_AHEAD
from vllm_eks.planner.engine.options import ResolvedOptions
from vllm_eks.planner.engine.speculation import Speculation
from vllm_eks.planner.models.architecture import Architecture


def drafting_errors(model: Architecture, options: ResolvedOptions, tensor_parallel_size: int) -> Iterator[str]:
    """Yield why vLLM refuses --speculative-config with the model and the other options."""
    speculation = options.flags.speculation
    if speculation is None:
        return
    yield from drafter_errors(model, speculation, tensor_parallel_size=tensor_parallel_size, version=options.version)
    yield from _batch_errors(speculation, options)
    if options.flags.async_scheduling and speculation.method in NEVER_AHEAD:
        yield (
            f"--async-scheduling does not go with the method {speculation.method} of --speculative-config: remove one "
            "of the two"
        )


def _batch_errors(speculation: Speculation, options: ResolvedOptions) -> Iterator[str]:
    """Yield why a batch is too small: drafting adds tokens to it, and with adapters vLLM wants room for all drafts."""
    tokens, seqs, batch = speculation.tokens, options.max_num_seqs, options.max_num_batched_tokens
    slots = {"draft_model": 1, "dflash": tokens - 1, "dspark": tokens - 1}.get(speculation.method, 0)
    least = seqs * (tokens + 1) if options.max_loras else seqs * slots + 1
    if batch < least:
        beside = " and LoRA adapters" if options.max_loras else ""
        yield (
            f"--max-num-batched-tokens {batch:,} is too small for --max-num-seqs {seqs:,} with {tokens} drafted tokens"
            f"{beside}: set it to {least:,} or more, or lower --max-num-seqs"
        )
