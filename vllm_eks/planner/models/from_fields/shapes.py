"""Parameters of a decoder layer, from its mixer, its sizes and the fields of the config.json."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from vllm_eks.planner.models.architecture import Experts
from vllm_eks.planner.models.counts import count
from vllm_eks.planner.models.from_fields.repeats import shared_parameters
from vllm_eks.planner.models.from_fields.traits import Traits
from vllm_eks.planner.models.layer_shape import LayerShape
from vllm_eks.planner.models.mixer_shapes import (
    beside,
    compressed_shape,
    grouped_query_shape,
    latent_shape,
    state_shape,
)
from vllm_eks.planner.models.mixers import Attention, Beside, CompressedLatent, GroupedQuery, Latent, LayerKind, NoMixer


def shape_of_layer(
    fields: Mapping[str, Any], one: Attention, size: int, experts: Experts | None, traits: Traits, *, matrices: int
) -> LayerShape:
    """Return the parameters of a layer.

    Args:
        fields: The decoder's fields under our names.
        one: The layer's mixer.
        size: Size of its dense MLP, or 0 without one.
        experts: Its experts, if it has any.
        traits: Those of the architecture.
        matrices: Matrices of a dense MLP: three with a gate, two without.
    """
    hidden = count(fields, "hidden_size")
    mixer = _mixer_shape(fields, one, hidden)
    norms = 2 * hidden
    mlp, routed, router = matrices * hidden * size, 0, 0
    latent = 0
    if experts:
        width = experts.input_size or hidden
        mlp = experts.matrices * hidden * experts.shared_intermediate_size
        routed = experts.matrices * width * experts.intermediate_size * experts.count
        router = hidden * experts.count
        if traits.shares_experts and (blocks := count(fields, "num_blocks")):
            routed = routed * blocks // count(fields, "num_hidden_layers")
        latent = 2 * hidden * experts.input_size if experts.input_size else 0
    return replace(
        mixer,
        mlp=mlp,
        experts=routed,
        whole=mixer.whole + latent + 2 * hidden * count(fields, "hidden_size_per_layer_input"),
        unquantized_whole=mixer.unquantized_whole + norms + router + _mixed_streams(fields, hidden),
    )


def _mixed_streams(fields: Mapping[str, Any], hidden: int) -> int:
    """Return the parameters of a layer that mix residual streams through a low rank (Qwen 4), before each half."""
    streams, rank = count(fields, "hc_count"), count(fields, "hc_lowrank")
    return 2 * streams * hidden * (2 * rank + streams**2) if rank else 0


def _mixer_shape(fields: Mapping[str, Any], one: Attention, hidden: int) -> LayerShape:
    has_bias = bool(fields.get("attention_bias") or fields.get("qkv_bias") or fields.get("add_qkv_bias"))
    match one:
        case NoMixer():
            return LayerShape()
        case GroupedQuery():
            return grouped_query_shape(one, hidden, has_bias=has_bias)
        case Latent():
            return latent_shape(one, hidden)
        case CompressedLatent():
            return compressed_shape(one, hidden)
        case Beside():
            if count(fields, "num_mem_blocks"):
                # The layer's own part is a projection of what the shared block returns.
                return replace(state_shape(one.state, hidden), whole=hidden**2)
            attention = grouped_query_shape(one.attention, hidden, has_bias=has_bias)
            return beside(attention, state_shape(one.state, hidden))
        case _:
            return state_shape(one, hidden)


def extra_parameters(fields: Mapping[str, Any], kinds: tuple[LayerKind, ...], traits: Traits) -> int:
    """Return the parameters beside the embedding that are on its stages and split like it: embeddings of each layer
    (Gemma 3n, Gemma 4) and of n-grams (LongCat), and Zamba 2's shared blocks."""
    hidden = count(fields, "hidden_size")
    extra = 0
    if size := count(fields, "hidden_size_per_layer_input"):
        extra += (count(fields, "vocab_size_per_layer_input", "vocab_size") + hidden) * len(kinds) * size
    extra += count(fields, "ngram_vocab_size_ratio") * count(fields, "vocab_size") * hidden
    return extra + (shared_parameters(fields, kinds.count("beside")) if traits.repeats == "shared" else 0)
