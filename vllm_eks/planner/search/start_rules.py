"""Start-up checks that vLLM makes after it has sized the KV cache."""

from vllm_eks.planner.engine.options import ResolvedOptions
from vllm_eks.planner.engine.validity import Refusal, rule_refusals
from vllm_eks.planner.engine.versions import (
    FULL_GRAPHS_TOO,
    STATE_BLOCK_IN_A_BATCH,
    STATES_COUNTED_BEFORE_GRAPHS,
)
from vllm_eks.planner.hardware.instances import InstanceType
from vllm_eks.planner.memory.kv_cache import cache_layout
from vllm_eks.planner.memory.stages import Layout
from vllm_eks.planner.models.known_models import ModelFacts


def stage_refusals(
    model: ModelFacts, instance: InstanceType, options: ResolvedOptions, tp: int, pp: int
) -> tuple[Refusal, ...]:
    """Return the rules that a number of stages breaks. Those of one stage are checked when its TP size is chosen."""
    if pp == 1:
        return ()
    return rule_refusals(model.architecture, instance, options, tensor_parallel_size=tp, pipeline_parallel_size=pp)


def states_limit_sequences(model: ModelFacts, options: ResolvedOptions) -> bool:
    """Return whether vLLM refuses a --max-num-seqs above its number of KV cache blocks.

    A hybrid model keeps one block of states per sequence, and vLLM refuses to capture full CUDA graphs for more
    sequences than it has blocks (config/compilation.py).
    """
    captures = not options.enforce_eager and options.version >= max(STATES_COUNTED_BEFORE_GRAPHS, FULL_GRAPHS_TOO)
    return captures and model.architecture.has_states


def state_refusal(model: ModelFacts, layout: Layout, options: ResolvedOptions, *, cautious: bool) -> Refusal | None:
    """Return a refusal when vLLM would not start with this --max-num-seqs, or None when it would.

    The number of blocks is the low estimate if cautious, or else the likely one.
    """
    most = layout.least_blocks(cautious=cautious)
    if options.max_num_seqs <= most or not states_limit_sequences(model, options):
        return None
    return Refusal(
        code="engine_refuses",
        message=f"{layout.label}: vLLM {version_text(options)} refuses more sequences than blocks of linear-attention "
        f"state: --max-num-seqs is {options.max_num_seqs:,} and the {'low' if cautious else 'likely'} estimate is "
        f"{most:,} blocks; set it to {most} or less, or use --enforce-eager",
    )


def batch_for_states(model: ModelFacts, sm: int, options: ResolvedOptions, *, tensor_parallel_size: int) -> int:
    """Return the smallest --max-num-batched-tokens that the vLLM version accepts.

    With prefix caching, some versions require a batch at least as large as a block of a hybrid model, which is enlarged
    until its states fit a page (config/vllm.py, Mamba cache align mode).
    """
    since, until = STATE_BLOCK_IN_A_BATCH
    if not (model.architecture.has_states and options.caches_prefixes and since <= options.version < until):
        return 1
    return cache_layout(model.architecture, sm, options, tensor_parallel_size=tensor_parallel_size).block_tokens


def batch_refusal(model: ModelFacts, sm: int, options: ResolvedOptions, *, tensor_parallel_size: int) -> Refusal | None:
    """Return a refusal when vLLM would not start with this small a batch, or None when it would."""
    least = batch_for_states(model, sm, options, tensor_parallel_size=tensor_parallel_size)
    if options.max_num_batched_tokens >= least:
        return None
    return Refusal(
        code="engine_refuses",
        message=f"TP={tensor_parallel_size}: with prefix caching, vLLM {version_text(options)} requires a batch at "
        "least as large as one block of linear-attention state: --max-num-batched-tokens "
        f"{options.max_num_batched_tokens:,} is below {least:,}; set it to {least} or more",
    )


def version_text(options: ResolvedOptions) -> str:
    """Return the vLLM version with dots, such as 0.21.0."""
    return ".".join(map(str, options.version))
