"""GPU memory of LoRA adapters: the slots that vLLM allocates at start, whether or not they are used."""

from vllm_eks.planner.engine.options import ResolvedOptions
from vllm_eks.planner.memory.offload import PINNED_GROWTH
from vllm_eks.planner.memory.terms import Term
from vllm_eks.planner.models.architecture import Architecture
from vllm_eks.planner.ranges import Range

BYTES_PER_VALUE = 2
"""vLLM keeps adapters in 16 bits (lora_dtype auto)."""
DEVIATION = Range(0.5, 1.0, 1.2)
"""The best value counts each B matrix without a split, although vLLM splits some of them over the ranks. Buffers add
to it."""


def lora_term(model: Architecture, options: ResolvedOptions, *, layers: int) -> Term:
    """Return the memory of the adapter slots of a stage, without any split over ranks.

    Source: vLLM lora/layers. Each linear layer has a stacked A of (slots, rank, in) and B of (slots, out, rank) for
    each slice (q, k, v, gate, up). The head has one pair for the vocabulary.
    """
    values = model.hidden_size + model.vocab_size + layers * _values_per_layer(model)
    size = options.max_loras * options.max_lora_rank * values * BYTES_PER_VALUE
    return Term(
        name="LoRA adapters",
        bytes=DEVIATION * size,
        rule=f"{options.max_loras} slots x rank {options.max_lora_rank} x (in + out of every linear layer) x 2 bytes",
    )


def host_adapter_bytes(model: Architecture, options: ResolvedOptions) -> float:
    """Return the host memory of the adapters that each worker keeps, whole and pinned.

    Source: vLLM lora/lora_model.py and model_manager.py: a cache of --max-cpu-loras adapters, by default --max-loras.
    """
    if not options.max_loras:
        return 0.0
    kept = max(options.max_loras, options.flags.max_cpu_loras or 0)
    values = model.num_hidden_layers * _values_per_layer(model)
    return PINNED_GROWTH * kept * options.max_lora_rank * values * BYTES_PER_VALUE


def _values_per_layer(model: Architecture) -> int:
    """Return in + out, summed over the slices of a layer's linear modules."""
    hidden, query = model.hidden_size, model.num_attention_heads * model.head_dim
    key_value = 2 * model.num_key_value_heads * model.head_dim
    attention = (3 * hidden + query + key_value) + (query + hidden)
    mlp = (2 * hidden + 2 * model.intermediate_size) + (model.intermediate_size + hidden)
    return attention + mlp


def can_count_lora(model: Architecture) -> bool:
    """Return whether the planner can size the slots: only for plain attention without experts."""
    return not (model.experts or model.latent or model.has_states)
