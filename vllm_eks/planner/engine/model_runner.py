"""Which of vLLM's two GPU model runners serves a model.

Source: config/vllm.py, use_v2_model_runner and DEFAULT_V2_MODEL_RUNNER_ARCHITECTURES, in the wheels of 0.21.0 to
0.33.0.
"""

from vllm_eks.planner.engine.engine_flags import EngineFlags
from vllm_eks.planner.engine.options import ResolvedOptions
from vllm_eks.planner.engine.versions import (
    BATCHES_IN_FLIGHT,
    CUDA_GRAPHS_IN_BUDGET,
    DRAFT_MODELS_AHEAD,
    SECOND_RUNNER_COUNTS_GRAPHS,
    SECOND_RUNNER_DRAFTS_MORE,
    SECOND_RUNNER_FOR_ALL,
    SECOND_RUNNER_FOR_DENSE,
    SECOND_RUNNER_FOR_QUANTIZED,
)
from vllm_eks.planner.models.architecture import Architecture
from vllm_eks.planner.vllm_version import Version

SECOND_RUNNER_FIRST: dict[str, Version] = {
    "Qwen3ForCausalLM": (0, 22, 0),
    "LlamaForCausalLM": (0, 23, 0),
    "MistralForCausalLM": (0, 23, 0),
    "DeepseekV2ForCausalLM": (0, 24, 0),
    "Qwen2MoeForCausalLM": (0, 24, 0),
    "GraniteMoeForCausalLM": (0, 24, 0),
    "KimiK3ForConditionalGeneration": (0, 27, 0),
    "DeepseekV4ForCausalLM": (0, 28, 0),
}
"""The first version whose list of classes has this one."""

NEVER_AHEAD = ("ngram", "suffix", "medusa", "mlp_speculator")
"""Methods of speculative decoding that vLLM does not schedule ahead. With --async-scheduling it refuses them."""
DRAFTS_OF_SECOND_RUNNER = ("eagle", "eagle3", "mtp", "dflash", "dspark")
"""Methods of speculative decoding that the second runner has in 0.27.0; with others vLLM takes the first one."""
DRAFTS_OF_FIRST_RUNNER = ("suffix", "medusa", "mlp_speculator")
"""Methods that the second runner still lacks in 0.32.0 (config/vllm.py, _get_v2_model_runner_unsupported_features)."""


def uses_second_runner(model: Architecture, version: Version, drafting: str | None = None) -> bool:
    """Return whether this version serves the model with its second model runner by default.

    Args:
        model: The model.
        version: The vLLM version.
        drafting: The method of speculative decoding, or None without it.
    """
    if drafting and version < SECOND_RUNNER_DRAFTS_MORE and drafting not in DRAFTS_OF_SECOND_RUNNER:
        return False
    if drafting in DRAFTS_OF_FIRST_RUNNER:
        return False
    if version >= SECOND_RUNNER_FOR_ALL:
        return True
    if version >= SECOND_RUNNER_FOR_DENSE and not model.experts and not model.has_states:
        return True
    since = SECOND_RUNNER_FIRST.get(model.name)
    if since is None or version < since:
        return False
    return version >= SECOND_RUNNER_FOR_QUANTIZED or not model.quantization.is_quantized


def schedules_ahead(version: Version, flags: EngineFlags) -> bool:
    """Return whether a batch is scheduled while another one runs (config/vllm.py, async_scheduling)."""
    if flags.async_scheduling is not None:
        return flags.async_scheduling
    method = flags.speculation.method if flags.speculation else None
    return method not in NEVER_AHEAD and not (method == "draft_model" and version < DRAFT_MODELS_AHEAD)


def counts_graphs(model: Architecture, version: Version, drafting: str | None = None) -> bool:
    """Return whether vLLM subtracts its estimate of the CUDA graphs before it sizes the KV cache."""
    if uses_second_runner(model, version, drafting):
        return version >= SECOND_RUNNER_COUNTS_GRAPHS
    return version >= CUDA_GRAPHS_IN_BUDGET


def batches_in_flight(model: Architecture, options: ResolvedOptions, pipeline_parallel_size: int) -> int:
    """Return the number of batches in flight at once (config/vllm.py, max_concurrent_batches).

    Async scheduling overlaps two batches. A pipeline has one per stage, and one more with the second model runner.
    """
    if options.version < BATCHES_IN_FLIGHT:
        return 1
    if not schedules_ahead(options.version, options.flags):
        return pipeline_parallel_size
    if uses_second_runner(model, options.version, options.drafting):
        return pipeline_parallel_size + 1
    return 2 if pipeline_parallel_size == 1 else pipeline_parallel_size
