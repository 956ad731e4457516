"""Bytes by which the planner's weights, which are those after loading, differ from the oracle's, which are before it.

Source: process_weights_after_loading in vLLM's layers/attention/mla_attention.py, fused_moe/oracle/mxfp4.py
and quantization/compressed_tensors/compressed_tensors_moe in 0.21.0, 0.27.0 and 0.32.0.
"""

from vllm_eks.planner.engine.options import ResolvedOptions
from vllm_eks.planner.memory.mxfp4 import expert_growth, triton_growth
from vllm_eks.planner.memory.rank_weights import expert_share
from vllm_eks.planner.memory.stages import Stage
from vllm_eks.planner.models.known_models import ModelFacts
from vllm_eks.planner.models.layer_weights import absorbed_bytes

HOPPER = 90
INDEX_BYTES = 2 * 4
"""Of each input of an expert: the 32-bit g_idx and its order, which loading drops (compressed_tensors_moe_wna16.py)."""
WITHOUT_INDICES = (0, 30, 0)
"""The first version whose class does not make them (0.29.0 does)."""


def bytes_of_loading(facts: ModelFacts, stage: Stage, options: ResolvedOptions, sm: int, tp: int) -> float:
    """Return what loading adds to the weights of a rank, below 0 where it drops more."""
    shards = 1 if options.enable_expert_parallel else tp
    added = absorbed_bytes(facts.architecture) / tp * stage.layers
    experts = facts.architecture.experts
    if experts is None:
        return added
    share = expert_share(experts.count, tp, options)
    if sm == HOPPER and facts.architecture.quantization.method == "mxfp4":
        # Marlin pads MXFP4 experts beyond Triton's kernels, which the oracle's vLLM runs.
        growth = expert_growth(facts.architecture, HOPPER, shards, options.version)
        growth -= triton_growth(facts.architecture, shards)
        added += sum(facts.parts.layers[index].expert_bytes for index in stage.layer_range) * share * growth
    mixtures = [index for index in stage.layer_range if index in facts.architecture.moe_layers]
    if mixtures and options.version < WITHOUT_INDICES and _has_indices(facts, mixtures[0]):
        inputs = facts.architecture.hidden_size + experts.intermediate_size / shards
        held = share * shards * experts.count
        added -= len(mixtures) * held * inputs * INDEX_BYTES
    return added


def _has_indices(facts: ModelFacts, layer: int) -> bool:
    model = facts.architecture
    scheme = model.quantization.of(f"model.layers.{layer}.{model.expert_module}.0.down_proj")
    return scheme is not None and scheme.method == "compressed-tensors" and scheme.uses_marlin
