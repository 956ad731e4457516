"""Weights that speculative decoding adds to the ranks of the last pipeline stage.

Source: v1/spec_decode of 0.21.0, 0.27.0 and 0.32.0 (the drafter runs on the last stage and shares the embedding where
there is one stage), model_executor/models/deepseek_mtp.py, qwen3_5_mtp.py and llama_eagle3.py.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from vllm_eks.planner.engine.options import ResolvedOptions
from vllm_eks.planner.engine.speculation import HEADS, Speculation
from vllm_eks.planner.memory.cached_layers import draft_layers, whole_context_layer
from vllm_eks.planner.memory.terms import Term
from vllm_eks.planner.models.architecture import Architecture
from vllm_eks.planner.models.known_models import ModelFacts
from vllm_eks.planner.models.layer_weights import LayerWeights, compute_layer
from vllm_eks.planner.models.quantization import NONE
from vllm_eks.planner.ranges import Range, exactly
from vllm_eks.planner.units import gib

BYTES_PER_VALUE = 2
HEAD_DEVIATION = Range(0.5, 1.0, 2.0)
"""Size of a head over the estimate below. A guess: heads differ in MLP, vocabulary and number of layers."""
SPLIT_PROJECTION = ("Qwen3_5", "Qwen3Next", "NemotronH", "Exaone")
"""Architectures whose projection of multi-token prediction is a ColumnParallelLinear. The others keep it whole on every
rank (models/*_mtp.py of 0.21.0, 0.27.0 and 0.32.0)."""
HEAD_VOCABULARY = 32_000
"""draft_vocab_size of published EAGLE-3 heads."""


def with_draft(
    weights: Term, model: ModelFacts, options: ResolvedOptions, *, tensor_parallel_size: int, stages: int
) -> Term:
    """Return the weights of the last stage with those of the drafter. vLLM logs both as one."""
    draft = draft_term(model, options, tensor_parallel_size=tensor_parallel_size, stages=stages)
    if draft is None:
        return weights
    return replace(weights, bytes=weights.bytes + draft.bytes, rule=f"{weights.rule}; and {draft.rule}")


def draft_term(model: ModelFacts, options: ResolvedOptions, *, tensor_parallel_size: int, stages: int) -> Term | None:
    """Return the drafter's weights on one rank of the last stage, or None when nothing is loaded for it."""
    speculation, tp = options.flags.speculation, tensor_parallel_size
    if speculation is None or not speculation.has_weights:
        return None
    own_tp = speculation.draft_tensor_parallel_size or tp
    if speculation.draft is not None and speculation.method not in HEADS:
        return _locked_term(speculation, speculation.draft, tp=own_tp)
    size = exactly(_vocabulary_bytes(model.architecture) / tp if stages > 1 else 0.0)
    if speculation.method == "mtp":
        count = draft_layers(model.architecture, speculation)
        size = size + exactly(_own_layer_bytes(model, options, tp=tp) * count)
        rule = f"mtp: {count} more decoder layer{'' if count == 1 else 's'} and a projection"
    else:
        size = size + _head_bytes(speculation, model.architecture, tp=own_tp)
        what = f"{speculation.draft.id}, a layer and a projection" if speculation.draft else "one dense layer, a guess"
        why = "" if speculation.draft else f", because {speculation.model} is not locked"
        rule = f"{speculation.method}: {what}{why}"
    return Term(name="draft model", bytes=size, rule=rule)


def _locked_term(speculation: Speculation, draft: ModelFacts, *, tp: int) -> Term:
    parts, kv_heads = draft.parts, draft.architecture.num_key_value_heads
    layers = [
        layer.rank_bytes(tensor_parallel_size=tp, kv_heads=kv_heads, expert_share=1 / tp) for layer in parts.layers
    ]
    size = sum(layers) + (parts.embedding_bytes + parts.head_bytes) / tp + parts.final_norm_bytes
    return Term(
        name="draft model",
        bytes=exactly(size * draft.weights_scale),
        rule=f"{speculation.method}: {draft.id}, {gib(draft.weights_bytes):.2f} GiB over TP={tp}",
    )


def _own_layer_bytes(model: ModelFacts, options: ResolvedOptions, *, tp: int) -> float:
    """Return one of the model's own layers for multi-token prediction: like its last layers, and a projection.

    Compared with vLLM's own classes for Qwen3.5, DeepSeek V3, GLM 4.5 and 5, and Nemotron 3 (tests/data/oracle).
    """
    architecture = model.architecture
    experts = architecture.experts.count if architecture.experts else 1
    layers = sum(
        layer.rank_bytes(
            tensor_parallel_size=tp,
            kv_heads=architecture.num_key_value_heads,
            expert_share=-(-experts // tp) / experts if options.enable_expert_parallel else 1 / tp,
        )
        for layer in _last_layers(model)
    )
    projection = 2 * architecture.hidden_size**2 * BYTES_PER_VALUE
    return layers + (projection / tp if architecture.name.startswith(SPLIT_PROJECTION) else projection)


def _last_layers(model: ModelFacts) -> list[LayerWeights]:
    """Return the model's last layer with attention over the whole context, and its last experts where these are apart.

    A checkpoint may leave them unquantized.
    """
    architecture = model.architecture
    last = whole_context_layer(architecture)
    apart = bool(architecture.moe_layers) and last not in architecture.moe_layers
    indices = [last, *([max(architecture.moe_layers)] if apart else [])]
    if not _stays_unquantized(architecture):
        return [model.parts.layers[index] for index in indices]
    plain = replace(architecture, quantization=NONE)
    return [compute_layer(plain, index) for index in indices]


def _stays_unquantized(model: Architecture) -> bool:
    """Return whether the checkpoint quantizes its layers but not those for multi-token prediction (NVIDIA's NVFP4)."""
    module = f"{model.expert_module}.0.down_proj" if model.moe_layers else "mlp.down_proj"
    own = (f"model.layers.{model.num_hidden_layers}.{module}", f"mtp.layers.0.{module}")
    covers = model.quantization.covers
    return covers(f"model.layers.{model.num_hidden_layers - 1}.{module}") and not all(map(covers, own))


def _head_bytes(speculation: Speculation, target: Architecture, *, tp: int) -> Range:
    """Return the bytes of a head on one rank: its dense layers, and the projection, which is whole on every rank.

    EAGLE-3 reads an embedding and a hidden state in its first layer, three of the model's layers in its projection, and
    has a head of its own. The first EAGLE has the model's head (models/llama_eagle.py, llama_eagle3.py).
    """
    draft, first = speculation.draft, speculation.method == "eagle"
    head = draft.architecture if draft else target
    config: Mapping[str, Any] = draft.config if draft else {"draft_vocab_size": HEAD_VOCABULARY}
    hidden, query = head.hidden_size, head.num_attention_heads * head.head_dim
    inputs = hidden * (query + 2 * head.num_key_value_heads * head.head_dim) * (1 if first else 2)
    layer = inputs + query * hidden + 3 * hidden * (head.intermediate_size or 4 * hidden)
    vocabulary = 0 if first else config.get("draft_vocab_size") or head.vocab_size
    projection = 2 * hidden * hidden if first else 3 * (config.get("target_hidden_size") or hidden) * hidden
    layers = head.num_hidden_layers if draft else 1
    size = ((layers * layer + vocabulary * hidden) / tp + projection) * BYTES_PER_VALUE
    return exactly(size) if draft else HEAD_DEVIATION * size


def _vocabulary_bytes(model: Architecture) -> float:
    return float(model.vocab_size * model.hidden_size * BYTES_PER_VALUE)
